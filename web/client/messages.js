/**
 * Texts and notices that people and programs send to each other, and events of applications. Part of ctigate.js.
 */

import { Emitter } from "./emitter.js";

/**
 * Events: `text` ({sender, name, text, time}) from another person, `notice` ({caption, text, timeout}) to be shown for
 * `timeout` milliseconds, or until it is closed when that is 0.
 */
export class Messages extends Emitter {
  #gateway;

  constructor(gateway) {
    super();
    this.#gateway = gateway;
    gateway.on("usertextmessagereceived", ({ senderid, sendername, text, datetime }) =>
      this.emit("text", {
        sender: senderid ?? "",
        name: sendername ?? "",
        text: String(text ?? ""),
        time: datetime ?? "",
      }),
    );
    gateway.on("shownotifymessage", ({ caption, text, timeoutms }) =>
      this.emit("notice", {
        caption: String(caption ?? ""),
        text: String(text ?? ""),
        timeout: Number(timeoutms ?? 0),
      }),
    );
    gateway.on("customevent", ({ eventname, eventparam, userid, userlogin }) =>
      this.emit(`event:${eventname}`, eventparam, { userid: userid ?? "", login: userlogin ?? "" }),
    );
  }

  /** Asks for texts and notices, now and after every reconnect. Events of applications come without asking. */
  start() {
    return this.#gateway.subscribe("usertextmessagereceived", "shownotifymessage");
  }

  /** Sends a text to people, by their user ids. For who is not online it waits. */
  async send(recipients, text) {
    await this.#gateway.call("sendusertextmessage", { recipients, text });
  }

  /** Shows a notice to people: a supervisor to subordinates. */
  async notify(recipients, caption, text, timeout = 0) {
    const params = { recipients, caption, text };
    await this.#gateway.call("sendnotifymessage", timeout ? { ...params, timeoutms: timeout } : params);
  }

  /** Sends an event of the application's own: `to` people by their user ids, or to everybody; `back`: to this tab too. */
  async trigger(name, param, { to = null, back = false } = {}) {
    await this.#gateway.call("triggercustomevent", {
      eventname: name,
      eventparam: param,
      recipients: to ?? false,
      sendback: back ? 1 : 0,
    });
  }

  /** Calls `handler(param, {userid, login})` at every event of an application with this name; gives what ends it. */
  onTriggered(name, handler) {
    return this.on(`event:${name}`, handler);
  }
}
