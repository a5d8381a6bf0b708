/**
 * The demo's third page: a person is the caller. Dials in, presses keys, holds, hangs up; reads what a caller would hear,
 * and watches the conversation with everybody who has a part in it.
 */

import { h, keyed, say as text } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { change, length, other, otherName } from "../page/language.js";
import { order } from "./sim.js";
import { say } from "./words.js";

const EVERY_MS = 1000; // between looks when nothing is told
const SOON_MS = 80; // after a message has passed
const TAIL = "/demo/api/tail";
const CALLERS = ["79001112233", "79002223344", "79003334455", "79004445566"];
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const FAX_PAGES = 2;
const KEPT = "ctigate.caller";

let picture = { phones: [], queues: [], calls: [], lines: 0, linesused: 0, look: 0 };
let chain = ""; // of the conversation the person has begun
let names = new Map(); // who has a number
let looks = 0; // how often was looked, the look under way too
let looking = false;
let again = false;
let timer = 0;

const live = h("span", { class: "pill", role: "status" });
const phone = phoneCard();
const talk = conversationCard();
const phones = phonesCard();
const others = othersCard();

document.title = say("simulator");
document.body.replaceChildren(
  h(
    "header",
    { class: "bar" },
    h("h1", { class: "unseen" }, say("simulator")),
    h("a", { class: "brand", href: "/demo" }, h("img", { src: "/page/icon.svg", alt: "" }), say("simulator")),
    live,
    h("span", { class: "grow" }),
    h("a", { class: "button", href: "/demo" }, say("board")),
    h("button", { class: "plain", type: "button", lang: other, onclick: change }, otherName),
  ),
  h("main", { class: "caller" }, phone.node, h("div", { class: "stack" }, talk.node, others.node), phones.node),
);
new EventSource(TAIL).addEventListener("message", () => soon(SOON_MS));
document.addEventListener("visibilitychange", () => document.hidden || look());
setInterval(tick, 500);
look();

function soon(ms) {
  if (looking) return void (again = true);
  clearTimeout(timer);
  timer = setTimeout(look, ms);
}

async function look() {
  if (looking) return;
  looking = true;
  again = false;
  const turn = ++looks;
  try {
    picture = { ...(await order({ op: "picture" })), look: turn };
    names = new Map([...picture.phones, ...picture.queues].map(({ number, name }) => [number, name]));
    live.className = "pill good";
    text(live, say("live"));
    draw();
  } catch {
    live.className = "pill bad";
    text(live, say("lost"));
  }
  looking = false;
  soon(again ? SOON_MS : EVERY_MS);
}

function draw() {
  phone.show();
  talk.show();
  phones.show();
  others.show();
}

/** The person's leg and its conversation: the one that goes on, else the last one. */
function mine() {
  const number = phone.number();
  const all = picture.calls.flatMap((call) =>
    call.legs.filter((leg) => leg.outside && leg.number === number).map((leg) => ({ call, leg })),
  );
  return all.findLast(({ leg }) => leg.state !== "ended") ?? all.findLast(({ call }) => call.chainid === chain) ?? null;
}

const personOf = (number) => [names.get(number), number].filter(Boolean).join(" ") || "—";

function tick() {
  const now = Date.now();
  for (const node of document.querySelectorAll("time[data-since]"))
    text(node, length(now - Number(node.dataset.since)));
}

const since = (ms) => h("time", { class: "quiet number small", "data-since": String(ms) }, length(Date.now() - ms));

/** The card that is the person's telephone. */
function phoneCard() {
  const kept = sessionStorage.getItem(KEPT) ?? CALLERS[Math.floor(Math.random() * CALLERS.length)];
  const field = (id, word, props) => {
    const input = h("input", { id, autocomplete: "off", ...props });
    return { input, node: h("div", {}, h("label", { for: id }, say(word)), input) };
  };
  const number = field("number", "yourNumber", { inputmode: "tel", value: kept, list: "callers", required: true });
  const name = field("name", "yourName", { placeholder: say("optional") });
  const called = field("called", "dials", { inputmode: "tel", value: "500", list: "reachable", required: true });
  const reachable = h("datalist", { id: "reachable" });
  const trouble = h("p", { class: "note bad small", role: "alert", hidden: true });
  const dial = h("button", { class: "good", type: "submit" }, icon("call"), say("dial"));
  const form = h("form", {}, h("div", { class: "pair" }, number.node, name.node), called.node, dial);

  const state = h("span", { class: "dot" });
  const time = h("span", { class: "grow" });
  const heard = h("p", { class: "heard" });
  const asked = h("p", { class: "note small" }, say("askedForKeys"));
  const said = h("ol", { class: "said-lines" });
  const keys = h(
    "div",
    { class: "keypad", role: "group", "aria-label": say("pressKeys") },
    KEYS.map((key) =>
      h("button", { type: "button", "data-key": key, onclick: () => give({ op: "keys", keys: key }) }, key),
    ),
  );
  const holdLabel = h("span", {});
  const hold = h(
    "button",
    { type: "button", "data-act": "hold", onclick: () => give({ op: "hold", held: !mine()?.leg.held }) },
    icon("hold"),
    holdLabel,
  );
  const hangup = h(
    "button",
    { type: "button", class: "bad", "data-act": "hangup", onclick: () => give({ op: "hangup" }) },
    icon("end"),
    say("hangUp"),
  );
  const fax = h(
    "button",
    { type: "button", "data-act": "fax", onclick: () => give({ op: "fax", pages: FAX_PAGES }) },
    icon("list"),
    say("fax"),
  );
  const call = h(
    "div",
    { class: "call-now" },
    h("div", { class: "row" }, state, time),
    h("p", { class: "quiet small" }, say("youHear")),
    h("div", { role: "status", "aria-live": "polite" }, heard, said),
    asked,
    keys,
    h("div", { class: "row both" }, hold, hangup),
    h("div", { class: "row both" }, fax),
  );
  const node = h(
    "section",
    { class: "card telephone" },
    h("h2", {}, say("yourPhone")),
    form,
    trouble,
    call,
    reachable,
    h(
      "datalist",
      { id: "callers" },
      CALLERS.map((value) => h("option", { value })),
    ),
  );

  async function attempt(what) {
    trouble.hidden = true;
    try {
      const done = await order(what);
      if (done.chainid) chain = done.chainid;
    } catch (error) {
      text(trouble, say("failed", { why: error.message }));
      trouble.hidden = false;
    }
    soon(0);
  }

  const give = (what) => attempt({ ...what, number: number.input.value.trim() });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEPT, number.input.value.trim());
    attempt({
      op: "incoming",
      caller: number.input.value.trim(),
      name: name.input.value.trim(),
      called: called.input.value.trim(),
    });
  });
  // Keys of the keyboard are keys of the telephone, while nobody types.
  addEventListener("keydown", ({ key, target }) => {
    if (target.matches("input") || !KEYS.includes(key) || keys.hidden) return;
    keys.querySelector(`[data-key="${CSS.escape(key)}"]`).click();
  });

  function show() {
    const here = mine();
    const there = here && here.leg.state !== "ended";
    form.hidden = Boolean(there);
    call.hidden = !here;
    keys.hidden = hangup.hidden = !there;
    hold.hidden = !there || !["talk", "conference"].includes(here.leg.place);
    fax.hidden = !there || here.leg.place !== "talk" || here.leg.held;
    keyed(
      reachable,
      [...picture.queues, ...picture.phones],
      ({ number: n }) => n,
      ({ number: n, name: label }) => ({
        node: h("option", { value: n, label: `${n} ${label}` }),
      }),
    );
    if (!here) return;
    const { leg } = here;
    state.className = `dot ${there ? "good" : ""}`;
    text(
      state,
      there ? say("calling") : [say("over"), leg.cause && say(`cause.${leg.cause}`)].filter(Boolean).join(": "),
    );
    if (time.dataset.of !== `${leg.leg} ${there}`) {
      time.dataset.of = `${leg.leg} ${there}`;
      time.replaceChildren(there ? since(here.call.began) : "");
    }
    node.dataset.hears = there ? leg.hears : "";
    heard.hidden = !there;
    text(heard, hearing(leg));
    asked.hidden = !there || !leg.keys;
    node.classList.toggle("asked", there && leg.keys);
    keyed(
      said,
      leg.said,
      ({ at, text: words }) => `${at} ${words}`,
      ({ text: words }) => ({ node: h("li", {}, words) }),
    );
    text(holdLabel, say(leg.held ? "takeBack" : "hold"));
  }

  return { node, show, number: () => number.input.value.trim() };
}

/** What a leg hears, in words. */
function hearing({ hears, voices }) {
  return say(`hears.${hears}`, { who: voices.map(personOf).join(", ") });
}

/** What a leg does, in words. */
function doing(leg) {
  const { state, cause, place, placeid, toward, held } = leg;
  if (state === "ended") return say(`cause.${cause}`);
  const where =
    place && state === "up" ? say(`place.${place}`, { name: names.get(placeid) || placeid }) : say(`leg.${state}`);
  const queue = place === "queue" && state !== "up" ? say("place.queue", { name: names.get(placeid) || placeid }) : "";
  return [queue || where, held && say("holds"), toward && say("toward", { number: personOf(toward) })]
    .filter(Boolean)
    .join(", ");
}

/** The legs of one conversation as rows. */
function legRows(list, call, me) {
  keyed(
    list,
    call.legs,
    ({ leg }) => leg,
    () => {
      const who = h("span", { class: "grow" });
      const does = h("span", { class: "dot does" });
      const hears = h("span", { class: "quiet small" });
      const when = h("span", {});
      const row = h("li", {}, h("div", { class: "row nowrap" }, who, when), does, hears);
      const update = (leg) => {
        const mark = leg.leg === me ? `${say("you")} · ` : "";
        text(who, mark + (leg.outside ? [leg.name, leg.number].filter(Boolean).join(" ") : personOf(leg.number)));
        text(does, doing(leg));
        does.className = `dot does ${leg.held ? "warn" : ({ ringing: "accent", up: "good", waiting: "warn" }[leg.state] ?? "")}`;
        text(hears, leg.state === "ended" ? "" : `${say("hears")}: ${hearing(leg)}`);
        row.className = leg.state === "ended" ? "gone" : "";
        row.dataset.state = leg.state;
        if (when.dataset.since === String(leg.since)) return;
        when.dataset.since = String(leg.since);
        when.replaceChildren(since(leg.since));
      };
      return { node: row, update };
    },
  );
}

function conversationCard() {
  const empty = h("p", { class: "empty" }, say("noConversation"));
  const list = h("ol", { class: "legs" });
  const node = h("section", { class: "card conversation" }, h("h2", {}, say("conversation")), empty, list);
  function show() {
    const here = mine();
    empty.hidden = Boolean(here);
    legRows(list, here?.call ?? { legs: [] }, here?.leg.leg);
  }
  return { node, show };
}

function othersCard() {
  const empty = h("p", { class: "empty" }, say("noOthers"));
  const list = h("ul", { class: "others" });
  const node = h("section", { class: "card" }, h("h2", {}, say("others")), empty, list);
  function show() {
    const own = mine()?.call.chainid;
    const all = picture.calls.filter(({ chainid, ended }) => chainid !== own && !ended);
    empty.hidden = all.length > 0;
    keyed(
      list,
      all,
      ({ chainid }) => chainid,
      (call) => {
        const legs = h("ol", { class: "legs" });
        const title = h(
          "summary",
          {},
          [call.callername, call.caller].filter(Boolean).join(" ") || "—",
          " → ",
          personOf(call.called),
        );
        return { node: h("li", {}, h("details", {}, title, legs)), update: (next) => legRows(legs, next) };
      },
    );
  }
  return { node, show };
}

/** The phones inside: what each does, and what a hand could do to it. */
function phonesCard() {
  const lines = h("p", { class: "quiet small" });
  const list = h("ul", { class: "inside" });
  const queues = h("ul", { class: "inside" });
  const queuesTitle = h("h2", {}, say("queues"));
  const node = h(
    "section",
    { class: "card phones-card" },
    h("h2", {}, say("phones")),
    lines,
    list,
    queuesTitle,
    queues,
  );
  const ringing = (number) =>
    picture.calls.some(({ legs }) =>
      legs.some((leg) => !leg.outside && leg.number === number && leg.state === "ringing"),
    );

  async function give(what) {
    await order(what).catch((error) => text(lines, say("failed", { why: error.message })));
    soon(0);
  }

  function row({ number }) {
    const name = h("span", { class: "grow" });
    const state = h("span", { class: "dot small" });
    const about = h("span", { class: "quiet small" });
    const answer = h(
      "button",
      { class: "little", type: "button", onclick: () => give({ op: "answer", number }) },
      say("answer"),
    );
    const hangup = h(
      "button",
      { class: "little", type: "button", onclick: () => give({ op: "hangup", number }) },
      say("hangup"),
    );
    const plug = h("input", { type: "checkbox", id: `plug-${number}` });
    // What was chosen stands until a look that began after the order: one under way may show how it was before.
    let chosenUntil = 0;
    plug.addEventListener("change", async () => {
      chosenUntil = Infinity;
      await give({ op: "phone", number, connected: plug.checked });
      chosenUntil = looks + 1;
    });
    const line = h(
      "li",
      { "data-number": number },
      h(
        "div",
        { class: "row nowrap" },
        name,
        h("label", { class: "check small", for: plug.id }, plug, say("connected")),
      ),
      h("div", { class: "row" }, state, about, h("span", { class: "grow" }), answer, hangup),
    );
    const update = ({ name: label, connected, available, redirect, inuse }) => {
      const rings = ringing(number);
      const word = rings ? "rings" : inuse ? "inuse" : connected ? "free" : "away";
      text(name, [number, label].filter(Boolean).join(" "));
      text(state, say(`phone.${word}`));
      state.className = `dot small ${{ rings: "accent", inuse: "bad", free: "good" }[word] ?? ""}`;
      text(
        about,
        [!available && say("noQueue"), redirect && say("redirected", { number: redirect })].filter(Boolean).join(", "),
      );
      if (picture.look >= chosenUntil) plug.checked = connected;
      answer.hidden = !rings;
      hangup.hidden = !inuse && !rings;
    };
    return { node: line, update };
  }

  function show() {
    text(lines, picture.lines ? say("lines", { used: picture.linesused, all: picture.lines }) : "");
    keyed(list, picture.phones, ({ number }) => number, row);
    queuesTitle.hidden = picture.queues.length === 0;
    keyed(
      queues,
      picture.queues,
      ({ number }) => number,
      ({ number, name }) => {
        const count = h("span", { class: "quiet small" });
        const update = ({ waiting }) => text(count, say("waiting", { n: waiting.length }));
        return {
          node: h(
            "li",
            { class: "row", "data-number": number },
            h("span", { class: "grow" }, `${number} ${name}`),
            count,
          ),
          update,
        };
      },
    );
  }
  return { node, show };
}
