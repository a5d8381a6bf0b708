/** Conversations as they are now. */

import { useSignal } from "@preact/signals";
import { part, post, remove } from "../api.js";
import { gatewayNow, length, whole } from "../format.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { State } from "../parts/badge.js";
import { ask, sure } from "../parts/dialog.js";
import { Search, Text, Choice } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { attempt } from "../parts/said.js";
import { Empty, Loaded } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { to } from "../route.js";
import { say, sayOr } from "../words.js";

export function Calls({ query }) {
  const load = useLoad("calls", { about: ["calls"] });
  const text = useSignal(query.q ?? "");
  return html`
    <div class="tools">
      <${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("calls.search")} />
      <span class="grow"></span>
      <button type="button" class="main" data-new onClick=${dial}><${Icon} name="call" />${say("calls.dial")}</button>
    </div>
    <${Loaded} load=${load}>${({ items = [] }) => html`<${List} items=${items} text=${text.value} />`}<//>
  `;
}

const name = ({ name: known, number }) => (known && known !== number ? `${known} · ${number}` : number || "—");

function List({ items, text }) {
  const low = text.trim().toLowerCase();
  const found = items.filter(({ parties = [], chain, queue }) =>
    [chain, queue, ...parties.flatMap((one) => [one.name, one.number])].some((word) =>
      String(word ?? "")
        .toLowerCase()
        .includes(low),
    ),
  );
  if (!items.length) return html`<${Empty} icon="call" title=${say("calls.none")}>${say("calls.none.what")}<//>`;
  if (!found.length) return html`<${Empty} title=${say("noneFound")} />`;
  return html`<${Table}
    label=${say("page.calls")}
    rows=${found}
    id=${({ chain }) => chain}
    columns=${[
      {
        title: say("calls.parties"),
        class: "main-cell",
        cell: ({ parties = [] }) => html`<ul class="party">
          ${parties.map(
            (one) =>
              html`<li><b>${name(one)}</b> <${State} kind="leg" state=${one.state === "up" && one.place !== "talk" ? one.place : one.state} />${one.place_name && html` <span class="quiet small">${sayOr(`place.${one.place}`, one.place)} ${["queue", "menu"].includes(one.place) ? one.place_name : ""}</span>`}</li>`,
          )}
        </ul>`,
      },
      {
        title: say("calls.lasts"),
        class: "number",
        by: ({ since_ms }) => since_ms,
        cell: ({ since_ms }) => html`<time title=${whole(since_ms)}>${length(gatewayNow() - since_ms)}</time>`,
      },
      { title: say("calls.queue"), by: ({ queue }) => queue ?? "", cell: ({ queue }) => queue || "—" },
      {
        title: say("calls.recording"),
        cell: ({ recording }) => (recording ? html`<span class="dot bad">${say("yes")}</span>` : say("no")),
      },
    ]}
    ends=${({ chain, parties = [] }) => html`<div class="row nowrap">
      <a class="button little" href=${to("explain", ["call", chain])}><${Icon} name="explain" size="16" />${say("explain")}</a>
      <button type="button" class="little danger" onClick=${() => end(chain, parties)}><${Icon} name="end" size="16" />${say("calls.end")}</button>
    </div>`}
  />`;
}

async function end(chain, parties) {
  const who = parties.map(name).join(", ");
  if (await sure(say("calls.end"), say("calls.end.sure", { who }), say("calls.end")))
    await attempt(() => remove(`calls/${part(chain)}`), say("calls.ended"));
}

const dial = () => ask(say("calls.dial"), ({ close }) => html`<${Dial} close=${close} />`);

function Dial({ close }) {
  const login = useSignal("");
  const number = useSignal("");
  const sequence = useSignal("");
  const wrong = useSignal("");
  const users = useLoad("users");
  async function submit(event) {
    event.preventDefault();
    if (!login.value || !number.value.trim()) {
      wrong.value = say("calls.dial.both");
      return;
    }
    const body = {
      login: login.value,
      number: number.value.trim(),
      ...(sequence.value ? { sequence: sequence.value } : {}),
    };
    if (await attempt(() => post("calls", body), say("calls.dialled"))) close();
  }
  const people = (users.data?.items ?? []).filter((one) => one.number && one.api_call_enabled);
  return html`<form onSubmit=${submit} novalidate>
    <${Choice} label=${say("calls.dial.who")} help=${say("calls.dial.who.help")} needed value=${login.value} set=${(value) => (login.value = value)}
      choices=${[["", "—"], ...people.map((one) => [one.login, `${one.name || one.login} · ${one.number}`])]} />
    <${Text} label=${say("calls.dial.number")} needed inputmode="tel" value=${number.value} set=${(value) => (number.value = value)} />
    <${Choice} label=${say("calls.dial.first")} value=${sequence.value} set=${(value) => (sequence.value = value)}
      choices=${[
        ["", say("calls.dial.me")],
        ["abonent", say("calls.dial.they")],
      ]} />
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    <div class="ends"><button type="button" onClick=${() => close()}>${say("cancel")}</button><button class="main" type="submit">${say("calls.dial")}</button></div>
  </form>`;
}
