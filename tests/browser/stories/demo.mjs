// `ctigate demo` as people meet it.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { gateway } from "../../peers/support/gateway.mjs";
import { story, until } from "../../peers/support/stories.mjs";
import { browserOf } from "../support/chromium.mjs";
import { agent, demo } from "../support/demo.mjs";

/** The demo's CRM: the child of the demo that runs `demo-crm`. */
async function crmOf(parent) {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const read = (name) => readFile(`/proc/${entry}/${name}`, "utf8").catch(() => "");
    const [command, stat] = [await read("cmdline"), await read("stat")];
    const ppid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    if (ppid === parent && command.includes("demo-crm")) return Number(entry);
  }
  return null;
}

const UP = '[data-state="up"]';

story("the demo: a call comes in, the CRM says whose it is, a form opens, one tab answers", async (ending) => {
  const { origin } = await demo(ending);
  const browser = await browserOf(ending);
  const board = await browser.page(`${origin}/demo`);
  await board.waitForSelector(UP);
  const ivanov = [await agent(browser, origin, board, "ivanov"), await browser.page(`${origin}/?login=ivanov`)];
  await ivanov[1].waitForSelector(".bar .pill.good");
  const petrov = await agent(await browserOf(ending), origin, board, "petrov");
  await board.fill("#caller", "79001112233");
  await board.fill("#called", "500");
  await board.click(".play button[type=submit]");
  await Promise.all(ivanov.map((tab) => tab.waitForSelector("article.form")));
  await ivanov[0].waitForSelector(".phone >> text=Incoming call");
  await board.waitForSelector('[data-method="executemethod"]', { state: "attached" });
  await ivanov[0].click(".phone >> text=Answer");
  await ivanov[0].waitForSelector(".phone >> text=Talking");
  await ivanov[0].fill("[name=resultcode]", "sold");
  await ivanov[0].click(".form button[type=submit]");
  await ivanov[1].waitForSelector(".form.ended");
  assert.equal(await petrov.locator(".form").count(), 0);
  await ivanov[0].click(".phone >> text=Hang up");
  await ivanov[0].waitForSelector(".phone >> text=No call");
  assert.deepEqual(browser.trouble(), []);
});

story("the demo: the CRM is killed, and the page shows it", async (ending) => {
  const { origin, process } = await demo(ending);
  const browser = await browserOf(ending);
  const board = await browser.page(`${origin}/demo`);
  await board.waitForSelector(UP);
  const pid = await until(() => crmOf(process.pid), "the demo's CRM");
  globalThis.process.kill(pid, "SIGKILL");
  await board.waitForSelector(UP, { state: "detached" });
  assert.match(await board.textContent("tbody [data-state]"), /waiting|retrying|down/);
  assert.equal((await fetch(`${origin}/`)).status, 200);
});

story("the demo's page is not there under serve", async (ending) => {
  const gate = await gateway(ending);
  for (const path of ["/demo", "/demo/demo.js", "/demo/api/snapshot", "/demo/api/tail"]) {
    assert.equal((await fetch(gate.origin + path)).status, 404, path);
  }
});

story("the board fits 360 pixels and keeps its policy", async (ending) => {
  const { origin } = await demo(ending);
  const browser = await browserOf(ending, { viewport: { width: 360, height: 740 } });
  const board = await browser.page(`${origin}/demo`);
  await board.waitForSelector(UP);
  const [wide, screen] = await board.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= screen, `${wide} pixels on a screen of ${screen}`);
  assert.deepEqual(browser.trouble(), []);
  const policy = (await fetch(`${origin}/demo`)).headers.get("content-security-policy");
  assert.match(policy, /script-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
});
