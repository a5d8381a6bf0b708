/** People: who may sign in, what each may do, and who is there now. */

import { useSignal } from "@preact/signals";
import { ask as request, part, remove } from "../api.js";
import { ago, moment, whole } from "../format.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { Facts, Tag } from "../parts/badge.js";
import { ask, sure } from "../parts/dialog.js";
import { Pills, Search } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { attempt, tell, why } from "../parts/said.js";
import { Empty, Loaded } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { go, to } from "../route.js";
import { say, sayOr } from "../words.js";
import { PersonForm, RightsOf } from "./person-form.js";

export function People({ parts, query }) {
  return parts[0] === "roles" ? html`<${Roles} />` : html`<${List} query=${query} />`;
}

function List({ query }) {
  const load = useLoad("users", { about: ["users"] });
  const text = useSignal(query.q ?? "");
  const kind = useSignal("all");
  const department = useSignal("");
  const add = () =>
    ask(say("people.add"), ({ close }) => html`<${PersonForm} close=${close} />`, { wide: true, strict: true });
  return html`
    <div class="tools">
      <${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("people.search")} />
      <span class="grow"></span>
      <a class="button" href=${to("people", ["roles"])}><${Icon} name="audit" />${say("people.roles")}</a>
      <button type="button" onClick=${() => ask(say("people.import"), ({ close }) => html`<${Import} close=${close} />`, { wide: true, strict: true })}><${Icon} name="load" />${say("people.import")}</button>
      <button type="button" class="main" data-new onClick=${add}><${Icon} name="add" />${say("people.add")}</button>
    </div>
    <${Loaded} load=${load}>${({ items = [] }) => html`<${Found} ...${{ items, text, kind, department, add }} />`}<//>
  `;
}

function Found({ items, text, kind, department, add }) {
  if (!items.length)
    return html`<${Empty} icon="people" title=${say("people.none")}><p>${say("people.none.what")}</p><p><button type="button" class="main" onClick=${add}>${say("people.add")}</button></p><//>`;
  const kinds = {
    all: () => true,
    online: ({ online }) => online,
    admin: ({ role }) => role === "admin",
    never: ({ last_sign_in_ms }) => !last_sign_in_ms,
  };
  const departments = [...new Set(items.map((one) => one.department).filter(Boolean))].sort();
  const low = text.value.trim().toLowerCase();
  const found = items.filter(
    (one) =>
      kinds[kind.value](one) &&
      (!department.value || one.department === department.value) &&
      [one.login, one.name, one.number, one.department].some((word) =>
        String(word ?? "")
          .toLowerCase()
          .includes(low),
      ),
  );
  return html`
    <div class="tools">
      <${Pills} label=${say("people.filter")} value=${kind.value} set=${(value) => (kind.value = value)}
        choices=${Object.entries(kinds).map(([key, fits]) => [key, say(`people.${key}`), items.filter(fits).length])} />
      ${
        departments.length > 0 &&
        html`<select aria-label=${say("people.department")} class="auto" value=${department.value} onChange=${(event) => (department.value = event.currentTarget.value)}>
        <option value="">${say("people.departments")}</option>
        ${departments.map((one) => html`<option value=${one}>${one}</option>`)}
      </select>`
      }
    </div>
    ${found.length ? html`<${Rows} items=${found} />` : html`<${Empty} title=${say("noneFound")} />`}
  `;
}

const edit = (one) =>
  ask(one.name || one.login, ({ close }) => html`<${PersonForm} before=${one} close=${close} />`, {
    wide: true,
    strict: true,
  });

function Rows({ items }) {
  return html`<${Table}
    label=${say("page.people")}
    rows=${items}
    first=${{ at: 0, down: false }}
    id=${({ login }) => login}
    open=${edit}
    columns=${[
      {
        title: say("people.name"),
        class: "main-cell",
        by: ({ name, login }) => name || login,
        cell: (one) =>
          html`<button type="button" class="link" onClick=${() => edit(one)}>${one.name || one.login}</button><br /><span class="quiet small">${one.login}</span>`,
      },
      {
        title: say("people.number"),
        class: "number",
        by: ({ number }) => number ?? "",
        cell: ({ number }) => number || "—",
      },
      {
        title: say("people.department"),
        by: ({ department }) => department ?? "",
        cell: ({ department }) => department || "—",
      },
      {
        title: say("people.role"),
        by: ({ role }) => role ?? "",
        cell: (one) => html`${sayOr(`role.${one.role}`, one.role || say("people.noRole"))}
          ${one.rights_added?.length > 0 && html` <${Tag} tone="good" title=${one.rights_added.join(", ")}>+${one.rights_added.length}<//>`}
          ${one.rights_removed?.length > 0 && html` <${Tag} tone="bad" title=${one.rights_removed.join(", ")}>−${one.rights_removed.length}<//>`}`,
      },
      {
        title: say("people.state"),
        by: ({ online }) => (online ? 0 : 1),
        cell: (
          one,
        ) => html`<span class="dot ${one.online ? "good" : ""}">${one.online ? stateWords(one.state) : say("people.offline")}</span>
          ${one.tabs?.length > 0 && html` <span class="quiet small">${say("tabs.n", { n: one.tabs.length })}</span>`}`,
      },
      {
        title: say("people.last"),
        by: ({ last_sign_in_ms }) => last_sign_in_ms ?? 0,
        cell: ({ last_sign_in_ms: at }) =>
          html`<span class="number" title=${whole(at)}>${at ? ago(at) : say("people.never")}</span>`,
      },
      {
        title: say("people.marks"),
        cell: (one) => html`<span class="tags">
          ${one.second_factor && html`<${Tag} tone="good" title=${say("factor.title")}>2FA<//>`}
          ${one.must_change_password && html`<${Tag} tone="warn">${say("people.must")}<//>`}
          ${one.api_call_enabled && html`<${Tag} title=${say("people.api.help")}>API<//>`}
          ${one.origin === "file" && html`<${Tag}>${say("origin.file")}<//>`}
        </span>`,
      },
    ]}
    ends=${(one) => html`<${Menu}
      label=${say("more.about", { what: one.name || one.login })}
      items=${[
        { text: say(one.origin === "file" ? "people.look" : "people.edit"), icon: "edit", act: () => edit(one) },
        { text: say("people.sessions"), icon: "screen", act: () => sessions(one) },
        { text: say("explain"), icon: "explain", act: () => go(to("explain", ["user", one.login])) },
        { text: say("people.inspect"), icon: "inspect", act: () => go(to("inspector", [], { user: one.login })) },
        one.number && {
          text: say("people.journal"),
          icon: "journal",
          act: () => go(to("journal", [], { number: one.number })),
        },
        one.second_factor && { text: say("factor.reset"), icon: "key", act: () => resetFactor(one) },
        one.origin !== "file" && { text: say("people.remove"), icon: "trash", bad: true, act: () => drop(one) },
      ]}
    />`}
  />`;
}

/** A person's state, which the gateway tells as a number of the protocol. */
const stateWords = (state) =>
  typeof state === "number" ? say(`userstate.${state}`) : sayOr(`userstate.${state}`, state || say("people.online"));

async function drop(one) {
  if (await sure(say("people.remove"), say("people.remove.sure", { who: one.name || one.login }), say("people.remove")))
    await attempt(() => remove(`users/${part(one.login)}`), say("people.removed", { who: one.name || one.login }));
}

async function resetFactor(one) {
  if (await sure(say("factor.reset"), say("factor.reset.sure", { who: one.name || one.login }), say("factor.reset")))
    await attempt(() => remove(`users/${part(one.login)}/second_factor`), say("factor.reset.done"));
}

const sessions = (one) =>
  ask(
    say("people.sessions.of", { who: one.name || one.login }),
    ({ close }) => html`<${Sessions} one=${one} close=${close} />`,
    { wide: true },
  );

function Sessions({ one, close }) {
  const load = useLoad(`users/${part(one.login)}/sessions`, { about: ["users"] });
  const end = async () => {
    if (await attempt(() => remove(`users/${part(one.login)}/sessions`), say("people.sessions.ended"))) close();
  };
  return html`<${Loaded} load=${load} lines="3">
    ${(data) => {
      const { items } = data;
      return html`${items.length === 0 && html`<p class="quiet">${say("people.sessions.none")}</p>`}
        <ul class="rows">${items.map(
          (session) => html`<li class="row nowrap">
          <${Icon} name="screen" /><span class="grow">
            <b>${sayOr(`session.${session.door}`, session.door)}</b>
            <span class="quiet small"> ${[session.link, session.address, session.tab && `${say("session.tab")} ${session.tab}`].filter(Boolean).join(" · ")}</span></span>
          <time class="quiet number small">${moment(session.since_ms)}</time>
        </li>`,
        )}</ul>
        <div class="ends"><button type="button" class="bad" onClick=${end}>${say("people.sessions.end")}</button></div>`;
    }}
  <//>`;
}

/** People from a file: what would happen first, then it happens. */
function Import({ close }) {
  const text = useSignal("");
  const plan = useSignal(null);
  const wrong = useSignal("");
  const busy = useSignal(false);

  async function send(really) {
    busy.value = true;
    wrong.value = "";
    try {
      const answer = await request("POST", `users/import${really ? "" : "?try=1"}`, text.value, { type: "text/csv" });
      if (really) {
        tell(say("import.done", { added: answer.added, changed: answer.changed }));
        close();
      } else plan.value = answer;
    } catch (error) {
      wrong.value = why(error);
    }
    busy.value = false;
  }

  async function chosen(event) {
    const [file] = event.currentTarget.files;
    if (!file) return;
    text.value = await file.text();
    plan.value = null;
  }

  return html`<div class="import">
    <p class="quiet">${say("import.what")}</p>
    <p class="mono small sample">login,name,number,department,role,password</p>
    <div class="field"><label for="import-file">${say("import.file")}</label><input id="import-file" type="file" accept=".csv,text/csv,text/plain" onChange=${chosen} /></div>
    <div class="field"><label for="import-text">${say("import.text")}</label>
      <textarea id="import-text" class="code" rows="7" spellcheck=${false} value=${text.value} onInput=${(event) => {
        text.value = event.currentTarget.value;
        plan.value = null;
      }}></textarea></div>
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    ${
      plan.value &&
      html`<div role="status">
      <${Facts} rows=${[
        [say("import.added"), plan.value.added],
        [say("import.changed"), plan.value.changed],
        [say("import.refused"), plan.value.refused.length],
      ]} />
      ${plan.value.refused.length > 0 && html`<p class="note warn">${say("import.none")}</p><ul class="refused rows">${plan.value.refused.map((one) => html`<li><b class="number">${say("import.line", { n: one.line })}</b> ${one.column && html`<span class="mono">${one.column}</span> `}${one.why}</li>`)}</ul>`}
    </div>`
    }
    <div class="ends">
      <button type="button" onClick=${() => close()}>${say("cancel")}</button>
      <button type="button" class=${plan.value ? "" : "main"} disabled=${busy.value || !text.value.trim()} onClick=${() => send(false)}>${say("import.try")}</button>
      ${plan.value && html`<button type="button" class="main" disabled=${busy.value || plan.value.refused.length > 0 || !(plan.value.added + plan.value.changed)} onClick=${() => send(true)}>${say("import.do")}</button>`}
    </div>
  </div>`;
}

/** What each role may do: rights, and the methods that need them. */
function Roles() {
  const load = useLoad("roles");
  const text = useSignal("");
  return html`
    <p class="back"><a href=${to("people")}><${Icon} name="before" size="16" />${say("page.people")}</a></p>
    <${Loaded} load=${load}>${(data) => html`<${RightsOf} data=${data} text=${text} />`}<//>
  `;
}
