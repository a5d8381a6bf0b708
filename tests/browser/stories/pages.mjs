// The agent's page against a scripted gateway: what only odd answers show.

import assert from "node:assert/strict";
import { story } from "../../peers/support/stories.mjs";
import { browserOf } from "../support/chromium.mjs";
import { scripted } from "../support/scripted.mjs";

const MARKUP = `<img src=x onerror="document.title='broken'"><b>bold</b>`;
const line = (abonent, more = {}) => ({ result: 1, linestatestr: "lsReady", isflashing: false, abonent, ...more });
const REPLIES = {
  getmyuserinfo: { result: 1, username: MARKUP, mainpbxnumber: "101" },
  getextendedlineinfo: line({}),
  getpbxnumbers: { result: 1, numbers: [{ number: "102", id: "n2", caption: MARKUP, state: 1, department: MARKUP }] },
  getallusernumbers: { result: 1, users: [{ id: "u2", name: MARKUP, main: "102", nums: ["102"] }] },
};

async function agentIn(ending, replies = {}, options = {}) {
  const peer = await scripted(ending, { ...REPLIES, ...replies });
  const browser = await browserOf(ending, options);
  const tab = await browser.page(`${peer.origin}/?login=ivanov`);
  await tab.fill("#password", "Secret1");
  await tab.keyboard.press("Enter");
  await tab.waitForSelector(".people li");
  return { peer, tab, ...browser };
}

const card = (fields, more = {}) => ({
  cardid: "f1",
  formid: "f1",
  formname: "card",
  caption: "Card",
  chainid: "c",
  fields,
  ...more,
});

story("whatever peers send is shown as text", async (ending) => {
  const { peer, tab, trouble } = await agentIn(ending, {
    getcurrentqueue: { result: 1, queue: [{ chainid: "q", callerid: MARKUP, taskname: MARKUP, lenqueue: 1 }] },
    chatlist: {
      result: 1,
      chats: [{ chatid: "h", name: MARKUP, creatorid: "u2", members: [{ userid: "u2", username: MARKUP }], unread: 1 }],
    },
    chathistory: { result: 1, messages: [{ messageid: "m", senderid: "u2", sendername: MARKUP, text: MARKUP }] },
    getpbxcalljournal: {
      result: 1,
      data: [{ chainid: "j", commutationid: "t", datetime: MARKUP, connectiontype: "incoming", callerid: MARKUP }],
    },
    getconferenceinfo: {
      result: 1,
      conference: { id: "k", name: MARKUP },
      competitors: [{ competitorid: "x", number: MARKUP, name: MARKUP }],
    },
  });
  const party = { number: MARKUP, name: `${MARKUP}!`, isextline: true };
  peer.answers.getextendedlineinfo = line({ ...party, isringing: true }, { isflashing: true, flashed: party });
  peer.event("phoneevent_ringstarted", { chainid: "c" });
  await tab.waitForSelector('.phone[data-phase="ringing"]');
  assert.equal(await tab.textContent(".phone .who"), `${MARKUP}!`);
  peer.answers.getextendedlineinfo = line({ isconference: true, conferenceid: "k", conferencename: MARKUP });
  peer.event("phoneevent_commstarted", { chainid: "c", isconference: true, confid: "k" });
  await tab.waitForSelector(".members li");
  peer.event("usertextmessagereceived", { senderid: "u2", sendername: MARKUP, text: MARKUP });
  peer.event("shownotifymessage", { caption: MARKUP, text: MARKUP });
  await tab.waitForSelector(".note.notice");
  await tab.waitForSelector(".call");
  await tab.click("#tab-chats");
  await tab.click(".chat-list button");
  await tab.waitForSelector(".lines li");
  peer.event(
    "dlgcard_showformdialog",
    card(
      [
        { name: "client", type: "string", caption: MARKUP, value: MARKUP, readonly: true },
        { name: "note", type: "string", caption: MARKUP, value: MARKUP, readonly: false },
      ],
      { caption: MARKUP },
    ),
  );
  await tab.waitForSelector(".form");
  assert.equal(await tab.textContent(".form h3"), MARKUP);
  assert.equal(await tab.textContent(".form dd"), MARKUP);
  assert.equal(await tab.inputValue(".form [name=note]"), MARKUP);
  assert.equal(await tab.locator("main img, main b").count(), 0);
  assert.deepEqual(trouble(), []);
});

story("fields follow their types, and what does not fit holds up the answer", async (ending) => {
  const { peer, tab } = await agentIn(ending, { dlgcard_values: { result: 1 } });
  const field = (name, type, more = {}) => ({ name, type, caption: name, value: null, readonly: false, ...more });
  peer.event(
    "dlgcard_showformdialog",
    card([
      field("text", "string", { required: true }),
      field("count", "int"),
      field("price", "float"),
      field("again", "bool"),
      field("when", "datetime"),
      field("list", "array"),
      field("untouched", "int"),
    ]),
  );
  await tab.fill("[name=count]", "many");
  await tab.click(".form button[type=submit]");
  assert.match(await tab.textContent(".form [role=alert]"), /number is expected: count/);
  await tab.fill("[name=count]", "3");
  await tab.fill("[name=price]", "1,5");
  await tab.check("[name=again]");
  await tab.fill("[name=when]", "2026-11-21T10:30:00");
  await tab.fill("[name=list]", "[1, 2]");
  await tab.click(".form button[type=submit]");
  assert.match(await tab.textContent(".form [role=alert]"), /Fill in: text/);
  assert.equal(peer.count("dlgcard_values"), 0);
  await tab.fill("[name=text]", "done");
  await tab.keyboard.press("Enter");
  const { body } = await peer.call("dlgcard_values", 1);
  assert.deepEqual(body.values, {
    text: "done",
    count: 3,
    price: 1.5,
    again: true,
    when: "2026-11-21 10:30:00",
    list: [1, 2],
  });
  await tab.waitForSelector(".form", { state: "detached" });
});

story("a card that asks is accepted or refused", async (ending) => {
  const { peer, tab } = await agentIn(ending, { dlgcard_confirm: { result: 1 } });
  for (const [words, accept] of [
    ["Accept", true],
    ["Refuse", false],
  ]) {
    peer.event("dlgcard_showconfirm", {
      cardid: words,
      taskname: "Support",
      callerid: "7900",
      callername: "ACME",
      fields: [],
    });
    await tab.click(`.form >> text=${words}`);
    const { body } = await peer.call("dlgcard_confirm", accept ? 1 : 2);
    assert.deepEqual([body.cardid, body.accept], [words, accept]);
    await tab.waitForSelector(".form", { state: "detached" });
  }
});

story("an answer without a connection is kept, not lost", async (ending) => {
  const { peer, tab } = await agentIn(ending);
  peer.event(
    "dlgcard_showformdialog",
    card([{ name: "note", type: "string", caption: "Note", value: "", readonly: false }]),
  );
  await tab.fill("[name=note]", "long story");
  peer.answers.login = null;
  peer.cut();
  await tab.waitForSelector(".bar .pill:not(.good)");
  await tab.click(".form button[type=submit]");
  assert.match(await tab.textContent(".form [role=alert]"), /no connection/);
  assert.equal(await tab.inputValue("[name=note]"), "long story");
});

story("a form of a call that rings leaves the keys to the phone; F goes to it", async (ending) => {
  const { peer, tab } = await agentIn(ending, { pbxanswercall: { result: 1 } });
  peer.answers.getextendedlineinfo = line({ number: "7900", isextline: true, isringing: true });
  peer.event("phoneevent_ringstarted", { chainid: "c" });
  await tab.waitForSelector('.phone[data-phase="ringing"]');
  peer.event(
    "dlgcard_showformdialog",
    card([{ name: "note", type: "string", caption: "Note", value: "", readonly: false }]),
  );
  await tab.waitForSelector(".form");
  await tab.keyboard.press("a");
  await peer.call("pbxanswercall", 1);
  assert.equal(await tab.inputValue(".form [name=note]"), "");
  await tab.keyboard.press("f");
  await tab.keyboard.type("fine");
  assert.equal(await tab.inputValue(".form [name=note]"), "fine");
});

story("a closed form says why and shows what had been typed", async (ending) => {
  const { peer, tab } = await agentIn(ending);
  peer.event(
    "dlgcard_showformdialog",
    card([{ name: "note", type: "string", caption: "Note", value: "", readonly: false }]),
  );
  await tab.fill("[name=note]", "half a story");
  peer.event("dlgcard_closeall", { cardid: "f1", reason: "answered" });
  await tab.waitForSelector(".form.ended");
  assert.equal(await tab.textContent(".form .ending"), "Answered in another tab.");
  assert.match(await tab.textContent(".form .typed"), /Note: half a story/);
  await tab.click(".form >> text=Dismiss");
  await tab.waitForSelector(".form", { state: "detached" });
});

story("an order that the gateway refuses is explained where it was given", async (ending) => {
  const { peer, tab } = await agentIn(ending, {
    pbxanswercall: { result: 0, error: 59006, errormsg: "Invalid line state: the phone does not ring" },
    pbxdeclinecall: { result: 0, error: 52799, errormsg: MARKUP },
  });
  peer.answers.getextendedlineinfo = line({ number: "7900", isextline: true, isringing: true });
  peer.event("phoneevent_ringstarted", { chainid: "c" });
  await tab.click("[data-act=answer]");
  await tab.locator(".phone .note", { hasText: "Answer: That does not fit the call as it is now." }).waitFor();
  await tab.click("[data-act=decline]");
  await tab.locator(".phone .note", { hasText: `Decline: ${MARKUP}` }).waitFor();
});

story("only what the gateway says can be done is offered", async (ending) => {
  const { peer, tab } = await agentIn(ending);
  const offered = () =>
    tab.locator(".phone .actions > button:visible").evaluateAll((all) => all.map((b) => b.dataset.act));
  const talk = { number: "7900", isextline: true, iscommutated: true };
  peer.answers.getextendedlineinfo = line(talk, { linestatestr: "lsCommutated", actions: ["hangup"] });
  peer.event("phoneevent_commstarted", { chainid: "c" });
  await tab.waitForSelector('.phone[data-phase="talking"]');
  assert.deepEqual(await offered(), ["hangup"]);
  peer.answers.getextendedlineinfo = line(talk, { linestatestr: "lsCommutated", actions: ["hold", "hangup"] });
  peer.event("linestatechanged", {});
  await tab.waitForSelector("[data-act=hold]:visible");
  assert.deepEqual(await offered(), ["hold", "hangup"]);
});

story("on a gateway without chats there is no place for them", async (ending) => {
  const unknown = { result: 0, error: 59001, errormsg: "Unknown method" };
  const { tab, trouble } = await agentIn(ending, { chatlist: unknown, getpbxcalljournal: { result: 1, data: [] } });
  await tab.waitForSelector("#tab-journal");
  assert.equal(await tab.locator("#tab-chats").isVisible(), false);
  assert.equal(await tab.locator(".person [data-act=chat]").isVisible(), false);
  assert.deepEqual(trouble(), []);
});

story("a hint of a scenario is shown, and answered", async (ending) => {
  const { peer, tab } = await agentIn(ending, { methodresult: { result: 1 } });
  peer.event("executemethod", { executionid: "e1", name: "ShowHint", inputparameters: { text: MARKUP } });
  const { body } = await peer.call("methodresult", 1);
  assert.deepEqual([body.executionid, body.result, body.outputparameters], ["e1", 1, {}]);
  assert.equal(await tab.textContent(".hint span"), MARKUP);
});

story("the page speaks Russian, fits 360 pixels, and needs no mouse", async (ending) => {
  const peer = await scripted(ending, { ...REPLIES, dlgcard_values: { result: 1 } });
  const browser = await browserOf(ending, { locale: "ru-RU", viewport: { width: 360, height: 740 } });
  const tab = await browser.page(`${peer.origin}/`);
  await tab.keyboard.type("ivanov");
  await tab.keyboard.press("Tab");
  await tab.keyboard.type("Secret1");
  await tab.keyboard.press("Enter");
  await tab.waitForSelector(".pill >> text=На связи");
  peer.answers.getextendedlineinfo = line({ number: "7900", isextline: true, iscommutated: true });
  peer.event("linestatechanged", {});
  await tab.waitForSelector('.phone[data-phase="talking"]'); // a form takes the focus once its call is answered
  peer.event(
    "dlgcard_showformdialog",
    card([{ name: "note", type: "string", caption: "Заметка", value: "", readonly: false }]),
  );
  await tab.waitForSelector(".form");
  await tab.keyboard.type("готово");
  await tab.keyboard.press("Enter");
  assert.deepEqual((await peer.call("dlgcard_values", 1)).body.values, { note: "готово" });
  const [wide, screen] = await tab.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= screen, `${wide} pixels on a screen of ${screen}`);
  assert.deepEqual(browser.trouble(), []);
});
