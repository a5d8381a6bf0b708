/**
 * ctigate.js: the browser's end of a ctigate gateway. One ES module, no build step, no dependency.
 *
 *   import { connect } from "/client/ctigate.js";
 *
 *   const gateway = await connect({ login: "ivanov", password: "…" });   // or without a password: the kept session
 *   gateway.on("phoneevent_ringstarted", (call) => show(call.callerid));
 *   await gateway.subscribe("phoneevent", "userstatechanged");           // asked again after every reconnect
 *   gateway.forms.on("open", (form) => draw(form));                      // form.values is what was typed
 *   gateway.forms.on("close", (form, { reason, mine }) => remove(form));
 *   await gateway.forms.start();
 *   gateway.provide("ShowHint", async ({ text }) => { alertBox(text); return {}; });
 *   const client = await gateway.execute("FindClient", { phone: "79001112233" });
 *   const { numbers } = await gateway.call("getpbxnumbers", { mode: "full" });
 *
 *   gateway.phone.on("change", (line) => show(line.phase, line.party));   // the telephone, see phone.js
 *   await gateway.phone.start();
 *   await gateway.phone.dial("79001112233");
 *
 * The parts, each in a module of its own: `phone`, `conference`, `people`, `presence`, `queue`, `journal`, `chats`,
 * `messages`, `forms`. One that follows something is silent until its `start()` was called.
 *
 * A broken connection is restored by itself, with the session, until `close()` or `logout()`, or until the gateway
 * says that the session is over. Everything that arrives is data: show it as text, never as markup.
 */

import { Chats } from "./chats.js";
import { Conference } from "./conference.js";
import { Emitter } from "./emitter.js";
import { CtiError } from "./error.js";
import { Forms } from "./forms.js";
import { Journal } from "./journal.js";
import { Messages } from "./messages.js";
import { passwordHashes } from "./password.js";
import { People } from "./people.js";
import { Phone } from "./phone.js";
import { Presence } from "./presence.js";
import { Queue } from "./queue.js";

export { CtiError, passwordHashes };

const OPEN_MS = 10_000; // to open a socket and have the first ping answered
const CALL_MS = 20_000; // to answer a call, when the caller names no other time
const PING_MS = 15_000; // between pings on an idle connection; one that stays unanswered breaks it
const PONG_MS = 10_000;
const LEAVE_MS = 3_000; // for the gateway to close the socket after `logout`
const PAUSES_S = [0.5, 1, 2, 5, 10, 30]; // before the 1st, 2nd, … try to reconnect; the last one repeats
const JITTER = 0.2;
const LONGEST_S = 3600; // the longest a gateway may ask us to stay away
const MULTIPART_SETS = 64;
const MULTIPART_PACKETS = 4096;
const MULTIPART_CHARS = 24 * 1024 * 1024;

const GOING = 1001; // how a gateway closes that goes away

/** After how many seconds a gateway that is emptied wants us back; 0: it does not say. */
const againIn = (reason) => Math.min(Number(/\bconnect again in (\d+) s\b/.exec(reason)?.[1] ?? 0), LONGEST_S);

const METHOD_MS = 65_000; // a dynamic method may take a minute

/** Failures that pass by themselves: seats taken, time-out, throttled, internal error, starting, no connection. */
const PASSING = new Set([50025, 59011, 59012, 59099, "starting", "offline", "timeout", "unreachable"]);

/** Refusals of a login that are told by their text. */
const REFUSALS = {
  "Wrong login/pass combination": "credentials",
  "Bad request. Session does not exist": "session",
  "Bad request. Invalid session user": "session",
  "Service not available": "starting",
};

/** Opens a connection and logs in. Resolves to a `Gateway` that is online; rejects with a `CtiError`. */
export async function connect(options) {
  const gateway = new Gateway(options);
  await gateway.open(options);
  return gateway;
}

/** Logins that have a session kept in this browser. */
export function keptLogins() {
  return Object.keys(localStorage)
    .filter((key) => key.startsWith(KEPT))
    .map((key) => key.slice(KEPT.length))
    .sort();
}

const KEPT = "ctigate.session.";

/**
 * One tab's connection. Events: every event of the protocol by its name, and of its own `state`, with
 * `{state, error, retryAt}`: `connecting`, `online`, `waiting` (for `retryAt`, milliseconds since 1970), `closed`.
 */
export class Gateway extends Emitter {
  #options;
  #session = "";
  #wanted = false;
  #socket = null;
  #opening = null; // rejects the try under way
  #pending = new Map(); // qid → {method, resolve, reject, timer}
  #serial = 0;
  #failures = 0;
  #asked = false; // the gateway has said when to come back, and is obeyed
  #wake = () => {};
  #ping = 0;
  #names = new Set();
  #methods = new Map();
  #running = new Map(); // executionid → AbortController
  #parts = new Map(); // message-id → packets
  #focus = null;

  /** See `connect`. Nothing happens before `open`. */
  constructor({ url, login, password, session, expires, workplace, format = "json", timeout = CALL_MS }) {
    super();
    if (format !== "json") throw new CtiError("usage", `format "${format}": a browser speaks json`);
    if (!login) throw new CtiError("usage", "login is missing");
    url ??= location.origin.replace(/^http/, "ws") + "/";
    this.#options = { url, password, expires, workplace, timeout };
    this.#session = session ?? localStorage.getItem(KEPT + login) ?? "";
    this.login = login;
    this.userid = "";
    this.state = "closed";
    this.forms = new Forms(this);
    this.phone = new Phone(this);
    this.conference = new Conference(this);
    this.people = new People(this);
    this.presence = new Presence(this);
    this.queue = new Queue(this);
    this.journal = new Journal(this);
    this.chats = new Chats(this);
    this.messages = new Messages(this);
    this.on("executemethod", (body) => this.#run(body));
    this.on("cancelmethod", ({ executionid }) => this.#cancel(executionid));
    this.on("executemethodwaitaborted", ({ executionid, waitresponsems = 0 }) =>
      setTimeout(() => this.#cancel(executionid), waitresponsems),
    );
    this.on("statereset", ({ userstate }) => userstate && this.emit("userstatechanged", userstate));
  }

  /** Where the gateway serves files: recordings, photos. */
  get webOrigin() {
    return new URL(this.#options.url, location.href).origin.replace(/^ws/, "http");
  }

  /**
   * Connects and logs in. Rejects when the login is refused, and when the gateway cannot be reached, unless `patient`:
   * then it goes on trying. Once it has resolved, lost connections are restored without end.
   */
  async open({ patient = false } = {}) {
    if (this.#wanted) throw new CtiError("usage", "already open");
    this.#wanted = true;
    for (const name of ["focus", "blur"]) addEventListener(name, this.#look);
    document.addEventListener("visibilitychange", this.#look);
    addEventListener("online", this.#hurry);
    await this.#restore(patient);
    return this;
  }

  /** Leaves, keeping the session: the next `connect` with this login needs no password. */
  close() {
    this.#end(new CtiError("closed", "closed by the page"));
  }

  /** Ends the session, here and on the gateway. Never rejects. */
  async logout() {
    this.#forget();
    const socket = this.#socket;
    if (this.state === "online") {
      const gone = new Promise((done) => {
        socket.addEventListener("close", done);
        setTimeout(done, LEAVE_MS);
      });
      this.#wanted = false;
      this.#send("logout", { qid: this.#qid() });
      await gone;
    }
    this.close();
  }

  /**
   * Calls a method of the gateway; resolves to the body of the reply. Rejects with a `CtiError` when the gateway
   * refuses, does not answer within `timeout` milliseconds, or is not connected: nothing is kept for later.
   */
  call(method, params = {}, { timeout } = {}) {
    if (this.state === "online") return this.#call(method, params, timeout);
    return Promise.reject(new CtiError("offline", "not connected to the gateway", method));
  }

  /** Asks for events by names or groups (`phoneevent`, `dlgcard`, `dynamic`, …), now and after every reconnect. */
  async subscribe(...names) {
    for (const name of names) this.#names.add(name);
    if (this.state === "online") await this.#call("subscribeevent", { eventmethod: names });
  }

  /**
   * Offers a dynamic method to scenarios (`target: client`). `run(input, {executionid, chainid, signal})` gives the
   * output, or throws; `signal` is aborted when the result is no longer wanted.
   */
  provide(name, run) {
    this.#methods.set(name, run);
    return this.subscribe("dynamic", "dynamicwaitabort");
  }

  /** Runs a stored procedure that the gateway allows; resolves to its tables, each an array of objects by column. */
  async procedure(name, input = {}) {
    const { dataset } = await this.call("execpredefineddbstoredproc", { procedure: name, inputparams: input });
    return dataset.map(([columns, ...rows]) =>
      rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]]))),
    );
  }

  /** Changes the user's password; its other sessions end. */
  async changePassword(before, after) {
    const hash = (password) => passwordHashes(password).Password;
    await this.call("changepassword", { oldpwdmd5: hash(before), newpwdmd5: hash(after) });
  }

  /** Runs a dynamic method of the CRM and resolves to its output. `timeout` is also the time the CRM is given. */
  async execute(name, input = {}, { timeout } = {}) {
    const params = { name, inputparameters: input };
    if (timeout) params.waitresponsems = timeout;
    const reply = await this.call("executemethod", params, { timeout: timeout ? timeout + PONG_MS : METHOD_MS });
    return reply.outputparameters ?? {};
  }

  /** Connects until it has worked or is refused; first waits, when `broken` tells what broke a connection. */
  async #restore(patient, broken = null) {
    if (broken) await this.#pause(broken);
    while (this.#wanted) {
      try {
        return await this.#connect();
      } catch (error) {
        this.#drop(error);
        if (!this.#wanted) throw error;
        if (!patient || !PASSING.has(error.code)) {
          this.#end(error);
          throw error;
        }
        await this.#pause(error);
      }
    }
    throw new CtiError("closed", "closed by the page");
  }

  async #connect() {
    this.#enter("connecting");
    const { url, password, expires, workplace } = this.#options;
    const login = { userlogin: this.login, showid: 1, usewebrtc: false };
    if (password !== undefined) Object.assign(login, passwordHashes(password));
    else if (this.#session) login.sessionid = this.#session;
    else throw new CtiError("session", "no password, and no session kept for this login", "login");
    if (expires) login.expires = expires;
    if (workplace) login.workplace = workplace;

    await this.#openSocket(url);
    const reply = await this.#call("login", login).catch((error) => {
      if (error.code === "session") this.#forget();
      throw error;
    });
    this.userid = reply.userid ?? "";
    this.#session = reply.sessionid ?? this.#session;
    localStorage.setItem(KEPT + this.login, this.#session);
    // From here on the session serves: the password is not kept, and a session that was ended stays ended.
    delete this.#options.password;

    // What is shown again comes before the answer to the last of these two; forms that were not are over.
    this.forms.recount();
    const calls = this.#names.size ? [this.#call("subscribeevent", { eventmethod: [...this.#names] })] : [];
    calls.push(this.#call("getuserstate", {}));
    const done = await Promise.allSettled(calls);
    const broken = done.find(({ reason }) => PASSING.has(reason?.code));
    if (broken) throw broken.reason;
    this.forms.counted();
    this.#failures = 0;
    this.#focus = null;
    this.#enter("online");
    this.#look();
    const state = done.at(-1).value;
    if (state) this.emit("userstatechanged", state);
  }

  async #openSocket(url) {
    const socket = new WebSocket(url, ["json"]);
    this.#socket = socket;
    const redirect = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new CtiError("unreachable", "the gateway does not answer")), OPEN_MS);
      this.#opening = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      socket.onclose = ({ reason }) => this.#opening(new CtiError("unreachable", reason || "cannot reach the gateway"));
      socket.onopen = () => {
        const qid = this.#qid();
        socket.onmessage = ({ data }) => {
          const [name, body] = parse(data) ?? [];
          if (name !== "websocketredirect" && body?.qid !== qid) return;
          clearTimeout(timer);
          resolve(name === "websocketredirect");
        };
        this.#send("ping", { qid });
      };
    });
    if (redirect) {
      socket.onclose = null;
      socket.close();
      const secure = new URL(url);
      if (secure.protocol === "wss:") throw new CtiError("usage", "the gateway redirects to where we are");
      secure.protocol = "wss:";
      secure.port = "443";
      return this.#openSocket(secure);
    }
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#socket) return;
      const error = new CtiError("offline", reason || "the connection was lost");
      error.again = code === GOING ? againIn(reason) : 0;
      this.#lost(error);
    };
    this.#ping = setInterval(() => this.#probe(socket), PING_MS);
  }

  #probe(socket) {
    this.#call("ping", {}, PONG_MS).catch(({ code }) => {
      if (code === "timeout" && socket === this.#socket) this.#lost(new CtiError("offline", "the gateway fell silent"));
    });
  }

  /** The connection broke: a try under way hears it from its calls, else a new one begins. */
  #lost(error) {
    const online = this.state === "online";
    this.#drop(error);
    if (!this.#wanted) this.#end(error);
    else if (online) this.#restore(true, error).catch(() => {});
  }

  /** Lets go of the socket; whoever waits on it is told. */
  #drop(error) {
    const socket = this.#socket;
    this.#socket = null;
    clearInterval(this.#ping);
    if (socket) {
      socket.onclose = socket.onmessage = null;
      socket.close();
    }
    for (const id of [...this.#running.keys()]) this.#cancel(id);
    this.#parts.clear();
    for (const { method, reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new CtiError(error.code, error.message, method));
    }
    this.#pending.clear();
  }

  #end(error) {
    if (this.state === "closed" && !this.#wanted) return;
    this.#wanted = false;
    this.#opening?.(error);
    this.#drop(error);
    this.#wake();
    for (const name of ["focus", "blur"]) removeEventListener(name, this.#look);
    document.removeEventListener("visibilitychange", this.#look);
    removeEventListener("online", this.#hurry);
    this.#enter("closed", { error });
  }

  #pause(error) {
    this.#asked = error.again > 0;
    const seconds = this.#asked ? error.again : PAUSES_S[Math.min(this.#failures++, PAUSES_S.length - 1)];
    // Never sooner than asked, and not everybody at once.
    const spread = this.#asked ? 1 + JITTER * Math.random() : 1 - JITTER + 2 * JITTER * Math.random();
    const pause = seconds * 1000 * spread;
    this.#enter("waiting", { error, retryAt: Date.now() + pause });
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The network is back, or the person is: no need to wait for the timer, unless the gateway asked for it. */
  #hurry = () => {
    if (!this.#asked) this.#wake();
  };

  #look = () => {
    if (!document.hidden && this.state === "waiting") this.#hurry();
    const focus = !document.hidden && document.hasFocus();
    if (this.state !== "online" || focus === this.#focus) return;
    this.#focus = focus;
    this.#call("tabfocus", { focus }).catch(() => {}); // a gateway that does not know it loses nothing
  };

  #enter(state, detail = {}) {
    this.state = state;
    this.emit("state", { state, error: null, retryAt: 0, ...detail });
  }

  #forget() {
    if (localStorage.getItem(KEPT + this.login) === this.#session) localStorage.removeItem(KEPT + this.login);
    this.#session = "";
  }

  #qid() {
    return `t${++this.#serial}`;
  }

  #send(name, body) {
    this.#socket.send(JSON.stringify([name, body]));
  }

  #call(method, params, timeout = this.#options.timeout) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        throw new CtiError("offline", "not connected to the gateway", method);
      }
      const qid = this.#qid();
      const timer = setTimeout(() => {
        this.#pending.delete(qid);
        reject(new CtiError("timeout", `no answer within ${timeout} ms`, method));
      }, timeout);
      this.#pending.set(qid, { method, resolve, reject, timer });
      this.#send(method, { ...params, qid });
    });
  }

  #receive(data) {
    const message = parse(data);
    if (!message) return console.warn("ctigate: a frame that is no message", data);
    const [name, body] = message;
    if (name === "multipart") return this.#collect(body);
    const waiting = this.#pending.get(body.qid);
    if (!waiting) return this.emit(name, body);
    this.#pending.delete(body.qid);
    clearTimeout(waiting.timer);
    const { method, resolve, reject } = waiting;
    const refused = [0, false, "0"].includes(body.result) || name === "error";
    if (refused || (method === "login" && (body.error || body.errormsg))) {
      const code = (method === "login" && REFUSALS[body.errormsg]) || body.error || "refused";
      reject(new CtiError(code, body.errormsg || "refused", method));
    } else {
      resolve(body);
    }
  }

  /** Packets of a long reply; their contents joined are the base64 of its UTF-8 text. */
  #collect({ "message-id": id, packetcount, packetnumber, content }) {
    const count = Number(packetcount);
    const index = Number(packetnumber);
    const fits = count >= 1 && count <= MULTIPART_PACKETS && index >= 0 && index < count && typeof content === "string";
    if (!fits || (!this.#parts.has(id) && this.#parts.size >= MULTIPART_SETS)) {
      return console.warn("ctigate: a multipart packet out of bounds", id);
    }
    const parts = this.#parts.get(id) ?? this.#parts.set(id, new Map()).get(id);
    parts.set(index, content);
    const chars = [...parts.values()].reduce((sum, part) => sum + part.length, 0);
    if (chars > MULTIPART_CHARS) return this.#parts.delete(id);
    if (parts.size < count) return;
    this.#parts.delete(id);
    const bytes = atob(Array.from({ length: count }, (_, i) => parts.get(i)).join(""));
    this.#receive(new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0))));
  }

  async #run({ executionid, name, inputparameters, chainid, waitresponse = true }) {
    const run = this.#methods.get(name);
    if (!run || this.#running.has(executionid)) return; // another tab may offer it: silence is no refusal
    const abort = new AbortController();
    this.#running.set(executionid, abort);
    let answer;
    try {
      const output = await run(inputparameters ?? {}, { executionid, chainid, signal: abort.signal });
      answer = { result: 1, outputparameters: output ?? {} };
    } catch (error) {
      const code = Number.isInteger(error?.code) ? error.code : 59099;
      answer = { result: 0, error: code, errormsg: String(error?.message ?? error), outputparameters: {} };
    }
    if (abort.signal.aborted) return;
    this.#running.delete(executionid);
    if (waitresponse) this.call("methodresult", { executionid, ...answer }).catch(() => {}); // another tab was first
  }

  #cancel(executionid) {
    this.#running.get(executionid)?.abort();
    this.#running.delete(executionid);
  }
}

/** A message is an array of a name and an object; anything else is none. */
function parse(data) {
  try {
    const [name, body] = JSON.parse(data);
    return typeof name === "string" && body && typeof body === "object" ? [name, body] : null;
  } catch {
    return null;
  }
}
