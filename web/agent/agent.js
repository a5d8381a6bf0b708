/** The agent's page: log in, and work: calls, people, forms, journal, chats. One tab is one `Gateway`. */

import { Gateway, keptLogins } from "../client/ctigate.js";
import { h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { topBar } from "./bar.js";
import { chatsPanel } from "./chats.js";
import { formsColumn } from "./forms.js";
import { historyCard } from "./history.js";
import { journalPanel } from "./journal.js";
import { shortcuts } from "./keys.js";
import { loginPage } from "./login.js";
import { noticeBoard } from "./notices.js";
import { peopleCard } from "./people.js";
import { phoneCard } from "./phone.js";
import { presenceMenu } from "./presence.js";
import { queueCard } from "./queue.js";
import { tabbed } from "./tabs.js";
import { say } from "./words.js";

const TICK_MS = 1000;
const PARTS = ["forms", "phone", "conference", "people", "presence", "queue", "chats", "messages"];

start();

/** The address says who; with a kept session no question is asked. */
function start() {
  const login = new URLSearchParams(location.search).get("login") ?? "";
  if (login && keptLogins().includes(login)) enter({ login }, { patient: true }).catch((error) => ask(login, error));
  else ask(login);
}

function ask(login, error) {
  document.title = "ctigate";
  const page = loginPage(enter, { login, error });
  document.body.replaceChildren(page.node);
  page.focus();
}

async function enter(who, { patient = false } = {}) {
  const gateway = new Gateway(who);
  const desk = makeDesk(gateway);
  if (patient) document.body.replaceChildren(desk.node);
  for (const part of PARTS) await gateway[part].start();
  await gateway.provide("ShowHint", desk.hint);
  await gateway.open({ patient });
  history.replaceState(null, "", `?login=${encodeURIComponent(who.login)}`);
  document.body.replaceChildren(desk.node);
  const ticking = setInterval(desk.tick, TICK_MS);
  gateway.on("state", ({ state, error }) => {
    if (state !== "closed") return;
    clearInterval(ticking);
    desk.leave();
    ask(who.login, error);
  });
}

function makeDesk(gateway) {
  let tabs = null; // known when its panels are
  const past = historyCard();
  const notices = noticeBoard(gateway, past.tell);
  const phone = phoneCard(gateway, past.tell);
  const presence = presenceMenu(gateway, past.tell);
  const queue = queueCard(gateway);
  const forms = formsColumn(gateway, past.tell, (what, error) =>
    past.tell(say("did.fail", { what, why: error.message }), "bad"),
  );
  const doing = {
    dial: phone.dial,
    act: phone.act,
    chat(userid) {
      show("chats");
      chats.with(userid);
    },
    write: notices.write,
    past(number) {
      show("journal");
      journal.with(number);
    },
  };
  const people = peopleCard(gateway, doing);
  const journal = journalPanel(gateway, doing);
  const chats = chatsPanel(gateway, {
    counted: (n) => tabs && tally("chats", n),
    seen: () => chats.node.checkVisibility(),
  });
  tabs = tabbed(say("work"), [
    {
      key: "journal",
      title: say("journal"),
      node: journal.node,
      look: () => gateway.state === "online" && journal.look(),
    },
    { key: "chats", title: say("chats"), node: chats.node, look: () => chats.look?.() },
  ]);
  const keys = shortcuts({
    KeyA: () => phone.press("answer"),
    KeyE: () => phone.end(),
    KeyH: () => phone.press("hold") || phone.press("takeBack") || false,
    KeyS: () => phone.press("swap"),
    KeyT: () => phone.press("transfer"),
    KeyJ: () => phone.press("join") || phone.press("takeIn") || false,
    KeyB: () => phone.press("back"),
    KeyC: () => phone.press("widen") || phone.press("invite") || false,
    KeyF: () => forms.focus(),
    KeyN: () => (show("phone"), phone.focus()),
    Slash: () => (show("people"), people.focus()),
    KeyQ: () => presence.open(),
  });
  const bar = topBar(gateway, presence.node, keys.help);
  const left = h("div", { class: "side phone-side" }, phone.node, queue.node);
  const work = h("div", { class: "work" }, forms.node, tabs.node);
  const right = h("div", { class: "side people-side" }, people.node);
  const log = h("div", { class: "side past" }, past.node);
  const main = h("main", { class: "desks", "data-view": "phone" }, left, work, right, log);
  const views = ["phone", "people", "journal", "chats"].map((key) => {
    const pictures = { phone: "call", people: "people", journal: "clock", chats: "chat" };
    const count = h("span", { class: "count number", hidden: true });
    const button = h(
      "button",
      { type: "button", class: "plain", "data-show": key, onclick: () => show(key) },
      icon(pictures[key]),
      h("span", {}, say(key)),
      count,
    );
    return { key, button, count };
  });
  const foot = h(
    "nav",
    { class: "foot", "aria-label": say("parts") },
    views.map(({ button }) => button),
  );
  const node = h("div", { class: "page" }, bar.node, notices.node, main, foot);

  /** Brings a part of the page to the eye: on a narrow screen one is seen at a time. */
  function show(key) {
    main.dataset.view = key;
    for (const view of views) view.button.setAttribute("aria-current", String(view.key === key));
    if (key === "journal" || key === "chats") tabs.choose(key);
  }

  function tally(key, n) {
    tabs.count(key, n, say("unread", { n }));
    const { count } = views.find((view) => view.key === key);
    count.textContent = String(n);
    count.hidden = !n;
  }

  show("phone");
  tabs.choose("journal");
  tabs.offer("chats", false);
  gateway.chats.on("change", () => {
    tabs.offer("chats", gateway.chats.available);
    views.find(({ key }) => key === "chats").button.hidden = !gateway.chats.available;
  });
  views.find(({ key }) => key === "chats").button.hidden = true;

  let was = "";
  gateway.on("state", ({ state }) => {
    node.classList.toggle("away", state !== "online");
    if (state === "online") {
      past.tell(say("did.online"), "good");
      if (tabs.now() === "journal") journal.look();
    } else if (was === "online" && state !== "closed") {
      past.tell(say("did.lost"), "bad");
    }
    was = state;
  });

  function tick() {
    bar.tick();
    phone.tick();
    queue.tick();
    forms.tick();
  }

  return { node, hint: notices.hint, tick, leave: keys.stop };
}
