// node run.mjs [part of a page's path]: follows the documentation, and looks whether it is true. tests/docs/README.md says how a
// page is written. `CTIGATE` names the program, by default the debug build. Needs what scripts/install.sh installs.

import { stale } from "./keys.mjs";
import { broken, pages } from "./support/pages.mjs";
import { counts, play } from "./support/play.mjs";
import { looks, truths } from "./support/truths.mjs";

const AT_ONCE = Number(process.env.AT_ONCE ?? 4);
const wanted = process.argv[2] ?? "";
let [passed, failed] = [0, 0];

function told(name, failures, seconds = "") {
  if (failures.length > 0) failed++;
  else passed++;
  console.log(`${failures.length > 0 ? "FAILED" : "ok    "} ${name}${seconds}`);
  for (const failure of failures) console.log(failure.replace(/^/gm, "         "));
}

/** Whether the mistake of a broken page is seen, and told as the page says. */
async function seen(page) {
  const before = { ...counts, skipped: [...counts.skipped] };
  const failures = looks.flatMap((look) => look(page));
  if (failures.length === 0) await play(page).catch((error) => failures.push(error.message));
  Object.assign(counts, before);
  if (failures.some((failure) => failure.includes(page.fails))) return [];
  return [failures.length > 0 ? `told is: ${failures.join("\n")}\nexpected: ${page.fails}` : `nothing is told, expected: ${page.fails}`];
}

if (!wanted) for (const page of broken) told(`the mistake of ${page.name} is seen`, await seen(page));
if (!wanted) told("the pages of the configuration say what the program says", await stale());
if (!wanted) for (const [name, look] of Object.entries(truths)) told(name, look());

const queue = pages.filter(({ name, steps }) => name.includes(wanted) && steps.length > 0);
async function work() {
  for (let page; (page = queue.shift()); ) {
    const began = performance.now();
    const failures = await play(page).then(
      () => [],
      (error) => [error.message],
    );
    told(`${page.name} can be followed`, failures, ` (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));

console.log(`${counts.run} commands run, ${counts.outputs} outputs compared, ${counts.files} files written, ${counts.checked} texts checked`);
const reasons = counts.skipped.filter((line) => !line.startsWith("docs/ru/") && !line.startsWith("README.ru"));
console.log(`${counts.skipped.length} blocks not run (${reasons.length} without the Russian pages):`);
for (const reason of reasons) console.log(`  ${reason}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed || !passed ? 1 : 0);
