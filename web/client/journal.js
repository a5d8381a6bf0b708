/**
 * The calls of the past, and their recordings. Part of ctigate.js.
 */

const PAGE = 50;
const PASSWORD_MS = 9 * 60_000; // the gateway gives it ten minutes

/** Asks for calls of the past, and for where to hear them. */
export class Journal {
  #gateway;
  #password = "";
  #until = 0;

  constructor(gateway) {
    this.#gateway = gateway;
  }

  /**
   * Own calls and those of subordinates, newest first. `filter`: `from` and `to` (days, `YYYY-MM-DD`), `direction`
   * (`incoming`, `outgoing`, `internal`), `number`, `missed`, `chain`, `atLeast` (seconds), `limit`, `offset`. A call:
   * `{chain, talk, time, seconds, waited, direction, caller, called, userid, name, outcome, queue, recording}`.
   */
  async calls({ from, to, direction, number, missed, chain, atLeast, limit = PAGE, offset = 0 } = {}) {
    const wanted = {
      datestart: from,
      dateend: to,
      connectiontype: direction,
      number,
      missed,
      idchain: chain,
      minduration: atLeast,
      limit,
      offset,
      showcallcenter: true,
    };
    const filter = Object.fromEntries(
      Object.entries(wanted).filter(([, value]) => value !== undefined && value !== ""),
    );
    const { data } = await this.#gateway.call("getpbxcalljournal", { filter });
    return data.map((entry) => ({
      chain: entry.chainid,
      talk: entry.commutationid,
      time: entry.datetime,
      seconds: entry.duration ?? 0,
      waited: entry.waitduration ?? 0,
      direction: entry.connectiontype,
      caller: String(entry.callerid ?? ""),
      called: String(entry.calledid ?? ""),
      userid: entry.userid ?? "",
      name: entry.username ?? "",
      outcome: entry.outcome ?? (entry.duration > 0 ? "answered" : "noanswer"),
      queue: entry.queue ?? "",
      recording: entry.recordlink ?? "",
    }));
  }

  /** What happened to a call, oldest first: `{time, kind, number, userid, detail}`. */
  async trace(chain) {
    const { content } = await this.#gateway.call("getchaincontent", { chainid: chain });
    return content.trace.map(({ datetime, kind, number, userid, detail }) => ({
      time: datetime,
      kind,
      number: String(number ?? ""),
      userid: userid ?? "",
      detail: String(detail ?? ""),
    }));
  }

  /** The address of a recording, or of a fax, good for some minutes: for an `<audio>`, or for a download. */
  async recording({ recording }) {
    if (Date.now() > this.#until) {
      this.#password = (await this.#gateway.call("gettemphttppass")).password;
      this.#until = Date.now() + PASSWORD_MS;
    }
    return `${this.#gateway.webOrigin}${recording}?temppass=${encodeURIComponent(this.#password)}`;
  }
}
