// A day at the desk: states and breaks, redirection, the queue, coming and going.

import assert from "node:assert/strict";
import { passwordOf } from "../../peers/support/gateway.mjs";
import { story } from "../../peers/support/stories.mjs";
import { browserOf } from "../support/chromium.mjs";
import { CALLER, deskIn, desks, office } from "../support/office.mjs";
import { direct } from "../support/tabs.mjs";
import { real } from "../support/telephones.mjs";

async function at(ending, ...logins) {
  const gate = await office(ending);
  return { gate, ...(await desks(ending, gate, ...logins)) };
}

story("states are chosen, seen by others and in other tabs, and kept over a call", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  const second = deskIn(await ivanov.browser.page(`${gate.origin}/?login=ivanov`), ivanov.browser);
  await ivanov.state("Ready for queues");
  await ivanov.chooses("Lunch");
  await Promise.all([ivanov.state("Lunch"), second.state("Lunch"), petrov.shows("101", "Break")]);
  await ivanov.chooses("Call-back");
  await second.state("Call-back");
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call");
  await ivanov.state("Busy, then: Call-back");
  await petrov.shows("101", "Busy");
  await ivanov.press("answer");
  await ivanov.says("Talking");
  await ivanov.chooses("Do not disturb");
  await ivanov.state("Busy");
  await ivanov.press("hangup");
  await ivanov.state("Do not disturb");
  await petrov.shows("101", "Do not disturb");
  await second.chooses("Busy");
  await ivanov.state("Busy");
  await ivanov.idle();
  await ivanov.chooses("Ready");
  await petrov.shows("101", "Ready");
  await ivanov.chooses("Queues by hand");
  await ivanov.state("Queues by hand");
});

story("calls are redirected while the person wants it, and no longer", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.chooses("Redirect calls…");
  await ivanov.tab.fill("#redirect", "102");
  await ivanov.tab.getByRole("button", { name: "Redirect", exact: true }).click();
  await ivanov.state("To 102");
  await gate.incoming(CALLER, "101");
  await petrov.says("Incoming call", CALLER);
  await petrov.press("decline");
  await petrov.idle();
  assert.equal(await ivanov.phone.getAttribute("data-phase"), "idle");
  await ivanov.tab.reload();
  await ivanov.state("To 102");
  await ivanov.chooses("Ready");
  await ivanov.state("Ready");
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call", CALLER);
  await ivanov.press("decline");
  await ivanov.idle();
  await ivanov.chooses("To 102");
  await ivanov.state("To 102");
  await ivanov.chooses("Change the number…");
  await ivanov.tab.getByRole("button", { name: "Delete" }).click();
  await ivanov.state("Ready");
});

story("a caller waits in the queue, is seen there, and is taken by who becomes ready", async (ending) => {
  const { gate, ivanov, petrov, sidorova } = await at(ending, "ivanov", "petrov", "sidorova");
  await ivanov.chooses("Lunch");
  await petrov.chooses("Queues by hand");
  await Promise.all([ivanov.state("Lunch"), petrov.state("Queues by hand")]);
  await gate.incoming(CALLER, "500");
  for (const desk of [ivanov, petrov]) {
    const row = desk.tab.locator(".queue .waiting li", { hasText: CALLER });
    await row.getByText("Support line").waitFor();
    await row.locator("time", { hasText: /0:0\d/ }).waitFor();
  }
  assert.equal(await sidorova.tab.locator(".queue .waiting li").count(), 0, "it is not her queue");
  await ivanov.chooses("Ready for queues");
  await ivanov.says("Incoming call", CALLER);
  assert.match(await ivanov.phone.locator(".about").textContent(), /for Support line \(500\)/);
  assert.equal(await petrov.phone.getAttribute("data-phase"), "idle");
  await ivanov.press("answer");
  await ivanov.says("Talking", CALLER);
  await ivanov.tab.locator(".queue.nobody").waitFor();
});

story("a wrong password is refused, a right one enters, and the session serves from then on", async (ending) => {
  const gate = await office(ending);
  const browser = await browserOf(ending);
  const tab = await browser.page(`${gate.origin}/?login=ivanov`);
  await tab.fill("#password", "wrong");
  await tab.keyboard.press("Enter");
  await tab.locator("[role=alert]", { hasText: "The login or the password is wrong." }).waitFor();
  await tab.fill("#password", passwordOf("ivanov"));
  await tab.keyboard.press("Enter");
  await deskIn(tab, browser).idle();
  await tab.reload();
  await deskIn(tab, browser).idle();
  const second = await browser.page(`${gate.origin}/`);
  await second.getByRole("button", { name: "Go on as ivanov" }).click();
  await deskIn(second, browser).idle();
});

story("who logs out is asked for the password again, and others see the absence", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await petrov.shows("101", "Ready");
  await ivanov.tab.getByRole("button", { name: /^Account/ }).click();
  await ivanov.tab.getByRole("menuitem", { name: "Log out" }).click();
  await ivanov.tab.locator("#password").waitFor();
  await petrov.shows("101", "Offline");
  await ivanov.tab.goto(`${gate.origin}/?login=ivanov`);
  await ivanov.tab.locator("#password").waitFor();
  assert.deepEqual(ivanov.browser.trouble(), []);
});

story("the gateway is killed and started again: the pages come back by themselves and work", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call");
  await ivanov.press("answer");
  await ivanov.says("Talking");
  await gate.kill();
  await ivanov.tab.locator(".link", { hasText: "No connection" }).waitFor();
  await gate.start();
  await Promise.all([ivanov, petrov].map(({ tab }) => tab.waitForSelector(".bar .pill.good")));
  if (real) {
    // Calls of a real telephone system go on meanwhile.
    await ivanov.says("Talking", CALLER);
    await ivanov.press("hangup");
  }
  await ivanov.idle();
  await petrov.shows("101", "Ready");
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call", CALLER);
  await ivanov.press("answer");
  await ivanov.says("Talking", CALLER);
});

story("events of applications reach those they are for", async (ending) => {
  const gate = await office(ending);
  const tabs = {};
  for (const login of ["ivanov", "petrov", "sidorova"]) {
    const tab = await direct(await browserOf(ending), gate, login);
    await tab.evaluate(async (who) => {
      const { connect } = await import("/client/ctigate.js");
      window.gateway = await connect({ login: who });
      window.heard = [];
      window.gateway.messages.onTriggered("order", (param, sender) => window.heard.push([param.id, sender.login]));
      await window.gateway.people.start();
    }, login);
    tabs[login] = tab;
  }
  const heard = (login, count) =>
    tabs[login].waitForFunction((n) => window.heard.length === n && window.heard, count).then((all) => all.jsonValue());
  const petrov = await tabs.petrov.evaluate(() => window.gateway.userid);
  await tabs.ivanov.evaluate((to) => window.gateway.messages.trigger("order", { id: 1 }, { to: [to] }), petrov);
  assert.deepEqual(await heard("petrov", 1), [[1, "ivanov"]]);
  await tabs.ivanov.evaluate(() => window.gateway.messages.trigger("order", { id: 2 }));
  assert.deepEqual(await heard("petrov", 2), [
    [1, "ivanov"],
    [2, "ivanov"],
  ]);
  assert.deepEqual(await heard("sidorova", 1), [[2, "ivanov"]]);
  await tabs.ivanov.evaluate(() => window.gateway.messages.trigger("order", { id: 3 }, { back: true }));
  assert.deepEqual(await heard("ivanov", 1), [[3, "ivanov"]]);
});
