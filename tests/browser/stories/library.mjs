// The browser library against a scripted gateway.

import assert from "node:assert/strict";
import { story } from "../../peers/support/stories.mjs";
import { browserOf } from "../support/chromium.mjs";
import { scripted } from "../support/scripted.mjs";

const FORM = {
  cardid: "f1",
  formid: "f1",
  formname: "clientcard",
  caption: "Client card",
  chainid: "c1",
  fields: [
    { name: "phone", type: "string", caption: "Phone", value: "79001112233", readonly: true },
    { name: "resultcode", type: "string", caption: "Result", value: "", readonly: false },
  ],
};

/** A tab with the library, and `gateway` made by `make`: the text of a function of the module, run in the page. */
async function libraryIn(ending, replies) {
  const peer = await scripted(ending, replies);
  const browser = await browserOf(ending);
  const tab = await browser.page(`${peer.origin}/`);
  await tab.evaluate(async () => {
    window.lib = await import("/client/ctigate.js");
    window.told = [];
    window.make = (options = {}) => {
      window.gateway = new window.lib.Gateway({ login: "ivanov", ...options });
      window.gateway.on("state", ({ state }) => window.told.push(state));
      for (const name of ["open", "change"])
        window.gateway.forms.on(name, (form) => window.told.push(`${name} ${form.id}`));
      window.gateway.forms.on("close", (form, { reason, mine, by }) =>
        window.told.push(`close ${form.id} ${reason} ${mine} ${by}`),
      );
      return window.gateway;
    };
    window.refusal = (promise) =>
      promise.then(
        () => null,
        ({ code, message, method }) => ({ code, message, method }),
      );
  });
  return { peer, tab, told: () => tab.evaluate(() => window.told) };
}

/** The same, logged in with a password. */
async function online(ending, replies) {
  const all = await libraryIn(ending, replies);
  await all.tab.evaluate(() => window.make({ password: "Secret1" }).forms.start());
  await all.tab.evaluate(() => window.gateway.open().then(() => {}));
  return all;
}

story("the password is hashed as the protocol has it", async (ending) => {
  const { tab } = await libraryIn(ending);
  const hashes = await tab.evaluate(() => ["Secret1", "Пароль7", "Ёлка_ёж", "naïve"].map(window.lib.passwordHashes));
  assert.deepEqual(hashes, [
    { Password: "d6cb2342e44efb6dd628276f36da2359", password: "e52d98c459819a11775936d8dfbb7929" },
    { Password: "1ff3263f705cefe5cef594a3c072dacc", password: "428d1205beead56b75b8f3662f837c94" },
    { Password: "a7b363e40677d29fac9fb8b1b14def59", password: "1113e34f8a8e0a2e94b837e47c11497b" },
    { Password: "bfe4b52ca21163798a2a7dafc73ad021", password: "bfe4b52ca21163798a2a7dafc73ad021" },
  ]);
});

story("a tab pings, logs in, subscribes, and resumes by session without the password", async (ending) => {
  const { peer, tab } = await online(ending);
  const names = peer.heard.map(({ name }) => name).filter((name) => name !== "tabfocus");
  assert.deepEqual(names, ["ping", "login", "subscribeevent", "getuserstate"]);
  const first = (await peer.call("login", 1)).body;
  assert.equal(first.Password, "d6cb2342e44efb6dd628276f36da2359");
  assert.equal("sessionid" in first, false);
  peer.cut();
  const again = (await peer.call("login", 2)).body;
  assert.equal(again.sessionid, "s1");
  assert.equal("Password" in again, false);
  assert.deepEqual((await peer.call("subscribeevent", 2)).body.eventmethod, ["dlgcard"]);
  await tab.reload();
  const kept = await tab.evaluate(async () => {
    window.lib = await import("/client/ctigate.js");
    await window.lib.connect({ login: "ivanov" });
    return window.lib.keptLogins();
  });
  assert.deepEqual(kept, ["ivanov"]);
  assert.equal((await peer.call("login", 3)).body.sessionid, "s1");
});

story("a refused login says why, and is not tried again", async (ending) => {
  const wrong = { result: 0, errormsg: "Wrong login/pass combination" };
  const { peer, tab, told } = await libraryIn(ending, { login: wrong });
  const refused = await tab.evaluate(() => window.refusal(window.make({ password: "x" }).open({ patient: true })));
  assert.deepEqual(refused, { code: "credentials", message: wrong.errormsg, method: "login" });
  assert.deepEqual(await told(), ["connecting", "closed"]);
  assert.equal(peer.count("login"), 1);
});

story("a session that has ended is forgotten, and the tab closes", async (ending) => {
  const { peer, tab, told } = await online(ending);
  peer.answers.login = { result: 0, errormsg: "Bad request. Session does not exist" };
  peer.cut();
  await tab.waitForFunction(() => window.told.at(-1) === "closed");
  assert.deepEqual(await told(), ["connecting", "online", "waiting", "connecting", "closed"]);
  assert.deepEqual(await tab.evaluate(() => window.lib.keptLogins()), []);
});

story("a gateway that is emptied says when to come back, and is obeyed", async (ending) => {
  /** Ends the connection with a word; how long the tab will wait, milliseconds. */
  async function closed({ peer, tab }, reason) {
    await tab.evaluate(() => {
      window.pauses = [];
      window.gateway.on(
        "state",
        ({ state, retryAt }) => state === "waiting" && window.pauses.push(retryAt - Date.now()),
      );
    });
    peer.sockets.at(-1).close(1001, reason);
    await tab.waitForFunction(() => window.pauses.length > 0);
    return tab.evaluate(() => window.pauses[0]);
  }

  // A minute, spread, and never sooner; the person who looks at the tab does not shorten it.
  const one = await online(ending);
  const pause = await closed(one, "the gateway is emptied; connect again in 60 s");
  assert.ok(pause > 59_000 && pause <= 72_000, String(pause));
  await one.tab.evaluate(() => {
    window.dispatchEvent(new Event("online"));
    window.dispatchEvent(new Event("focus"));
    return new Promise((done) => setTimeout(done, 300));
  });
  assert.deepEqual([one.peer.sockets.length, await one.tab.evaluate(() => window.gateway.state)], [1, "waiting"]);
  await one.tab.evaluate(() => void window.gateway.close());
  await one.tab.waitForFunction(() => window.gateway.state === "closed");

  // Any other end is restored as ever.
  const other = await online(ending);
  assert.ok((await closed(other, "the gateway stops")) < 1000);
  await other.peer.call("login", 2);
});

story("calls end with a reply, a refusal, a time-out, or the loss of the connection", async (ending) => {
  const { peer, tab } = await online(ending, {
    good: ({ x }) => ({ result: 1, twice: 2 * x }),
    bad: { result: 0, error: 59004, errormsg: "Access denied" },
  });
  assert.equal((await tab.evaluate(() => window.gateway.call("good", { x: 21 }))).twice, 42);
  const call = (method, timeout) =>
    tab.evaluate(([m, t]) => window.refusal(window.gateway.call(m, {}, { timeout: t })), [method, timeout]);
  assert.deepEqual(await call("bad"), { code: 59004, message: "Access denied", method: "bad" });
  const silent = await call("silent", 50);
  assert.deepEqual([silent.code, silent.method], ["timeout", "silent"]);
  const asked = peer.call("silent");
  const cut = call("silent", 5000);
  await asked;
  peer.cut();
  assert.deepEqual([(await cut).code, (await call("good")).code], ["offline", "offline"]);
});

story("a reply in packets is put together, in any order", async (ending) => {
  const { peer, tab } = await online(ending);
  const asked = peer.call("getpbxnumbers");
  const result = tab.evaluate(() => window.gateway.call("getpbxnumbers"));
  const { body } = await asked;
  const text = JSON.stringify([
    "getpbxnumbersresult",
    { qid: body.qid, result: 1, caption: "Ёлка 🌲 " + "я".repeat(3000) },
  ]);
  const whole = Buffer.from(text).toString("base64");
  const pieces = whole.match(/.{1,2048}/g);
  const packets = pieces.map((content, i) => ({
    "message-id": "m1",
    packetcount: pieces.length,
    packetnumber: `${i}`,
    content,
  }));
  for (const packet of packets.reverse()) peer.event("multipart", packet);
  assert.equal((await result).caption, "Ёлка 🌲 " + "я".repeat(3000));
});

story("what is no message harms nothing", async (ending) => {
  const { peer, tab } = await online(ending, { good: { result: 1 } });
  for (const text of ["", "{", "[]", '["x"]', '["x",null]', "7", '{"a":1}', '["multipart",{"packetcount":9e9}]'])
    peer.raw(text);
  assert.equal((await tab.evaluate(() => window.gateway.call("good"))).result, 1);
});

story("a silent gateway is noticed, and left", async (ending) => {
  const { peer, tab } = await libraryIn(ending);
  await tab.clock.install();
  await tab.evaluate(() =>
    window
      .make({ password: "Secret1" })
      .open()
      .then(() => {}),
  );
  peer.answers.ping = null;
  await tab.clock.fastForward(15_000);
  await peer.call("ping", 2);
  await tab.clock.fastForward(10_000);
  await tab.waitForFunction(() => window.told.includes("waiting"));
});

story("what was typed outlives a reconnect and a reload; a form that ended meanwhile is gone", async (ending) => {
  const { peer, tab, told } = await online(ending);
  peer.event("dlgcard_showformdialog", FORM);
  peer.event("dlgcard_showformdialog", { ...FORM, cardid: "f2" });
  await tab.waitForFunction(() => window.gateway.forms.all.length === 2);
  await tab.evaluate(() => window.gateway.forms.all[0].set("resultcode", "half typed"));
  const seen = (await told()).length;
  peer.answers.subscribeevent = () => (peer.event("dlgcard_showformdialog", FORM), { result: 1 });
  peer.cut();
  await tab.waitForFunction(() => window.told.at(-1) === "online");
  assert.deepEqual((await told()).slice(seen), [
    "waiting",
    "connecting",
    "change f1",
    "close f2 gone false ",
    "online",
  ]);
  assert.equal(await tab.evaluate(() => window.gateway.forms.all[0].values.resultcode), "half typed");
  await tab.reload();
  const values = await tab.evaluate(async () => {
    const { Gateway } = await import("/client/ctigate.js");
    const gateway = new Gateway({ login: "ivanov" });
    await gateway.forms.start();
    await gateway.open();
    return gateway.forms.all[0].values;
  });
  assert.equal(values.resultcode, "half typed");
});

story("a form ends once: answered here, answered elsewhere, closed, expired", async (ending) => {
  let taken = false;
  const { peer, tab, told } = await online(ending, {
    dlgcard_values: () => (taken ? { result: 0, error: 59013, errormsg: "Already answered: petrov" } : { result: 1 }),
  });
  const open = async (cardid) => {
    peer.event("dlgcard_showformdialog", { ...FORM, cardid });
    await tab.waitForFunction((id) => window.gateway.forms.all.some((form) => form.id === id), cardid);
  };
  await open("f1");
  await tab.evaluate(() => {
    window.gateway.forms.all[0].set("resultcode", "sold");
    return window.gateway.forms.all[0].answer();
  });
  assert.deepEqual((await peer.call("dlgcard_values", 1)).body.values, { resultcode: "sold" });
  taken = true;
  await open("f2");
  const late = await tab.evaluate(() => window.refusal(window.gateway.forms.all[0].answer()));
  assert.equal(late.code, 59013);
  await open("f3");
  peer.event("dlgcard_closeall", { cardid: "f3", reason: "expired" });
  await open("f4");
  await open("f5");
  peer.event("dlgcard_closeall", { reason: "closed" });
  await tab.waitForFunction(() => window.gateway.forms.all.length === 0);
  assert.deepEqual(
    (await told()).filter((line) => line.startsWith("close ")),
    [
      "close f1 answered true ivanov",
      "close f2 answered false petrov",
      "close f3 expired false ",
      "close f4 closed false ",
      "close f5 closed false ",
    ],
  );
});

story("a reset of the state brings the forms that are open now", async (ending) => {
  const { peer, tab, told } = await online(ending);
  peer.event("dlgcard_showformdialog", FORM);
  peer.event("dlgcard_showformdialog", { ...FORM, cardid: "f2" });
  peer.event("statereset", {
    reason: "overflow",
    forms: [
      { formid: "f1", name: "clientcard", inputparameters: {} },
      { formid: "f3", name: "clientcard", inputparameters: { phone: "7" } },
    ],
  });
  await tab.waitForFunction(() => window.told.at(-1).startsWith("close"));
  assert.deepEqual((await told()).slice(2), ["open f1", "open f2", "open f3", "close f2 gone false "]);
  assert.equal(await tab.evaluate(() => window.gateway.forms.all[0].fields.length), 2);
});

story("the page serves dynamic methods: result, failure, cancel, late result", async (ending) => {
  const { peer, tab } = await online(ending, { methodresult: { result: 1 } });
  await tab.evaluate(() => {
    window.aborted = [];
    window.ready = {};
    const wait = ({ name }, { signal }) =>
      new Promise((resolve) => {
        window.ready[name] = () => resolve({ name });
        signal.addEventListener("abort", () => window.aborted.push(name));
      });
    return Promise.all([
      window.gateway.provide("Double", async ({ x }) => ({ y: 2 * x })),
      window.gateway.provide("Fail", () => Promise.reject(new Error("no such client"))),
      window.gateway.provide("Wait", wait),
    ]);
  });
  const ask = (executionid, name, inputparameters = {}) =>
    peer.event("executemethod", { executionid, name, inputparameters });
  const result = async (nth) => {
    const { executionid, result, errormsg, outputparameters } = (await peer.call("methodresult", nth)).body;
    return { executionid, result, errormsg, outputparameters };
  };
  ask("e1", "Double", { x: 4 });
  assert.deepEqual(await result(1), { executionid: "e1", result: 1, errormsg: undefined, outputparameters: { y: 8 } });
  ask("e2", "Fail");
  assert.deepEqual(await result(2), { executionid: "e2", result: 0, errormsg: "no such client", outputparameters: {} });
  ask("e3", "Unknown");
  ask("e4", "Wait", { name: "cancelled" });
  peer.event("cancelmethod", { executionid: "e4" });
  ask("e5", "Wait", { name: "late" });
  peer.event("executemethodwaitaborted", { executionid: "e5", waitresponsems: 5000 });
  ask("e6", "Wait", { name: "too late" });
  peer.event("executemethodwaitaborted", { executionid: "e6", waitresponsems: 20 });
  await tab.waitForFunction(() => window.aborted.length === 2);
  await tab.evaluate(() => Object.values(window.ready).forEach((go) => go()));
  assert.deepEqual(await result(3), {
    executionid: "e5",
    result: 1,
    errormsg: undefined,
    outputparameters: { name: "late" },
  });
  assert.deepEqual(await tab.evaluate(() => window.aborted), ["cancelled", "too late"]);
  assert.equal(peer.count("methodresult"), 3);
});

story("a method of the CRM is run from the page", async (ending) => {
  const { peer, tab } = await online(ending);
  const asked = peer.call("executemethod");
  const output = tab.evaluate(() => window.gateway.execute("FindClient", { phone: "7" }, { timeout: 3000 }));
  const call = await asked;
  assert.deepEqual(
    [call.body.name, call.body.inputparameters, call.body.waitresponsems],
    ["FindClient", { phone: "7" }, 3000],
  );
  call.socket.send(
    JSON.stringify([
      "methodresult",
      { qid: call.body.qid, executionid: "e", result: 1, outputparameters: { vip: true } },
    ]),
  );
  assert.deepEqual(await output, { vip: true });
});

story("leaving with close keeps the session, logging out ends it", async (ending) => {
  const { peer, tab } = await online(ending);
  await tab.evaluate(() => window.gateway.close());
  assert.deepEqual(await tab.evaluate(() => window.lib.keptLogins()), ["ivanov"]);
  await tab.evaluate(() => window.lib.connect({ login: "ivanov" }).then((gateway) => void (window.gateway = gateway)));
  const left = peer.call("logout").then(({ socket }) => socket.close(1000));
  await tab.evaluate(() => window.gateway.logout());
  await left;
  assert.deepEqual(await tab.evaluate(() => [window.gateway.state, window.lib.keptLogins()]), ["closed", []]);
});

const LINES = {
  idle: { result: 1, linestatestr: "lsReady", isflashing: false, abonent: {} },
  talk: {
    result: 1,
    linestatestr: "lsCommutated",
    chainid: "c1",
    timertalklensec: 4,
    isflashing: true,
    flashed: { number: "102", userid: "u2", username: "Petr" },
    abonent: { number: "7900", isextline: true, iscommutated: true },
    actions: ["toggle", "join"],
  },
};

story("the phone follows the line: one question serves all events that come meanwhile", async (ending) => {
  const { peer, tab } = await online(ending, { getextendedlineinfo: LINES.idle });
  await tab.evaluate(() => {
    window.lines = [];
    window.gateway.phone.on("change", ({ phase, party, held, actions }) =>
      window.lines.push([phase, party?.number ?? "", held?.name ?? "", actions.join()]),
    );
    return window.gateway.phone.start();
  });
  peer.answers.getextendedlineinfo = null;
  const asked = peer.count("getextendedlineinfo");
  for (let i = 0; i < 20; i++) peer.event("linestatechanged", {});
  const first = await peer.call("getextendedlineinfo", asked + 1);
  peer.answers.getextendedlineinfo = LINES.talk;
  peer.reply(first, LINES.talk);
  await tab.waitForFunction(() => window.lines.length === 2);
  await peer.call("getextendedlineinfo", asked + 2);
  assert.deepEqual(await tab.evaluate(() => window.lines), [
    ["idle", "", "", "call,intercom,conference,ghost"],
    ["talking", "7900", "Petr", "toggle,join"],
  ]);
  assert.ok(peer.count("getextendedlineinfo") <= asked + 3, "twenty events, few questions");
});

story("orders to the phone are the protocol's, and a refusal is a rejection", async (ending) => {
  const done = { result: 1 };
  const wrong = { result: 0, error: 59006, errormsg: "Invalid line state" };
  const { peer, tab } = await online(ending, {
    pbxautocallstart: done,
    pbxmakeflash: done,
    pbxmaketransfer: done,
    pbxabortcall: wrong,
  });
  const outcome = await tab.evaluate(async () => {
    const { phone } = window.gateway;
    await phone.dial("102");
    await phone.dial("102", { first: "other" });
    await phone.dial("102", { intercom: true });
    await phone.hold();
    await phone.back();
    await phone.dropHeld();
    await phone.transfer("103");
    return window.refusal(phone.join());
  });
  const bodies = (method) => peer.heard.filter(({ name }) => name === method).map(({ body: { qid, ...rest } }) => rest);
  assert.deepEqual(bodies("pbxautocallstart"), [
    { number: "102", sequence: "user" },
    { number: "102", sequence: "abonent" },
    { number: "102", sequence: "user", intercom: true },
  ]);
  assert.deepEqual(bodies("pbxmakeflash"), [{ mode: "switch" }, { mode: "abort" }, { mode: "next" }]);
  assert.deepEqual(bodies("pbxmaketransfer"), [{ transferto: "103" }]);
  assert.deepEqual([outcome.code, outcome.method], [59006, "pbxabortcall"]);
});

story("a status is sent as known clients send it, the redirection under their rule", async (ending) => {
  const done = { result: 1, userstateid: 1 };
  const userid = "7b1c2f0e-1111-4222-8333-444455556666";
  const { peer, tab } = await online(ending, {
    login: { result: 1, userid, sessionid: "s1" },
    setuserstate: done,
    cc_getlunchtypes: { result: 1, items: [{ id: 2, name: "Lunch" }] },
    getredirectrules: { result: 1, redirectrules: [] },
    saveredirectrules: done,
  });
  const trouble = await tab.evaluate(async () => {
    const { presence } = window.gateway;
    await presence.start();
    for (const status of ["ready", "queues", "manual", "dnd", "busy"]) await presence.set(status);
    await presence.set("break", { reason: 2 });
    await presence.redirectTo("102");
    return window.refusal(presence.set("redirect"));
  });
  const wishes = peer.heard.filter(({ name }) => name === "setuserstate").map(({ body: { qid, ...rest } }) => rest);
  assert.deepEqual(wishes, [
    { userstateid: 1, oncallcenter: false, onccmanual: false, onredirect: false },
    { userstateid: 1, oncallcenter: true, onccmanual: false, onredirect: false },
    { userstateid: 1, oncallcenter: true, onccmanual: true, onredirect: false },
    { userstateid: 3, oncallcenter: false, onredirect: false },
    { userstateid: 5, onredirect: false },
    { userstateid: 2, oncallcenter: true, onredirect: false, lunchreasonid: 2 },
  ]);
  const { redirectrule } = (await peer.call("saveredirectrules", 1)).body;
  assert.equal(redirectrule.id, "8a6f6a256b8d5506f1af1460560c90b8");
  assert.equal(redirectrule.destinationnumber, "102");
  assert.equal(trouble.code, "usage", "this gateway has kept no rule");
});
