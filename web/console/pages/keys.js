/** Keys of programs: made, shown once, replaced, removed. */

import { useSignal } from "@preact/signals";
import { part, post, remove } from "../api.js";
import { ago, day, fromLocal, whole } from "../format.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { Tag } from "../parts/badge.js";
import { ask, sure } from "../parts/dialog.js";
import { Area, Choice, Copy, Search, Text, words } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { attempt, why } from "../parts/said.js";
import { Empty, Loaded } from "../parts/states.js";
import { Table } from "../parts/table.js";
import { say, sayOr } from "../words.js";

const RIGHTS = [
  "call",
  "state",
  "conference",
  "queue",
  "journal",
  "forms",
  "dynamic",
  "users",
  "files",
  "procedures",
  "webapi",
];

export function Keys() {
  const load = useLoad("keys", { about: ["keys", "settings", "users"] });
  const text = useSignal("");
  const make = async () => {
    const made = await ask(say("keys.make"), ({ close }) => html`<${Make} close=${close} />`, {
      wide: true,
      strict: true,
    });
    if (!made) return;
    load.reload();
    show(made);
  };
  return html`
    <div class="tools">
      <${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("keys.search")} />
      <span class="grow"></span>
      <button type="button" class="main" data-new onClick=${make}><${Icon} name="add" />${say("keys.make")}</button>
    </div>
    <${Loaded} load=${load}>${({ items = [] }) => html`<${List} items=${items} text=${text.value} make=${make} again=${load.reload} />`}<//>
  `;
}

/** The only time that a key can be seen. */
const show = ({ client_id, key }) =>
  ask(
    say("keys.made", { who: client_id }),
    ({ close }) => html`<p class="note warn">${say("keys.once")}</p>
      <p class="secret mono" data-key>${key}</p>
      <div class="row"><${Copy} text=${key} /></div>
      <p class="quiet small">${say("keys.use")}</p>
      <pre class="json mono">curl -H "Authorization: Bearer ${key.slice(0, 6)}…" ${location.origin}/api/v1/calls</pre>
      <div class="ends"><button type="button" class="main" onClick=${() => close()}>${say("keys.kept")}</button></div>`,
    { wide: true, strict: true },
  );

function List({ items, text, make, again }) {
  const low = text.trim().toLowerCase();
  const found = items.filter((one) =>
    [one.client_id, one.kind, one.login].some((word) =>
      String(word ?? "")
        .toLowerCase()
        .includes(low),
    ),
  );
  if (!items.length)
    return html`<${Empty} icon="key" title=${say("keys.none")}><p>${say("keys.none.what")}</p><p><button type="button" class="main" onClick=${make}>${say("keys.make")}</button></p><//>`;
  if (!found.length) return html`<${Empty} title=${say("noneFound")} />`;
  return html`<${Table}
    label=${say("page.keys")}
    rows=${found}
    id=${({ client_id }) => client_id}
    columns=${[
      {
        title: say("keys.client"),
        class: "main-cell",
        by: ({ client_id }) => client_id,
        cell: ({ client_id }) => html`<b class="mono">${client_id}</b>`,
      },
      {
        title: say("keys.kind"),
        by: ({ kind }) => kind,
        cell: (one) =>
          html`${sayOr(`keykind.${one.kind}`, one.kind)} <span class="quiet small">${one.login || shown(one.numbers)}</span>`,
      },
      {
        title: say("keys.rights"),
        cell: ({ rights }) =>
          html`<span class="tags">${list(rights).map((one) => html`<${Tag} title=${sayOr(`right.${one}`, one)}>${one}<//>`)}</span>`,
      },
      {
        title: say("keys.used"),
        by: ({ used_ms }) => used_ms ?? 0,
        cell: ({ used_ms }) =>
          html`<span title=${whole(used_ms)}>${used_ms ? ago(used_ms) : say("keys.unused")}</span>`,
      },
      {
        title: say("keys.expires"),
        by: ({ expires_ms }) => expires_ms ?? Infinity,
        cell: ({ expires_ms }) =>
          expires_ms
            ? expires_ms < Date.now()
              ? html`<span class="pill bad">${say("keys.expired")}</span>`
              : day(expires_ms)
            : say("keys.never"),
      },
      {
        title: say("keys.since"),
        by: ({ made_ms }) => made_ms,
        cell: ({ made_ms, replaced_ms }) =>
          html`${day(made_ms)}${replaced_ms ? html`<br /><span class="quiet small">${say("keys.replaced", { at: day(replaced_ms) })}</span>` : ""}`,
      },
    ]}
    ends=${({ client_id }) => html`<${Menu}
      label=${say("more.about", { what: client_id })}
      items=${[
        { text: say("keys.replace"), icon: "again", act: () => replace(client_id, again) },
        { text: say("keys.remove"), icon: "trash", bad: true, act: () => drop(client_id, again) },
      ]}
    />`}
  />`;
}

const list = (value) => (Array.isArray(value) ? value : words(value));
const shown = (numbers) => list(numbers).join(", ");

async function replace(client_id, again) {
  if (!(await sure(say("keys.replace"), say("keys.replace.sure", { who: client_id }), say("keys.replace")))) return;
  let made;
  const worked = await attempt(async () => (made = await post(`keys/${part(client_id)}/replace`)));
  if (!worked) return;
  again();
  show({ client_id, ...made });
}

async function drop(client_id, again) {
  if (!(await sure(say("keys.remove"), say("keys.remove.sure", { who: client_id }), say("keys.remove")))) return;
  if (await attempt(() => remove(`keys/${part(client_id)}`), say("keys.removed", { who: client_id }))) again();
}

function Make({ close }) {
  const users = useLoad("users");
  const values = useSignal({
    client_id: "",
    kind: "service",
    login: "",
    numbers: "",
    rights: ["call", "journal", "forms"],
    expires: "",
  });
  const wrong = useSignal({});
  const refused = useSignal("");
  const busy = useSignal(false);
  const v = values.value;
  const set = (key) => (value) => (values.value = { ...values.peek(), [key]: value });

  async function submit(event) {
    event.preventDefault();
    const lacks = {};
    if (!v.client_id.trim()) lacks.client_id = say("missing");
    if (v.kind === "widget" && !v.login) lacks.login = say("missing");
    wrong.value = lacks;
    if (Object.keys(lacks).length) return;
    busy.value = true;
    refused.value = "";
    const body = {
      client_id: v.client_id.trim(),
      kind: v.kind,
      rights: v.rights,
      ...(v.kind === "widget" ? { login: v.login } : {}),
      ...(v.numbers.trim() ? { numbers: words(v.numbers).join(",") } : {}),
      ...(v.expires ? { expires_ms: fromLocal(`${v.expires}T23:59`) } : {}),
    };
    try {
      close(await post("keys", body));
    } catch (error) {
      refused.value = error.status === 409 ? say("keys.known", { who: body.client_id }) : why(error);
    }
    busy.value = false;
  }

  return html`<form onSubmit=${submit} novalidate>
    <div class="fields">
      <${Text} label=${say("keys.client")} help=${say("keys.client.help")} needed wrong=${wrong.value.client_id} class="code" value=${v.client_id} set=${set("client_id")} />
      <${Choice} label=${say("keys.kind")} help=${say(`keykind.${v.kind}.what`)} value=${v.kind} set=${set("kind")} choices=${["service", "widget"].map((one) => [one, say(`keykind.${one}`)])} />
      ${
        v.kind === "widget" &&
        html`<${Choice} label=${say("keys.login")} help=${say("keys.login.help")} needed wrong=${wrong.value.login} value=${v.login} set=${set("login")}
        choices=${[["", "—"], ...(users.data?.items ?? []).map((one) => [one.login, one.name || one.login])]} />`
      }
      ${v.kind === "service" && html`<${Area} label=${say("keys.numbers")} help=${say("keys.numbers.help")} rows="2" value=${v.numbers} set=${set("numbers")} />`}
      <${Text} label=${say("keys.expires")} type="date" help=${say("keys.expires.help")} value=${v.expires} set=${set("expires")} />
    </div>
    <fieldset class="checks-of"><legend>${say("keys.rights")}</legend>
      <ul class="rights">${RIGHTS.map(
        (
          right,
        ) => html`<li><label class="check"><input type="checkbox" checked=${v.rights.includes(right)} onChange=${(event) => set("rights")(event.currentTarget.checked ? [...v.rights, right] : v.rights.filter((one) => one !== right))} />
        <span>${sayOr(`right.${right}`, right)} <span class="mono quiet small">${right}</span></span></label></li>`,
      )}</ul>
    </fieldset>
    ${refused.value && html`<p class="note bad" role="alert">${refused.value}</p>`}
    <div class="ends"><button type="button" onClick=${() => close()}>${say("cancel")}</button><button class="main" type="submit" disabled=${busy.value}>${say("keys.make")}</button></div>
  </form>`;
}
