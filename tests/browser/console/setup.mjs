// From an empty folder to a connected CRM, by the browser alone.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pythonServer } from "../../peers/support/crms.mjs";
import { PROGRAM } from "../../peers/support/gateway.mjs";
import { freePorts, start } from "../../peers/support/processes.mjs";
import { story, until } from "../../peers/support/stories.mjs";
import { consoleOf, dialPython } from "../support/console.mjs";

/** A gateway without any configuration, and the address that it prints. */
async function newborn(ending) {
  const folder = await mkdtemp(join(tmpdir(), "ctigate-new-"));
  ending(() => rm(folder, { recursive: true, force: true }));
  const [web, tls, admin, crm] = await freePorts(4);
  const env = {
    ...process.env,
    CTIGATE_WEB__BIND: `127.0.0.1:${web}`,
    CTIGATE_WEB__TLS_BIND: `127.0.0.1:${tls}`,
    CTIGATE_WEB__ADMIN_BIND: `127.0.0.1:${admin}`,
  };
  const gateway = start(ending, PROGRAM, ["serve"], { cwd: folder, env });
  const [address] = await gateway.until(/http:\/\/[^\s"]+\/setup\?code=[\w-]+/);
  return { folder, gateway, address, crm, console: `http://127.0.0.1:${admin}` };
}

async function wizard(ending, node, options) {
  const desk = await consoleOf(ending, node, { by: null, at: node.address.slice(node.console.length + 1), ...options });
  const next = (name) => desk.tab.getByRole("button", { name, exact: true }).click();
  return { ...desk, next };
}

story(
  "console setup: the first run makes an administrator and a CRM that is connected",
  async (ending) => {
    const node = await newborn(ending);
    assert.ok(node.address.startsWith(node.console), node.address);
    await pythonServer(ending, node.crm);
    const { tab, next, ...desk } = await wizard(ending, node);
    await desk.sees("Who administers the gateway?", ".enter");
    await desk.accessible("the first step");
    await desk.picture("setup-1");
    await tab.fill("[name=password]", "short");
    await next("Next");
    await desk.sees("At least 8 characters are needed.", ".enter");
    await tab.fill("[name=login]", "chief");
    await tab.fill("[name=name]", "The Chief");
    await tab.fill("[name=password]", "Chosen-1234");
    await tab.fill("[name=again]", "Chosen-1234");
    await next("Next");
    await desk.picture("setup-2");
    await tab.locator(".way", { hasText: "dial-ws" }).filter({ hasNotText: "dial-wss" }).click();
    await tab.getByLabel("Name").first().fill("mycrm");
    await dialPython(tab, node.crm);
    await desk.picture("setup-3");
    await next("Try it");
    await tab.locator(".test .note.good").waitFor();
    await desk.accessible("the checks");
    await desk.picture("setup-4");
    await next("Save and finish");
    await desk.sees("Everything is saved and works at once.", ".enter");
    await desk.picture("setup-5");
    await tab.getByRole("link", { name: "To the console" }).click();
    await desk.title("Overview"); // signed in already
    await desk.go("links/mycrm");
    await tab.locator(".headline .pill.good").waitFor();
    // The address works once.
    const again = await wizard(ending, node);
    await until(async () => (await again.tab.locator(".enter .note").count()) > 0, "an answer");
    assert.match(await again.tab.locator(".enter .note").textContent(), /not valid|already/);
    await desk.clean();
  },
  { ms: 180_000 },
);

story("console setup: it speaks Russian in the dark on a telephone, and a wrong address is told", async (ending) => {
  const node = await newborn(ending);
  const desk = await wizard(ending, node, {
    locale: "ru-RU",
    colorScheme: "dark",
    viewport: { width: 360, height: 740 },
  });
  await desk.sees("Кто управляет шлюзом?", ".enter");
  await desk.fits("the wizard");
  const language = await desk.tab.locator(".enter button.language").boundingBox();
  assert.ok(language.height < 40, `the language is written on one line: ${language.height}`);
  await desk.accessible("the wizard in the dark");
  await desk.picture("setup-ru-dark-360");
  const wrong = await consoleOf(ending, node, { by: null, at: "setup?code=wrong" });
  await wrong.sees("This address is not valid.", ".enter");
  await desk.clean();
});
