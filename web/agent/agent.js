/** The agent's page: log in, see calls and colleagues, answer forms. One tab is one `Gateway`. */

import { Gateway, keptLogins } from "../client/ctigate.js";
import { h, say as text } from "../page/dom.js";
import { change, other as otherLanguage, otherName } from "../page/language.js";
import { colleaguesCard, stateTone, stateWord } from "./colleagues.js";
import { formsColumn } from "./forms.js";
import { historyCard } from "./history.js";
import { loginPage } from "./login.js";
import { phoneCard } from "./phone.js";
import { say } from "./words.js";

const EVENTS = ["phoneevent", "linestatechanged", "flashstatechanged", "userstatechanged", "pbxnumberstatechanged"];
const TICK_MS = 1000;
const HINT_MS = 30_000;
const CHOSEN_STATES = [1, 2, 3];

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
  await gateway.subscribe(...EVENTS);
  await gateway.forms.start();
  await gateway.provide("ShowHint", desk.hint);
  await gateway.open({ patient });
  history.replaceState(null, "", `?login=${encodeURIComponent(who.login)}`);
  document.body.replaceChildren(desk.node);
  const ticking = setInterval(desk.tick, TICK_MS);
  gateway.on("state", ({ state, error }) => {
    if (state !== "closed") return;
    clearInterval(ticking);
    ask(who.login, error);
  });
}

function makeDesk(gateway) {
  const past = historyCard();
  const notices = h("div", { class: "notices", role: "status" });
  const complain = (what, error) => past.tell(say("did.fail", { what, why: error.message }), "bad");
  const phone = phoneCard(gateway, past.tell, complain);
  const colleagues = colleaguesCard(gateway);
  const forms = formsColumn(gateway, past.tell, complain);
  const bar = topBar(gateway, past.tell, complain);
  const node = h(
    "div",
    { class: "page" },
    bar.node,
    notices,
    h(
      "main",
      { class: "desks" },
      h("div", { class: "side" }, phone.node),
      forms.node,
      h("div", { class: "side" }, colleagues.node),
      h("div", { class: "side past" }, past.node),
    ),
  );

  let was = "";
  gateway.on("state", ({ state }) => {
    node.classList.toggle("away", state !== "online");
    if (state === "online") {
      past.tell(say("did.online"), "good");
      bar.reload();
      phone.reload();
      colleagues.reload();
    } else if (was === "online" && state !== "closed") {
      past.tell(say("did.lost"), "bad");
    }
    was = state;
  });

  /** What the gateway wants to be shown: a dynamic method that a scenario may call. */
  function hint({ text: words }) {
    const note = h(
      "div",
      { class: "note hint row" },
      h("span", { class: "grow" }, String(words ?? "")),
      h("button", { class: "little", type: "button", onclick: () => note.remove() }, say("dismiss")),
    );
    notices.append(note);
    setTimeout(() => note.remove(), HINT_MS);
    past.tell(say("did.hint", { text: String(words ?? "") }), "accent");
    return {};
  }

  function tick() {
    bar.tick();
    phone.tick();
    forms.tick();
  }

  return { node, hint, tick };
}

/** Connection, own name and state, the way out. */
function topBar(gateway, tell, complain) {
  const link = h("span", { class: "pill", role: "status" });
  const name = h("span", { class: "me" }, gateway.login);
  const number = h("span", { class: "quiet number" });
  const other = h("option", { value: "", disabled: true, hidden: true }); // a state that nobody chooses: busy, offline
  const chosen = h(
    "select",
    { "aria-label": say("myState"), title: say("myState"), disabled: true },
    other,
    CHOSEN_STATES.map((id) => h("option", { value: String(id) }, stateWord(id))),
  );
  const leave = h("button", { class: "plain", type: "button", onclick: () => gateway.logout() }, say("logout"));
  const node = h(
    "header",
    { class: "bar" },
    h("a", { class: "brand", href: "/" }, h("img", { src: "/page/icon.svg", alt: "" }), "ctigate"),
    link,
    h("span", { class: "grow" }),
    h("span", { class: "row mine" }, h("span", {}, name, " ", number), chosen),
    h(
      "span",
      { class: "row leave" },
      h("button", { class: "plain", type: "button", lang: otherLanguage, onclick: change }, otherName),
      leave,
    ),
  );
  let now = { state: gateway.state, retryAt: 0 };
  let shown = null;
  let fixed = false;

  function tick() {
    const seconds = Math.max(0, Math.ceil((now.retryAt - Date.now()) / 1000));
    text(link, say(`link.${now.state}`, { seconds }));
    link.className = `pill ${{ online: "good", waiting: "bad", closed: "bad" }[now.state] ?? "warn"}`;
  }

  function show(id) {
    if (!Number.isInteger(id)) return;
    if (shown !== null && shown !== id) tell(say("did.state", { state: stateWord(id) }), stateTone(id));
    shown = id;
    text(other, stateWord(id));
    chosen.value = CHOSEN_STATES.includes(id) ? String(id) : "";
    chosen.className = stateTone(id);
    chosen.disabled = fixed;
  }

  chosen.addEventListener("change", async () => {
    const id = Number(chosen.value);
    const wish = { userstateid: id, onredirect: false };
    if (id === 2) wish.oncallcenter = true;
    if (id === 3) wish.oncallcenter = false;
    try {
      show((await gateway.call("setuserstate", wish)).userstateid);
    } catch (error) {
      fixed = error.code === 59001; // this gateway leaves no choice
      complain(say("myState"), error);
      show(shown);
    }
  });

  async function reload() {
    const me = await gateway.call("getmyuserinfo").catch(() => ({}));
    text(name, me.username || gateway.login);
    text(number, me.mainpbxnumber ?? "");
  }

  gateway.on("state", (next) => {
    now = next;
    tick();
  });
  gateway.on("userstatechanged", ({ userstateid }) => show(userstateid));
  tick();
  return { node, reload, tick };
}
