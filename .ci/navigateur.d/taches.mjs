// What operators do to jobs, mails and schedules.
import assert from "node:assert/strict";
import { api, here, look, picture, signIn, tokenOf, until, visitor } from "./outils.mjs";

const CREW = 14;
const crewIds = [];

/** The ids of people who get mails, made once for all widths. */
async function crew(token) {
  while (crewIds.length < CREW) {
    const username = `equipe-${crewIds.length}`;
    const one = await api("POST", "/users", { username, full_name: "Équipe", email: `${username}@mif.example`, role: "technicien", password: "grue jaune du port" }, token);
    crewIds.push(one.id);
  }
  return crewIds;
}

export const stories = {
  async "dead jobs are found by their cause and run again together, and the page follows by itself"() {
    const page = await visitor();
    await signIn(page);
    const token = await tokenOf();
    await page.getByRole("button", { name: "Suspendre emails", exact: true }).click();
    await page.getByText("suspendue").first().waitFor();
    const queue = async () => (await api("GET", "/admin/queues", null, token)).find((one) => one.name === "emails");
    assert.ok((await queue()).paused);

    // What happens meanwhile shows without a reload.
    const row = page.locator("tr", { has: page.getByRole("button", { name: "Reprendre emails", exact: true }) });
    const waiting = async () => {
      const numbers = await row.locator("a[href*='state=ready'], a[href*='state=scheduled']").allInnerTexts();
      return numbers.reduce((sum, number) => sum + Number(number.replace(/\D/g, "")), 0);
    };
    await row.waitFor();
    const before = await waiting();
    await page.mouse.move(5, 5);
    await page.evaluate(() => { window.same = true; });
    const machine = await api("POST", "/equipements", { nom: `Pompe N7 ${here}`, type: "Pompe", localisation: "Safi" }, token);
    const intervention = await api("POST", "/interventions", { titre: "Fuite", type: "corrective", equipement_id: machine.id }, token);
    for (const username of [`parti-${here}`, `partie-${here}`]) {
      const gone = await api("POST", "/users", { username, full_name: "Parti Ailleurs", email: `${username}@mif.example`, role: "technicien", password: "grue jaune du port" }, token);
      await api("POST", "/notifications", { type: "information", canal: "email", contenu: "Réunion à 8 h.", intervention_id: intervention.id, user_id: gone.id }, token);
      await api("DELETE", `/users/${gone.id}`, null, token);
    }
    await until("more jobs that wait", async () => (await waiting()) > before);
    assert.ok(await page.evaluate(() => window.same), "the page was reloaded");

    // Both workers live, and neither takes what is ready.
    await until("jobs that are ready", async () => (await queue()).ready >= 2);
    const { ready } = await queue();
    await page.waitForTimeout(3000);
    const later = await queue();
    assert.ok(later.ready >= ready && later.running === 0, JSON.stringify(later));
    await page.reload();
    assert.equal(await page.locator("[aria-labelledby=workers] tbody tr").count(), 2);
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

  async "a job that runs is cancelled, and its page says so"() {
    const page = await visitor();
    await signIn(page);
    const token = await tokenOf();
    // Mails leave one a second (SMTP_MAX_PER_MINUTE), and both workers have room for eight (SendMail::CONCURRENCY). All begin together,
    // however slow the machine: once a ninth has begun, the newest waits behind seven others.
    await api("POST", "/admin/queues/emails/pause", null, token);
    const machine = await api("POST", "/equipements", { nom: `Treuil ${here}`, type: "Treuil", localisation: "Agadir" }, token);
    const intervention = await api("POST", "/interventions", { titre: "Câble", type: "corrective", equipement_id: machine.id }, token);
    for (const user_id of await crew(token)) {
      await api("POST", "/notifications", { type: "information", canal: "email", contenu: "Câble changé.", intervention_id: intervention.id, user_id }, token);
    }
    const queue = async () => (await api("GET", "/admin/queues", null, token)).find((one) => one.name === "emails");
    const ready = await until("mails that are all ready", async () => {
      const { ready, scheduled } = await queue();
      return ready > 8 && scheduled === 0 && ready;
    });
    await api("POST", "/admin/queues/emails/resume", null, token);
    const job = await until("mails that run", async () => {
      const running = await api("GET", "/admin/jobs?state=running&type=emails", null, token);
      return running.length >= 6 && (await queue()).ready < ready - 8 && running.toSorted((a, b) => a.started_at.localeCompare(b.started_at)).at(-1);
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
    // The rest need not leave. What runs does: until then, what is new for its reader would join it.
    await api("POST", "/admin/jobs/cancel?type=emails&state=ready", null, token);
    await until("mails that have left", async () => (await queue()).running === 0);
    await page.context().close();
  },
};
