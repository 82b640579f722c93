// What the stories share: visitors, what is looked at on each page, the API, mails and codes.
import AxeBuilder from "@axe-core/playwright";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

export const { API_URL, MAIL_URL, ADMIN_USERNAME, ADMIN_PASSWORD, CHROMIUM, IMAGES } = process.env;
export const WIDTHS = { telephone: 375, bureau: 1200 };
/** Where the story is played at the moment: everything is done on a phone and at a desk. */
export let here = "bureau";
export const playAt = (width) => { here = width; };
mkdirSync(IMAGES, { recursive: true });
export const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
/** How often axe has looked. */
export let looked = 0;

/** A browser of its own, whose pages may load nothing from elsewhere and must not fail in a script. */
export async function visitor(options = {}) {
  const context = await browser.newContext({ baseURL: API_URL, locale: "fr-MA", viewport: { width: WIDTHS[here], height: 900 }, ...options });
  const page = await context.newPage();
  page.on("pageerror", (error) => { throw error; });
  page.on("console", (message) => {
    // The frame of a mail runs no script, not even axe's.
    if (message.type() === "error" && !/Failed to load resource|^Blocked script execution in '\S+\/html'/.test(message.text())) throw new Error(message.text());
  });
  return page;
}

export async function signIn(page, username = ADMIN_USERNAME, password = ADMIN_PASSWORD) {
  await page.goto("/console/connexion");
  await page.fill("#username", username);
  await page.fill("#password", password);
  await page.click("button");
}

/** Axe in light, and on a phone once more in the dark, for the contrast, which no width changes; and `fits`. */
export async function look(page, name) {
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
  await fits(page, name);
}

/** No sideways scrolling of the page as a whole. */
export async function fits(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
}

export const picture = (page, name) => page.screenshot({ path: `${IMAGES}/${name}-${here}.png` });

export async function api(method, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`${API_URL}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

export async function until(what, check) {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = await check();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not seen within 30 s: ${what}`);
}

/** The link in the newest mail to `address` that matches `pattern`. */
export const mailedLink = (address, pattern) => until(`a mail to ${address}`, async () => {
  const messages = await (await fetch(`${MAIL_URL}/api/messages`)).json();
  for (const { id, to } of messages) {
    if (!to.includes(address)) continue;
    const { text } = await (await fetch(`${MAIL_URL}/api/messages/${id}`)).json();
    const link = text.match(pattern);
    if (link) return link[0];
  }
  return null;
});

/** The code of an application for codes (RFC 6238), so many seconds from now. */
export function totp(secret, shift) {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor((Date.now() / 1000 + shift) / 30)));
  const mac = createHmac("sha1", key).update(step).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1000000).padStart(6, "0");
}

/** A token of the administrator. */
export async function tokenOf() {
  const body = new URLSearchParams({ username: ADMIN_USERNAME, password: ADMIN_PASSWORD });
  const answer = await fetch(`${API_URL}/api/v1/auth/login`, { method: "POST", body });
  return (await answer.json()).access_token;
}
