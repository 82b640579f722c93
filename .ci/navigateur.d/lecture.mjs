// How everybody comes in: signing in, every page in both languages, and the accounts of people.
import assert from "node:assert/strict";
import { ADMIN_PASSWORD, ADMIN_USERNAME, api, fits, here, look, mailedLink, picture, signIn, tokenOf, totp, until, visitor } from "./outils.mjs";

/** The pages of the console below the overview. */
const PAGES = ["/taches", "/echecs", "/emails", "/planifications", "/planifications/planning.generate", "/audit", "/systeme"];

export const stories = {
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
      // What axe sees of these does not change with the width.
      await (here === "telephone" ? look : fits)(page, `${path} ${here}`);
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
};
