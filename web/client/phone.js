/**
 * The phone of the user of a tab: what it does, and what can be done with it. Part of ctigate.js.
 */

import { Follower } from "./follower.js";
import { readLine, UNKNOWN } from "./line.js";

const EVENTS = ["phoneevent", "linestatechanged", "flashstatechanged", "userstatechanged"];
const HEARD = [
  "phoneevent_acmcallstarted",
  "phoneevent_acmcallstopped",
  "phoneevent_ringstarted",
  "phoneevent_ringstopped",
  "phoneevent_ivrstarted",
  "phoneevent_ivrstopped",
  "phoneevent_commstarted",
  "phoneevent_commstopped",
  "linestatechanged",
  "flashstatechanged",
  "userstatechanged",
];
const SAME_TALK_MS = 1500; // the gateway counts in whole seconds

/**
 * The phone. `line` is what it does now (see `readLine` in line.js); events: `change` (line, before), and `fax` ({number,
 * name, file, pages, recording}) when one has arrived: `journal.recording` gives its address. Every order resolves
 * when the gateway has passed it on: what came of it is told by the next `change`. An order that does not fit the state of
 * the line rejects with 59006.
 */
export class Phone extends Follower {
  constructor(gateway) {
    super(gateway, EVENTS, HEARD);
    this.line = UNKNOWN;
    gateway.on("phoneevent_faxreceived", ({ callerid, callername, filename, filelink, pages }) =>
      this.emit("fax", {
        number: String(callerid ?? ""),
        name: String(callername ?? ""),
        file: String(filename ?? ""),
        pages: Number(pages ?? 0),
        recording: String(filelink ?? ""),
      }),
    );
    gateway.on("statereset", ({ lineinfo }) => lineinfo && this.#become(lineinfo));
  }

  async ask() {
    this.#become(await this.gateway.call("getextendedlineinfo"));
  }

  /** Whether this can be done now: a word of `line.actions`. */
  can(action) {
    return this.line.actions.includes(action);
  }

  /**
   * Dials. `first` says whose phone rings first: `me`, then the number is dialled when it is picked up; or `other`. With
   * `intercom` the called phone answers by itself. In a talk the present party is put on hold: that is a consultation.
   */
  dial(number, { first = "me", intercom = false } = {}) {
    const params = { number: String(number), sequence: first === "other" ? "abonent" : "user" };
    return this.#order("pbxautocallstart", intercom ? { ...params, intercom: true } : params);
  }

  /** Answers the call that rings, if the phone can do that by itself. */
  answer() {
    return this.#order("pbxanswercall");
  }

  /** Refuses the call that rings. */
  decline() {
    return this.#order("pbxdeclinecall");
  }

  /** Stops own dialling. */
  stopDialling() {
    return this.#order("pbxautocallabort");
  }

  /** Hangs up, or leaves a conference. With somebody on hold it connects the two others: see `join`. */
  hangUp() {
    return this.#order("pbxabortcall");
  }

  /** Ends whatever goes on, in the way that fits it; the held party, if there is one, is back. */
  end() {
    if (this.can("stopdialling")) return this.stopDialling();
    if (this.can("decline")) return this.decline();
    if (this.can("return")) return this.back();
    return this.hangUp();
  }

  /** Puts the present party on hold, or takes the held one back; with both, swaps them. */
  hold() {
    return this.#order("pbxmakeflash", { mode: "switch" });
  }

  /** Drops the present party and returns to the held one. */
  back() {
    return this.#order("pbxmakeflash", { mode: "abort" });
  }

  /** Drops the held party and goes on with the present one. */
  dropHeld() {
    return this.#order("pbxmakeflash", { mode: "next" });
  }

  /** Connects the held and the present party with each other, and is free: the end of a transfer with consultation. */
  join() {
    return this.#order("pbxabortcall");
  }

  /** Hands the present party to a number without asking; returns to the held one, if there is one. */
  transfer(number) {
    return this.#order("pbxmaketransfer", { transferto: String(number) });
  }

  #order(method, params) {
    return this.gateway.call(method, params).then(() => {});
  }

  #become(info) {
    const before = this.line;
    let line = readLine(info, Date.now());
    const same = line.chain === before.chain && Math.abs(line.since - before.since) < SAME_TALK_MS;
    if (same) line = Object.freeze({ ...line, since: before.since });
    if (JSON.stringify(line) === JSON.stringify(before)) return;
    this.line = line;
    this.emit("change", line, before);
  }
}
