/** What stands in place of something that is not there: it is being asked for, there is none, or it was refused. */

import { html } from "../html.js";
import { say } from "../words.js";
import { Icon } from "./icon.js";
import { why } from "./said.js";

/** Grey lines while something is asked for. */
export function Loading({ lines = 5 }) {
  return html`<div class="loading" role="status" aria-label=${say("loading")}>
    ${Array.from({ length: lines }, () => html`<span></span>`)}
  </div>`;
}

/** There is none: what that means, and what to do. */
export function Empty({ icon = "info", title, children }) {
  return html`<div class="nothing">
    <${Icon} name=${icon} size="28" />
    <p><b>${title}</b></p>
    ${children && html`<div class="quiet">${children}</div>`}
  </div>`;
}

/** It was refused, or nobody answered. */
export function Failed({ error, again }) {
  const right = error.status === 403;
  return html`<div class="nothing failed" role="alert">
    <${Icon} name=${right ? "key" : "warn"} size="28" />
    <p><b>${say(right ? "failed.right" : error.status === 0 ? "failed.lost" : "failed.other")}</b></p>
    <p class="quiet">${why(error)}</p>
    ${again && html`<button type="button" onClick=${again}><${Icon} name="again" />${say("again")}</button>`}
  </div>`;
}

/**
 * Whichever of them fits what was loaded, else what `children` makes of the data. A failure after data was there is told
 * above it.
 */
export function Loaded({ load, lines, children }) {
  if (load.data === null || load.data === undefined)
    return load.error
      ? html`<${Failed} error=${load.error} again=${load.reload} />`
      : html`<${Loading} lines=${lines} />`;
  return html`${load.error && html`<${Old} error=${load.error} again=${load.reload} />`}${children(load.data)}`;
}

/** What is shown is from before: asking again has failed. */
export function Old({ error, again }) {
  return html`<p class="note warn row" role="status">
    <span class="grow">${say("old", { why: why(error) })}</span>
    <button type="button" class="little" onClick=${again}>${say("again")}</button>
  </p>`;
}
