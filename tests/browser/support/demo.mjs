// `ctigate demo`, started for a story.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROGRAM } from "../../peers/support/gateway.mjs";
import { freePorts, start } from "../../peers/support/processes.mjs";

/** The demo, on ports of its own. */
export async function demo(ending) {
  const folder = await mkdtemp(join(tmpdir(), "ctigate-demo-"));
  ending(() => rm(folder, { recursive: true, force: true }));
  const [web, tls, admin] = await freePorts(3);
  const process = start(ending, PROGRAM, ["demo"], {
    cwd: folder,
    env: {
      ...globalThis.process.env,
      CTIGATE_WEB__BIND: `127.0.0.1:${web}`,
      CTIGATE_WEB__TLS_BIND: `127.0.0.1:${tls}`,
      CTIGATE_WEB__ADMIN_BIND: `127.0.0.1:${admin}`,
    },
  });
  const origin = `http://127.0.0.1:${web}`;
  const [address] = await process.until(/http:\/\/\S+\/demo/);
  assert.equal(address, `${origin}/demo`);
  return { origin, process };
}

/** Logs one of the demo's people in, with the password that the board tells. */
export async function agent(browser, origin, board, login) {
  const link = board.locator(`.accounts li`, { hasText: login });
  const password = await link.locator("code").textContent();
  const tab = await browser.page(new URL(await link.locator("a").getAttribute("href"), origin).href);
  await tab.fill("#password", password);
  await tab.keyboard.press("Enter");
  await tab.waitForSelector(".bar .pill.good");
  return tab;
}
