/**
 * The conference in which the user of a tab is, and listening in to others. Part of ctigate.js.
 */

import { CtiError } from "./error.js";
import { Follower } from "./follower.js";
import { readParty } from "./line.js";

const EVENTS = ["confcompositionchanged", "confcompetitorstatechanged"];
const GONE = ["Exited", "MisInvite"];
const MODES = { listen: "monitor", help: "help", join: "conference" };
const WORDS = Object.fromEntries(Object.entries(MODES).map(([word, mode]) => [mode, word]));

/**
 * The present conference, or nobody: `now` is null or `{id, name, room, listening, mode, members}`. `listening`: the user
 * listens in, in the `mode` `listen` (heard by nobody), `help` (heard by the one listened to) or `join` (heard by all).
 * A member: `{id, number, name, userid, outside, state, creator, me, target}`; `state` is `Inviting` or `InConference`;
 * `target` marks the one listened to. Event: `change` (now).
 */
export class Conference extends Follower {
  #id = "";
  #mode = "listen";
  #wish = null;

  constructor(gateway) {
    super(gateway, EVENTS);
    this.now = null;
    gateway.phone.on("change", (line) => this.started && this.#follow(line));
    gateway.on("state", ({ state }) => state !== "online" && (this.#id = ""));
  }

  async start() {
    await super.start();
    this.#follow(this.gateway.phone.line);
  }

  /** Makes a conference of these: numbers, or people by `{userid}`. All phones ring, the own one too. Gives its id. */
  async create(whom, { name = "", record = true } = {}) {
    const id = guid();
    const conference = {
      id,
      room: Math.floor(Math.random() * 10_001),
      name,
      description: "",
      accessmode: "free",
      isselector: false,
      record,
      recordrights: "selected",
      everyonecaninvite: true,
      canvieweachother: true,
    };
    const competitors = [{ userlogin: this.gateway.login }, ...whom.map(invitee)];
    await this.gateway.call("createnewconference", { conference, competitors });
    return id;
  }

  /** Makes the present talk a conference. */
  widen() {
    return this.#order("buildconferencefromcommutation");
  }

  /** Invites numbers, or people by `{userid}`. */
  invite(...whom) {
    return this.#order("invitetoconference", { conferenceid: this.#here(), competitors: whom.map(invitee) });
  }

  /** Throws a member out, by its id. Only who made the conference can. */
  throwOut(member) {
    return this.#order("confdisconnectcompetitor", {
      conferenceid: this.#here(),
      competitor: { competitorid: member },
    });
  }

  /** Leaves. */
  leave() {
    return this.#order("exitconference", { conferenceid: this.#here() });
  }

  /** Takes the held party in. */
  takeIn() {
    return this.#order("connecttogathertoconference");
  }

  /** Listens in to a subordinate's talk: the own phone rings, and the mode is in force when it was picked up. */
  async listen(userid, mode = "listen") {
    if (!(mode in MODES)) throw new CtiError("usage", `mode "${mode}": expected ${Object.keys(MODES).join(", ")}`);
    this.#wish = mode;
    await this.#order("attachasghost", { ghostedid: userid });
  }

  /** Changes how the user takes part in the talk it listens to. */
  async setMode(mode) {
    await this.#order("confsetghostmode", { conferenceid: this.#here(), ghostmode: MODES[mode] });
    this.#mode = mode;
    this.reload(); // not awaited: this may be part of an answer that is awaited
  }

  heard(name, { eventinfo }) {
    const id = eventinfo?.conferenceid ?? eventinfo?.conference?.id;
    if (id === this.#id) this.reload();
  }

  async ask() {
    const id = this.#id;
    if (!id) return this.#become(null);
    const { conference, competitors } = await this.gateway.call("getconferenceinfo", { conferenceid: id });
    if (id !== this.#id) return;
    const listening = Boolean(conference.isghost);
    const mode = WORDS[conference.ghostmode] ?? this.#mode;
    const members = competitors
      .map((one) => this.#member(one))
      .filter(({ state }) => !GONE.some((g) => state.startsWith(g)));
    this.#become({
      id,
      name: conference.name ?? "",
      room: conference.room ?? 0,
      listening,
      mode: listening ? mode : "",
      members,
    });
    const wish = this.#wish;
    this.#wish = null;
    if (listening && wish && wish !== mode) await this.setMode(wish);
  }

  #member(one) {
    const party = readParty(one) ?? { number: "", name: "", userid: "", outside: false };
    return {
      id: one.competitorid ?? "",
      number: party.number,
      name: party.name,
      userid: party.userid,
      outside: party.outside,
      state: String(one.confstatestr ?? "InConference"),
      creator: Boolean(one.iscreator),
      me: party.userid !== "" && party.userid === this.gateway.userid,
      target: Boolean(one.isghostmajor),
    };
  }

  /** Follows the line into a conference and out of it. */
  #follow({ phase, party }) {
    const id = (phase === "conference" && party?.conference?.id) || "";
    if (id === this.#id) return;
    const left = this.#id;
    this.#id = id;
    this.#mode = "listen";
    if (left) this.#watch(left, false);
    if (id) this.#watch(id, true); // asked before the members: no change in between is missed
    this.reload();
  }

  #watch(conferenceid, handle) {
    return this.gateway.call("confhandleevent", { conferenceid, eventtype: "competitors", handle }).catch(() => {});
  }

  #become(now) {
    if (JSON.stringify(now) === JSON.stringify(this.now)) return;
    this.now = now;
    this.emit("change", now);
  }

  #here() {
    if (!this.#id) throw new CtiError("usage", "there is no conference now");
    return this.#id;
  }

  #order(method, params) {
    return this.gateway.call(method, params).then(() => {});
  }
}

/** A random GUID; pages without TLS have no `crypto.randomUUID`. */
function guid() {
  const hex = [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5");
}

function invitee(whom) {
  return typeof whom === "object" ? { userid: whom.userid } : { number: String(whom) };
}
