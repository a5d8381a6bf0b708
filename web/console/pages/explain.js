/** What happened to a call, a person or a form, which rule decided it, and why something did not happen. */

import { useSignal } from "@preact/signals";
import { part } from "../api.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { moment } from "../format.js";
import { Choice, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Empty, Loaded } from "../parts/states.js";
import { Timeline } from "../parts/timeline.js";
import { go, to } from "../route.js";
import { either, say } from "../words.js";

const KINDS = ["call", "user", "form"];

export function Explain({ parts }) {
  const [kind = "call", id = ""] = parts;
  return html`<${Question} key=${`${kind} ${id}`} kind=${kind} id=${id} />${id ? html`<${Answer} key=${`${kind}/${id}`} kind=${kind} id=${id} />` : html`<${Empty} icon="explain" title=${say("explain.ask")}>${say("explain.ask.what")}<//>`}`;
}

function Question({ kind, id }) {
  const about = useSignal(KINDS.includes(kind) ? kind : "call");
  const text = useSignal(id);
  const submit = (event) => {
    event.preventDefault();
    if (text.value.trim()) go(to("explain", [about.value, text.value.trim()]));
  };
  return html`<form class="filters card compact" onSubmit=${submit}>
    <${Choice} label=${say("explain.kind")} value=${about.value} set=${(value) => (about.value = value)} choices=${KINDS.map((one) => [one, say(`explain.${one}`)])} />
    <${Text} label=${say(`explain.${about.value}.id`)} data-search class="grow code" value=${text.value} set=${(value) => (text.value = value)} />
    <button class="main" type="submit"><${Icon} name="explain" />${say("explain.do")}</button>
  </form>`;
}

function Answer({ kind, id }) {
  const load = useLoad(`explain/${part(kind)}/${part(id)}`, { about: ["calls", "forms", "users"] });
  const several = load.error?.status === 409 && load.error.body.candidates;
  if (several) return html`<${Several} kind=${kind} list=${several} />`;
  return html`<${Loaded} load=${load} lines="8">${(data) => html`<${Story} kind=${kind} data=${data} />`}<//>`;
}

/** More than one fits what was typed. */
function Several({ kind, list }) {
  return html`<section class="card">
    <h2>${say("explain.several")}</h2>
    <ul class="rows">
      ${list.map(({ id, at_ms, text }) => html`<li><a href=${to("explain", [kind, id])}>${text || id}</a> <span class="quiet small number">${moment(at_ms)}</span></li>`)}
    </ul>
  </section>`;
}

function Story({ kind, data }) {
  const { subject, items = [], findings = [] } = data;
  return html`
    ${subject && html`<p class="subject"><b>${either(subject, "text") || subject.id}</b> <span class="quiet small mono">${subject.id}</span></p>`}
    <section class="card findings">
      <h2>${say("explain.findings")}</h2>
      ${
        findings.length
          ? html`<ul class="rows">${findings.map(
              (one) => html`<li class="finding">
            <${Icon} name="warn" />
            <div class="grow"><p><b>${either(one, "text")}</b> <span class="tag mono">${one.cause}</span></p>${either(one, "advice") && html`<p class="advice small">${either(one, "advice")}</p>`}</div>
          </li>`,
            )}</ul>`
          : html`<p class="dot good">${say("explain.well")}</p>`
      }
    </section>
    <section class="card">
      <h2>${say("explain.course")}</h2>
      ${
        items.length
          ? html`<${Timeline} items=${items.map((one) => ({ ...one, text: html`${either(one, "text")}${links(kind, one)}` }))} />`
          : html`<p class="quiet">${say("explain.nothing")}</p>`
      }
    </section>
  `;
}

/** Whom and what a step is about besides, to go on from it. */
function links(kind, { login, form }) {
  return html`${login && kind !== "user" && html` <a class="small" href=${to("explain", ["user", login])}>${login}</a>`}${
    form &&
    kind !== "form" &&
    html` <a class="small mono" href=${to("explain", ["form", form])}>${form.slice(0, 8)}</a>`
  }`;
}
