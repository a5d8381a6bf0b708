/**
 * The calls that wait for the user of a tab. Part of ctigate.js.
 */

import { Follower } from "./follower.js";

const EVERY_MS = 5000;

/**
 * `waiting`: the calls of the user's own queues, longest waiting first: `{chain, number, name, called, queue, since}`;
 * `since` in milliseconds since 1970. No event tells of a queue: it is asked every five seconds while the page is seen, and
 * whenever the user's line changes. Event: `change`.
 */
export class Queue extends Follower {
  #timer = 0;

  constructor(gateway) {
    super(gateway, []);
    this.waiting = [];
    gateway.phone.on("change", () => this.started && this.reload());
  }

  async start() {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.gateway.state === "online" && !document.hidden && this.reload(), EVERY_MS);
    this.gateway.on("state", ({ state }) => state === "closed" && clearInterval(this.#timer));
    await super.start();
  }

  /** All queues, whosever they are: `{name, waiting}`. */
  async total() {
    const { result } = await this.gateway.call("gettotalqueue");
    return result.map(({ rulename, queue }) => ({ name: rulename, waiting: queue.map(read) }));
  }

  async ask() {
    const { queue } = await this.gateway.call("getcurrentqueue");
    const before = new Map(this.waiting.map((one) => [one.chain, one]));
    this.waiting = queue.map(read).map((one) => ({ ...one, since: before.get(one.chain)?.since ?? one.since }));
    this.emit("change");
  }
}

function read({ chainid, callerid, number, username, name, calledid, taskname, lenqueue }) {
  const who = String(callerid || number || "");
  const known = String(username || name || "");
  return {
    chain: chainid,
    number: who,
    name: known === who ? "" : known,
    called: String(calledid ?? ""),
    queue: String(taskname ?? ""),
    since: Date.now() - 1000 * Number(lenqueue ?? 0),
  };
}
