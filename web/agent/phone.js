/**
 * The phone of this agent: the card that shows what it does and offers what can be done with it. What is offered is what
 * the gateway says (`line.actions`), nothing else.
 */

import { h, say as text } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { length } from "../page/language.js";
import { menuOn } from "../page/menu.js";
import { conferencePart, newConference } from "./conference.js";
import { partyWord, reasonWord } from "./states.js";
import { targetField } from "./target.js";
import { say } from "./words.js";

const SETTLE_MS = 400; // between the end of ringing and the talk that may follow
const TROUBLE_MS = 12_000;
const TONES = { ringing: "accent", callback: "accent", talking: "good", conference: "good", menu: "good", off: "bad" };
const WAITING = ["planned", "dialling", "onhold"];

/** The card. `tell(text, tone)` writes down what happened. */
export function phoneCard(gateway, tell) {
  const { phone, conference } = gateway;
  let panel = ""; // what the field is open for: transfer, invite, or nothing
  let settling = 0;
  let told = "";

  const phase = h("span", { class: "dot phase" });
  const time = h("span", { class: "quiet number time" });
  const who = h("div", { class: "who number" });
  const about = h("div", { class: "about quiet" });
  const party = h("div", { class: "party" }, who, about);
  const heldWho = h("span", { class: "grow" });
  const trouble = h("p", { class: "note bad small", role: "alert", hidden: true });
  const alarm = h("p", { class: "unseen", role: "alert" });
  const news = h("p", { class: "unseen", role: "status" });
  const members = conferencePart(gateway, act);

  const buttons = Object.fromEntries(
    [
      ["answer", "call", "good", () => phone.answer()],
      ["decline", "end", "bad", () => phone.decline()],
      ["join", "join", "main", () => phone.join()],
      ["takeBack", "play", "main", () => phone.hold()],
      ["takeIn", "invite", "main", () => conference.takeIn()],
      ["hold", "hold", "", () => phone.hold()],
      ["swap", "swap", "", () => phone.hold()],
      ["back", "back", "", () => phone.back()],
      ["transfer", "transfer", "", null],
      ["widen", "people", "", () => conference.widen()],
      ["invite", "invite", "", null],
      ["stop", "end", "bad", () => phone.end()],
      ["hangup", "end", "bad", () => phone.hangUp()],
      ["leave", "end", "bad", () => conference.leave()],
    ].map(([key, picture, tone, order]) => {
      const label = h("span", {}, say(key));
      const press = () => (order ? act(key, order) : open(panel === key ? "" : key));
      const node = h("button", { class: tone, type: "button", "data-act": key, onclick: press }, icon(picture), label);
      return [key, { node, label }];
    }),
  );
  const more = h(
    "button",
    { type: "button", class: "plain round", "aria-label": say("more"), title: say("more") },
    icon("more"),
  );
  const moreMenu = menuOn(more, moreItems, { align: "end" });
  const held = h("div", { class: "held" }, icon("hold"), heldWho, moreMenu);
  const actions = h(
    "div",
    { class: "row actions" },
    Object.values(buttons).map(({ node }) => node),
  );

  // A transfer can be done in two ways: whoever was chosen waits for the one that is meant.
  const field = targetField(gateway, "target", say("numberOrName"), () => panel !== "transfer" && form.requestSubmit());
  const go = h("button", { class: "main", type: "submit" });
  const second = h("button", { type: "button", onclick: () => submit("consult") });
  const ways = h(
    "button",
    { class: "main square", type: "button", "aria-label": say("waysToCall"), title: say("waysToCall") },
    icon("down"),
  );
  const waysMenu = menuOn(ways, waysItems, { align: "end" });
  const form = h(
    "form",
    { class: "dial", novalidate: true },
    field.node,
    h("div", { class: "row go" }, go, waysMenu, second),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(panel || "call");
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !panel) return;
    open("");
    buttons.transfer.node.hidden ? buttons.invite.node.focus() : buttons.transfer.node.focus();
  });

  const node = h(
    "section",
    { class: "card phone", "aria-label": say("phone") },
    h("div", { class: "row top" }, phase, h("span", { class: "grow" }), time),
    party,
    held,
    members.node,
    form,
    trouble,
    actions,
    alarm,
    news,
  );

  /** Does what a button says; a refusal is shown here. */
  async function act(key, order) {
    const { node: button } = buttons[key] ?? {};
    if (button) button.disabled = true;
    complain("");
    try {
      await order();
      if (panel) open("");
    } catch (error) {
      complain(say("did.fail", { what: say(key), why: reasonWord(error) }));
    } finally {
      if (button) button.disabled = false;
    }
  }

  let fading = 0;
  function complain(words) {
    clearTimeout(fading);
    text(trouble, words);
    trouble.hidden = !words;
    if (!words) return;
    tell(words, "bad");
    fading = setTimeout(complain, TROUBLE_MS, "");
  }

  function submit(what, options) {
    const number = field.number();
    if (number === null) {
      complain(say(field.input.value.trim() ? "unknownTarget" : "noTarget"));
      return field.input.focus();
    }
    const orders = {
      call: () => phone.dial(number, options),
      consult: () => phone.dial(number),
      transfer: () => phone.transfer(number),
      invite: () => conference.invite(number),
    };
    return act(what, async () => {
      await orders[what]();
      field.clear();
    });
  }

  function waysItems() {
    return [
      { text: say("meFirst"), act: () => submit("call") },
      { text: say("otherFirst"), act: () => submit("call", { first: "other" }) },
      phone.can("intercom") && { text: say("intercom"), act: () => submit("call", { intercom: true }) },
      phone.can("conference") && { text: say("newConference"), act: () => newConference(gateway, act) },
    ];
  }

  function moreItems() {
    const { held: there, party: here } = phone.line;
    return [
      phone.can("drophold") && {
        text: say("dropHeld", { who: partyWord(there) }),
        act: () => act("dropHeld", () => phone.dropHeld()),
      },
      there && phone.can("transfer") && { text: say("handOn", { who: partyWord(here) }), act: () => open("transfer") },
      phone.can("conference") && { text: say("widen"), act: () => act("widen", () => conference.widen()) },
    ];
  }

  /** Opens the field for a transfer or an invitation, or closes it. */
  function open(what) {
    panel = what;
    field.clear();
    draw();
    if (what) field.input.focus();
  }

  /** Ringing ends a moment before the talk begins: only when none does, it has ended without an answer. */
  function become(line, before) {
    clearTimeout(settling);
    if (panel && !phone.can(panel)) panel = "";
    note(line, before);
    draw();
  }

  function note(line, before) {
    const label = partyWord(line.party);
    const talks = ({ phase: now }) => ["talking", "onhold", "conference", "menu"].includes(now);
    if (line.phase === "ringing" && before.phase !== "ringing") {
      tell(say("did.ring", { who: label }), "accent");
      text(alarm, say("did.ring", { who: label }));
    } else {
      text(alarm, "");
    }
    if (talks(line) && !talks(before)) tell(say("did.talk", { who: label }), "good");
    if (talks(before) && !talks(line)) tell(say("did.talkEnd", { time: length(Date.now() - before.since) }));
    if (before.phase === "ringing" && line.phase === "idle") {
      settling = setTimeout(() => tell(say("did.ringEnd")), SETTLE_MS);
    }
  }

  function draw() {
    const { line } = phone;
    const { actions: can } = line;
    const busy = Boolean(line.party);
    const inTalk = line.phase === "talking";
    const focused = node.contains(document.activeElement) ? document.activeElement : null;

    node.dataset.phase = line.phase;
    node.classList.toggle("busy", busy || Boolean(line.held));
    phase.className = `dot phase ${TONES[line.phase] ?? (WAITING.includes(line.phase) ? "warn" : "")}`;
    const word = line.phase === "conference" && conference.now?.listening ? "phone.listening" : `phone.${line.phase}`;
    text(phase, say(word));
    text(who, line.party ? whoWords(line) : "");
    text(about, line.party ? aboutWords(line) : "");
    party.hidden = !busy;
    held.hidden = !line.held;
    text(heldWho, line.held ? say("onHold", { who: partyWord(line.held) }) : "");

    const shown = {
      answer: can.includes("answer"),
      decline: can.includes("decline") && !can.includes("stopdialling"),
      join: can.includes("join"),
      takeBack: can.includes("toggle") && !busy,
      takeIn: can.includes("takein"),
      hold: can.includes("hold"),
      swap: can.includes("toggle") && busy,
      back: can.includes("return"),
      transfer: inTalk && !line.held && can.includes("transfer"),
      widen: inTalk && !line.held && can.includes("conference"),
      invite: can.includes("invite"),
      stop: can.includes("stopdialling"),
      hangup: can.includes("hangup"),
      leave: can.includes("leave"),
    };
    for (const [key, { node: button }] of Object.entries(buttons)) button.hidden = !shown[key];
    text(buttons.answer.label, say(line.phase === "callback" ? "pickUp" : "answer"));
    buttons.back.node.title = say("backTo", { who: shortName(line.held) });
    text(buttons.takeIn.label, say("takeIn", { who: shortName(line.held) }));
    text(buttons.hangup.label, say(line.held ? (busy ? "cancelAndBack" : "dropShort") : "hangup"));
    for (const key of ["transfer", "invite"]) buttons[key].node.setAttribute("aria-expanded", String(panel === key));
    moreMenu.hidden = !(can.includes("drophold") || (line.held && can.includes("transfer")));
    actions.hidden = !Object.values(shown).some(Boolean);

    const dialling = !busy && can.includes("call") && !line.held;
    form.hidden = !dialling && !panel;
    waysMenu.hidden = !dialling;
    go.replaceChildren(icon(panel || "call"), say(panel ? `${panel}Now` : "call"));
    go.classList.toggle("joined", dialling);
    text(second, say("askFirst"));
    second.hidden = panel !== "transfer" || !can.includes("call");
    field.rename(say(panel === "transfer" ? "transferTo" : panel === "invite" ? "inviteWhom" : "numberOrName"));

    node.classList.toggle("ringing", line.phase === "ringing" || line.phase === "callback");
    document.title =
      line.phase === "ringing" ? `${say("phone.ringing")}: ${who.textContent}` : `${gateway.login} · ctigate`;
    const spoken = [phase.textContent, partyWord(line.party), heldWho.textContent].filter(Boolean).join(", ");
    if (told && told !== spoken && line.phase !== "ringing") text(news, spoken);
    told = spoken;
    // What was focused has gone: the next thing to do here takes its place.
    if (focused && !focused.checkVisibility()) node.querySelector("button:not([hidden])")?.focus();
    tick();
  }

  function whoWords({ party: one }) {
    const target = conference.now?.members.find((member) => member.target);
    if (one.conference && target) return target.name || target.number;
    if (one.conference) return say("conferenceRoom", { room: one.conference.room });
    return one.name || one.number || say("unknownNumber");
  }

  function aboutWords({ party: one, called, phase: now }) {
    const words = [];
    if (one.conference) return say("membersNow", { n: conference.now?.members.length ?? 1 });
    if (one.name) words.push(one.number);
    const person = gateway.people.byNumber(one.number);
    words.push(one.outside ? say("outside") : person?.department || say("inside"));
    const mine = gateway.people.me.number;
    if (now === "ringing" && called && called !== mine && called !== one.number) {
      const group = gateway.people.byNumber(called);
      words.push(say("forNumber", { number: group ? `${group.name} (${called})` : called }));
    }
    return words.filter(Boolean).join(" · ");
  }

  function tick() {
    const { since } = phone.line;
    text(time, since ? length(Date.now() - since) : "");
  }

  phone.on("change", become);
  phone.on("trouble", (error) => complain(say("did.fail", { what: say("phone"), why: reasonWord(error) })));
  conference.on("change", draw);
  gateway.people.on("change", draw);
  draw();

  return {
    node,
    tick,
    act,
    press: (key) => !buttons[key].node.hidden && (buttons[key].node.click(), true),
    end: () =>
      ["decline", "stop", "leave", "hangup"].some(
        (key) => !buttons[key].node.hidden && (buttons[key].node.click(), true),
      ),
    focus: () => field.input.focus(),
    /** Calls a number from elsewhere on the page: in a talk that is a consultation. */
    dial: (number, options) => act("call", () => phone.dial(number, options)),
  };
}

function shortName(party) {
  return party ? party.name || party.number : "";
}
