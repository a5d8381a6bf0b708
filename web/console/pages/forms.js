/** Forms that are open now: who sees them, since when; close one, open one. */

import { useSignal } from "@preact/signals";
import { part, post, remove } from "../api.js";
import { gatewayNow, span, whole } from "../format.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { ask, sure } from "../parts/dialog.js";
import { Area, Choice, Search, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { attempt } from "../parts/said.js";
import { Empty, Loaded } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { to } from "../route.js";
import { say } from "../words.js";

export function Forms() {
  const load = useLoad("forms", { about: ["forms"] });
  const text = useSignal("");
  return html`
    <div class="tools">
      <${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("forms.search")} />
      <span class="grow"></span>
      <button type="button" class="main" data-new onClick=${() => ask(say("forms.open"), ({ close }) => html`<${Open} close=${close} />`)}>
        <${Icon} name="add" />${say("forms.open")}
      </button>
    </div>
    <${Loaded} load=${load}>${({ items = [] }) => html`<${List} items=${items} text=${text.value} />`}<//>
  `;
}

function List({ items, text }) {
  const low = text.trim().toLowerCase();
  const found = items.filter((one) =>
    [one.name, one.login, one.id, one.chain].some((word) =>
      String(word ?? "")
        .toLowerCase()
        .includes(low),
    ),
  );
  if (!items.length) return html`<${Empty} icon="forms" title=${say("forms.none")}>${say("forms.none.what")}<//>`;
  if (!found.length) return html`<${Empty} title=${say("noneFound")} />`;
  return html`<${Table}
    label=${say("page.forms")}
    rows=${found}
    id=${({ id }) => id}
    columns=${[
      {
        title: say("forms.form"),
        class: "main-cell",
        by: ({ name }) => name,
        cell: ({ name, id }) => html`<b>${name}</b><br /><span class="quiet small mono">${id}</span>`,
      },
      {
        title: say("forms.user"),
        by: ({ login }) => login,
        cell: ({ login }) => html`<a href=${to("people", [], { q: login })}>${login}</a>`,
      },
      {
        title: say("forms.since"),
        class: "number",
        by: ({ since_ms }) => since_ms,
        cell: ({ since_ms }) => html`<time title=${whole(since_ms)}>${span(gatewayNow() - since_ms)}</time>`,
      },
      {
        title: say("forms.shown"),
        class: "number",
        by: ({ shown }) => shown,
        cell: ({ shown }) =>
          shown ? say("forms.tabs", { n: shown }) : html`<span class="dot warn">${say("forms.nobody")}</span>`,
      },
      {
        title: say("forms.call"),
        cell: ({ chain }) =>
          chain ? html`<a class="mono" href=${to("explain", ["call", chain])}>${chain.slice(0, 8)}</a>` : "—",
      },
    ]}
    ends=${({ id, name }) => html`<div class="row nowrap">
      <a class="button little" href=${to("explain", ["form", id])}><${Icon} name="explain" size="16" />${say("explain")}</a>
      <button type="button" class="little danger" onClick=${() => shut(id, name)}>${say("forms.close")}</button>
    </div>`}
  />`;
}

async function shut(id, name) {
  if (await sure(say("forms.close"), say("forms.close.sure", { name }), say("forms.close")))
    await attempt(() => remove(`forms/${part(id)}`), say("forms.closed"));
}

function Open({ close }) {
  const users = useLoad("users");
  const links = useLoad("links");
  const name = useSignal("");
  const login = useSignal("");
  const parameters = useSignal("{}");
  const wrong = useSignal("");
  const offered = [
    ...new Set((links.data?.items ?? []).flatMap(({ forms = [] }) => forms.map((one) => one.name ?? one))),
  ];
  async function submit(event) {
    event.preventDefault();
    wrong.value = "";
    if (!name.value.trim() || !login.value) {
      wrong.value = say("forms.open.both");
      return;
    }
    let given;
    try {
      given = JSON.parse(parameters.value || "{}");
    } catch {
      wrong.value = say("notJson");
      return;
    }
    if (
      await attempt(
        () => post("forms", { name: name.value.trim(), userlogin: login.value, parameters: given }),
        say("forms.opened"),
      )
    )
      close();
  }
  return html`<form onSubmit=${submit} novalidate>
    <${Text} label=${say("forms.form")} needed list="offered-forms" value=${name.value} set=${(value) => (name.value = value)} />
    <datalist id="offered-forms">${offered.map((one) => html`<option value=${one}></option>`)}</datalist>
    <${Choice} label=${say("forms.user")} needed value=${login.value} set=${(value) => (login.value = value)}
      choices=${[["", "—"], ...(users.data?.items ?? []).map((one) => [one.login, one.name || one.login])]} />
    <${Area} label=${say("forms.parameters")} help=${say("forms.parameters.help")} class="code" rows="5" value=${parameters.value} set=${(value) => (parameters.value = value)} />
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    <div class="ends"><button type="button" onClick=${() => close()}>${say("cancel")}</button><button class="main" type="submit">${say("forms.open")}</button></div>
  </form>`;
}
