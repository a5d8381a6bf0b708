// What stays of a day: the journal with its recordings, chats and texts.

import assert from "node:assert/strict";
import { story } from "../../peers/support/stories.mjs";
import { CALLER, deskIn, desks, office } from "../support/office.mjs";

async function at(ending, ...logins) {
  const gate = await office(ending);
  return { gate, ...(await desks(ending, gate, ...logins)) };
}

story("the journal shows what was answered and what was missed, and plays a recording", async (ending) => {
  const { gate, ivanov, petrov, boss } = await at(ending, "ivanov", "petrov", "boss");
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call");
  await ivanov.press("answer");
  await ivanov.phone.locator(".time", { hasText: "0:01" }).waitFor();
  await ivanov.press("hangup");
  await ivanov.idle();
  await gate.incoming("79002223344", "101");
  await ivanov.says("Incoming call");
  await gate.sim({ op: "hangup", number: "79002223344" });
  await ivanov.idle();

  const { tab } = ivanov;
  const answered = tab.locator(".call.incoming", { hasText: CALLER });
  const missed = tab.locator(".call.missed", { hasText: "79002223344" });
  await answered.locator(".when", { hasText: /0:0[1-9]/ }).waitFor();
  await missed.waitFor();
  assert.equal(await missed.locator(".kind").getAttribute("aria-label"), "Missed");
  assert.equal(await missed.getByRole("button", { name: /^Recording/ }).count(), 0);

  await answered.getByRole("button", { name: /^Recording/ }).click();
  const player = answered.locator("audio");
  await player.waitFor();
  const seconds = await player.evaluate(
    (audio) =>
      new Promise((resolve, reject) => {
        const ready = () => resolve(audio.duration);
        if (audio.readyState > 0) return ready();
        audio.addEventListener("loadedmetadata", ready);
        audio.addEventListener("error", () => reject(new Error(audio.error?.message || "the recording does not play")));
      }),
  );
  assert.ok(seconds > 0.5, `a recording of ${seconds} s`);

  await answered.getByRole("button", { name: /^What happened/ }).click();
  await answered.locator(".way-of li", { hasText: "Ivan Ivanov 101" }).first().waitFor();
  await tab.getByLabel("Which calls").selectOption("missed");
  await answered.waitFor({ state: "detached" });
  assert.equal(await tab.locator(".call").count(), 1);
  await missed.getByRole("button", { name: /^Call/ }).click();
  await ivanov.says("Your phone rings", "79002223344");
  await ivanov.press("stop");

  await boss.tab.reload();
  await boss.tab.locator(".call", { hasText: "talked: Ivan Ivanov" }).first().waitFor();
  assert.equal(await petrov.tab.locator(".call").count(), 0, "calls of others are no business of his");
  assert.deepEqual(ivanov.browser.trouble(), []);
});

story("the journal outlives a restart, and is searched by number", async (ending) => {
  const { gate, ivanov } = await at(ending, "ivanov");
  for (const caller of [CALLER, "79002223344"]) {
    await gate.incoming(caller, "101");
    await ivanov.says("Incoming call", caller);
    await ivanov.press("answer");
    await ivanov.says("Talking");
    await ivanov.press("hangup");
    await ivanov.idle();
  }
  await ivanov.tab.locator(".call").nth(1).waitFor();
  await gate.kill();
  await gate.start();
  await ivanov.tab.reload();
  await ivanov.tab.locator(".call").nth(1).waitFor();
  await ivanov.tab.locator(".filters input").fill(CALLER);
  await ivanov.tab.keyboard.press("Enter");
  await ivanov.tab.locator(".call", { hasText: "79002223344" }).waitFor({ state: "detached" });
  assert.equal(await ivanov.tab.locator(".call").count(), 1);
});

/** Opens the tab with the chats. */
const chats = ({ tab }) => tab.getByRole("tab", { name: /Chats/ }).click();
const said = ({ tab }, words) => tab.locator(".lines li", { hasText: words });
async function write({ tab }, words) {
  await tab.fill("#chat-text", words);
  await tab.keyboard.press("Enter");
}

story("two people chat: unread, read, kept", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.does("102", "chat");
  await write(ivanov, "Is the contract ready? <b>today</b>");
  await said(ivanov, "<b>today</b>").waitFor();
  await petrov.tab.getByRole("tab", { name: /Chats/ }).locator(".count", { hasText: "1" }).waitFor();
  await chats(petrov);
  await petrov.tab.locator(".chat-list button", { hasText: "Ivan Ivanov" }).click();
  await said(petrov, "Is the contract ready?").waitFor();
  await said(ivanov, "read").waitFor();
  await petrov.tab.getByRole("tab", { name: /Chats/ }).locator(".count").waitFor({ state: "hidden" });
  await write(petrov, "In an hour.");
  await said(ivanov, "In an hour.").waitFor();
  // What is answered for is kept; others may see it a moment before.
  await petrov.tab.locator(".compose:not([aria-busy])").waitFor();
  await gate.kill();
  await gate.start();
  await ivanov.tab.reload();
  await ivanov.idle();
  await chats(ivanov);
  await ivanov.tab.locator(".chat-list button", { hasText: "Petr Petrov" }).click();
  await said(ivanov, "In an hour.").waitFor();
  assert.equal(await ivanov.tab.locator(".lines li").count(), 2);
  assert.deepEqual([...ivanov.browser.trouble(), ...petrov.browser.trouble()], []);
});

story("a group chats: it gets a name, a newcomer reads all, somebody is taken out", async (ending) => {
  const { ivanov, petrov, sidorova } = await at(ending, "ivanov", "petrov", "sidorova");
  const { tab } = ivanov;
  await chats(ivanov);
  await tab.getByRole("button", { name: "New chat" }).click();
  for (const name of ["Petr Petrov", "Olga Kuznetsova"]) await tab.getByLabel(name, { exact: true }).check();
  await tab.getByRole("button", { name: "Go on" }).click();
  await write(ivanov, "Who takes the fair?");
  await tab.locator(".talk header [aria-haspopup]").click();
  await tab.getByRole("menuitem", { name: "Rename…" }).click();
  await tab.fill("#chat-name", "Fair");
  await tab.keyboard.press("Enter");
  await chats(petrov);
  await petrov.tab.locator(".chat-list button", { hasText: "Fair" }).click();
  await said(petrov, "Who takes the fair?").waitFor();
  await tab.locator(".talk header [aria-haspopup]").click();
  await tab.getByRole("menuitem", { name: "Add people…" }).click();
  await tab.getByRole("checkbox", { name: "Anna Sidorova" }).check();
  await tab.getByRole("button", { name: "Go on" }).click();
  await chats(sidorova);
  await sidorova.tab.locator(".chat-list button", { hasText: "Fair" }).click();
  await said(sidorova, "Who takes the fair?").waitFor();
  await write(sidorova, "I do.");
  await said(petrov, "I do.").waitFor();
  await tab.locator(".talk header [aria-haspopup]").click();
  await tab.getByRole("menuitem", { name: "Remove Petr Petrov" }).click();
  await petrov.tab.locator(".chat-list button", { hasText: "Fair" }).waitFor({ state: "detached" });
  await sidorova.tab.locator(".talk header [aria-haspopup]").click();
  await sidorova.tab.getByRole("menuitem", { name: "Leave the chat" }).click();
  await sidorova.tab.locator(".chat-list button", { hasText: "Fair" }).waitFor({ state: "detached" });
});

story("a text reaches a person, is answered, and waits for who is not there", async (ending) => {
  const { gate, ivanov, petrov } = await at(ending, "ivanov", "petrov");
  await ivanov.does("102", "more", "Send a text…");
  await ivanov.tab.fill("#text-to", "Call Orlova back");
  await ivanov.tab.keyboard.press("Enter");
  const note = petrov.tab.locator(".note.text", { hasText: "Call Orlova back" });
  await note.locator(".caption", { hasText: "Ivan Ivanov" }).waitFor();
  await note.getByRole("textbox", { name: "Reply" }).fill("Done");
  await petrov.tab.keyboard.press("Enter");
  await note.waitFor({ state: "detached" });
  await ivanov.tab.locator(".note.text", { hasText: "Done" }).waitFor();

  await ivanov.does("103", "more", "Send a text…");
  await ivanov.tab.fill("#text-to", "Welcome back");
  await ivanov.tab.keyboard.press("Enter");
  await ivanov.tab.locator("dialog").waitFor({ state: "detached" });
  const { sidorova } = await desks(ending, gate, "sidorova");
  await sidorova.tab.locator(".note.text", { hasText: "Welcome back" }).waitFor();
});

story("a supervisor's notice is shown to subordinates", async (ending) => {
  const { ivanov, boss } = await at(ending, "ivanov", "boss");
  await boss.tab.evaluate(async () => {
    const { connect } = await import("/client/ctigate.js");
    const gateway = await connect({ login: "boss" });
    await gateway.people.start();
    await gateway.messages.notify([gateway.people.byNumber("101").id], "Meeting", "At noon");
  });
  await ivanov.tab
    .locator(".note.notice", { hasText: "At noon" })
    .locator(".caption", { hasText: "Meeting" })
    .waitFor();
});

story("a person changes the password; the old one serves no more, other sessions end", async (ending) => {
  const { gate, ivanov } = await at(ending, "ivanov");
  const { tab, browser } = ivanov;
  await tab.getByRole("button", { name: /^Account/ }).click();
  await tab.getByRole("menuitem", { name: "Change password…" }).click();
  await tab.fill("#password-before", "not mine");
  await tab.fill("#password-after", "Fresh-secret-1");
  await tab.keyboard.press("Enter");
  await tab.locator("dialog [role=alert]", { hasText: "wrong" }).waitFor();
  await tab.fill("#password-before", "Demo-ivanov");
  await tab.keyboard.press("Enter");
  await tab.locator("dialog").waitFor({ state: "detached" });
  await tab.getByRole("button", { name: /^Account/ }).click();
  await tab.getByRole("menuitem", { name: "Log out" }).click();
  await tab.fill("#password", "Demo-ivanov");
  await tab.keyboard.press("Enter");
  await tab.locator("[role=alert]", { hasText: "wrong" }).waitFor();
  await tab.fill("#password", "Fresh-secret-1");
  await tab.keyboard.press("Enter");
  await deskIn(tab, browser).idle();
  assert.ok(gate);
});

story("a fax that comes in a talk is shown with its sender, and opened", async (ending) => {
  const { gate, ivanov } = await at(ending, "ivanov");
  await gate.sim({ op: "play", timeline: "speed 20" });
  await gate.incoming(CALLER, "101");
  await ivanov.says("Incoming call");
  await ivanov.press("answer");
  await ivanov.says("Talking");
  await gate.sim({ op: "fax", number: CALLER, pages: 2 });
  const note = ivanov.tab.locator(".notices .note.fax", { hasText: `${CALLER}, pages: 2` });
  const open = note.getByRole("button", { name: "Open the fax" });
  const asked = ivanov.tab.context().waitForEvent("request", (request) => request.url().includes("/fax/"));
  await open.click();
  const answer = await (await asked).response();
  assert.equal(answer.status(), 200);
  assert.equal(answer.headers()["content-type"], "application/pdf");
  await note.getByRole("button", { name: "Dismiss" }).click();
  await note.waitFor({ state: "detached" });
  await ivanov.press("hangup");
  await ivanov.idle();
  assert.deepEqual(ivanov.browser.trouble(), []);
});
