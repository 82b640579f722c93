// What operators and owners of accounts do with the pages, in a real browser. Each step waits for what a person would see.
import AxeBuilder from "@axe-core/playwright";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const { API_URL, MAIL_URL, ADMIN_USERNAME, ADMIN_PASSWORD, CHROMIUM, IMAGES } = process.env;
const WIDTHS = { telephone: 375, bureau: 1200 };
mkdirSync(IMAGES, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
let looked = 0;

/** A browser of its own, whose pages may load nothing from elsewhere and must not fail in a script. */
async function visitor(options = {}) {
  const context = await browser.newContext({ baseURL: API_URL, locale: "fr-MA", viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => { throw error; });
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) throw new Error(message.text());
  });
  return page;
}

async function signIn(page, username = ADMIN_USERNAME, password = ADMIN_PASSWORD) {
  await page.goto("/console/connexion");
  await page.fill("#username", username);
  await page.fill("#password", password);
  await page.click("button");
}

/** Axe, in light and dark, and no sideways scrolling of the page as a whole. */
async function look(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]).analyze();
    const said = found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`));
    assert.deepEqual(said, [], `${name}, ${colorScheme}`);
    looked += 1;
  }
  await page.emulateMedia({ colorScheme: "light" });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
}

const picture = (page, name) => page.screenshot({ path: `${IMAGES}/${name}.png` });

async function api(method, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`${API_URL}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

async function until(what, check) {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = await check();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not seen within 30 s: ${what}`);
}

/** The link in the newest mail to `address` that matches `pattern`. */
const mailedLink = (address, pattern) => until(`a mail to ${address}`, async () => {
  const messages = await (await fetch(`${MAIL_URL}/api/messages`)).json();
  for (const { id, to } of messages) {
    if (!to.includes(address)) continue;
    const { text } = await (await fetch(`${MAIL_URL}/api/messages/${id}`)).json();
    const link = text.match(pattern);
    if (link) return link[0];
  }
  return null;
});

const sections = {
  async "an operator signs in, and every page can be used at a desk and on a phone"() {
    const page = await visitor();
    await page.goto("/console/taches?state=dead");
    await look(page, "connexion");
    await page.fill("#username", ADMIN_USERNAME);
    await page.fill("#password", "something else");
    await page.click("button");
    await page.getByRole("alert").waitFor();
    await look(page, "connexion refusée");
    await page.fill("#password", ADMIN_PASSWORD);
    await page.click("button");
    await page.waitForURL("**/console/taches?state=dead");
    for (const [name, width] of Object.entries(WIDTHS)) {
      await page.setViewportSize({ width, height: 900 });
      for (const path of ["", "/taches", "/echecs", "/emails", "/planifications", "/planifications/planning.generate", "/audit", "/systeme"]) {
        await page.goto(`/console${path}`);
        await look(page, `${path} ${name}`);
        await picture(page, `console${path.replaceAll("/", "-")}-${name}`);
      }
      await page.goto("/compte");
      await look(page, `compte ${name}`);
      await picture(page, `compte-${name}`);
    }
    await page.context().close();
  },

  async "dead jobs are found by their cause and run again together, and the page follows by itself"() {
    const page = await visitor();
    await signIn(page);
    const token = await tokenOf();
    await page.getByRole("button", { name: "Suspendre emails", exact: true }).click();
    await page.getByText("suspendue").first().waitFor();
    const queue = (await api("GET", "/admin/queues", null, token)).find((one) => one.name === "emails");
    assert.ok(queue.paused);

    // What happens meanwhile shows without a reload.
    await page.mouse.move(5, 5);
    await page.evaluate(() => { window.same = true; });
    const machine = await api("POST", "/equipements", { nom: "Pompe N7", type: "Pompe", localisation: "Safi" }, token);
    const intervention = await api("POST", "/interventions", { titre: "Fuite", type: "corrective", equipement_id: machine.id }, token);
    for (const username of ["parti", "partie"]) {
      const gone = await api("POST", "/users", { username, full_name: "Parti Ailleurs", email: `${username}@mif.example`, role: "technicien", password: "grue jaune du port" }, token);
      await api("POST", "/notifications", { type: "information", canal: "email", contenu: "Réunion à 8 h.", intervention_id: intervention.id, user_id: gone.id }, token);
      await api("DELETE", `/users/${gone.id}`, null, token);
    }
    const waiting = page.locator("tr", { has: page.getByRole("button", { name: "Reprendre emails", exact: true }) }).locator("a[href*='state=ready'], a[href*='state=scheduled']");
    await waiting.first().waitFor();
    assert.ok(await page.evaluate(() => window.same), "the page was reloaded");

    await page.getByRole("button", { name: "Reprendre emails", exact: true }).click();
    await until("two dead jobs", async () => (await api("GET", "/admin/jobs?state=dead&type=emails", null, token)).length === 2);
    await page.goto("/console");
    await page.getByRole("link", { name: /en échec/ }).waitFor();
    await look(page, "quelque chose à faire");
    await picture(page, "console-bureau");
    await page.goto("/console/echecs");
    await look(page, "échecs");
    await picture(page, "console-echecs-bureau");
    await page.getByRole("link", { name: /^Relancer… emails/ }).click();
    await page.getByRole("heading", { name: /Relancer\s: 2 tâches\s\?/ }).waitFor();
    await look(page, "avant de relancer");
    await page.getByRole("button", { name: "Relancer", exact: true }).click();
    await page.getByText(/Tâches relancées\s: 2\./).waitFor();
    const lines = await api("GET", "/admin/audit?action=taches_relancees", null, token);
    assert.equal(lines[0].apres.filter.state, "dead");

    // One job, with what became of its attempts.
    const [job] = await api("GET", "/admin/jobs?type=emails&limit=1", null, token);
    await page.goto(`/console/taches/${job.id}`);
    await look(page, "une tâche");
    await picture(page, "console-tache-bureau");
    await page.context().close();
  },

  async "jobs are ticked and cancelled; while one is ticked nothing moves"() {
    const page = await visitor();
    await signIn(page);
    const token = await tokenOf();
    await page.getByRole("button", { name: "Suspendre maintenance.purge" }).click();
    await page.goto("/console/planifications");
    for (let n = 0; n < 2; n += 1) {
      await page.locator("tr", { hasText: "maintenance.purge" }).getByRole("button", { name: /^Lancer maintenant/ }).click();
      await page.getByText("Sa tâche est en file.").waitFor();
    }
    await page.goto("/console/taches?type=maintenance.purge&state=ready");
    const boxes = page.locator("tbody input[type=checkbox]");
    await boxes.first().check();
    await page.mouse.move(5, 5);
    await api("POST", "/admin/schedules/maintenance.purge/run", {}, token);
    await page.getByText("Des changements attendent.").waitFor();
    assert.ok(await boxes.first().isChecked());
    const before = await boxes.count();
    await page.getByRole("button", { name: "Les afficher" }).click();
    await until("the new row", async () => (await boxes.count()) > before);

    await page.getByLabel("Tout cocher").check();
    await page.getByRole("button", { name: "Annuler…" }).click();
    await page.getByRole("button", { name: "Annuler", exact: true }).click();
    await page.getByText(/Tâches annulées\s: [1-9]/).waitFor();
    assert.deepEqual(await api("GET", "/admin/jobs?type=maintenance.purge&state=ready", null, token), []);
    await page.goto("/console");
    await page.getByRole("button", { name: "Reprendre maintenance.purge" }).click();
    await page.context().close();
  },

  async "a schedule is tried before it is changed"() {
    const page = await visitor();
    await signIn(page);
    await page.goto("/console/planifications/maintenance.purge");
    await page.fill("#cron", "30 7 * * MON-FRI");
    await page.getByRole("button", { name: "Voir les dates" }).click();
    await page.getByText("du lundi au vendredi à 07:30").first().waitFor();
    await page.getByText(/Un essai\s: rien n’est encore modifié\./).waitFor();
    await page.getByRole("button", { name: "Enregistrer" }).click();
    await page.getByText("La planification est modifiée.").waitFor();
    await page.getByText("du lundi au vendredi à 07:30").first().waitFor();
    await page.context().close();
  },

  async "a session that is ended elsewhere ends before one's eyes"() {
    const [one, other] = [await visitor(), await visitor()];
    await signIn(one);
    await signIn(other);
    await other.goto("/console");
    await one.goto("/compte");
    await one.getByRole("button", { name: "Terminer toutes les autres" }).click();
    await one.getByText("Toutes vos autres sessions sont terminées.").waitFor();
    await other.waitForURL("**/console/connexion?**", { timeout: 30000 });
    await one.context().close();
    await other.context().close();
  },

  async "somebody is invited, forgets the password, and chooses another"() {
    const token = await tokenOf();
    const email = "n.berrada@mif.example";
    await api("POST", "/users/invitations", { username: "nadia", full_name: "Nadia Berrada", email, role: "technicien" }, token);
    const page = await visitor({ viewport: { width: 375, height: 800 } });
    await page.goto(await mailedLink(email, /\S+\/compte\/invitation\?jeton=\S+/));
    await look(page, "invitation");
    await page.fill("#password", "cinq barques au large");
    await page.fill("#encore", "cinq barques au large");
    await page.route(/#connexion=|localhost:3000/, (route) => route.fulfill({ body: "the application" }));
    await page.click("button");
    await page.waitForURL(/#connexion=/);

    await page.goto("/console/connexion");
    await page.getByRole("link", { name: /Mot de passe oublié/ }).click();
    await page.fill("#email", email);
    await page.click("button");
    await page.getByText("Consultez votre messagerie").first().waitFor();
    await page.goto(await mailedLink(email, /\S+\/compte\/mot-de-passe\?jeton=\S+/));
    await look(page, "nouveau mot de passe");
    await page.fill("#password", "sept ponts sur un oued");
    await page.fill("#encore", "sept ponts sur un oued");
    await page.click("button");
    await page.getByText("C’est fait").first().waitFor();

    await signIn(page, "nadia", "sept ponts sur un oued");
    await page.waitForURL("**/compte");
    await look(page, "compte d’un technicien");
    await page.context().close();
  },

  async "a second factor is turned on with a phone, asked for, and stands in for it on paper"() {
    const token = await tokenOf();
    const [username, password] = ["karim", "onze figues et un puits"];
    await api("POST", "/users", { username, full_name: "Karim Idrissi", email: "k.idrissi@mif.example", role: "responsable", password }, token);
    const page = await visitor();
    await signIn(page, username, password);
    await page.waitForURL("**/console");
    for (const width of Object.values(WIDTHS)) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto("/compte/second-facteur");
      await look(page, "second facteur");
      await page.fill("#password", password);
      await page.click("text=Commencer");
      await page.locator(".qr svg").waitFor();
      await look(page, "image à scanner");
    }
    await picture(page, "compte-second-facteur-bureau");
    const secret = await page.locator("p code").first().innerText();
    // Not at the end of a step: the code of the step before would be two steps old when it arrives.
    while (Date.now() % 30000 > 25000) await page.waitForTimeout(500);
    await page.fill("#code", totp(secret, -30));
    await page.click("text=Activer");
    await page.getByText("Votre second facteur est actif.").waitFor();
    for (const width of Object.values(WIDTHS)) {
      await page.setViewportSize({ width, height: 900 });
      await look(page, "codes de secours");
    }
    const spare = await page.locator("ol.codes code").first().innerText();

    const other = await visitor({ viewport: { width: 375, height: 800 } });
    await signIn(other, username, password);
    await other.getByRole("heading", { name: "Votre code" }).waitFor();
    await look(other, "votre code");
    await other.fill("#code", totp(secret, 0));
    await other.click("button");
    await other.waitForURL("**/console");
    const third = await visitor();
    await signIn(third, username, password);
    await third.fill("#code", spare);
    await third.click("button");
    await third.waitForURL("**/console");
    for (const each of [page, other, third]) await each.context().close();
  },

  async "without scripts everything can still be read and done"() {
    const page = await visitor({ javaScriptEnabled: false });
    await signIn(page);
    await page.goto("/console");
    await page.getByRole("button", { name: "Suspendre documents.process" }).click();
    await page.getByRole("button", { name: "Reprendre documents.process" }).click();
    await page.goto("/console/taches?state=done");
    await page.getByRole("heading", { name: "Tâches" }).waitFor();
    await page.context().close();
  },
};

/** The code of an application for codes (RFC 6238), so many seconds from now. */
function totp(secret, shift) {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor((Date.now() / 1000 + shift) / 30)));
  const mac = createHmac("sha1", key).update(step).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1000000).padStart(6, "0");
}

async function tokenOf() {
  const body = new URLSearchParams({ username: ADMIN_USERNAME, password: ADMIN_PASSWORD });
  const answer = await fetch(`${API_URL}/api/v1/auth/login`, { method: "POST", body });
  return (await answer.json()).access_token;
}

const only = process.argv[2];
for (const [name, section] of Object.entries(sections)) {
  if (only && !name.includes(only)) continue;
  await section();
  console.log(`navigateur: ${name}`);
}
await browser.close();
console.log(`navigateur: ${looked} looks of axe, nothing found.`);
