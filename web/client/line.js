/**
 * Reads what a gateway says of a line (`getextendedlineinfo`). Part of ctigate.js; nothing here talks to anybody.
 */

const NO_CHAIN = /^[0-]*$/;

/** The line before anything is known of it. */
export const UNKNOWN = freeze({ phase: "unknown" });

/**
 * A line: `phase`, one of `unknown`, `off` (no phone), `idle`, `alone` (off the hook, nobody there), `planned` (the other
 * side is dialled, the own phone rings later), `callback` (the own phone rings for an own call), `ringing`, `dialling`,
 * `menu`, `talking`, `onhold` (the other side holds us), `conference`; `party` and `held` (who is there, who is on hold, or
 * null); `chain`; `called`; `since` (milliseconds since 1970, when talking); `actions`, what can be done now.
 */
export function readLine(info, now) {
  const abonent = info.abonent ?? {};
  const party = readParty(abonent, info.calledid);
  const phase = phaseOf(abonent, party, info.linestatestr);
  const line = {
    phase,
    party: phase === "idle" || phase === "off" || phase === "alone" ? null : party,
    held: info.isflashing ? readParty(info.flashed ?? {}) : null,
    chain: NO_CHAIN.test(info.chainid ?? "") ? "" : info.chainid,
    called: String(info.calledid ?? ""),
    since: Number.isFinite(info.timertalklensec) ? now - 1000 * info.timertalklensec : 0,
  };
  return freeze({ ...line, actions: Array.isArray(info.actions) ? info.actions : possible(line) });
}

function freeze(line) {
  return Object.freeze({ party: null, held: null, chain: "", called: "", since: 0, actions: [], ...line });
}

function phaseOf(abonent, party, linestate) {
  if (abonent.isautocall) return "planned";
  if (abonent.isringing) return abonent.direction === "acm_callback" ? "callback" : "ringing";
  if (abonent.isconference) return "conference";
  if (abonent.iswaitinginflash) return "onhold";
  if (abonent.iscommutated) return "talking";
  if (abonent.isivr && !abonent.iswaitingforanswer) return "menu";
  if (party) return "dialling";
  return { lsDisconnected: "off", lsHookUp: "alone" }[linestate] ?? "idle";
}

/** A party of a call: `number`, `name` (empty when it would only repeat the number), `userid`, `outside`, `conference`. */
export function readParty(abonent, called = "") {
  const number = String(abonent.number || abonent.callerid || (abonent.isivr ? "" : called) || "");
  const names = [abonent.simplename, abonent.username, abonent.name, abonent.caption, abonent.ivrname];
  const name = String(names.find(Boolean) ?? "");
  const id = abonent.conferenceid || "";
  if (!number && !name && !id && !abonent.userid) return null;
  return {
    number,
    name: name === number ? "" : name,
    userid: abonent.userid ?? "",
    outside: Boolean(abonent.isextline),
    conference: id ? { id, name, room: abonent.conferenceroom ?? number } : null,
  };
}

/** What can be done with a line, for a gateway that does not say so itself. */
function possible({ phase, held }) {
  switch (phase) {
    case "idle":
    case "alone":
      return held ? ["call", "toggle", "hangup"] : ["call", "intercom", "conference", "ghost"];
    case "planned":
      return ["stopdialling"];
    case "callback":
      return ["answer", "stopdialling", "decline"];
    case "ringing":
      return ["answer", "decline"];
    case "talking":
      return held
        ? ["toggle", "join", "return", "drophold", "transfer", "conference"]
        : ["call", "hold", "hangup", "transfer", "conference"];
    case "conference":
      return held ? ["toggle", "takein", "invite", "leave"] : ["hold", "invite", "leave"];
    case "dialling":
    case "menu":
    case "onhold":
      return ["hangup"];
    default:
      return [];
  }
}
