/** Small words with a colour: states, origins, effects. */

import { html } from "../html.js";
import { sayOr } from "../words.js";

const TONES = {
  up: "good",
  ok: "good",
  green: "good",
  online: "good",
  answered: "good",
  done: "good",
  amber: "warn",
  degraded: "warn",
  warn: "warn",
  connecting: "warn",
  dialing: "warn",
  competing: "warn",
  waiting: "warn",
  listening: "warn",
  ringing: "warn",
  introducing: "warn",
  running: "accent",
  retrying: "bad",
  refused: "bad",
  down: "bad",
  red: "bad",
  fail: "bad",
  failed: "bad",
  error: "bad",
  off: "",
};

export const toneOf = (state) => TONES[state] ?? "";

/** A state as a pill; `kind` is the family of its words. */
export function State({ kind, state, words }) {
  return html`<span class="pill ${toneOf(state)}">${words ?? sayOr(`${kind}.${state}`, state)}</span>`;
}

/** A plain word in a frame. */
export const Tag = ({ children, tone = "", title }) =>
  html`<span class="tag ${tone}" title=${title}>${children}</span>`;

/** Names of `key value` pairs, as a list of terms. Pairs whose value is nothing are left out. */
export function Facts({ rows }) {
  const there = rows.filter((row) => row && row[1] !== "" && row[1] !== null && row[1] !== undefined);
  return html`<dl class="facts">
    ${there.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

/** Something that JSON can say, for reading. */
export function Json({ value }) {
  return html`<pre class="json mono" tabindex="0">${typeof value === "string" ? value : JSON.stringify(value, null, 2)}</pre>`;
}
