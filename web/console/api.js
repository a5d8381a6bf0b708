/** Asking the gateway: every request of the console goes through here. */

import { signal } from "@preact/signals";

const TOKEN = "ctigate.token";
const BASE = "/api/v1/";
const WAIT_MS = 30_000;

/** Who is signed in, as `GET me` says; null: nobody; undefined: not known yet. */
export const me = signal(undefined);

/** Whether the gateway answers: `up`, or `lost` since a request could not be made. */
export const reach = signal("up");

/** A request that was not followed. `status` 0: there was no answer at all. */
export class Refusal extends Error {
  constructor(status, body) {
    super(body.errormsg ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.error ?? 0;
    this.body = body;
  }
}

/** The admin token that was pasted: kept by this tab alone, until it is closed. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (text) => (text ? sessionStorage.setItem(TOKEN, text) : sessionStorage.removeItem(TOKEN)),
};

function headers(more = {}) {
  const bearer = token.get();
  return bearer ? { authorization: `Bearer ${bearer}`, ...more } : more;
}

/** What is done after each change that was made from here: what is shown may be another then. */
export const written = new Set();

/** A query of those values that are something. */
export function query(values) {
  const pairs = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

/** A name as a part of an address. */
export const part = encodeURIComponent;

/**
 * One request. Bodies are JSON unless they are text, which goes with `type`. Gives what was answered, parsed; throws a
 * `Refusal`. A 401 ends the sign-in, unless `quiet`.
 */
export async function ask(
  method,
  path,
  body,
  { signal: stop, type = "text/plain", quiet = false, wait = WAIT_MS } = {},
) {
  const response = await send(method, path, body, { stop, type, wait });
  const text = await response.text();
  const answer = parse(text);
  if (response.ok) {
    if (method !== "GET") for (const act of written) act();
    return answer;
  }
  if (response.status === 401 && !quiet) {
    token.set(null);
    me.value = null;
  }
  throw new Refusal(response.status, answer && typeof answer === "object" ? answer : { errormsg: text.slice(0, 300) });
}

async function send(method, path, body, { stop, type, wait }) {
  const texts = typeof body === "string";
  const signals = [wait ? AbortSignal.timeout(wait) : null, stop].filter(Boolean);
  try {
    const response = await fetch(BASE + path, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers: headers(body === undefined ? {} : { "content-type": texts ? type : "application/json" }),
      body: body === undefined ? undefined : texts ? body : JSON.stringify(body),
      signal: AbortSignal.any(signals),
    });
    reach.value = "up";
    return response;
  } catch (error) {
    if (stop?.aborted) throw error;
    reach.value = "lost";
    throw new Refusal(0, { errormsg: String(error.message ?? error) });
  }
}

function parse(text) {
  if (!text) return {};
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export const get = (path, options) => ask("GET", path, undefined, options);
export const post = (path, body = {}, options) => ask("POST", path, body, options);
export const put = (path, body, options) => ask("PUT", path, body, options);
export const patch = (path, body, options) => ask("PATCH", path, body, options);
export const remove = (path, body, options) => ask("DELETE", path, body, options);

/** Fetches a file and lets the browser save it under this name. */
export async function save(path, name) {
  const response = await send("GET", path, undefined, { wait: 0 });
  if (!response.ok) throw new Refusal(response.status, parse(await response.text()) ?? {});
  keep(await response.blob(), name);
}

/** Lets the browser save something it has already. */
export function keep(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * An event stream, read to its end. `each(event, data)` gets every event, its data parsed. By `fetch`, because an
 * `EventSource` could not bring the token. Throws a `Refusal` when it is refused or breaks off.
 */
export async function stream(path, each, { method = "GET", body, stop, opened } = {}) {
  const response = await send(method, path, body, { stop, wait: 0 });
  if (!response.ok) {
    if (response.status === 401) me.value = null;
    throw new Refusal(response.status, parse(await response.text()) ?? {});
  }
  opened?.();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      if (stop?.aborted) return { done: true };
      throw new Refusal(0, { errormsg: String(error.message ?? error) });
    });
    if (done) return;
    rest += value;
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const event = { name: "message", data: [] };
      for (const line of block.split(/\r?\n/)) {
        const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
        if (field === "event") event.name = text;
        if (field === "data") event.data.push(text);
      }
      if (event.data.length) each(event.name, parse(event.data.join("\n")));
    }
  }
}
