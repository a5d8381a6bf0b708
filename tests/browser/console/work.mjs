// What an administrator does all day, each by the console alone and seen in the gateway.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeCrm, pythonServer } from "../../peers/support/crms.mjs";
import { acceptLink, PROGRAM, RING_FORM } from "../../peers/support/gateway.mjs";
import { freePorts, output } from "../../peers/support/processes.mjs";
import { story, until } from "../../peers/support/stories.mjs";
import { consoleOf, dialPython, managed, PROBE } from "../support/console.mjs";
import { direct } from "../support/tabs.mjs";
import { xmlCrm } from "../support/xml-crm.mjs";

const user = async (gate, login) => (await gate.ask("GET", "users")).body.items.find((one) => one.login === login);

story("console: a person is added, changed, signed out and removed", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  const { tab } = desk;
  const dialog = tab.locator("dialog[open]");
  await desk.go("people");
  await desk.button("Add a person").click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await desk.sees("This is needed.", "dialog");
  await dialog.getByRole("textbox", { name: /^Login/ }).fill("smirnov");
  await dialog.getByLabel("Name", { exact: true }).fill(PROBE);
  await dialog.getByLabel("Number", { exact: true }).fill("120");
  await dialog.getByLabel("Department").fill("Support");
  await dialog.getByRole("textbox", { name: /^Password/ }).fill("Given-1234");
  await dialog.getByLabel("Role").selectOption("supervisor");
  await dialog.getByText("Must choose a new password").click();
  await desk.accessible("the form of a person");
  await desk.picture("person-form");
  await dialog.getByRole("button", { name: "Save" }).click();
  await desk.row("smirnov").waitFor();
  assert.deepEqual(
    (({ name, number, department, role, must_change_password }) => ({
      name,
      number,
      department,
      role,
      must_change_password,
    }))(await user(gate, "smirnov")),
    { name: PROBE, number: "120", department: "Support", role: "supervisor", must_change_password: false },
  );

  await desk.choose("smirnov", "Change");
  await dialog.getByLabel("Name", { exact: true }).fill("Oleg Smirnov");
  await dialog.locator("summary", { hasText: "Single rights" }).click();
  await dialog.getByLabel(/Stored procedures/).check();
  await dialog.getByLabel(/^Queues/).uncheck();
  await dialog.getByLabel("Subordinates").fill("ivanov, petrov");
  await dialog.getByRole("button", { name: "Save" }).click();
  await desk.row("Oleg Smirnov").waitFor();
  const changed = await user(gate, "smirnov");
  assert.deepEqual(
    [changed.rights_added, changed.rights_removed, changed.subordinates],
    [["procedures"], ["queue"], ["ivanov", "petrov"]],
  );

  // Somebody of the file can be looked at only.
  await desk.choose("ivanov", "Look");
  await desk.sees("configuration file", "dialog");
  assert.equal(await dialog.getByRole("button", { name: "Save" }).count(), 0);
  await tab.keyboard.press("Escape");

  const agent = await desk.browser.context.newPage();
  await direct({ page: async (address) => (await agent.goto(address), agent) }, gate, "ivanov");
  await desk.row("ivanov").locator(".dot.good").waitFor(); // told by the stream of changes
  await desk.choose("ivanov", "Sessions");
  await dialog.getByRole("button", { name: "End all sessions" }).click();
  await desk.told("The sessions are ended.");
  await agent.waitForSelector("#password");

  await desk.choose("smirnov", "Remove");
  await dialog.getByRole("button", { name: "Remove" }).click();
  await until(async () => !(await user(gate, "smirnov")), "smirnov to be gone");
  await desk.row("smirnov").waitFor({ state: "detached" });
  await desk.clean();
});

story("console: people come from a file, after a look at what would happen", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  const dialog = desk.tab.locator("dialog[open]");
  const folder = await mkdtemp(join(tmpdir(), "ctigate-csv-"));
  ending(() => rm(folder, { recursive: true }));
  const file = join(folder, "people.csv");
  await writeFile(
    file,
    `login,name,number,role,password\nfirst,First One,201,agent,Given-1234\nsecond,"${PROBE.replaceAll('"', '""')}",202,boss,Given-1234\n`,
  );
  await desk.go("people");
  await desk.button("Import").click();
  await dialog.locator("input[type=file]").setInputFiles(file);
  await dialog.getByRole("button", { name: "What would happen?" }).click();
  await desk.sees("line 3", "dialog");
  await desk.picture("import");
  assert.equal(await user(gate, "first"), undefined, "nothing has happened yet");
  const text = await dialog.locator("textarea").inputValue();
  await dialog.locator("textarea").fill(text.replace(",boss,", ",agent,"));
  await dialog.getByRole("button", { name: "What would happen?" }).click();
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await desk.row("First One").waitFor();
  assert.equal((await user(gate, "second")).name, PROBE);
  await desk.clean();
});

story("console: a link is added step by step, tried, changed and removed", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  const { tab } = desk;
  const [crmPort] = await freePorts(1);
  await pythonServer(ending, crmPort);
  await desk.go("links/new");
  await tab.locator(".way", { hasText: "accept-wss" }).click();
  await tab.getByLabel("Name").first().fill("backoffice");
  // A port that is taken is told before anything is saved.
  const bind = tab.locator(".field:has(label:text-matches('address|bind|port', 'i')) input").first();
  await bind.fill(`127.0.0.1:${gate.port("admin")}`);
  await tab.locator(".field .wrong").waitFor();
  await desk.picture("link-port-taken");
  await tab.getByRole("button", { name: "Way" }).click();
  await tab.locator(".way", { hasText: "dial-ws" }).filter({ hasNotText: "dial-wss" }).click();
  assert.equal(await tab.locator("label", { hasText: /ticket/i }).count(), 0, "only the fields that this way has");
  await tab.getByLabel("Name").first().fill("backoffice");
  await dialPython(tab, crmPort);
  await desk.accessible("the fields of a link");
  await tab.getByRole("button", { name: "Next" }).click();
  await tab.locator(".test .note.good", { hasText: "All is well" }).waitFor();
  assert.ok((await tab.locator(".checks > .ok").count()) >= 3);
  await desk.picture("link-test");
  assert.equal((await gate.ask("GET", "links")).body.items.length, 0, "a try saves nothing");
  await tab.getByRole("button", { name: "Save" }).click();
  await tab.locator(".headline .pill.good").waitFor();
  await gate.linked("backoffice");

  // Try a method.
  await tab.getByLabel("Method").selectOption("FindClient");
  await tab.getByLabel("Input, JSON").fill('{"phone":"79001112233"}');
  await desk.button("Call it").click();
  await desk.sees("Anna Orlova", ".try");
  await desk.picture("link-try");

  // What the CRM said of itself, what it offers and hears.
  const page = await tab.locator(".columns").textContent();
  for (const due of ["Python CRM", "of everybody", "methods: "]) assert.ok(page.includes(due), `${due}: ${page}`);
  await desk.picture("link-whole");

  await desk.button("Reconnect").click();
  await desk.told("connects anew");
  await gate.linked("backoffice");
  await tab.getByRole("link", { name: "Change" }).click();
  await tab.locator("summary", { hasText: "More fields" }).click();
  await tab.locator(".check input").first().check();
  await tab.getByRole("button", { name: "Save" }).click();
  await desk.told("saved");
  await gate.linked("backoffice");
  await desk.button("Remove").click();
  await tab.locator("dialog[open]").getByRole("button", { name: "Remove" }).click();
  await desk.sees("No CRM is connected yet.");
  assert.equal((await gate.ask("GET", "links")).body.items.length, 0);
  await desk.go("audit");
  await desk.row("link reconnected").first().waitFor();
  await desk.row("link added").first().waitFor();
  await desk.picture("audit");
  await desk.clean();
});

story("console: a link that cannot work says which step fails, and what to do", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  const [nobody] = await freePorts(1);
  await desk.go("links/new");
  await desk.tab.locator(".way", { hasText: "dial-ws" }).filter({ hasNotText: "dial-wss" }).click();
  await desk.tab.getByLabel("Name").first().fill("nobody");
  await desk.tab
    .locator(".field:has(label:text-matches('address|url', 'i')) input")
    .first()
    .fill(`ws://127.0.0.1:${nobody}/`);
  await desk.button("Next").click();
  await desk.tab.locator(".checks > .fail").first().waitFor();
  await desk.tab.locator(".checks > .fail .advice").first().waitFor();
  await desk.tab.locator(".test .note.bad").waitFor();
  await desk.picture("link-test-failed");
  await desk.clean();
});

story("console: calls are started, seen as they go, ended, and found in the journal and its export", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  const { tab } = desk;
  const dialog = tab.locator("dialog[open]");
  await desk.go("calls");
  await gate.sim({ op: "incoming", caller: "79001112233", called: "101", name: PROBE });
  await desk.row("79001112233").waitFor(); // it comes by itself
  await gate.sim({ op: "answer", number: "101" });
  await desk.row("79001112233").locator(".pill", { hasText: "talks" }).first().waitFor();
  await desk.picture("calls-live");
  const end = async (number) => {
    await desk.row(number).getByRole("button", { name: "End" }).click();
    await dialog.getByRole("button", { name: "End" }).click();
  };
  await end("79001112233");
  await desk.sees("Nobody is talking now."); // an administrator needs nobody's leave
  await gate.incoming("79004445566", "110");
  await gate.sim({ op: "answer", number: "110" });
  await desk.row("79004445566").locator(".pill", { hasText: "talks" }).first().waitFor();
  await end("79004445566");
  await desk.sees("Nobody is talking now.");

  await desk.button("Start a call").click();
  await dialog.getByLabel("Who calls").selectOption("vera");
  await dialog.getByLabel("Which number").fill("79005556677");
  await dialog.getByRole("button", { name: "Start a call" }).click();
  await desk.row("110").waitFor();
  await gate.sim({ op: "hangup", number: "110" });
  await desk.sees("Nobody is talking now.");

  await desk.go("journal");
  await desk.row("79001112233").waitFor();
  await tab.getByLabel("Number").fill("79001112233");
  await tab.keyboard.press("Enter");
  await until(async () => (await tab.locator("tbody tr").count()) === 1, "one row");
  await tab.getByLabel("Outcome").selectOption("busy");
  await desk.sees("Nothing is found.");
  await tab.getByLabel("Outcome").selectOption("answered");
  const file = tab.waitForEvent("download");
  await desk.button("CSV").click();
  const csv = await readFile(await (await file).path(), "utf8");
  assert.ok(csv.includes("79001112233") && !csv.includes("79005556677"), csv);
  await desk.row("79001112233").getByRole("link").first().click();
  await tab.locator(".timeline li", { hasText: "answer" }).first().waitFor();
  await tab.getByRole("link", { name: "Explain" }).last().click();
  await tab.locator(".timeline li").first().waitFor();
  await desk.clean();
});

story("console: the journal goes on in pieces", async (ending) => {
  const gate = await managed(ending);
  for (let i = 0; i < 53; i++) {
    const caller = `7900000${String(i).padStart(4, "0")}`;
    await gate.sim({ op: "incoming", caller, called: "101" });
    await gate.sim({ op: "hangup", number: caller });
  }
  await until(
    async () => (await gate.ask("GET", "journal?limit=100")).body.items.length === 53,
    "all calls in the journal",
  );
  const desk = await consoleOf(ending, gate);
  await desk.go("journal");
  await until(async () => (await desk.tab.locator("tbody tr").count()) === 50, "fifty rows");
  await desk.button("More").click();
  await until(async () => (await desk.tab.locator("tbody tr").count()) === 53, "the rest");
  await desk.clean();
});

story("console: a form is opened, seen with its person, explained and closed", async (ending) => {
  const gate = await managed(ending, ({ port }) => acceptLink({ port }) + RING_FORM);
  await nodeCrm(ending, gate);
  await gate.linked("crm");
  const desk = await consoleOf(ending, gate);
  const dialog = desk.tab.locator("dialog[open]");
  await desk.go("forms");
  await desk.button("Open a form").click();
  await dialog.getByLabel("Form", { exact: false }).first().fill("clientcard");
  await dialog.getByLabel("Person").selectOption("ivanov");
  await dialog.getByLabel("Parameters").fill("{oops");
  await dialog.getByRole("button", { name: "Open a form" }).click();
  await desk.sees("This is not JSON.", "dialog");
  await dialog.getByLabel("Parameters").fill('{"phone":"79001112233"}');
  await dialog.getByRole("button", { name: "Open a form" }).click();
  await desk.row("clientcard").waitFor();
  await desk.picture("forms-open");
  await desk.row("clientcard").getByRole("link", { name: "Explain" }).click();
  await desk.title("Explain");
  await desk.tab.locator(".timeline li").first().waitFor();
  await desk.go("forms");
  await desk.row("clientcard").getByRole("button", { name: "Close" }).click();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await desk.sees("No form is open.");
  assert.deepEqual((await gate.picture()).forms, []);
  await desk.clean();
});

story("console: the inspector shows one link's messages in json and xml, pauses, searches, records", async (ending) => {
  const gate = await managed(
    ending,
    ({ port }) => `
[[link]]
name = "crm"
mode = "dial-ws"
url = "ws://127.0.0.1:${port("crm")}/"
format = "xml"
`,
  );
  xmlCrm(ending, gate.port("crm"));
  await gate.linked("crm");
  const desk = await consoleOf(ending, gate);
  const { tab } = desk;
  await desk.go("inspector?link=crm");
  await tab.locator(".dot.good", { hasText: "Live" }).last().waitFor();
  const call = () => gate.api("methods/FindClient", { input: { phone: "79001112233" } });
  const frame = (words) => tab.locator(".frame", { hasText: words }).first();
  await call();
  await frame("executemethod").waitFor();
  await frame("executemethod").locator("summary").click();
  await desk.sees('"79001112233"', ".frame[class] details[open] pre");
  await desk.picture("inspector-json");
  await tab.fill("[data-search]", "methodresult");
  await frame("methodresult").waitFor();
  assert.equal(await frame("executemethod\n").count(), 0);
  await tab.fill("[data-search]", "");
  await desk.button("Pause").click();
  const before = await tab.locator(".frame").count();
  await call();
  await desk.button("Go on").click();
  await until(async () => (await tab.locator(".frame").count()) > before, "what came during the pause");
  await desk.button("XML").click();
  await tab.locator(".dot.good", { hasText: "Live" }).last().waitFor();
  await call();
  await frame("<message").waitFor();
  await desk.button("as sent").click();
  await tab.locator(".dot.good", { hasText: "Live" }).last().waitFor();
  await call();
  await frame("<message").waitFor();
  await desk.picture("inspector-xml");

  await desk.button("Record").click();
  await tab.getByRole("button", { name: "Stop and save" }).waitFor();
  await call();
  const file = tab.waitForEvent("download");
  await tab.getByRole("button", { name: "Stop and save" }).click();
  const path = await (await file).path();
  assert.ok((await readFile(path)).length > 100);
  assert.match(await output(PROGRAM, ["replay", path, "--show"]), /FindClient|execute/);
  await desk.clean();
});

story("console: a key is made, shown once, used, replaced and removed", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  const dialog = desk.tab.locator("dialog[open]");
  await desk.go("keys");
  await desk.button("Make a key").first().click();
  await dialog.getByRole("textbox", { name: /^Program/ }).fill("erp");
  await desk.accessible("the form of a key");
  await dialog.getByRole("button", { name: "Make a key" }).click();
  const shown = dialog.locator("[data-key]");
  const key = await shown.textContent();
  const asked = (bearer) => fetch(`${gate.console}/api/v1/calls`, { headers: { authorization: `Bearer ${bearer}` } });
  assert.equal((await asked(key)).status, 200);
  assert.equal(
    (await fetch(`${gate.console}/api/v1/users`, { headers: { authorization: `Bearer ${key}` } })).status,
    403,
  );
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  await desk.row("erp").waitFor();
  assert.equal(await desk.tab.locator("body", { hasText: key }).count(), 0, "it is not shown again");
  await desk.button("Make a key").first().click();
  await dialog.getByRole("textbox", { name: /^Program/ }).fill("erp");
  await dialog.getByRole("button", { name: "Make a key" }).click();
  await desk.sees("has a key already", "dialog");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await desk.choose("erp", "Replace");
  await dialog.getByRole("button", { name: "Replace" }).click();
  await desk.sees("shown once", "dialog");
  const next = await shown.textContent();
  assert.notEqual(next, key);
  assert.deepEqual([(await asked(key)).status, (await asked(next)).status], [401, 200]);
  await dialog.getByRole("button", { name: "I have kept it" }).click();
  await desk.choose("erp", "Remove");
  await dialog.getByRole("button", { name: "Remove" }).click();
  await desk.sees("No program has a key yet.");
  assert.equal((await asked(next)).status, 401);
  await desk.clean([/409/]);
});

story("console: a setting is tried, then saved, stands in the audit trail, and is taken back", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  const dialog = desk.tab.locator("dialog[open]");
  const field = desk.tab.locator(".setting", {
    has: desk.tab.locator("label", { hasText: /^limits\.max_message_tab$/ }),
  });
  const value = async () =>
    (await gate.ask("GET", "settings")).body.items.find(({ key }) => key === "limits.max_message_tab");
  await desk.go("settings?q=max_message_tab");
  const { value: before } = await value();
  const typed = typeof before === "number" ? "131072" : "128KiB";
  await field.locator("input").fill(typed);
  await desk.button("Try").click();
  await desk.sees("limits.max_message_tab", "dialog");
  await desk.sees("at once", "dialog");
  await desk.picture("settings-try");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  assert.deepEqual((await value()).value, before, "a try changes nothing");
  await desk.button("Try").click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await desk.told("Saved.");
  await until(async () => (await value()).origin === "store", "the change to be kept");
  await field.locator("input").fill("oops");
  await desk.button("Try").click();
  await desk.tab.locator(".said .bad").first().waitFor();
  await desk.go("audit");
  const row = desk.row("limits.max_message_tab").first();
  await row.waitFor();
  await row.locator("summary").click();
  assert.match(await row.locator("dl.facts").textContent(), /limits\.max_message_tab/);
  assert.match(await row.textContent(), /settings changed/);
  await desk.picture("audit-detail");
  await desk.row("vera").first().waitFor();
  await desk.clean([/40[09]/]);
});

story("console: the log follows, and is narrowed by level and search", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  await desk.go("logs");
  await desk.tab.locator(".log li").first().waitFor();
  await fetch(`${gate.console}/api/v1/me`, { headers: { authorization: "Bearer 0000000000000000" } });
  await desk.tab.locator(".log li.warn", { hasText: "token" }).first().waitFor();
  await desk.tab.fill("[data-search]", "wrong token");
  await until(async () => (await desk.tab.locator(".log li").count()) >= 1, "what was searched");
  assert.equal(await desk.tab.locator(".log li.info").count(), 0);
  await desk.tab.fill("[data-search]", "");
  await desk.tab.getByLabel("At least").selectOption("error");
  await desk.sees("Nothing has been written.");
  await desk.clean();
});
