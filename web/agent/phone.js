/**
 * The phone of this agent: what it does now, and the card that shows it. The line info of the gateway decides; the
 * events tell when to ask, and stand in for it on a gateway that does not offer it.
 */

import { h, say as text } from "../page/dom.js";
import { length } from "../page/language.js";
import { say } from "./words.js";

const IDLE = { phase: "idle", number: "", name: "", outside: false, chain: "", since: 0 };
const SETTLE_MS = 400; // between the end of ringing and the talk that may follow
const NO_CHAIN = /^[0-]*$/;

/** Reads `getextendedlineinfo`: the first rule that fits wins. */
export function fromLine(info, now) {
  const party = info.abonent ?? {};
  const call = {
    number: String(party.number || party.callerid || ""),
    name: nameOf(party.username || party.name || party.caption || party.ivrname, party.number || party.callerid),
    outside: Boolean(party.isextline),
    chain: NO_CHAIN.test(info.chainid ?? "") ? "" : info.chainid,
    since: now - 1000 * (info.timertalklensec ?? 0),
  };
  if (party.isautocall) return { ...call, phase: "calling" };
  if (party.isringing) return { ...call, phase: party.direction === "acm_callback" ? "back" : "ringing" };
  if (party.iscommutated || party.iswaitinginflash || party.isconference || party.isivr)
    return { ...call, phase: "talking" };
  if (call.number) return { ...call, phase: "calling" };
  return info.linestatestr === "lsDisconnected" ? { ...IDLE, phase: "off" } : IDLE;
}

/** A name that is the number once more tells nothing. */
function nameOf(name, number) {
  return name && String(name) !== String(number) ? String(name) : "";
}

/** What an event alone says of the phone, or null. */
export function fromEvent(name, event, before, now) {
  const call = {
    number: String(event.callerid ?? ""),
    name: nameOf(event.callername, event.callerid),
    outside: Boolean(event.isextline),
    chain: event.chainid ?? "",
    since: now,
  };
  switch (name) {
    case "phoneevent_ringstarted":
      return { ...call, phase: "ringing" };
    case "phoneevent_ringstopped":
      return before.phase === "ringing" || before.phase === "back" ? IDLE : null;
    case "phoneevent_commstarted":
      return { ...(call.number ? call : before), phase: "talking", since: now };
    case "phoneevent_commstopped":
      return IDLE;
    default:
      return null;
  }
}

const EVENTS = [
  "phoneevent_ringstarted",
  "phoneevent_ringstopped",
  "phoneevent_commstarted",
  "phoneevent_commstopped",
  "phoneevent_acmcallstarted",
  "phoneevent_acmcallstopped",
  "linestatechanged",
  "flashstatechanged",
];
const TONES = { ringing: "accent", back: "accent", talking: "good", calling: "warn", off: "bad" };

/** The card. `tell(text, tone)` writes down what happened; `complain(what, error)` what failed. */
export function phoneCard(gateway, tell, complain) {
  let now = { ...IDLE, phase: "unknown" };
  let ask = true; // false once the gateway has said that it has no line info
  let asked = 0;
  let settling = 0;

  const phase = h("span", { class: "dot" });
  const time = h("span", { class: "quiet number" });
  const who = h("div", { class: "who number" });
  const name = h("div", { class: "whose" });
  const where = h("div", { class: "quiet small" });
  const press = (key, tone, method) =>
    h(
      "button",
      { class: tone, type: "button", onclick: (event) => command(event.currentTarget, key, method()) },
      say(key),
    );
  const answer = press("answer", "good", () => "pbxanswercall");
  const decline = press("decline", "bad", () => "pbxdeclinecall");
  const hangup = press("hangup", "bad", () => (now.auto ? "pbxautocallabort" : "pbxabortcall"));
  const party = h("div", { class: "party" }, who, name, where);
  const node = h(
    "section",
    { class: "card phone", "aria-live": "polite" },
    h("h2", {}, say("phone")),
    h("div", { class: "row" }, phase, time),
    party,
    h("div", { class: "row actions" }, answer, decline, hangup),
  );

  async function command(button, key, method) {
    button.disabled = true;
    try {
      await gateway.call(method);
    } catch (error) {
      complain(say(key), error);
    } finally {
      button.disabled = false;
    }
  }

  /** Ringing ends a moment before the talk begins: only when none does, it has ended without an answer. */
  function become(next) {
    clearTimeout(settling);
    if (now.phase === "ringing" && next.phase === "idle") settling = setTimeout(turn, SETTLE_MS, next);
    else turn(next);
  }

  function turn(next) {
    const before = now;
    now = next;
    const same = before.phase === next.phase && before.number === next.number;
    if (same && next.phase === "talking" && Math.abs(before.since - next.since) < 1500) now.since = before.since;
    if (!same) {
      const label = [next.number, next.name].filter(Boolean).join(", ");
      if (next.phase === "ringing") tell(say("did.ring", { who: label }), "accent");
      if (next.phase === "talking" && before.phase !== "talking") tell(say("did.talk", { who: label }), "good");
      if (before.phase === "talking" && next.phase !== "talking") {
        tell(say("did.talkEnd", { time: length(Date.now() - before.since) }));
      }
      if (before.phase === "ringing" && next.phase === "idle") tell(say("did.ringEnd"));
    }
    draw();
  }

  function draw() {
    const ringing = now.phase === "ringing" || now.phase === "back";
    const busy = ringing || now.phase === "talking" || now.phase === "calling";
    phase.className = `dot ${TONES[now.phase] ?? ""}`;
    text(phase, say(`phone.${now.phase}`));
    text(who, now.number);
    text(name, now.name);
    text(where, busy ? say(now.outside ? "outside" : "inside") : "");
    party.hidden = !busy;
    answer.hidden = !ringing;
    decline.hidden = !ringing;
    hangup.hidden = !busy || ringing;
    node.classList.toggle("ringing", ringing);
    document.title = now.phase === "ringing" ? `${say("phone.ringing")}: ${now.number}` : `${gateway.login} · ctigate`;
    tick();
  }

  function tick() {
    text(time, now.phase === "talking" ? length(Date.now() - now.since) : "");
  }

  async function reload() {
    if (!ask) return;
    const mine = ++asked;
    try {
      const info = await gateway.call("getextendedlineinfo");
      if (mine === asked) become({ ...fromLine(info, Date.now()), auto: Boolean(info.abonent?.isautocall) });
    } catch (error) {
      if (error.code === 59001) ask = false;
      if (now.phase === "unknown") draw();
    }
  }

  for (const event of EVENTS) {
    gateway.on(event, (body) => {
      const next = fromEvent(event, body, now, Date.now());
      if (next) become(next);
      reload();
    });
  }
  gateway.on("statereset", ({ lineinfo }) => lineinfo && become(fromLine(lineinfo, Date.now())));
  draw();
  return { node, reload, tick };
}
