// What stands on a page when there is nothing, when it was refused, and when the gateway is gone.

import assert from "node:assert/strict";
import { story } from "../../peers/support/stories.mjs";
import { consoleOf, managed } from "../support/console.mjs";

const LISTS = {
  links: "links",
  people: "users",
  calls: "calls",
  journal: "journal",
  forms: "forms",
  keys: "keys",
  audit: "audit",
  settings: "settings",
  doctor: "doctor",
  overview: "overview",
  logs: "logs",
};

story("console: each list says that it is empty, and what to do", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  for (const [page, words] of [
    ["links", "No CRM is connected yet."],
    ["calls", "Nobody is talking now."],
    ["journal", "No calls yet."],
    ["forms", "No form is open."],
    ["keys", "No program has a key yet."],
  ]) {
    await desk.go(page);
    await desk.sees(words);
    await desk.picture(`empty-${page}`);
  }
  await desk.go("people");
  await desk.row("ivanov").waitFor();
  await desk.tab.fill("[data-search]", "nobody of this name");
  await desk.sees("Nothing is found.");
  await desk.clean();
});

story("console: a refused right and an error are told in place of the list, and asking again helps", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  for (const [page, path] of Object.entries(LISTS)) {
    const pattern = new RegExp(`/api/v1/${path}(\\?|$)`);
    const refuse = (status, errormsg) => (route) =>
      route.fulfill({ status, contentType: "application/json", body: JSON.stringify({ error: 59004, errormsg }) });
    await desk.go("me");
    await desk.tab.route(pattern, refuse(403, "journal is needed"));
    await desk.go(page);
    await desk.sees("You do not have the right to see this.");
    await desk.tab.unroute(pattern);
    await desk.tab.route(pattern, refuse(500, "The store is away"));
    await desk.button("Try again").click();
    await desk.sees("The store is away");
    await desk.tab.unroute(pattern);
    await desk.button("Try again").click();
    await desk.tab.locator(".nothing.failed").waitFor({ state: "detached" });
  }
  await desk.clean([/403|500/]);
});

story("console: while a list is asked for there are grey lines", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  let go;
  const gone = new Promise((resolve) => (go = resolve));
  await desk.tab.route(/\/api\/v1\/keys$/, async (route) => {
    await gone;
    await route.continue();
  });
  await desk.go("keys");
  await desk.tab.locator(".loading").waitFor();
  await desk.accessible("a page that is loading");
  go();
  await desk.sees("No program has a key yet.");
  await desk.clean();
});

story(
  "console: when the gateway is gone the page says so and keeps what it had, and goes on when it is back",
  async (ending) => {
    const gate = await managed(ending);
    const desk = await consoleOf(ending, gate);
    await desk.go("people");
    await desk.row("petrov").waitFor();
    await gate.process.stop();
    await desk.tab.locator(".lost", { hasText: "does not answer" }).waitFor();
    assert.equal(await desk.row("petrov").count(), 1, "what was there stays");
    await desk.picture("lost");
    await desk.go("keys");
    await desk.sees("The gateway does not answer.");
    await gate.start();
    await desk.tab.locator(".lost").waitFor({ state: "detached" });
    await desk.tab.locator(".connection", { hasText: "Live" }).waitFor();
    await desk.go("people");
    await desk.row("petrov").waitFor();
    await desk.clean([/ERR_|Failed to load|net::|network/i]);
  },
);

story("console: a session that has ended leads to the door, and back to the same page", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  await desk.go("keys");
  await desk.sees("No program has a key yet.");
  await desk.browser.context.clearCookies();
  await desk.go("people");
  await desk.tab.waitForSelector("[name=login]");
  await desk.signIn();
  await desk.title("People");
  await desk.row("petrov").waitFor();
  await desk.clean([/401/]);
});
