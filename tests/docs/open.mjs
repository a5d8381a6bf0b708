// node open.mjs ADDRESS [ACTION…]: opens a page in Chromium as a reader would, and prints its text whenever that changes. Actions are
// taken in order: `fill SELECTOR TEXT`, `click SELECTOR`, `see TEXT`. It stays until it is stopped with --stay as the last one.

import { browserOf, closeChromium } from "../browser/support/chromium.mjs";

const [address, ...actions] = process.argv.slice(2);
const browser = await browserOf(() => {});
const tab = await browser.page(address);
let shown = "";
async function show() {
  const text = await tab.evaluate(() => document.body.innerText).catch(() => shown);
  if (text !== shown) console.log((shown = text));
}
const stay = actions.at(-1) === "--stay";
for (const action of stay ? actions.slice(0, -1) : actions) {
  const [verb, ...words] = action.split(" ");
  const rest = words.join(" ");
  if (verb === "fill") await tab.fill(words[0], words.slice(1).join(" "));
  else if (verb === "click") await tab.click(rest);
  else if (verb === "see") await tab.waitForSelector(`text=${rest}`);
  else throw new Error(`nobody knows "${action}"`);
  await show();
}
await show();
if (stay) {
  setInterval(show, 100);
  await new Promise((resolve) => process.on("SIGINT", resolve));
}
const trouble = browser.trouble();
for (const line of trouble) console.log(`TROUBLE ${line}`);
await closeChromium();
process.exit(trouble.length > 0 ? 1 : 0);
