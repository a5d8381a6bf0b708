/** What an operator may choose, with what each change does; tried first, then saved. */

import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { post, put, remove } from "../api.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { Tag } from "../parts/badge.js";
import { ask } from "../parts/dialog.js";
import { Pills, Search, Text, words } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { attempt, finding, tell, why } from "../parts/said.js";
import { Empty, Loaded } from "../parts/states.js";
import { either, say, sayOr } from "../words.js";

const EFFECTS = { now: "good", relink: "warn", restart: "bad" };

export function Settings({ query }) {
  const load = useLoad("settings", { about: ["settings"] });
  return html`<${Loaded} load=${load} lines="10">${({ items = [] }) => html`<${All} items=${items} first=${query.q ?? ""} again=${load.reload} />`}<//>`;
}

function All({ items, first, again }) {
  const text = useSignal(first);
  const kind = useSignal("all");
  const changed = useSignal({}); // by key: what was typed
  const low = text.value.trim().toLowerCase();
  const kinds = {
    all: () => true,
    set: ({ origin }) => origin && origin !== "default",
    changeable: ({ changeable }) => changeable,
  };
  const found = items.filter(
    (one) =>
      kinds[kind.value](one) &&
      [one.key, either(one, "help"), shown(one.value)].some((word) => String(word).toLowerCase().includes(low)),
  );
  const groups = Map.groupBy(found, ({ key }) => key.split(".")[0]);
  const set = (key, value) => {
    const before = items.find((one) => one.key === key);
    const next = { ...changed.peek() };
    if (value !== null && shown(value) === shown(before.value)) delete next[key];
    else next[key] = value;
    changed.value = next;
  };
  const n = Object.keys(changed.value).length;
  return html`
    <div class="tools">
      <${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("settings.search")} />
      <${Pills} label=${say("settings.filter")} value=${kind.value} set=${(value) => (kind.value = value)} choices=${Object.entries(kinds).map(([key, fits]) => [key, say(`settings.${key}`), items.filter(fits).length])} />
      <span class="grow"></span>
      <${Menu} class="" spoken label=${say("settings.whole")} items=${[
        { text: say("settings.reload"), icon: "again", act: () => reload(again) },
        {
          text: say("settings.drain"),
          icon: "pause",
          act: () => ask(say("settings.drain"), ({ close }) => html`<${Drain} close=${close} />`),
        },
        {
          text: say("settings.undrain"),
          icon: "play",
          act: () => attempt(() => remove("drain"), say("settings.undrained")),
        },
      ]}><${Icon} name="settings" />${say("settings.whole")}<${Icon} name="down" size="16" /><//>
    </div>
    ${found.length === 0 && html`<${Empty} title=${say("noneFound")} />`}
    ${[...groups].map(
      ([group, list]) => html`<section class="card group-of" key=${group}>
        <h2><span class="mono">[${group}]</span> ${sayOr(`section.${group}`, "")}</h2>
        <ul class="settings rows">${list.map((one) => html`<${Setting} key=${one.key} one=${one} value=${one.key in changed.value ? changed.value[one.key] : one.value} touched=${one.key in changed.value} set=${(value) => set(one.key, value)} />`)}</ul>
      </section>`,
    )}
    ${
      n > 0 &&
      html`<div class="changes card" role="region" aria-label=${say("settings.changes", { n })}>
      <span class="grow"><b>${say("settings.changes", { n })}</b></span>
      <button type="button" onClick=${() => (changed.value = {})}>${say("settings.discard")}</button>
      <button type="button" class="main" onClick=${() =>
        tryOut(values(changed.value, items), () => {
          changed.value = {};
          again();
        })}>${say("settings.try")}</button>
    </div>`
    }
  `;
}

const shown = (value) =>
  value === null || value === undefined
    ? ""
    : Array.isArray(value)
      ? value.join(", ")
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value);

/** What was typed, as the kinds of the keys are. */
function values(typed, items) {
  return Object.fromEntries(
    Object.entries(typed).map(([key, value]) => {
      if (value === null) return [key, null];
      const { kind, value: before } = items.find((one) => one.key === key);
      if (Array.isArray(before) || kind === "list") return [key, Array.isArray(value) ? value : words(value)];
      if (
        (kind === "number" || kind === "count" || typeof before === "number") &&
        String(value).trim() !== "" &&
        Number.isFinite(Number(value))
      )
        return [key, Number(value)];
      return [key, value];
    }),
  );
}

function Setting({ one, value, touched, set }) {
  const id = useId();
  const { key, kind, choices = [], changeable, origin, effect } = one;
  const flag = kind === "bool" || kind === "boolean" || kind === "flag" || typeof one.value === "boolean";
  const field = () => {
    if (!changeable) return html`<output id=${id} class="mono fixed">${shown(value) || "—"}</output>`;
    if (flag)
      return html`<label class="check"><input type="checkbox" id=${id} checked=${value === true} onChange=${(event) => set(event.currentTarget.checked)} /><span>${say(value ? "yes" : "no")}</span></label>`;
    if (choices.length)
      return html`<select id=${id} value=${value} onChange=${(event) => set(event.currentTarget.value)}>${choices.map((own) => html`<option value=${own} selected=${own === value}>${own}</option>`)}</select>`;
    return html`<input type="text" id=${id} class="mono" spellcheck=${false} autocomplete="off" value=${shown(value)} placeholder=${shown(one.default)} onInput=${(event) => set(event.currentTarget.value)} />`;
  };
  return html`<li class=${touched ? "setting touched" : "setting"}>
    <div class="about">
      <label for=${id} class="mono">${key}</label>
      <p class="quiet small">${either(one, "help")}</p>
    </div>
    <div class="value">
      ${field()}
      <p class="small quiet">${say("settings.default", { value: shown(one.default) || "—" })}</p>
    </div>
    <div class="marks">
      <${Tag} title=${say("settings.origin")}>${sayOr(`origin.${origin}`, origin ?? "")}<//>
      <${Tag} tone=${EFFECTS[effect] ?? ""} title=${say("settings.effect")}>${sayOr(`effect.${effect}`, effect ?? "")}<//>
      ${one.waits && html`<${Tag} tone="warn">${say("settings.waits")}<//>`}
      ${origin === "store" && changeable && html`<button type="button" class="plain little" onClick=${() => set(null)}>${say("settings.back")}</button>`}
    </div>
  </li>`;
}

/** Shows what a change would do, and does it when that is wanted. */
async function tryOut(body, done) {
  let answer;
  if (!(await attempt(async () => (answer = await put("settings?try=1", body))))) return;
  const wanted = await ask(
    say("settings.would"),
    ({ close }) => html`<${Changes} answer=${answer} />
    <div class="ends"><button type="button" onClick=${() => close(false)}>${say("cancel")}</button><button type="button" class="main" autofocus onClick=${() => close(true)}>${say("save")}</button></div>`,
    { wide: true },
  );
  if (wanted && (await attempt(() => put("settings", body), say("settings.saved")))) done();
}

async function reload(again) {
  let answer;
  if (!(await attempt(async () => (answer = await post("reload"))))) return;
  again();
  ask(
    say("settings.reloaded"),
    ({ close }) =>
      html`<${Changes} answer=${answer} /><div class="ends"><button type="button" class="main" onClick=${() => close()}>${say("close")}</button></div>`,
    { wide: true },
  );
}

/** What changed, and what each change does. */
export function Changes({ answer }) {
  const { changes = [], findings = [] } = answer;
  return html`
    ${
      changes.length
        ? html`<ul class="changed rows">${changes.map(
            (one) => html`<li>
          <span class="mono"><b>${one.key}</b></span> <${Tag} tone=${EFFECTS[one.effect] ?? ""}>${sayOr(`effect.${one.effect}`, one.effect)}<//>
          <p class="small"><del class="mono">${shown(one.was) || "—"}</del> → <ins class="mono">${shown(one.is) || "—"}</ins></p>
        </li>`,
          )}</ul>`
        : html`<p>${say("settings.same")}</p>`
    }
    ${findings.map((one) => html`<p class="note ${one.severity === "error" ? "bad" : "warn"}">${finding(one)}</p>`)}
  `;
}

/** Lets everybody go, little by little, and says when to come back. */
function Drain({ close }) {
  const over = useSignal("30");
  const back = useSignal("60");
  const wrong = useSignal("");
  async function submit(event) {
    event.preventDefault();
    try {
      await post("drain", {
        over_ms: Math.round(Number(over.value) * 1000),
        back_ms: Math.round(Number(back.value) * 1000),
      });
      tell(say("settings.draining"));
      close();
    } catch (error) {
      wrong.value = why(error);
    }
  }
  return html`<form onSubmit=${submit} novalidate>
    <p class="quiet">${say("settings.drain.what")}</p>
    <${Text} label=${say("settings.drain.over")} inputmode="numeric" value=${over.value} set=${(value) => (over.value = value)} />
    <${Text} label=${say("settings.drain.back")} inputmode="numeric" value=${back.value} set=${(value) => (back.value = value)} />
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    <div class="ends"><button type="button" onClick=${() => close()}>${say("cancel")}</button><button class="bad" type="submit">${say("settings.drain")}</button></div>
  </form>`;
}
