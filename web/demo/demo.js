/** The demo's second page: what the gateway is and does, live, and buttons that make something happen. */

import { h, keyed } from "../page/dom.js";
import { change, other, otherName } from "../page/language.js";
import { messagesCard } from "./messages.js";
import { callsTable, executionsTable, formsTable, linksTable, tickAges, usersTable } from "./tables.js";
import { order as give } from "./sim.js";
import { say } from "./words.js";

const SNAPSHOT = "/demo/api/snapshot";
const TAIL = "/demo/api/tail";
const EVERY_MS = 2000; // between looks when nothing happens
const SOON_MS = 120; // after a message has passed
const LIMIT_MS = 5000;
const CALLERS = ["79001112233", "79002223344", "79003334455", "79004445566"];

const live = h("span", { class: "pill", role: "status" });
const links = linksTable();
const users = usersTable();
const calls = callsTable((op, number) => play({ op, number }));
const forms = formsTable();
const executions = executionsTable();
const people = h("ul", { class: "accounts" });
const result = h("p", { class: "small", role: "status" });
let timer = 0;
let looking = false;

const messages = messagesCard(TAIL, () => soon(SOON_MS));

document.title = "ctigate demo";
document.body.replaceChildren(
  h(
    "header",
    { class: "bar" },
    h("h1", { class: "unseen" }, "ctigate demo"),
    h("a", { class: "brand", href: "/demo" }, h("img", { src: "/page/icon.svg", alt: "" }), "ctigate demo"),
    live,
    h("span", { class: "grow" }),
    h("a", { class: "button", href: "/demo/simulator", target: "_blank", rel: "noopener" }, say("beCaller")),
    h("button", { class: "plain", type: "button", lang: other, onclick: change }, otherName),
  ),
  h(
    "main",
    { class: "board" },
    h("section", { class: "card" }, h("h2", {}, say("people")), people),
    playCard(),
    links.node,
    users.node,
    calls.node,
    h("div", { class: "stack" }, forms.node, executions.node),
    messages.node,
  ),
);
setInterval(tickAges, 1000);
document.addEventListener("visibilitychange", () => document.hidden || soon(0));
look();

/** Looks again after `ms`, or earlier if that is already planned. */
function soon(ms) {
  if (looking) return;
  clearTimeout(timer);
  timer = setTimeout(look, ms);
}

async function look() {
  if (looking) return;
  looking = true;
  const snapshot = await fetch(SNAPSHOT, { cache: "no-store", signal: AbortSignal.timeout(LIMIT_MS) })
    .then((answer) => (answer.ok ? answer.json() : null))
    .catch(() => null);
  looking = false;
  soon(EVERY_MS);
  live.className = `pill ${snapshot ? "good" : "bad"}`;
  live.textContent = say(snapshot ? "live" : "lost");
  if (snapshot) show(snapshot);
}

function show(snapshot) {
  links.show(snapshot.links);
  users.show(snapshot.users);
  calls.show(snapshot.calls);
  forms.show(snapshot.forms);
  executions.show(snapshot.executions);
  const accounts = snapshot.people ?? (snapshot.users ?? []).map(({ login, name }) => ({ login, name }));
  keyed(people, accounts, ({ login }) => login, account);
}

/** One of the demo's people: only the demo tells passwords, and it serves nobody but this machine. */
function account({ login, name, password }) {
  return {
    node: h(
      "li",
      { class: "row" },
      h(
        "span",
        { class: "grow" },
        h("strong", {}, login),
        name && h("span", { class: "quiet small" }, `, ${name}`),
        password && h("div", { class: "quiet small" }, `${say("passwordOf")} `, h("code", { class: "mono" }, password)),
      ),
      h(
        "a",
        { class: "button", href: `/?login=${encodeURIComponent(login)}`, target: "_blank", rel: "noopener" },
        say("open"),
      ),
    ),
  };
}

function playCard() {
  const caller = h("input", { id: "caller", list: "callers", inputmode: "tel", value: CALLERS[0], required: true });
  const called = h("input", { id: "called", inputmode: "tel", value: "500", required: true });
  const phone = h("input", { id: "phone", inputmode: "tel", value: "101", required: true });
  const press = (op) =>
    h("button", { type: "button", onclick: () => play({ op, number: phone.value.trim() }) }, say(op));
  return h(
    "section",
    { class: "card play" },
    h("h2", {}, say("play")),
    h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          play({ op: "incoming", caller: caller.value.trim(), called: called.value.trim() });
        },
      },
      h("div", {}, h("label", { for: "caller" }, say("caller")), caller),
      h("div", { class: "short" }, h("label", { for: "called" }, say("called")), called),
      h("button", { class: "main", type: "submit" }, say("call")),
    ),
    h(
      "datalist",
      { id: "callers" },
      CALLERS.map((value) => h("option", { value })),
    ),
    h(
      "div",
      { class: "phones" },
      h("div", { class: "short" }, h("label", { for: "phone" }, say("numbers")), phone),
      press("answer"),
      press("hangup"),
    ),
    result,
  );
}

async function play(order) {
  result.className = "small quiet";
  result.textContent = "…";
  try {
    await give(order);
    result.textContent = say("done");
  } catch (error) {
    result.className = "small note bad";
    result.textContent = say("failed", { why: error.message });
  }
  soon(0);
}
