/**
 * A link, made or changed in three steps, as a telephone server asks it: first the way to connect, then only the fields
 * that this way has, then a try. The fields are those of the gateway's own list.
 */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get, part, post, put, query, stream } from "../api.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { Area, Check, Choice, Text, Word, words } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { why, tell } from "../parts/said.js";
import { Loaded } from "../parts/states.js";
import { go, to } from "../route.js";
import { either, say, sayOr } from "../words.js";

const PAUSE_MS = 350;
/** Which way each mode goes: the CRM comes to us, we go to it by WebSocket, or we post. */
const wayOf = (mode) =>
  mode.startsWith("accept") ? "in" : mode.startsWith("post") || mode.startsWith("http") ? "send" : "outward";
/** What stands in the first view; the rest is behind "more". */
const FIRST = [
  "name",
  "mode",
  "bind",
  "url",
  "format",
  "auth",
  "login",
  "password",
  "ticket",
  "rpc_login",
  "rpc_password",
];

/** Modes as the gateway lists them: `[{mode, fields, …}]`, whatever the shape of the answer. */
export function modesOf(schema) {
  const list = schema.items ?? schema.modes ?? schema;
  if (Array.isArray(list)) return list;
  return Object.entries(list).map(([mode, fields]) => (Array.isArray(fields) ? { mode, fields } : { mode, ...fields }));
}

export function LinkForm({ before = null }) {
  const schema = useLoad("links/schema");
  return html`
    <p class="back"><a href=${before ? to("links", [before.name]) : to("links")}><${Icon} name="before" size="16" />${before ? before.name : say("page.links")}</a></p>
    <${Loaded} load=${schema}>${(data) => html`<${Steps} modes=${modesOf(data)} before=${before} />`}<//>
  `;
}

function Steps({ modes, before }) {
  const step = useSignal(before ? 1 : 0);
  const values = useSignal(before ? { ...before.settings, name: before.name, mode: before.mode } : { name: "crm" });
  const wrong = useSignal("");
  const busy = useSignal(false);
  const set = (change) => (values.value = { ...values.peek(), ...change });
  const names = [say("step.way"), say("step.fields"), say("step.test")];

  async function keep() {
    busy.value = true;
    wrong.value = "";
    try {
      const body = bodyOf(values.value, modes);
      if (before) await put(`links/${part(before.name)}`, body);
      else await post("links", body);
      tell(say("links.saved", { name: body.name }));
      go(to("links", [body.name]));
    } catch (error) {
      wrong.value = why(error);
    }
    busy.value = false;
  }

  const save = html`<button type="button" class=${step.value === 2 ? "main" : ""} disabled=${busy.value} onClick=${keep}>${say("save")}</button>`;
  return html`<section class="card stepwise">
    <h2 class="title">${say(before ? "links.change" : "links.add")}</h2>
    <ol class="steps" aria-label=${say("steps")}>
      ${names.map(
        (
          name,
          i,
        ) => html`<li aria-current=${i === step.value ? "step" : undefined} class=${i < step.value ? "done" : ""}>
        <button type="button" class="plain" disabled=${i > step.value && !values.value.mode} onClick=${() => (step.value = i)}><span class="n">${i + 1}</span>${name}</button>
      </li>`,
      )}
    </ol>
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    ${
      step.value === 0 &&
      html`<${Way} modes=${modes} value=${values.value.mode} set=${(mode) => {
        set({ mode });
        step.value = 1;
      }} />`
    }
    ${step.value === 1 && html`<${Fields} modes=${modes} values=${values.value} set=${set} before=${before} done=${() => (step.value = 2)}>${save}<//>`}
    ${step.value === 2 && html`<${Test} body=${bodyOf(values.value, modes)} back=${() => (step.value = 1)}>${save}<//>`}
  </section>`;
}

/** The first question: who calls whom. */
export function Way({ modes, value, set }) {
  const ways = ["in", "outward", "send"]
    .map((way) => [way, modes.filter(({ mode }) => wayOf(mode) === way)])
    .filter(([, list]) => list.length);
  return html`<div class="ways-to">
    ${ways.map(
      ([way, list]) => html`<fieldset>
        <legend><${Icon} name=${way === "in" ? "in" : way === "send" ? "send" : "outward"} />${say(`way.${way}`)}</legend>
        <p class="quiet small">${say(`way.${way}.what`)}</p>
        ${list.map(
          (
            one,
          ) => html`<button type="button" class="way" aria-pressed=${String(one.mode === value)} onClick=${() => set(one.mode)}>
            <b>${either(one, "label") || sayOr(`mode.${one.mode}`, one.mode)}</b>
            <span class="quiet small">${either(one, "help") || sayOr(`mode.${one.mode}.what`, "")}</span>
            <span class="mono small quiet">${one.mode}</span>
          </button>`,
        )}
      </fieldset>`,
    )}
  </div>`;
}

/** The second: the fields that this way has. */
export function Fields({ modes, values, set, before, done, children, next = say("step.on") }) {
  const fields = (modes.find(({ mode }) => mode === values.mode)?.fields ?? []).filter(({ key }) => key !== "mode");
  const missing = useSignal([]);
  const form = useRef();
  const first = fields.filter(({ key, needed }) => needed || FIRST.includes(key));
  const rest = fields.filter((field) => !first.includes(field));
  const port = usePort(
    values.bind,
    fields.some(({ key }) => key === "bind"),
    before?.name,
  );
  const field = (
    one,
  ) => html`<${Member} key=${one.key} field=${one} value=${values[one.key]} set=${(value) => set({ [one.key]: value })}
    wrong=${missing.value.includes(one.key) ? say("missing") : one.key === "bind" && port?.free === false ? port.why || say("port.taken") : ""}
    good=${one.key === "bind" && port?.free ? say("port.free") : ""} fixed=${before && one.key === "name"} />`;

  function submit(event) {
    event.preventDefault();
    const wanting = fields
      .filter(({ key, needed, default: usual }) => needed && !usual && !String(values[key] ?? "").trim())
      .map(({ key }) => key);
    missing.value = wanting;
    if (wanting.length || port?.free === false) {
      requestAnimationFrame(() => form.current.querySelector("[aria-invalid=true]")?.focus());
      return;
    }
    done();
  }

  return html`<form ref=${form} onSubmit=${submit} novalidate>
    <p class="note">${sayOr(`mode.${values.mode}`, values.mode)}: ${sayOr(`mode.${values.mode}.what`, say(`way.${wayOf(values.mode)}.what`))}</p>
    <div class="fields">${first.map(field)}</div>
    ${rest.length > 0 && html`<details class="rest"><summary>${say("links.rest", { n: rest.length })}</summary><div class="fields">${rest.map(field)}</div></details>`}
    <div class="ends">${children}<button class="main" type="submit">${next}</button></div>
  </form>`;
}

/** One field, by its kind. */
function Member({ field, value, set, wrong, good, fixed }) {
  const { key, kind = "text", needed, choices = [], default: usual } = field;
  const hint = [
    either(field, "help"),
    usual !== undefined && usual !== null && usual !== "" && typeof usual !== "object"
      ? say("usually", { value: String(usual) })
      : "",
  ]
    .filter(Boolean)
    .join(" ");
  const label = either(field, "label") || key;
  const common = { label, help: hint, wrong, needed, value: value ?? "", set, disabled: fixed };
  const kept = value === "***";
  if (kind === "bool" || kind === "boolean" || kind === "flag")
    return html`<${Check} label=${label} help=${either(field, "help")} value=${value ?? usual ?? false} set=${set} />`;
  if (kind === "choice" || choices.length) {
    const all = choices.map((one) =>
      typeof one === "object"
        ? [one.value, either(one, "label") || one.value]
        : [one, sayOr(`choice.${key}.${one}`, one)],
    );
    return html`<${Choice} ...${common} value=${value ?? usual ?? ""} choices=${needed || usual ? all : [["", say("usual")], ...all]} />`;
  }
  if (kind === "secret" || kind === "password")
    return html`<${Word} ...${common} value=${kept ? "" : value} placeholder=${kept ? say("secret.kept") : ""} autocomplete="new-password" />`;
  if (kind === "list" || kind === "words" || Array.isArray(value) || Array.isArray(usual))
    return html`<${Area} ...${common} rows="2" value=${Array.isArray(value) ? value.join("\n") : (value ?? "")} help=${[hint, say("list.help")].filter(Boolean).join(" ")} />`;
  if (kind === "number" || kind === "count") return html`<${Text} ...${common} inputmode="numeric" />`;
  return html`<div class="with-good"><${Text} ...${common} placeholder=${usual && typeof usual !== "object" ? String(usual) : (field.example ?? "")} class=${key === "url" || key === "bind" ? "wide code" : ""} />
    ${good && html`<p class="free small"><${Icon} name="check" size="16" />${good}</p>`}</div>`;
}

/** Whether nobody has the port, asked a moment after the typing. */
function usePort(bind, wanted, except) {
  const answer = useSignal(null);
  useEffect(() => {
    answer.value = null;
    if (!wanted || !/:\d+$/.test(bind ?? "")) return undefined;
    const end = new AbortController();
    const timer = setTimeout(() => {
      get(`ports/check${query({ address: bind, except })}`, { signal: end.signal }).then(
        (got) => (answer.value = got),
        () => {},
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      end.abort();
    };
  }, [bind, wanted, except]);
  return answer.value;
}

/** What is sent: the fields of the chosen way, as their kinds are; what is empty or kept is left out. */
export function bodyOf(values, modes) {
  const fields = modes.find(({ mode }) => mode === values.mode)?.fields ?? [];
  const body = { name: values.name, mode: values.mode };
  for (const { key, kind } of fields) {
    const value = values[key];
    if (key === "mode" || value === undefined || value === null || value === "") continue;
    if (kind === "number" || kind === "count") body[key] = Number.isFinite(Number(value)) ? Number(value) : value;
    else if (kind === "list" || kind === "words") body[key] = Array.isArray(value) ? value : words(value);
    else body[key] = value;
  }
  return body;
}

/** The third: the gateway tries it, and tells each step as it goes. */
export function Test({ body, back, children, path = "links/test", ended, extra = {} }) {
  const lines = useSignal([]);
  const end = useSignal(null);
  const wrong = useSignal("");
  const run = useRef(null);

  async function start() {
    run.current?.abort();
    run.current = new AbortController();
    const stop = run.current.signal;
    lines.value = [];
    end.value = null;
    wrong.value = "";
    try {
      await stream(path, hear, { method: "POST", body: { ...extra, ...body }, stop });
      if (!stop.aborted && !end.peek()) wrong.value = say("test.broke");
    } catch (error) {
      if (!stop.aborted) wrong.value = why(error);
    }
  }

  function hear(_, data) {
    if (data?.done) {
      // What was begun and not ended has been overtaken by what came after it.
      lines.value = lines.peek().map((line) => (line.state === "running" ? { ...line, state: "left" } : line));
      end.value = data;
      ended?.(data);
      return;
    }
    if (!data?.step) return;
    const at = lines.peek().findIndex(({ step }) => step === data.step);
    lines.value = at < 0 ? [...lines.peek(), data] : lines.peek().with(at, data);
  }

  useEffect(() => {
    start();
    return () => run.current?.abort();
  }, []);

  const running = !end.value && !wrong.value;
  return html`<div class="test">
    <ol class="checks" aria-live="polite" aria-label=${say("step.test")}>
      ${lines.value.map((line) => html`<${CheckLine} key=${line.step} line=${line} />`)}
      ${running && !lines.value.some(({ state }) => state === "running") && html`<li class="running"><span class="turning"></span><span>${say("test.running")}</span></li>`}
    </ol>
    ${end.value && html`<p class="note ${end.value.ok ? "good" : "bad"}" role="status">${say(end.value.ok ? "test.ok" : "test.failed")}</p>`}
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    <div class="ends">
      <button type="button" onClick=${back}>${say("back")}</button>
      <button type="button" onClick=${start} disabled=${running}><${Icon} name="again" />${say("test.again")}</button>
      ${children}
    </div>
  </div>`;
}

const PICTURES = { ok: "good", warn: "warn", fail: "bad" };

/** One check as a line: what, how it went, what to do. */
function CheckLine({ line }) {
  const advice = either(line, "advice");
  const detail = either(line, "detail");
  return html`<li class=${line.state}>
    ${line.state === "running" ? html`<span class="turning"></span>` : html`<${Icon} name=${PICTURES[line.state] ?? "info"} />`}
    <div>
      <p><b>${either(line, "label") || sayOr(`check.${line.step}`, line.step)}</b><span class="unseen"> ${sayOr(`state.${line.state}`, line.state)}</span></p>
      ${detail && html`<p class="quiet small">${detail}</p>`}
      ${advice && html`<p class="advice small">${advice}</p>`}
    </div>
  </li>`;
}
