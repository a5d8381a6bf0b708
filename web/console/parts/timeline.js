/** What happened, one under the other: the whole entry of a call, and what `explain` tells. */

import { fine, whole } from "../format.js";
import { html } from "../html.js";
import { say } from "../words.js";
import { Json } from "./badge.js";

/** `items`: `{at_ms, text, level?, what?, detail?}`, oldest first. Times are shown with the distance from the first. */
export function Timeline({ items }) {
  const began = items[0]?.at_ms ?? 0;
  return html`<ol class="timeline">
    ${items.map(
      ({ at_ms, text, level = "", what, detail }) => html`<li class=${level}>
        <time title=${whole(at_ms)} class="number">${fine(at_ms)}<span class="quiet"> +${distance(at_ms - began)}</span></time>
        <div class="event">
          <p>${text}${what && html` <span class="tag mono">${what}</span>`}</p>
          ${filled(detail) && html`<details><summary>${say("details")}</summary><${Json} value=${detail} /></details>`}
        </div>
      </li>`,
    )}
  </ol>`;
}

const filled = (detail) =>
  detail !== null &&
  detail !== undefined &&
  detail !== "" &&
  (typeof detail !== "object" || Object.keys(detail).length > 0);

function distance(ms) {
  if (ms < 10_000) return `${(ms / 1000).toFixed(3)}`;
  if (ms < 100_000) return `${(ms / 1000).toFixed(1)}`;
  return `${Math.round(ms / 1000)}`;
}
