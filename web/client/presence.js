/**
 * What the user of a tab says of itself: ready, on a break, not to be disturbed, redirected. Part of ctigate.js.
 */

import { CtiError } from "./error.js";
import { Follower } from "./follower.js";
import { md5 } from "./password.js";

/** What `set` sends for each status. What is left out stays as it is. */
const WISHES = {
  ready: { userstateid: 1, oncallcenter: false, onccmanual: false, onredirect: false },
  queues: { userstateid: 1, oncallcenter: true, onccmanual: false, onredirect: false },
  manual: { userstateid: 1, oncallcenter: true, onccmanual: true, onredirect: false },
  break: { userstateid: 2, oncallcenter: true, onredirect: false },
  dnd: { userstateid: 3, oncallcenter: false, onredirect: false },
  busy: { userstateid: 5, onredirect: false },
};

/**
 * `state` is a number of the protocol (0 offline, 1 ready, 2 break, 3 not to be disturbed, 5 busy, 6 reserved, 7 without a
 * phone). `status` is what the user wants, and what holds again after a call: `ready`, `queues` (takes calls of queues),
 * `manual` (queues, but by hand), `break`, `dnd`, `busy`, `redirect`. `reason` and `note` say why a break; `breaks` are the
 * possible reasons `{id, name}`; `redirect` is the number calls go to while the status is `redirect`, or empty; `task`: a
 * call of a queue keeps the user busy. Event: `change`.
 */
export class Presence extends Follower {
  #rules = [];

  #callcentre = false;
  #manual = false;
  #break = false;
  #redirected = false;

  constructor(gateway) {
    super(gateway, ["userstatechanged"]);
    Object.assign(this, { state: 0, reason: 0, note: "", task: false, breaks: [], redirect: "" });
    gateway.phone.on("change", () => this.started && this.emit("change"));
  }

  get status() {
    if (this.#redirected) return "redirect";
    if (this.#break || this.state === 2) return "break";
    if (this.state === 3) return "dnd";
    const { phase, held } = this.gateway.phone.line;
    if (this.state === 5 && phase === "idle" && !held) return "busy"; // by the user's own wish: there is no call
    if (!this.#callcentre) return "ready";
    return this.#manual ? "manual" : "queues";
  }

  /** Changes the status. Resolves when it is in force; during a call it takes effect after it. */
  async set(status, { reason, note } = {}) {
    if (status === "redirect") {
      if (!this.redirect) throw new CtiError("usage", "no number to redirect to: call redirectTo first");
      await this.#send({ userstateid: 3, oncallcenter: false });
      return this.#send({ onredirect: true });
    }
    if (!(status in WISHES)) throw new CtiError("usage", `no such status: ${status}`);
    const wish = { ...WISHES[status] };
    if (reason !== undefined) wish.lunchreasonid = reason;
    if (note !== undefined) wish.lunchreasonmsg = note;
    await this.#send(wish);
  }

  /** Sets the number of the redirection; an empty one takes it away, and ends the redirection. */
  async redirectTo(number) {
    const id = this.#ruleId();
    if (!number) {
      if (this.status === "redirect") await this.set("ready");
      const ids = this.#rules.filter((rule) => bare(rule.id) === id).map((rule) => rule.id);
      if (ids.length) await this.gateway.call("deleteredirectrules", { ids });
    } else {
      const redirectrule = {
        id,
        caption: "ctigate",
        description: "",
        priority: 1,
        userid: this.gateway.userid,
        isenabled: true,
        allowcascade: true,
        state: 2,
        destinationnumber: String(number),
        onlyforredirectstate: true,
        definesources: false,
      };
      await this.gateway.call("saveredirectrules", { redirectrule });
    }
    await this.reload();
  }

  heard(name, block) {
    this.#take(block);
  }

  async ask() {
    const [state, breaks, rules] = await Promise.allSettled([
      this.gateway.call("getuserstate"),
      this.gateway.call("cc_getlunchtypes"),
      this.gateway.call("getredirectrules"),
    ]);
    this.breaks = (breaks.value?.items ?? []).map(({ id, name }) => ({ id, name: String(name ?? id) }));
    this.#rules = rules.value?.redirectrules ?? [];
    const mine = this.#rules.find((rule) => bare(rule.id) === this.#ruleId());
    this.redirect = String(mine?.destinationnumber ?? "");
    if (state.status === "rejected") throw state.reason;
    this.#take(state.value);
  }

  async #send(wish) {
    this.#take(await this.gateway.call("setuserstate", wish));
  }

  #take({ userstateid, oncallcenter, onccmanual, onlunch, onredirect, lunchreasonid, lunchreasonmsg, ontask }) {
    if (!Number.isInteger(userstateid)) return;
    this.state = userstateid;
    this.reason = Number(lunchreasonid ?? 0);
    this.note = String(lunchreasonmsg ?? "");
    this.task = Boolean(ontask);
    this.#callcentre = Boolean(oncallcenter);
    this.#manual = Boolean(onccmanual);
    this.#break = Boolean(onlunch);
    this.#redirected = Boolean(onredirect);
    this.emit("change");
  }

  /** The id that all clients of the protocol give to their one rule. */
  #ruleId() {
    const id = this.gateway.userid.toLowerCase();
    return md5(new TextEncoder().encode(id + id));
  }
}

function bare(id) {
  return String(id).replaceAll("-", "").toLowerCase();
}
