// Telephone calls as agents meet them: the real gateway, its simulator, and a page for each person.

import assert from "node:assert/strict";
import { story } from "../../peers/support/stories.mjs";
import { CALLER, deskIn, desks, office } from "../support/office.mjs";

/** An office with these people at their desks. */
async function at(ending, ...logins) {
  const gate = await office(ending);
  return { gate, ...(await desks(ending, gate, ...logins)) };
}

/** Somebody outside has called an agent, who talks now. */
async function talking(desk, gate, number) {
  await gate.incoming(CALLER, number);
  await desk.says("Incoming call", CALLER);
  await desk.press("answer");
  await desk.says("Talking", CALLER);
}

story("a call rings, is answered, is timed, and ends", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.idle();
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call", CALLER);
  assert.equal(await ivanov.phone.locator(".about").textContent(), "outside line");
  assert.match(await ivanov.tab.title(), /Incoming call: 79001112233/);
  assert.equal(await ivanov.phone.locator("[role=alert].unseen").textContent(), `Call from ${CALLER}`);
  assert.deepEqual(await ivanov.offered(), ["answer", "decline"]);
  await petrov.shows("101", "Busy");
  await ivanov.press("answer");
  await ivanov.says("Talking", CALLER);
  await ivanov.phone.locator(".time", { hasText: /0:0[1-9]/ }).waitFor();
  assert.deepEqual(await ivanov.offered(), ["hold", "transfer", "widen", "hangup"]);
  await ivanov.press("hangup");
  await ivanov.idle();
  await ivanov.happened("Talk ended");
  await petrov.shows("101", "Ready");
  assert.deepEqual([...ivanov.browser.trouble(), ...petrov.browser.trouble()], []);
});

story("a call is refused, and another is given up by its caller", async (ending) => {
  const { gate, ivanov } = await at(ending, "ivanov");
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call");
  await ivanov.press("decline");
  await ivanov.idle();
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call");
  await gate.sim({ op: "hangup", number: CALLER });
  await ivanov.idle();
  await ivanov.happened("Ringing ended without an answer");
});

story("a colleague is called: the own phone rings first", async (ending) => {
  const { ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.dial("102");
  await ivanov.says("Your phone rings", "Petr Petrov");
  assert.equal(await petrov.phone.getAttribute("data-phase"), "idle");
  await ivanov.press("answer");
  await ivanov.says("Calling", "Petr Petrov");
  await petrov.says("Incoming call", "Ivan Ivanov");
  await petrov.press("answer");
  await Promise.all([ivanov.says("Talking", "Petr Petrov"), petrov.says("Talking", "Ivan Ivanov")]);
  await petrov.press("hangup");
  await Promise.all([ivanov.idle(), petrov.idle()]);
});

story("a colleague is called: the other phone rings first", async (ending) => {
  const { ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.dial("102", "Ring them first");
  await ivanov.says("Calling", "Petr Petrov");
  assert.deepEqual(await ivanov.offered(), ["stop"]);
  await petrov.says("Incoming call", "Ivan Ivanov");
  await petrov.press("answer");
  await ivanov.says("Your phone rings", "Petr Petrov");
  await ivanov.press("answer");
  await Promise.all([ivanov.says("Talking", "Petr Petrov"), petrov.says("Talking", "Ivan Ivanov")]);
  await ivanov.press("hangup");
  await Promise.all([ivanov.idle(), petrov.idle()]);
});

story("own dialling is taken back in every phase", async (ending) => {
  const { ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.dial("102");
  await ivanov.says("Your phone rings");
  await ivanov.press("stop");
  await ivanov.idle();
  await ivanov.dial("102");
  await ivanov.says("Your phone rings");
  await ivanov.press("answer");
  await petrov.says("Incoming call");
  await ivanov.press("hangup");
  await Promise.all([ivanov.idle(), petrov.idle()]);
  await ivanov.dial("102", "Ring them first");
  await petrov.says("Incoming call");
  await ivanov.press("stop");
  await Promise.all([ivanov.idle(), petrov.idle()]);
});

story("with intercom the called phone answers by itself", async (ending) => {
  const { ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.dial("102", "Intercom");
  await ivanov.says("Your phone rings");
  await ivanov.press("answer");
  await Promise.all([ivanov.says("Talking", "Petr Petrov"), petrov.says("Talking", "Ivan Ivanov")]);
});

story("somebody outside is called from the list and from the keyboard", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.dial("8 (900) 555-66-77");
  await ivanov.says("Your phone rings", "89005556677");
  await ivanov.press("answer");
  await ivanov.says("Calling", "89005556677");
  await gate.sim({ op: "answer", number: "89005556677" });
  await ivanov.says("Talking", "89005556677");
  await gate.sim({ op: "hangup", number: "89005556677" });
  await ivanov.idle();
  await ivanov.does("102", "call");
  await ivanov.says("Your phone rings", "Petr Petrov");
  await ivanov.press("answer");
  await petrov.says("Incoming call", "Ivan Ivanov");
});

story("a number that is none is refused in words", async (ending) => {
  const { ivanov } = await at(ending, "ivanov");
  const trouble = ivanov.phone.locator(".note[role=alert]");
  await ivanov.tab.click(".dial button[type=submit]");
  await trouble.filter({ hasText: "Whom?" }).waitFor();
  await ivanov.dial("Nobody");
  await trouble.filter({ hasText: "Type a number" }).waitFor();
  await ivanov.dial("101");
  await trouble.filter({ hasText: "no such number" }).waitFor();
});

story("the caller is put on hold and taken back", async (ending) => {
  const { gate, ivanov } = await at(ending, "ivanov");
  await talking(ivanov, gate, "101");
  await ivanov.press("hold");
  await ivanov.held(CALLER);
  await ivanov.sees("takeBack");
  await ivanov.press("takeBack");
  await ivanov.says("Talking", CALLER);
  await ivanov.press("hold");
  await ivanov.held(CALLER);
  await gate.sim({ op: "hangup", number: CALLER });
  await ivanov.phone.locator(".held").waitFor({ state: "hidden" });
  await ivanov.idle();
});

story("the caller puts the agent on hold", async (ending) => {
  const { gate, ivanov } = await at(ending, "ivanov");
  await talking(ivanov, gate, "101");
  await gate.sim({ op: "hold", number: CALLER, held: true });
  await ivanov.says("You are on hold", CALLER);
  await gate.sim({ op: "hold", number: CALLER, held: false });
  await ivanov.says("Talking", CALLER);
});

story("a colleague is asked while the caller waits; the two are swapped; the colleague is let go", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await talking(ivanov, gate, "101");
  await ivanov.does("102", "consult");
  await ivanov.says("Calling", "Petr Petrov");
  await ivanov.held(CALLER);
  await petrov.says("Incoming call", "Ivan Ivanov");
  await petrov.press("answer");
  await ivanov.says("Talking", "Petr Petrov");
  assert.deepEqual(await ivanov.offered(), ["join", "swap", "back"]);
  await ivanov.press("swap");
  await ivanov.says("Talking", CALLER);
  await ivanov.held("Petr Petrov");
  await petrov.says("You are on hold", "Ivan Ivanov");
  await ivanov.press("swap");
  await ivanov.held(CALLER);
  await petrov.says("Talking", "Ivan Ivanov");
  await ivanov.press("back");
  await ivanov.says("Talking", CALLER);
  await petrov.idle();
  assert.equal(await ivanov.phone.locator(".held").isVisible(), false);
});

story("a colleague who refuses leaves the caller with the agent", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await talking(ivanov, gate, "101");
  await ivanov.does("102", "consult");
  await petrov.says("Incoming call");
  await petrov.press("decline");
  await ivanov.says("Talking", CALLER);
  await petrov.idle();
});

story("a call is handed over without asking", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await talking(ivanov, gate, "101");
  await ivanov.press("transfer");
  await ivanov.tab.fill("#target", "102");
  await ivanov.tab.getByRole("button", { name: "Transfer now" }).click();
  await ivanov.idle();
  await petrov.says("Incoming call", CALLER);
  await petrov.press("answer");
  await petrov.says("Talking", CALLER);
  await petrov.press("hangup");
  await petrov.idle();
});

story("a call is handed over after asking", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await talking(ivanov, gate, "101");
  await ivanov.press("transfer");
  await ivanov.tab.fill("#target", "petrov");
  await ivanov.tab.getByRole("option", { name: "Petr Petrov" }).click();
  await ivanov.tab.getByRole("button", { name: "Ask first" }).click();
  await petrov.says("Incoming call", "Ivan Ivanov");
  await petrov.press("answer");
  await ivanov.says("Talking", "Petr Petrov");
  await ivanov.press("join");
  await ivanov.idle();
  await petrov.says("Talking", CALLER);
  await ivanov.shows("102", "Busy");
});

story("with somebody on hold the present party is handed over, and the held one is back", async (ending) => {
  const { gate, ivanov, petrov, sidorova } = await at(ending, "ivanov", "petrov", "sidorova");
  await talking(ivanov, gate, "101");
  await ivanov.does("102", "consult");
  await petrov.says("Incoming call");
  await petrov.press("answer");
  await ivanov.says("Talking", "Petr Petrov");
  await ivanov.does("103", "transfer");
  await ivanov.says("Talking", CALLER);
  await sidorova.says("Incoming call", "Petr Petrov");
  await sidorova.press("answer");
  await petrov.says("Talking", "Anna Sidorova");
});

story("the held party is dropped, and the talk goes on", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await talking(ivanov, gate, "101");
  await ivanov.does("102", "consult");
  await petrov.says("Incoming call");
  await petrov.press("answer");
  await ivanov.says("Talking", "Petr Petrov");
  await ivanov.phone.locator(".held button").first().click();
  await ivanov.phone.getByRole("menuitem", { name: `Drop ${CALLER}` }).click();
  await ivanov.sees("hold");
  await ivanov.says("Talking", "Petr Petrov");
  assert.equal(await ivanov.phone.locator(".held").isVisible(), false);
});

story("everything is done without a mouse", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  const keys = ivanov.tab.keyboard;
  await ivanov.idle();
  await ivanov.tab.locator("body").press("n");
  await keys.type("petr");
  await keys.press("ArrowDown");
  await keys.press("Enter");
  await ivanov.says("Your phone rings", "Petr Petrov");
  await keys.press("a");
  await petrov.says("Incoming call");
  await petrov.tab.locator("body").press("a");
  await ivanov.says("Talking", "Petr Petrov");
  await keys.press("h");
  await ivanov.held("Petr Petrov");
  await keys.press("h");
  await ivanov.says("Talking");
  await keys.press("t");
  await keys.press("Escape");
  assert.equal(await ivanov.tab.evaluate(() => document.activeElement.dataset.act), "transfer");
  await keys.press("e");
  await ivanov.idle();
  await keys.press("/");
  await keys.type("sidorova");
  await keys.press("Enter");
  assert.equal(await ivanov.tab.evaluate(() => document.activeElement.ariaLabel), "Call Anna Sidorova");
  await keys.press("ArrowRight");
  await keys.press("ArrowRight");
  await keys.press("Enter");
  await keys.press("Escape");
  assert.equal(await ivanov.tab.evaluate(() => document.activeElement.ariaLabel), "More about Anna Sidorova");
  await keys.press("q");
  await keys.press("ArrowDown");
  await keys.press("ArrowDown");
  await keys.press("ArrowDown");
  await keys.press("ArrowDown");
  await keys.press("Enter");
  await ivanov.state("Do not disturb");
  await keys.press("?");
  await ivanov.tab.locator("dialog kbd", { hasText: "Esc" }).waitFor();
  await ivanov.tab.getByLabel("Single keys work").uncheck();
  await keys.press("Escape");
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call");
  await keys.press("a");
  assert.equal(await ivanov.phone.getAttribute("data-phase"), "ringing");
});

story("two tabs of one agent show the same, and of two answers one is refused", async (ending) => {
  const { gate, ivanov } = await at(ending, "ivanov");
  const second = await ivanov.browser.page(`${gate.origin}/?login=ivanov`);
  const other = deskIn(second, ivanov.browser);
  await other.idle();
  await gate.incoming(CALLER, "101");
  await Promise.all([ivanov.says("Incoming call", CALLER), other.says("Incoming call", CALLER)]);
  await Promise.all([ivanov.press("answer"), other.press("answer")].map((press) => press.catch(() => {})));
  await Promise.all([ivanov.says("Talking", CALLER), other.says("Talking", CALLER)]);
  await other.press("hold");
  await ivanov.held(CALLER);
  await ivanov.press("takeBack");
  await other.says("Talking", CALLER);
  await ivanov.press("hangup");
  await Promise.all([ivanov.idle(), other.idle()]);
});

story("a page that comes in the middle of a talk shows it with its length", async (ending) => {
  const { gate, ivanov } = await at(ending, "ivanov");
  await talking(ivanov, gate, "101");
  await ivanov.phone.locator(".time", { hasText: "0:02" }).waitFor();
  await ivanov.tab.reload();
  await ivanov.says("Talking", CALLER);
  await ivanov.phone.locator(".time", { hasText: /0:0[2-9]/ }).waitFor();
});

story("a phone that goes away takes the calls with it, and is shown", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.idle();
  await gate.sim({ op: "phone", number: "101", connected: false });
  await ivanov.says("Phone is not connected");
  await petrov.shows("101", "No phone");
  assert.equal(await petrov.person("101").locator("[data-act=call]").isVisible(), false);
  assert.equal(await ivanov.phone.locator(".dial").isVisible(), false);
  await gate.sim({ op: "phone", number: "101", connected: true });
  await ivanov.idle();
  await petrov.shows("101", "Ready");
});
