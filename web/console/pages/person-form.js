/** One person: who they are, how they sign in, what they may do. And the table of what each role may do. */

import { useSignal } from "@preact/signals";
import { part, patch, post } from "../api.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { ask } from "../parts/dialog.js";
import { Area, Check, Choice, Copy, Search, Text, Word, words } from "../parts/field.js";
import { Empty } from "../parts/states.js";
import { tell, why } from "../parts/said.js";
import { say, sayOr } from "../words.js";

const ROLES = ["agent", "supervisor", "integrator", "admin"];

/** The only time that a password made by the gateway can be seen. */
const made = (who, password) =>
  ask(
    say("people.made", { who }),
    ({ close }) => html`<p class="note warn">${say("people.once")}</p>
      <p class="secret mono" data-password>${password}</p>
      <div class="row"><${Copy} text=${password} /></div>
      <div class="ends"><button type="button" class="main" onClick=${() => close()}>${say("keys.kept")}</button></div>`,
    { strict: true },
  );

export function PersonForm({ before = null, close }) {
  const fixed = before?.origin === "file";
  const roles = useLoad("roles");
  const departments = useLoad("departments");
  const values = useSignal(
    before
      ? { ...before, subordinates: before.subordinates.join(", "), password: "" }
      : {
          login: "",
          name: "",
          number: "",
          department: "",
          role: "agent",
          password: "",
          subordinates: "",
          rights_added: [],
          rights_removed: [],
          must_change_password: true,
          api_call_enabled: false,
        },
  );
  const wrong = useSignal({});
  const refused = useSignal("");
  const busy = useSignal(false);
  const set = (key) => (value) => (values.value = { ...values.peek(), [key]: value });
  const v = values.value;
  const known = roles.data?.items ?? [];
  const names = known.length ? known.map(({ role }) => role) : ROLES;
  const listed = departments.data?.items ?? [];

  async function submit(event) {
    event.preventDefault();
    const lacks = {};
    if (!v.login.trim()) lacks.login = say("missing");
    wrong.value = lacks;
    if (Object.keys(lacks).length) return;
    busy.value = true;
    refused.value = "";
    const body = {
      name: v.name.trim(),
      number: v.number ?? "",
      department: v.department ?? "",
      role: v.role,
      rights: [...v.rights_added.map((right) => `+${right}`), ...v.rights_removed.map((right) => `-${right}`)],
      subordinates: words(v.subordinates),
      api_call_enabled: Boolean(v.api_call_enabled),
      must_change_password: Boolean(v.must_change_password),
      ...(v.password ? { password: v.password } : before ? {} : { generate_password: true }),
    };
    try {
      const done = before
        ? await patch(`users/${part(before.login)}`, body)
        : await post("users", { login: v.login.trim(), ...body });
      tell(say("people.saved", { who: v.name || v.login }));
      close(true);
      if (done.password) made(v.name || v.login, done.password);
    } catch (error) {
      refused.value = why(error);
    }
    busy.value = false;
  }

  return html`<form onSubmit=${submit} novalidate>
    ${fixed && html`<p class="note">${say("people.file")}</p>`}
    <fieldset disabled=${fixed} class="fields">
      <${Text} label=${say("login")} needed wrong=${wrong.value.login} disabled=${Boolean(before)} autocapitalize="none" value=${v.login} set=${set("login")} />
      <${Text} label=${say("people.name")} value=${v.name} set=${set("name")} />
      <${Text} label=${say("people.number")} inputmode="tel" value=${v.number} set=${set("number")} help=${say("people.number.help")} />
      <${Text} label=${say("people.department")} list="known-departments" value=${v.department} set=${set("department")} />
      <datalist id="known-departments">${listed.map((one) => html`<option value=${one.name ?? one}></option>`)}</datalist>
      <${Choice} label=${say("people.role")} value=${v.role} set=${set("role")} choices=${names.map((one) => [one, sayOr(`role.${one}`, one)])} />
      <${Word} label=${say(before ? "people.password.new" : "password")} autocomplete="new-password" value=${v.password} set=${set("password")} help=${say(before ? "people.password.kept" : "people.password.made")} />
    </fieldset>
    <fieldset disabled=${fixed} class="checks-of">
      <${Check} label=${say("people.mustChange")} value=${v.must_change_password} set=${set("must_change_password")} />
      <${Check} label=${say("people.api")} help=${say("people.api.help")} value=${v.api_call_enabled} set=${set("api_call_enabled")} />
    </fieldset>
    <details class="rest" open=${v.rights_added.length + v.rights_removed.length > 0}>
      <summary>${say("people.rights")}</summary>
      <${Rights} roles=${known} role=${v.role} added=${v.rights_added} removed=${v.rights_removed} fixed=${fixed}
        set=${(added, removed) => (values.value = { ...values.peek(), rights_added: added, rights_removed: removed })} all=${roles.data?.rights} />
      <${Area} label=${say("people.subordinates")} help=${say("people.subordinates.help")} rows="2" disabled=${fixed} value=${v.subordinates} set=${set("subordinates")} />
    </details>
    ${refused.value && html`<p class="note bad" role="alert">${refused.value}</p>`}
    <div class="ends">
      <button type="button" onClick=${() => close()}>${say(fixed ? "close" : "cancel")}</button>
      ${!fixed && html`<button class="main" type="submit" disabled=${busy.value}>${say("save")}</button>`}
    </div>
  </form>`;
}

/** Single rights beside those of the role: each is by the role, added or taken away. */
function Rights({ roles, role, added, removed, set, fixed, all = [] }) {
  const byRole = new Set(roles.find((one) => one.role === role)?.rights ?? []);
  function toggle(right, on) {
    const [more, less] = [added.filter((one) => one !== right), removed.filter((one) => one !== right)];
    if (on && !byRole.has(right)) more.push(right);
    if (!on && byRole.has(right)) less.push(right);
    set(more, less);
  }
  return html`<ul class="rights">
    ${all.map((right) => {
      const on = (byRole.has(right) || added.includes(right)) && !removed.includes(right);
      const mark =
        added.includes(right) && !byRole.has(right)
          ? "added"
          : removed.includes(right) && byRole.has(right)
            ? "removed"
            : "";
      return html`<li class=${mark}><label class="check">
        <input type="checkbox" checked=${on} disabled=${fixed} onChange=${(event) => toggle(right, event.currentTarget.checked)} />
        <span>${sayOr(`right.${right}`, right)} <span class="mono quiet small">${right}</span></span>
        ${mark && html`<span class="tag ${mark === "added" ? "good" : "bad"}">${say(`right.${mark}`)}</span>`}
      </label></li>`;
    })}
  </ul>`;
}

/** Role × right, and role × method. */
export function RightsOf({ data, text }) {
  const { items: roles, rights } = data;
  const low = text.value.trim().toLowerCase();
  const methods = [...new Set(roles.flatMap((role) => role.methods))]
    .filter((name) => name.toLowerCase().includes(low))
    .sort();
  const mark = (on) =>
    on
      ? html`<span class="dot good" title=${say("yes")}><span class="unseen">${say("yes")}</span></span>`
      : html`<span class="quiet">—<span class="unseen">${say("no")}</span></span>`;
  const matrix = (
    caption,
    first,
    rows,
  ) => html`<div class="tabled" role="region" tabindex="0" aria-label=${caption}><table class="matrix">
    <caption class="unseen">${caption}</caption>
    <thead><tr><th scope="col">${first}</th>${roles.map(({ role }) => html`<th scope="col">${sayOr(`role.${role}`, role)}</th>`)}</tr></thead>
    <tbody>${rows.map(({ key, head, on }) => html`<tr key=${key}><th scope="row">${head}</th>${roles.map((role) => html`<td>${mark(on(role))}</td>`)}</tr>`)}</tbody>
  </table></div>`;
  const named = (right) => html`${sayOr(`right.${right}`, right)} <span class="mono quiet small">${right}</span>`;
  return html`
    <section><h2>${say("roles.rights")}</h2>
      ${matrix(
        say("roles.rights"),
        say("roles.right"),
        rights.map((right) => ({ key: right, head: named(right), on: (role) => role.rights.includes(right) })),
      )}
    </section>
    <section>
      <div class="tools"><h2 class="grow">${say("roles.methods")}</h2><${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("roles.search")} /></div>
      ${
        methods.length
          ? matrix(
              say("roles.methods"),
              say("roles.method"),
              methods.map((name) => ({
                key: name,
                head: html`<span class="mono">${name}</span>`,
                on: (role) => role.methods.includes(name),
              })),
            )
          : html`<${Empty} title=${say("noneFound")} />`
      }
    </section>
  `;
}
