/** What changes on the gateway: one event stream for the whole console, which comes back by itself. */

import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ask, me, stream, written } from "./api.js";

const AGAIN_MS = [500, 1000, 2000, 4000, 8000, 15_000];

/** `connecting`, `online`, or `lost` with the moment of the next try. */
export const connection = signal({ state: "connecting" });

/** What the gateway tells its administrators, newest first, bounded. */
export const notices = signal([]);
const NOTICES = 50;

/** What changes more often than this is asked for no more often. */
const REST_MS = 400;
const pause = (stop) => (stop.aborted ? null : new Promise((resolve) => setTimeout(resolve, REST_MS)));

const listeners = new Set();

/** Calls `act` when one of these has changed, and after a time without connection. Gives what ends it. */
export function onChange(what, act) {
  const listener = (changed) => (changed === null || what.some((one) => changed.includes(one))) && act();
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(changed) {
  for (const listener of [...listeners]) listener(changed);
}

// What was changed from here is seen at once, also without the stream.
written.add(() => tell(null));

/** Follows until the function it gives is called. */
export function followChanges() {
  const end = new AbortController();
  let failures = 0;
  let wake = null;

  async function run() {
    while (!end.signal.aborted) {
      let again = false;
      try {
        await stream("events", hear, {
          stop: end.signal,
          opened() {
            again = connection.peek().state === "lost";
            connection.value = { state: "online" };
            failures = 0;
            if (again) tell(null);
          },
        });
      } catch (error) {
        if (end.signal.aborted || me.peek() === null) return;
        if (error.status === 403 || error.status === 404) {
          connection.value = { state: "silent" };
          return;
        }
      }
      if (end.signal.aborted) return;
      const wait = AGAIN_MS[Math.min(failures++, AGAIN_MS.length - 1)];
      connection.value = { state: "lost", until: Date.now() + wait };
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, wait);
      });
    }
  }

  function hear(name, data) {
    if (name === "changed" && Array.isArray(data?.what)) tell(data.what);
    if (name === "notice" && data) notices.value = [data, ...notices.peek()].slice(0, NOTICES);
  }

  const now = () => wake?.();
  addEventListener("online", now);
  run();
  return () => {
    end.abort();
    now();
    removeEventListener("online", now);
  };
}

/**
 * What an address answers: `{data, error, loading, reload}`. Asked again when one of `about` changes, or every so many
 * ms. What was there before stays while it is asked again and when that fails.
 */
export function useLoad(path, { about = [], every = 0 } = {}) {
  const state = useSignal({ data: null, error: null, loading: Boolean(path) });
  const again = useRef(() => {});
  useEffect(() => {
    if (!path) return undefined;
    const end = new AbortController();
    let busy = false;
    let wanted = false;
    async function load() {
      if (busy) {
        wanted = true;
        return;
      }
      busy = true;
      try {
        const data = await ask("GET", path, undefined, { signal: end.signal });
        if (!end.signal.aborted) state.value = { data, error: null, loading: false };
      } catch (error) {
        if (!end.signal.aborted) state.value = { data: state.peek().data, error, loading: false };
      }
      await pause(end.signal);
      busy = false;
      if (wanted && !end.signal.aborted) {
        wanted = false;
        load();
      }
    }
    again.current = load;
    state.value = { data: null, error: null, loading: true };
    load();
    const stop = onChange(about, load);
    const timer = every ? setInterval(() => document.hidden || load(), every) : 0;
    return () => {
      end.abort();
      stop();
      clearInterval(timer);
    };
  }, [path]);
  return { ...state.value, reload: () => again.current() };
}

/**
 * A list that comes in pieces: `{items, error, loading, more, next}`. The first piece is asked for again when one of
 * `about` changes, as long as nobody has gone on behind it.
 */
export function usePieces(path, { about = [], limit = 50 } = {}) {
  const state = useSignal({ items: null, next: "", error: null, loading: true });
  const again = useRef(() => {});
  const onward = useRef(() => {});
  useEffect(() => {
    const end = new AbortController();
    const from = (after) =>
      `${path}${path.includes("?") ? "&" : "?"}limit=${limit}${after ? `&after=${encodeURIComponent(after)}` : ""}`;
    let pieces = 1;
    async function load(after = "") {
      const before = state.peek();
      state.value = { ...before, loading: true };
      try {
        const { items = [], next = "" } = await ask("GET", from(after), undefined, { signal: end.signal });
        if (end.signal.aborted) return;
        pieces = after ? pieces + 1 : 1;
        state.value = { items: after ? [...before.items, ...items] : items, next, error: null, loading: false };
      } catch (error) {
        if (!end.signal.aborted) state.value = { ...state.peek(), error, loading: false };
      }
    }
    again.current = () => load();
    onward.current = () => load(state.peek().next);
    state.value = { items: null, next: "", error: null, loading: true };
    load();
    const stop = onChange(about, () => pieces === 1 && load());
    return () => {
      end.abort();
      stop();
    };
  }, [path, limit]);
  return { ...state.value, reload: () => again.current(), more: () => onward.current() };
}
