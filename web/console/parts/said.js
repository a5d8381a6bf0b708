/** Short words at the edge of the page about what has just been done, and what did not work. */

import { signal } from "@preact/signals";
import { Refusal } from "../api.js";
import { html } from "../html.js";
import { say } from "../words.js";
import { Icon } from "./icon.js";

const SHOWN_MS = 6000;
const MOST = 4;
const shown = signal([]);
let numbers = 0;

export function tell(text, tone = "good") {
  const one = { id: ++numbers, text, tone };
  shown.value = [...shown.value, one].slice(-MOST);
  if (tone !== "bad") setTimeout(() => drop(one.id), SHOWN_MS);
}

function drop(id) {
  shown.value = shown.value.filter((one) => one.id !== id);
}

/** Why something was refused, for people. */
export function why(error) {
  if (!(error instanceof Refusal)) return String(error?.message ?? error);
  if (error.status === 0) return say("why.unreachable");
  if (error.status === 403) return say("why.right", { why: error.message });
  if (error.status === 404 && !error.code) return say("why.nothing");
  const findings = error.body.findings?.filter(({ severity }) => severity === "error") ?? [];
  if (findings.length) return findings.map(finding).join("\n");
  if (error.status === 429) return say("why.often", { why: error.message });
  return error.message;
}

/** What was found in a configuration, where, and what to do. */
export const finding = ({ keys = [], place, message, help }) =>
  `${keys.join(", ")}: ${[message, help].filter(Boolean).join(". ")}${place ? ` (${place})` : ""}`;

/** Does something, and tells either that it is done or why not. Gives whether it worked. */
export async function attempt(act, done) {
  try {
    await act();
    if (done) tell(done);
    return true;
  } catch (error) {
    tell(why(error), "bad");
    return false;
  }
}

export function Said() {
  return html`<div class="said" role="status" aria-live="polite">
    ${shown.value.map(
      ({ id, text, tone }) => html`<div key=${id} class="card one ${tone}">
        <${Icon} name=${tone === "bad" ? "bad" : "good"} />
        <span class="grow">${text}</span>
        <button class="plain round little" type="button" aria-label=${say("close")} onClick=${() => drop(id)}>
          <${Icon} name="close" size="14" />
        </button>
      </div>`,
    )}
  </div>`;
}
