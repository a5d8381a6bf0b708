// node delay.mjs [rounds]: how long after the click of an answer the form is gone from the person's other tabs, two direct
// and two behind the tunnel of a CRM, as the pages themselves see it. Prints figures; judges nothing.

import { closeChromium } from "./support/chromium.mjs";
import { closes, fourTabs, shows } from "./support/tabs.mjs";

const rounds = Number(process.argv[2] ?? 20);
const undo = [];
const { gate, ivanov } = await fourTabs((fn) => undo.push(fn));
const delays = { direct: [], tunnel: [] };

for (let round = 0; round < rounds; round++) {
  await gate.api("forms", { name: "clientcard", userlogin: "ivanov", parameters: { phone: String(round) } });
  await Promise.all(ivanov.map(({ tab, card }) => shows(tab, card)));
  for (const { tab, card } of ivanov) {
    await tab.evaluate((selector) => {
      window.gone = new Promise((resolve) => {
        const look = () => document.querySelector(selector) || resolve(performance.timeOrigin + performance.now());
        new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });
      });
    }, card);
  }
  const answering = ivanov[round % ivanov.length];
  const clicked = await answering.tab.evaluate((selector) => {
    document.querySelector(`${selector} button`).click();
    return performance.timeOrigin + performance.now();
  }, answering.card);
  for (const other of ivanov) {
    const gone = await other.tab.evaluate(() => window.gone);
    await closes(other.tab, other.card);
    if (other !== answering) delays[ivanov.indexOf(other) < 2 ? "direct" : "tunnel"].push(gone - clicked);
  }
}

for (const [door, list] of Object.entries(delays)) {
  const sorted = list.sort((a, b) => a - b).map((ms) => ms.toFixed(1));
  const median = sorted[Math.floor(sorted.length / 2)];
  console.log(
    `form closed in another ${door} tab: median ${median} ms, from ${sorted[0]} to ${sorted.at(-1)} ms (${sorted.length} closings)`,
  );
}
for (const fn of undo.reverse()) await fn();
await closeChromium();
