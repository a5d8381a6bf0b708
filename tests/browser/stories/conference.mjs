// Conferences, and supervisors who listen in, as people meet them.

import assert from "node:assert/strict";
import { story, until } from "../../peers/support/stories.mjs";
import { CALLER, desks, office } from "../support/office.mjs";
import { real } from "../support/telephones.mjs";

async function at(ending, ...logins) {
  const gate = await office(ending);
  return { gate, ...(await desks(ending, gate, ...logins)) };
}

async function talking(desk, gate, number) {
  await gate.incoming(CALLER, number);
  await desk.says("Incoming call", CALLER);
  await desk.press("answer");
  await desk.says("Talking", CALLER);
}

/** What somebody hears, as the simulator tells it: the numbers, sorted. A real telephone system does not tell. */
const hears = (gate, number, wanted) =>
  real ||
  until(async () => {
    const { body } = await gate.api("sim", { op: "picture" });
    const legs = body.calls
      .flatMap(({ legs: all }) => all)
      .filter((leg) => leg.state === "up" && leg.number === number);
    const now = legs.flatMap(({ voices }) => voices).sort();
    return now.join() === wanted.join() ? true : null;
  }, `${number} to hear ${wanted}`);

story("a talk becomes a conference of three, somebody is thrown out, somebody leaves", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await talking(ivanov, gate, "101");
  await ivanov.press("widen");
  await ivanov.says("Conference");
  await ivanov.members(["You", CALLER]);
  await ivanov.press("invite");
  await ivanov.tab.fill("#target", "102");
  await ivanov.tab.keyboard.press("Enter");
  await petrov.says("Incoming call");
  await ivanov.phone.locator(".members li", { hasText: "Petr Petrov" }).getByText("being called").waitFor();
  await petrov.press("answer");
  await petrov.says("Conference");
  await ivanov.members(["You", CALLER, "Petr Petrov"]);
  await petrov.members(["Ivan Ivanov", CALLER, "You"]);
  await hears(gate, CALLER, ["101", "102"]);
  assert.equal(await petrov.phone.locator(".members button:visible").count(), 0, "only who made it throws out");
  await ivanov.phone.getByRole("button", { name: "Remove Petr Petrov" }).click();
  await petrov.idle();
  await ivanov.members(["You", CALLER]);
  await ivanov.does("102", "invite");
  await petrov.says("Incoming call");
  await petrov.press("answer");
  await ivanov.members(["You", CALLER, "Petr Petrov"]);
  await ivanov.press("leave");
  await ivanov.idle();
  await petrov.members([CALLER, "You"]);
  await petrov.press("leave");
  await petrov.idle();
});

story("somebody who called meanwhile is taken into the conference", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await talking(ivanov, gate, "101");
  await ivanov.does("102", "consult");
  await petrov.says("Incoming call");
  await petrov.press("answer");
  await ivanov.says("Talking", "Petr Petrov");
  await ivanov.held(CALLER);
  // The page offers a conference only in a plain talk; the gateway makes one here too, and then offers to take in.
  await ivanov.tab.evaluate(async () => {
    const { connect } = await import("/client/ctigate.js");
    await (await connect({ login: "ivanov" })).conference.widen();
  });
  await ivanov.says("Conference");
  await ivanov.held(CALLER);
  await ivanov.press("takeIn");
  await ivanov.members(["You", "Petr Petrov", CALLER]);
  await hears(gate, CALLER, ["101", "102"]);
});

story("a conference is called together: all phones ring, the own one too", async (ending) => {
  const { ivanov, petrov, sidorova, kuznetsova } = await at(ending, "ivanov", "petrov", "sidorova", "kuznetsova");
  await ivanov.tab.click(".dial .joined + .menued > button");
  await ivanov.tab.getByRole("menuitem", { name: "New conference" }).click();
  for (const number of ["102", "103", "104"]) {
    await ivanov.tab.fill("#member", number);
    await ivanov.tab.keyboard.press("Enter");
  }
  await ivanov.tab.locator("dialog .chosen", { hasText: "Olga Kuznetsova" }).waitFor();
  await ivanov.tab.getByRole("button", { name: "Call them all" }).click();
  await ivanov.says("Your phone rings");
  await Promise.all([petrov, sidorova, kuznetsova].map((desk) => desk.says("Incoming call")));
  for (const desk of [ivanov, petrov, sidorova]) {
    await desk.press("answer");
    await desk.says("Conference");
  }
  await kuznetsova.press("decline");
  await ivanov.members(["You", "Petr Petrov", "Anna Sidorova"]);
  await sidorova.members(["Ivan Ivanov", "Petr Petrov", "You"]);
  await kuznetsova.idle();
  await petrov.press("hold");
  await petrov.sees("takeBack");
  await petrov.press("takeBack");
  await petrov.says("Conference");
});

for (const [choice, mode, heardBy] of [
  ["Listen in", "Nobody hears you.", { 101: [CALLER], [CALLER]: ["101"] }],
  ["Whisper to them", "Only your colleague hears you.", { 101: ["110", CALLER], [CALLER]: ["101"] }],
  ["Join the talk", "Everybody hears you.", { 101: ["110", CALLER], [CALLER]: ["101", "110"] }],
]) {
  story(`a supervisor listens in: ${choice}`, async (ending) => {
    const { gate, ivanov, boss } = await at(ending, "ivanov", "boss");
    await talking(ivanov, gate, "101");
    await boss.shows("101", "Busy");
    await boss.does("101", "listen", choice);
    await boss.says("Your phone rings");
    await boss.press("answer");
    await boss.says("Listening in", "Ivan Ivanov");
    await boss.phone.locator(".conference p", { hasText: mode }).waitFor();
    for (const [number, voices] of Object.entries(heardBy)) await hears(gate, number, voices);
    await hears(gate, "110", ["101", CALLER]);
    assert.equal(await ivanov.phone.locator(".members li:visible").count(), 0, "the agent sees a talk, no conference");
    await boss.phone.getByRole("button", { name: "Whisper" }).click();
    await hears(gate, "101", ["110", CALLER]);
    await hears(gate, CALLER, ["101"]);
    await ivanov.press("hangup");
    await Promise.all([ivanov.idle(), boss.idle()]);
  });
}

story("listening in is offered to supervisors alone", async (ending) => {
  const { gate, ivanov, petrov, boss } = await at(ending, "ivanov", "petrov", "boss");
  await talking(ivanov, gate, "101");
  await Promise.all([petrov.shows("101", "Busy"), boss.shows("101", "Busy")]);
  assert.equal(await boss.person("101").locator("[data-act=listen]").isVisible(), true);
  assert.equal(await petrov.person("101").locator("[data-act=listen]").isVisible(), false);
  const code = await petrov.tab.evaluate(async () => {
    const { connect } = await import("/client/ctigate.js");
    const gateway = await connect({ login: "petrov" });
    await gateway.people.start();
    return gateway.conference.listen(gateway.people.byNumber("101").id).catch((error) => error.code);
  });
  assert.ok([52710, 59004].includes(code), `refused with ${code}`);
});
