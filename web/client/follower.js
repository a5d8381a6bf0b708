/**
 * What the parts of a gateway have in common: each keeps a picture of something, asks for it after every login, and asks
 * again when an event says that it has changed. Part of ctigate.js.
 */

import { Emitter } from "./emitter.js";

/**
 * A picture that follows the gateway, once `start` was called. Events: `change` when the picture is another, `trouble`
 * (error) when the gateway refused to tell.
 */
export class Follower extends Emitter {
  #events;
  #asking = null;
  #again = false;

  /** `events` are names or groups to subscribe; `heard` of the subclass is called for each that comes. */
  constructor(gateway, events, names = events) {
    super();
    this.gateway = gateway;
    this.started = false;
    this.#events = events;
    for (const name of names) gateway.on(name, (body) => this.started && this.heard(name, body));
    gateway.on("statereset", () => this.started && this.reload());
    gateway.on("state", ({ state }) => this.started && state === "online" && this.reload());
  }

  /** Begins to follow: now, and after every reconnect. */
  async start() {
    this.started = true;
    if (this.#events.length) await this.gateway.subscribe(...this.#events);
    if (this.gateway.state === "online") await this.reload();
  }

  /** Asks anew. While an answer is awaited, further wishes are served by one more question. Never rejects. */
  reload() {
    this.#again = true;
    this.#asking ??= this.#askAll().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #askAll() {
    while (this.#again && this.gateway.state === "online") {
      this.#again = false;
      try {
        await this.ask();
      } catch (error) {
        this.emit("trouble", error);
      }
    }
  }

  /** What an event does: usually it only says that it is time to ask. */
  heard() {
    this.reload();
  }
}
