// What the frontend does, through a client generated from docs/openapi.json.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const { API_URL, ADMIN_USERNAME, ADMIN_PASSWORD } = process.env as Record<string, string>;
const api = createClient<paths>({ baseUrl: API_URL });

const form = (fields: Record<string, string | Blob | null | undefined>) => {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value != null) data.append(name, value);
  return data;
};
function given<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  assert(answer.data !== undefined, `${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const signedIn = given(await api.POST("/api/v1/auth/login", {
  body: { username: ADMIN_USERNAME!, password: ADMIN_PASSWORD! },
  bodySerializer: form,
}));
assert.equal(signedIn.token_type, "bearer");
api.use({ onRequest: ({ request }) => request.headers.set("Authorization", `Bearer ${signedIn.access_token}`) });

const machine = given(await api.POST("/api/v1/equipements", {
  body: { nom: `Pompe ${crypto.randomUUID()}`, type: "Pompe", localisation: "Kénitra", frequence_entretien: 30 },
}));
assert.equal(machine.frequence_entretien, "30");
const intervention = given(await api.POST("/api/v1/interventions", {
  body: { titre: "Fuite au joint", type: "corrective", equipement_id: machine.id },
}));
assert.equal(intervention.statut, "ouverte");

const list = await api.GET("/api/v1/interventions", {
  params: { query: { statut: "ouverte", equipement_id: machine.id, sort: "-date_creation" } },
});
assert.deepEqual(given(list).map((row) => row.id), [intervention.id]);
assert.equal(list.response.headers.get("X-Total-Count"), "1");

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const document = given(await api.POST("/api/v1/documents/upload", {
  params: { query: { intervention_id: intervention.id } },
  body: { file: new File([Buffer.from(png, "base64")], "photo.png") as unknown as string },
  bodySerializer: (body) => form(body as unknown as Record<string, Blob>),
}));
assert.equal(document.status, "pending");

const refused = await api.POST("/api/v1/interventions", { body: { titre: "", type: "corrective", equipement_id: machine.id } });
assert.equal(refused.response.status, 422);
assert(refused.error && Array.isArray(refused.error.detail));
console.log("client: signed in, listed, uploaded.");
