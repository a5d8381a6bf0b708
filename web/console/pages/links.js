/** The CRMs: how each connection is, and why not; one whole; added and changed step by step. */

import { useSignal } from "@preact/signals";
import { part, post, remove } from "../api.js";
import { ago, span, gatewayNow, millis, count, whole } from "../format.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { Facts, Json, State, Tag } from "../parts/badge.js";
import { sure } from "../parts/dialog.js";
import { Area, Choice, Search, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { attempt, why } from "../parts/said.js";
import { Empty, Loaded } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { go, to } from "../route.js";
import { say, sayOr } from "../words.js";
import { LinkForm } from "./link-form.js";

export function Links({ parts, query }) {
  const [name, what] = parts;
  if (name === "new" && !what) return html`<${LinkForm} key="new" />`;
  if (name && what === "edit") return html`<${Edit} key=${name} name=${name} />`;
  if (name) return html`<${One} key=${name} name=${name} />`;
  return html`<${List} query=${query} />`;
}

function List() {
  const load = useLoad("links", { about: ["links"] });
  const text = useSignal("");
  return html`
    <div class="tools">
      <${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("links.search")} />
      <span class="grow"></span>
      <a class="button main" data-new href=${to("links", ["new"])}><${Icon} name="add" />${say("links.add")}</a>
    </div>
    <${Loaded} load=${load}>${({ items = [] }) => html`<${Rows} items=${items} text=${text.value} />`}<//>
  `;
}

const offered = (list) => (list ?? []).map((one) => one.name ?? one);
const where = ({ url, bind }) => url || bind || "";

function Rows({ items, text }) {
  const low = text.trim().toLowerCase();
  const found = items.filter((one) =>
    [one.name, one.crm, where(one), one.mode].some((word) =>
      String(word ?? "")
        .toLowerCase()
        .includes(low),
    ),
  );
  if (!items.length)
    return html`<${Empty} icon="links" title=${say("links.none")}>
      <p>${say("links.none.what")}</p><p><a class="button main" href=${to("links", ["new"])}>${say("links.add")}</a></p>
    <//>`;
  if (!found.length) return html`<${Empty} title=${say("noneFound")} />`;
  return html`<${Table}
    label=${say("page.links")}
    rows=${found}
    id=${({ name }) => name}
    open=${({ name }) => go(to("links", [name]))}
    columns=${[
      {
        title: say("links.name"),
        class: "main-cell",
        by: ({ name }) => name,
        cell: (one) =>
          html`<a href=${to("links", [one.name])}><b>${one.name}</b></a>${one.crm && html`<br /><span class="quiet small">${crmName(one.crm)}</span>`}`,
      },
      {
        title: say("links.state"),
        by: ({ state }) => state,
        cell: (
          one,
        ) => html`<${State} kind="link" state=${one.state} /> <span class="quiet small" title=${whole(one.since_ms)}>${ago(one.since_ms)}</span>
          ${one.state !== "up" && one.detail && html`<p class="why small">${one.detail}</p>`}`,
      },
      {
        title: say("links.way"),
        by: ({ mode }) => mode,
        cell: (one) =>
          html`${sayOr(`mode.${one.mode}`, one.mode)} ${one.format && html`<${Tag}>${one.format.toUpperCase()}<//>`}<br /><span class="quiet small mono">${where(one)}</span>`,
      },
      {
        title: say("links.offers"),
        cell: (one) =>
          html`<span class="small">${say("links.offers.n", { methods: offered(one.methods).length, forms: offered(one.forms).length })}</span>`,
      },
      {
        title: say("links.flight"),
        class: "number",
        by: ({ in_flight }) => in_flight,
        cell: ({ in_flight }) => count(in_flight),
      },
      { title: say("origin"), cell: ({ origin }) => html`<${Tag}>${sayOr(`origin.${origin}`, origin ?? "")}<//>` },
    ]}
    ends=${(one) => html`<${Acts} one=${one} />`}
  />`;
}

const crmName = (crm) => (typeof crm === "string" ? crm : [crm?.name, crm?.version].filter(Boolean).join(" "));
const again = (name) => attempt(() => post(`links/${part(name)}/reconnect`), say("links.again.done", { name }));

async function drop(name, then) {
  if (!(await sure(say("links.remove"), say("links.remove.sure", { name }), say("links.remove")))) return;
  then?.(); // first, so that nobody looks for what is not there any more
  await attempt(() => remove(`links/${part(name)}`), say("links.removed", { name }));
}

function Acts({ one, then }) {
  return html`<${Menu}
    label=${say("more.about", { what: one.name })}
    items=${[
      { text: say("links.again"), icon: "again", act: () => again(one.name) },
      { text: say("links.inspect"), icon: "inspect", act: () => go(to("inspector", [], { link: one.name })) },
      one.origin !== "file" && {
        text: say("links.edit"),
        icon: "edit",
        act: () => go(to("links", [one.name, "edit"])),
      },
      one.origin !== "file" && { text: say("links.remove"), icon: "trash", bad: true, act: () => drop(one.name, then) },
    ]}
  />`;
}

function One({ name }) {
  const load = useLoad(`links/${part(name)}`, { about: ["links"] });
  return html`
    <p class="back"><a href=${to("links")}><${Icon} name="before" size="16" />${say("page.links")}</a></p>
    <${Loaded} load=${load}>${(one) => html`<${Whole} one=${one} />`}<//>
  `;
}

function Whole({ one }) {
  const methods = offered(one.methods);
  const { introduction, capabilities = {}, settings = {} } = one;
  const said = introduction && { ...introduction, more: undefined, ...introduction.more };
  return html`
    <div class="headline">
      <h2 class="title">${one.name}</h2>
      <${State} kind="link" state=${one.state} />
      <span class="grow"></span>
      <button type="button" onClick=${() => again(one.name)}><${Icon} name="again" />${say("links.again")}</button>
      <a class="button" href=${to("inspector", [], { link: one.name })}><${Icon} name="inspect" />${say("links.inspect")}</a>
      ${one.origin !== "file" && html`<a class="button" href=${to("links", [one.name, "edit"])}><${Icon} name="edit" />${say("links.edit")}</a>`}
      ${one.origin !== "file" && html`<button type="button" class="danger" onClick=${() => drop(one.name, () => go(to("links")))}><${Icon} name="trash" />${say("links.remove")}</button>`}
    </div>
    ${one.state !== "up" && one.detail && html`<p class="note warn">${one.detail}</p>`}
    ${one.origin === "file" && html`<p class="note">${say("links.file")}</p>`}
    <div class="columns">
      <section class="card">
        <h2>${say("links.connection")}</h2>
        <${Facts}
          rows=${[
            [say("links.since"), html`<span title=${whole(one.since_ms)}>${span(gatewayNow() - one.since_ms)}</span>`],
            [say("links.way"), sayOr(`mode.${one.mode}`, one.mode)],
            [say("links.format"), (one.format ?? "").toUpperCase()],
            [say("links.where"), where(one) && html`<span class="mono">${where(one)}</span>`],
            [say("links.crm"), crmName(one.crm)],
            [say("links.flight"), count(one.in_flight)],
            [say("origin"), sayOr(`origin.${one.origin}`, one.origin)],
            [say("links.detail"), one.state === "up" ? one.detail : ""],
          ]}
        />
        <h3>${say("links.capabilities")}</h3>
        <${Capabilities} of=${capabilities} />
      </section>
      <section class="card">
        <h2>${say("links.try")}</h2>
        ${methods.length ? html`<${Try} link=${one.name} names=${methods} />` : html`<p class="quiet">${say("links.try.none")}</p>`}
        <h3>${say("links.forms")}</h3>
        ${(capabilities.forms ?? []).length ? capabilities.forms.map((form) => html`<${Takes} of=${form} key=${form.name} />`) : html`<p class="quiet">${say("links.forms.none")}</p>`}
      </section>
      <section class="card">
        <h2>${say("links.introduction")}</h2>
        ${
          said
            ? html`<${Facts} rows=${Object.entries(said).map(([key, value]) => [html`<span class="mono">${key}</span>`, value === undefined ? "" : shown(value)])} />`
            : html`<p class="quiet">${say("links.introduction.none")}</p>`
        }
      </section>
      <section class="card">
        <h2>${say("links.settings")}</h2>
        <${Facts} rows=${Object.entries(settings).map(([key, value]) => [html`<span class="mono">${key}</span>`, html`<span class="mono">${shown(value)}</span>`])} />
      </section>
    </div>
  `;
}

const shown = (value) =>
  Array.isArray(value)
    ? value.join(", ") || "—"
    : typeof value === "object" && value !== null
      ? JSON.stringify(value)
      : String(value);

/** What the CRM offers, and what it is sent. */
function Capabilities({ of }) {
  const { methods = [], forms = [], events = {}, active_users = 0, tunnel_users = 0 } = of;
  const users = events.users ?? [];
  const silent = events.silent ?? [];
  const heard = users.length ? say("links.events.of", { users: users.join(", ") }) : say("links.events.all");
  return html`<${Facts}
    rows=${[
      [say("links.offers"), say("links.offers.n", { methods: methods.length, forms: forms.length })],
      [say("links.events"), events.heard ? heard : say("links.events.none")],
      [say("links.events.silent"), silent.length ? html`<span class="mono">${silent.join(", ")}</span>` : ""],
      [say("links.users"), say("links.users.n", { active: count(active_users), tunnel: count(tunnel_users) })],
    ]}
  />`;
}

/** A form with what it shows and asks for. */
function Takes({ of }) {
  return html`<details><summary><span class="mono">${of.name}</span>${of.caption && of.caption !== of.name ? ` · ${of.caption}` : ""}</summary>
    <h3>${say("links.forms.shows")}</h3><ul>${parameters(of.input)}</ul>
    <h3>${say("links.forms.asks")}</h3><ul>${parameters(of.output) ?? say("links.try.anything")}</ul>
  </details>`;
}

const parameters = (all) =>
  all?.map(
    ({ name, type, caption, required }) =>
      html`<li><span class="mono">${name}</span> <span class="quiet small">${type}${required ? ` · ${say("links.try.needed")}` : ""}${caption ? ` · ${caption}` : ""}</span></li>`,
  );

/** Calls a dynamic method of this link, and shows what comes of it. */
function Try({ link, names }) {
  const all = useLoad("methods", { about: ["links"] });
  const name = useSignal(names[0]);
  const input = useSignal("{}");
  const user = useSignal("");
  const wrong = useSignal("");
  const answer = useSignal(null);
  const busy = useSignal(false);
  const declared = all.data?.items?.find((one) => one.name === name.value);

  async function submit(event) {
    event.preventDefault();
    wrong.value = "";
    let given;
    try {
      given = JSON.parse(input.value || "{}");
    } catch {
      wrong.value = say("notJson");
      return;
    }
    busy.value = true;
    const began = performance.now();
    try {
      const got = await post(`methods/${part(name.value)}`, {
        input: given,
        link,
        ...(user.value ? { userlogin: user.value } : {}),
      });
      answer.value = { ms: performance.now() - began, body: got };
    } catch (error) {
      if (error.body?.outcome) answer.value = { ms: performance.now() - began, body: error.body };
      else wrong.value = why(error);
    }
    busy.value = false;
  }

  return html`<form onSubmit=${submit} class="try" novalidate>
    <${Choice} label=${say("links.try.method")} value=${name.value} set=${(value) => (name.value = value)} choices=${names} />
    ${declared && html`<${Declared} of=${declared} />`}
    <${Area} label=${say("links.try.input")} class="code" rows="4" value=${input.value} set=${(value) => (input.value = value)} />
    <${Text} label=${say("links.try.user")} value=${user.value} set=${(value) => (user.value = value)} />
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    <div class="row"><button class="main" type="submit" disabled=${busy.value}><${Icon} name="play" />${say(busy.value ? "links.try.waiting" : "links.try.do")}</button>
    ${answer.value && html`<${State} kind="result" state=${answer.value.body.outcome} /> <span class="quiet small number">${millis(answer.value.ms)}</span>`}</div>
    ${answer.value && html`<div role="status"><${Json} value=${answer.value.body} /></div>`}
  </form>`;
}

/** What a method takes and gives, and how it has done so far. */
function Declared({ of }) {
  return html`<p class="quiet small">${of.count ? say("links.try.counts", { n: count(of.count), half: millis(of.p50_ms), most: millis(of.p95_ms) }) : say("links.try.never")}</p>
    ${
      (of.input ?? of.output) &&
      html`<details><summary>${say("links.try.declared")}</summary>
      <h3>${say("links.try.takes")}</h3><ul>${parameters(of.input) ?? say("links.try.anything")}</ul>
      <h3>${say("links.try.gives")}</h3><ul>${parameters(of.output) ?? say("links.try.anything")}</ul>
    </details>`
    }`;
}

function Edit({ name }) {
  const load = useLoad(`links/${part(name)}`);
  return html`<${Loaded} load=${load}>${(one) => html`<${LinkForm} before=${one} />`}<//>`;
}
