// What operators and owners of accounts do with the pages, in a real browser. Each step waits for what a person would see.
// An argument plays only the stories whose name has it.
import { stories as ofEverybody } from "./lecture.mjs";
import { WIDTHS, browser, looked, playAt } from "./outils.mjs";
import { stories as ofOperators } from "./taches.mjs";

const only = process.argv[2] ?? "";
for (const [name, story] of Object.entries({ ...ofEverybody, ...ofOperators })) {
  if (!name.includes(only)) continue;
  for (const width of Object.keys(WIDTHS)) {
    playAt(width);
    await story();
  }
  console.log(`navigateur: ${name}`);
}
await browser.close();
console.log(`navigateur: ${looked} looks of axe, nothing found.`);
