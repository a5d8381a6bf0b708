// A client calls: the card of the CRM comes with the ring, and stays through everything that is done with the call.
// `PICTURES` names a folder for pictures of it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { nodeCrm } from "../../peers/support/crms.mjs";
import { acceptLink, RING_FORM } from "../../peers/support/gateway.mjs";
import { story } from "../../peers/support/stories.mjs";
import { CALLER, desks, office } from "../support/office.mjs";

const FOLDER = process.env.PICTURES;

/** Takes a picture of a desk, when pictures are wanted. */
async function picture(desk, name) {
  if (FOLDER) await desk.tab.screenshot({ path: join(FOLDER, `${name}.png`), fullPage: true });
}

/** A CRM that opens a card on each ring, two desks, and a client whose call rings at the first. */
async function clientCalls(ending) {
  const gate = await office(ending, ({ port }) => acceptLink({ port }) + RING_FORM);
  await nodeCrm(ending, gate);
  await gate.linked("crm");
  const { ivanov, petrov } = await desks(ending, gate, "ivanov", "petrov");
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call", CALLER);
  return { gate, ivanov, petrov };
}

story("a client calls: the card, the talk, hold, a question to a colleague, and three in conference", async (ending) => {
  const { gate, ivanov, petrov } = await clientCalls(ending);
  const card = ivanov.tab.locator("article.form:not(.ended)");
  await card.waitFor();
  assert.match(await card.textContent(), /Anna Orlova/);
  await picture(ivanov, "1-incoming-with-card");
  await ivanov.press("answer");
  await ivanov.says("Talking", CALLER);
  await picture(ivanov, "2-talk");
  await ivanov.press("hold");
  await ivanov.held(CALLER);
  await picture(ivanov, "3-hold");
  await ivanov.press("takeBack");
  await ivanov.says("Talking", CALLER);
  await ivanov.does("102", "consult");
  await petrov.says("Incoming call", "Ivan Ivanov");
  await picture(petrov, "4-a-colleague-asks");
  await petrov.press("answer");
  await ivanov.says("Talking", "Petr Petrov");
  await ivanov.held(CALLER);
  await picture(ivanov, "5-consultation");
  await petrov.press("hangup");
  await ivanov.says("Talking", CALLER);
  await ivanov.press("widen");
  await ivanov.says("Conference");
  await ivanov.press("invite");
  await ivanov.tab.fill("#target", "102");
  await ivanov.tab.keyboard.press("Enter");
  await petrov.says("Incoming call");
  await petrov.press("answer");
  await ivanov.members(["You", "Petr Petrov", CALLER]);
  await petrov.says("Conference");
  await picture(ivanov, "6-conference");
  assert.equal(await card.count(), 1, "the card is still there");
  await ivanov.press("leave");
  await ivanov.idle();
  await picture(ivanov, "7-after-the-call");
  await gate.sim({ op: "hangup", number: CALLER });
  await petrov.idle();
  assert.deepEqual([...ivanov.browser.trouble(), ...petrov.browser.trouble()], []);
});

story("a call is handed over with its card", async (ending) => {
  const { gate, ivanov, petrov } = await clientCalls(ending);
  await ivanov.press("answer");
  await ivanov.says("Talking", CALLER);
  await ivanov.press("transfer");
  await ivanov.tab.fill("#target", "102");
  await ivanov.tab.getByRole("button", { name: "Transfer now" }).click();
  await ivanov.idle();
  await petrov.says("Incoming call", CALLER);
  await petrov.tab.locator("article.form:not(.ended)", { hasText: "Anna Orlova" }).waitFor();
  await picture(petrov, "8-handed-over");
  await petrov.press("answer");
  await petrov.says("Talking", CALLER);
  await gate.sim({ op: "hangup", number: CALLER });
  await petrov.idle();
});
