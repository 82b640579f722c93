// What operators and owners of accounts do with the pages, in a real browser. Each step waits for what a person would see.
import AxeBuilder from "@axe-core/playwright";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const { API_URL, MAIL_URL, ADMIN_USERNAME, ADMIN_PASSWORD, CHROMIUM, IMAGES } = process.env;
const WIDTHS = { telephone: 375, bureau: 1200 };
/** Where each story is played at the moment: everything is done at a desk and on a phone. */
let here = "bureau";
mkdirSync(IMAGES, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
let looked = 0;

/** A browser of its own, whose pages may load nothing from elsewhere and must not fail in a script. */
async function visitor(options = {}) {
  const context = await browser.newContext({ baseURL: API_URL, locale: "fr-MA", viewport: { width: WIDTHS[here], height: 900 }, ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => { throw error; });
  page.on("console", (message) => {
    // The frame of a mail runs no script, not even axe's.
    if (message.type() === "error" && !/Failed to load resource|^Blocked script execution in '\S+\/html'/.test(message.text())) throw new Error(message.text());
  });
  return page;
}

async function signIn(page, username = ADMIN_USERNAME, password = ADMIN_PASSWORD) {
  await page.goto("/console/connexion");
  await page.fill("#username", username);
  await page.fill("#password", password);
  await page.click("button");
}

/** Axe, in light, and in the dark, where only the contrast is another, which no width changes; and no sideways scrolling of the page as a whole. */
async function look(page, name) {
  for (const colorScheme of here === "telephone" ? ["light", "dark"] : ["light"]) {
    await page.emulateMedia({ colorScheme });
    // Not into the frame of a mail, which answers no script: what is in it is looked at by itself.
    const axe = new AxeBuilder({ page }).exclude("iframe");
    if (colorScheme === "light") axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
    else axe.withRules(["color-contrast"]);
    const found = await axe.analyze();
    const said = found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`));
    assert.deepEqual(said, [], `${name}, ${colorScheme}`);
    looked += 1;
  }
  await page.emulateMedia({ colorScheme: "light" });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
}

const picture = (page, name) => page.screenshot({ path: `${IMAGES}/${name}-${here}.png` });

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

/** The pages of the console below the overview. */
const PAGES = ["/taches", "/echecs", "/emails", "/planifications", "/planifications/planning.generate", "/audit", "/systeme"];

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
    const token = await tokenOf();
    // One that is not about an account, whose text is its reader's alone.
    const textOf = (id) => page.evaluate(async (path) => {
      const answer = await fetch(path);
      return answer.ok && answer.text();
    }, `/console/emails/${id}/html`);
    if (here === "telephone") {
      const { id } = await api("GET", "/users/me", null, token);
      await api("POST", "/notifications", { type: "information", canal: "email", contenu: "Réunion à 8 h.", intervention_id: 1, user_id: id }, token);
    }
    const mail = await until("a mail that has left", async () => {
      for (const { id } of await api("GET", "/admin/emails?statut=envoyee&sort=id", null, token)) {
        const html = await textOf(id);
        if (html) return { id, html };
      }
      return null;
    });
    const things = ["intervention", "document", "planning"].map((noun) => `/objets/${noun}/1`);
    for (const path of ["", ...PAGES, ...things, `/emails/${mail.id}`]) {
      await page.goto(`/console${path}`);
      await look(page, `${path} ${here}`);
      await picture(page, `console${path.replaceAll("/", "-")}`);
    }
    for (const fold of await page.locator("details").all()) await fold.click();
    await look(page, `the texts of mail ${mail.id} ${here}`);
    const framed = await visitor();
    await framed.setContent(mail.html);
    await look(framed, `mail ${mail.id} ${here}`);
    await framed.context().close();
    await page.goto("/console/nulle/part");
    await page.getByText("Cette adresse n'existe pas.").waitFor();
    await look(page, `404 ${here}`);
    await picture(page, "console-introuvable");
    await page.goto("/compte");
    await look(page, `compte ${here}`);
    await picture(page, "compte");
    await page.context().close();
  },

  async "who reads English gets English, also where a page is refused or missing"() {
    if (here === "bureau") return; // Where a text is too long for its place, it is so on a phone.
    const token = await tokenOf();
    const [username, password] = [`grace-${here}`, "nine kites over a bay"];
    await api("POST", "/users", { username, full_name: "Grace Hall", email: `${username}@mif.example`, role: "responsable", password, langue: "en" }, token);
    const page = await visitor();
    await signIn(page, username, password);
    for (const path of ["", ...PAGES.filter((path) => path !== "/audit"), "/objets/intervention/1"]) {
      await page.goto(`/console${path}`);
      assert.equal(await page.locator("html").getAttribute("lang"), "en", path);
      await look(page, `English ${path} ${here}`);
    }
    for (const [path, said] of [["/console/audit", "Only an administrator does this"], ["/console/nowhere", "There is nothing at this address."]]) {
      await page.goto(path);
      await page.getByText(said).waitFor();
      await look(page, `English ${path} ${here}`);
    }
    await page.context().close();
  },

  async "dead jobs are found by their cause and run again together, and the page follows by itself"() {
    const page = await visitor();
    await signIn(page);
    const token = await tokenOf();
    await page.getByRole("button", { name: "Suspendre emails", exact: true }).click();
    await page.getByText("suspendue").first().waitFor();
    const queue = async () => (await api("GET", "/admin/queues", null, token)).find((one) => one.name === "emails");
    assert.ok((await queue()).paused);

    // What happens meanwhile shows without a reload.
    await page.mouse.move(5, 5);
    await page.evaluate(() => { window.same = true; });
    const machine = await api("POST", "/equipements", { nom: `Pompe N7 ${here}`, type: "Pompe", localisation: "Safi" }, token);
    const intervention = await api("POST", "/interventions", { titre: "Fuite", type: "corrective", equipement_id: machine.id }, token);
    for (const username of [`parti-${here}`, `partie-${here}`]) {
      const gone = await api("POST", "/users", { username, full_name: "Parti Ailleurs", email: `${username}@mif.example`, role: "technicien", password: "grue jaune du port" }, token);
      await api("POST", "/notifications", { type: "information", canal: "email", contenu: "Réunion à 8 h.", intervention_id: intervention.id, user_id: gone.id }, token);
      await api("DELETE", `/users/${gone.id}`, null, token);
    }
    const waiting = page.locator("tr", { has: page.getByRole("button", { name: "Reprendre emails", exact: true }) }).locator("a[href*='state=ready'], a[href*='state=scheduled']");
    await waiting.first().waitFor();
    assert.ok(await page.evaluate(() => window.same), "the page was reloaded");

    // Both workers live, and neither takes what is ready.
    await until("jobs that are ready", async () => (await queue()).ready >= 2);
    const { ready } = await queue();
    await page.waitForTimeout(3000);
    assert.deepEqual([(await queue()).ready, (await queue()).running], [ready, 0]);
    await page.reload();
    const workers = page.locator("[aria-labelledby=workers] tbody tr");
    assert.equal(await workers.count(), 2);
    for (const worker of await workers.all()) assert.equal(await worker.locator("td.nombre").last().innerText(), "0");
    await page.getByText("La file emails est suspendue").waitFor();

    await page.getByRole("button", { name: "Reprendre emails", exact: true }).click();
    const dead = async () => (await api("GET", "/admin/jobs?state=dead&type=emails", null, token)).length;
    await until("two dead jobs", async () => (await dead()) === 2);
    await page.goto("/console");
    await page.getByRole("link", { name: /en échec/ }).waitFor();
    await look(page, "quelque chose à faire");
    await picture(page, "console");
    await page.goto("/console/echecs");
    await look(page, "échecs");
    await picture(page, "console-echecs");
    await page.getByRole("link", { name: /^Relancer… emails/ }).click();
    await page.getByRole("heading", { name: /Relancer\s: 2 tâches\s\?/ }).waitFor();
    await look(page, "avant de relancer");
    await page.getByRole("button", { name: "Relancer", exact: true }).click();
    await page.getByText(/Tâches relancées\s: 2\./).waitFor();
    const lines = await api("GET", "/admin/audit?action=taches_relancees", null, token);
    assert.equal(lines[0].apres.filter.state, "dead");
    assert.ok(lines[0].apres.error.length > 10, JSON.stringify(lines[0]));

    // One job, with what became of its attempts.
    const [job] = await api("GET", "/admin/jobs?type=emails&limit=1", null, token);
    await page.goto(`/console/taches/${job.id}`);
    await look(page, "une tâche");
    await picture(page, "console-tache");
    await page.locator("dl a[href^='/console/objets/intervention/']").first().click();
    await page.getByRole("heading", { name: /^Intervention / }).waitFor();
    await look(page, "une intervention et ses tâches");
    await picture(page, "console-intervention");
    await page.locator(`a[href='/console/taches/${job.id}']`).click();
    await page.getByRole("heading", { name: "emails" }).waitFor();

    // Their reader is gone for good: they are deleted together.
    await until("two dead jobs again", async () => (await dead()) === 2);
    await page.goto("/console/echecs");
    await page.getByRole("link", { name: /^Supprimer… emails/ }).click();
    await page.getByRole("button", { name: "Supprimer", exact: true }).click();
    await page.getByText(/Tâches supprimées\s: 2\./).waitFor();
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
    const minute = here === "bureau" ? 30 : 45;
    await page.fill("#cron", `${minute} 7 * * MON-FRI`);
    await page.getByRole("button", { name: "Voir les dates" }).click();
    await page.getByText(`du lundi au vendredi à 07:${minute}`).first().waitFor();
    await page.getByText(/Un essai\s: rien n’est encore modifié\./).waitFor();
    await page.getByRole("button", { name: "Enregistrer" }).click();
    await page.getByText("La planification est modifiée.").waitFor();
    await page.getByText(`du lundi au vendredi à 07:${minute}`).first().waitFor();
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
    const username = `nadia-${here}`;
    const email = `${username}@mif.example`;
    await api("POST", "/users/invitations", { username, full_name: "Nadia Berrada", email, role: "technicien" }, token);
    const page = await visitor();
    await page.goto(await mailedLink(email, /\S+\/compte\/invitation\?jeton=\S+/));
    await look(page, "invitation");
    await picture(page, "compte-invitation");
    await page.fill("#password", "cinq barques au large");
    await page.fill("#encore", "cinq barques au large");
    await page.route(/#connexion=|localhost:3000/, (route) => route.fulfill({ body: "the application" }));
    await page.click("button");
    await page.waitForURL(/#connexion=/);

    await page.goto("/console/connexion");
    await page.getByRole("link", { name: /Mot de passe oublié/ }).click();
    await page.fill("#email", "nadia");
    await page.locator("form").evaluate((form) => { form.noValidate = true; });
    await page.click("button");
    await page.getByRole("alert").waitFor();
    await look(page, "mot de passe oublié");
    await picture(page, "compte-oubli");
    await page.fill("#email", email);
    await page.click("button");
    await page.getByText("Consultez votre messagerie").first().waitFor();
    await page.goto(await mailedLink(email, /\S+\/compte\/mot-de-passe\?jeton=\S+/));
    await look(page, "nouveau mot de passe");
    await picture(page, "compte-mot-de-passe");
    await page.fill("#password", "sept ponts sur un oued");
    await page.fill("#encore", "sept ponts sur un oued");
    await page.click("button");
    await page.getByText("C’est fait").first().waitFor();

    await signIn(page, username, "sept ponts sur un oued");
    await page.waitForURL("**/compte");
    await look(page, "compte d’un technicien");
    await page.context().close();
  },

  async "a second factor is turned on with a phone, asked for, and stands in for it on paper"() {
    const token = await tokenOf();
    const [username, password] = [`karim-${here}`, "onze figues et un puits"];
    await api("POST", "/users", { username, full_name: "Karim Idrissi", email: `${username}@mif.example`, role: "responsable", password }, token);
    const page = await visitor();
    await signIn(page, username, password);
    await page.waitForURL("**/console");
    await page.goto("/compte/second-facteur");
    await look(page, "second facteur");
    await page.fill("#password", password);
    await page.click("text=Commencer");
    await page.locator(".qr svg").waitFor();
    await look(page, "image à scanner");
    await picture(page, "compte-second-facteur");
    const secret = await page.locator("p code").first().innerText();
    // Not at the end of a step: the code of the step before would be two steps old when it arrives.
    while (Date.now() % 30000 > 25000) await page.waitForTimeout(500);
    await page.fill("#code", totp(secret, -30));
    await page.click("text=Activer");
    await page.getByText("Votre second facteur est actif.").waitFor();
    await look(page, "codes de secours");
    const spare = await page.locator("ol.codes code").first().innerText();

    const other = await visitor();
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

  async "a job that runs is cancelled, and its page says so"() {
    const page = await visitor();
    await signIn(page);
    const token = await tokenOf();
    // Mails leave one a second (SMTP_MAX_PER_MINUTE): of many, the last that runs waits for its moment.
    const machine = await api("POST", "/equipements", { nom: `Treuil ${here}`, type: "Treuil", localisation: "Agadir" }, token);
    const intervention = await api("POST", "/interventions", { titre: "Câble", type: "corrective", equipement_id: machine.id }, token);
    for (let n = 0; n < 14; n += 1) {
      const username = `equipe-${here}-${n}`;
      const one = await api("POST", "/users", { username, full_name: "Équipe", email: `${username}@mif.example`, role: "technicien", password: "grue jaune du port" }, token);
      await api("POST", "/notifications", { type: "information", canal: "email", contenu: "Câble changé.", intervention_id: intervention.id, user_id: one.id }, token);
    }
    const job = await until("mails that run", async () => {
      const running = await api("GET", "/admin/jobs?state=running&type=emails", null, token);
      return running.length >= 6 && running.toSorted((a, b) => a.started_at.localeCompare(b.started_at)).at(-1);
    });
    await page.goto(`/console/taches/${job.id}`);
    await page.getByText("en cours", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Annuler", exact: true }).click();
    await page.getByText("annulée", { exact: true }).first().waitFor();
    await look(page, "une tâche annulée");
    await until("no worker that runs it", async () => {
      const [one] = await api("GET", `/admin/jobs?state=cancelled&type=emails`, null, token);
      return one?.id === job.id && one.worker === null;
    });
    assert.equal((await api("GET", "/admin/audit?action=taches_annulees", null, token))[0].cible_id, job.id);
    await page.context().close();
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
  for (here of Object.keys(WIDTHS)) await section();
  console.log(`navigateur: ${name}`);
}
await browser.close();
console.log(`navigateur: ${looked} looks of axe, nothing found.`);
