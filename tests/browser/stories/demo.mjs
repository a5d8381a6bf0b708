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
  for (const path of [
    "/demo",
    "/demo/demo.js",
    "/demo/api/snapshot",
    "/demo/api/tail",
    "/demo/simulator",
    "/demo/simulator.js",
  ]) {
    assert.equal((await fetch(gate.origin + path)).status, 404, path);
  }
});

const MENU = `
on 600 "Menu" {
    answer
    say "Sales: press 1. Support: press 2."
    keys choice digits 1 for 30s
    say "You pressed {choice}."
    ring 101 for 30s
}
`;

story(
  "the simulator: a person dials in, presses a key, is answered, holds, hangs up, and sees it all",
  async (ending) => {
    const { origin } = await demo(ending);
    const browser = await browserOf(ending);
    const board = await browser.page(`${origin}/demo`);
    await board.waitForSelector(UP);
    const ivanov = await agent(browser, origin, board, "ivanov");
    const sim = await browser.page(`${origin}/demo/simulator`);
    const hears = (what) => sim.waitForSelector(`.telephone[data-hears="${what}"]`);
    const leg = (words) => sim.locator(".conversation .legs li", { hasText: words });
    await sim.evaluate(
      (timeline) => import("/demo/sim.js").then(({ order }) => order({ op: "play", timeline })).then(() => {}),
      MENU,
    );
    await sim.fill("#number", "79001112233");
    await sim.fill("#name", "Anna Orlova");
    await sim.fill("#called", "600");
    await sim.keyboard.press("Enter");
    await hears("menu");
    await sim.locator(".said-lines", { hasText: "Support: press 2." }).waitFor();
    await sim.getByText("You are asked to press keys.").waitFor();
    await sim.getByRole("button", { name: "2", exact: true }).click();
    await sim.locator(".said-lines", { hasText: "You pressed 2." }).waitFor();
    await hears("ringing");
    await leg("Ivan Ivanov 101").getByText("rings").waitFor();
    await ivanov.locator(".phone .who", { hasText: "Anna Orlova" }).waitFor();
    await ivanov.click("[data-act=answer]");
    await hears("voices");
    await sim.locator(".heard", { hasText: "Ivan Ivanov" }).waitFor();
    await sim.getByRole("button", { name: "Hold" }).click();
    await ivanov.locator(".phone .phase", { hasText: "You are on hold" }).waitFor();
    await leg("Ivan Ivanov 101").getByText("Hears: music").waitFor();
    await sim.getByRole("button", { name: "Take back" }).click();
    await ivanov.locator(".phone .phase", { hasText: "Talking" }).waitFor();
    await ivanov.click("[data-act=hold]");
    await hears("music");
    await ivanov.click("[data-act=takeBack]");
    await hears("voices");
    await sim.getByRole("button", { name: "Hang up" }).first().click();
    await sim.getByText("The call is over: hung up").waitFor();
    await ivanov.locator(".phone .phase", { hasText: "No call" }).waitFor();
    await sim.locator('.inside [data-number="104"] input').uncheck();
    await sim.locator('.inside [data-number="104"]', { hasText: "not connected" }).waitFor();
    await sim.fill("#called", "999");
    await sim.click(".telephone button[type=submit]");
    await sim.locator(".telephone [role=alert], .telephone .dot").first().waitFor();
    assert.deepEqual(browser.trouble(), []);
  },
);

story("the simulator fits 360 pixels", async (ending) => {
  const { origin } = await demo(ending);
  const browser = await browserOf(ending, { viewport: { width: 360, height: 740 }, locale: "ru-RU" });
  const sim = await browser.page(`${origin}/demo/simulator`);
  await sim.waitForSelector(".inside li");
  const [wide, screen] = await sim.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= screen, `${wide} pixels on a screen of ${screen}`);
  assert.deepEqual(browser.trouble(), []);
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
