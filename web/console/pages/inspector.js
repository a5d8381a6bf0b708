/** The messages that pass, live: of one link, user or tab; paused, searched, bounded, and recorded into a file. */

import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { keep, part, post, query as queryOf, remove, save, stream } from "../api.js";
import { fine, gatewayNow, size, span } from "../format.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { Pills, Search } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { attempt, why } from "../parts/said.js";
import { Empty } from "../parts/states.js";
import { go, to } from "../route.js";
import { say } from "../words.js";

const MOST = 1000;
const SHOWN = 400;
const AGAIN_MS = 2000;

export function Inspector({ query }) {
  const { link = "", user = "", tab = "", format = "json" } = query;
  const lines = useSignal([]);
  const paused = useSignal(false);
  const held = useRef([]);
  const text = useSignal("");
  const state = useSignal("connecting");
  const wrong = useSignal("");
  const links = useLoad("links", { about: ["links"] });
  const users = useLoad("users", { about: ["users"] });
  const sessions = useLoad("sessions", { about: ["users"] });
  const set = (change) => go(to("inspector", [], { ...query, ...change }), { quietly: true });
  const path = `tail${queryOf({ link, user, tab, format })}`;

  useEffect(() => {
    const end = new AbortController();
    let fresh = [];
    let drawn = 0;
    lines.value = [];
    held.current = [];

    function draw() {
      drawn = 0;
      const into = paused.peek() ? (all) => (held.current = all) : (all) => (lines.value = all);
      const before = paused.peek() ? held.current : lines.peek();
      into([...before, ...fresh].slice(-MOST));
      fresh = [];
    }

    let numbers = 0;
    async function run() {
      while (!end.signal.aborted) {
        try {
          state.value = "connecting";
          await stream(
            path,
            (_, line) => {
              if (!line) return;
              fresh.push({ ...line, id: ++numbers });
              if (fresh.length > MOST) fresh.shift();
              drawn ||= requestAnimationFrame(draw);
            },
            { stop: end.signal, opened: () => ((state.value = "online"), (wrong.value = "")) },
          );
        } catch (error) {
          if (end.signal.aborted) return;
          wrong.value = why(error);
          if (error.status >= 400 && error.status < 500 && error.status !== 429) return;
        }
        if (end.signal.aborted) return;
        state.value = "lost";
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    run();
    return () => {
      end.abort();
      cancelAnimationFrame(drawn);
    };
  }, [path]);

  function pause() {
    paused.value = !paused.value;
    if (!paused.value) {
      lines.value = [...lines.peek(), ...held.current].slice(-MOST);
      held.current = [];
    }
  }

  const found = useComputed(() => {
    const low = text.value.trim().toLowerCase();
    return low
      ? lines.value.filter((line) => `${line.method} ${line.peer} ${line.qid} ${line.text}`.toLowerCase().includes(low))
      : lines.value;
  });
  const tabs = (sessions.data?.items ?? []).filter((one) => one.tab || one.id);
  const download = () =>
    keep(
      new Blob([found.value.map(({ id, ...line }) => JSON.stringify(line)).join("\n") + "\n"], {
        type: "application/x-ndjson",
      }),
      "messages.ndjson",
    );

  return html`
    <div class="filters card compact">
      <${One} label=${say("inspector.link")} value=${link} set=${(value) => set({ link: value, tab: "" })} choices=${(links.data?.items ?? []).map(({ name }) => [name, name])} />
      <${One} label=${say("inspector.user")} value=${user} set=${(value) => set({ user: value })} choices=${(users.data?.items ?? []).map((one) => [one.login, one.name ? `${one.name} (${one.login})` : one.login])} />
      <${One} label=${say("inspector.tab")} value=${tab} set=${(value) => set({ tab: value })} choices=${tabs.map((one) => [String(one.tab || one.id), `${one.login} · ${one.tab || one.address}`])} />
      <div class="field"><span class="label">${say("inspector.format")}</span><${Pills} label=${say("inspector.format")} value=${format} set=${(value) => set({ format: value })} choices=${[
        ["json", "JSON"],
        ["xml", "XML"],
        ["wire", say("inspector.wire")],
      ]} /></div>
    </div>
    <div class="tools">
      <${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("inspector.search")} />
      <button type="button" onClick=${pause} aria-pressed=${String(paused.value)}><${Icon} name=${paused.value ? "play" : "pause"} />${say(paused.value ? "inspector.go" : "inspector.pause")}</button>
      <button type="button" onClick=${() => {
        lines.value = [];
        held.current = [];
      }}><${Icon} name="trash" />${say("inspector.clear")}</button>
      <button type="button" onClick=${download} disabled=${!found.value.length}><${Icon} name="save" />${say("inspector.keep")}</button>
      <span class="grow"></span>
      <${Record} about=${{ link, user, tab }} />
    </div>
    <p class="quiet small row" role="status"><span class="dot ${{ online: "good", lost: "bad", connecting: "warn" }[state.value]}">${say(`inspector.${paused.value ? "paused" : state.value}`)}</span> ${say("inspector.count", { n: found.value.length, most: MOST })} · ${say("inspector.masked")}</p>
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    ${
      found.value.length
        ? html`<ol class="frames rows" reversed>${found.value
            .slice(-SHOWN)
            .reverse()
            .map((line) => html`<${Line} key=${line.id} line=${line} />`)}</ol>`
        : html`<${Empty} icon="inspect" title=${say("inspector.none")}>${say("inspector.none.what")}<//>`
    }
  `;
}

function One({ label, value, set, choices }) {
  const known = choices.some(([own]) => own === value);
  return html`<div class="field"><label>${label}<select value=${value} onChange=${(event) => set(event.currentTarget.value)}>
    <option value="">${say("all")}</option>
    ${value && !known && html`<option value=${value} selected>${value}</option>`}
    ${choices.map(([own, words]) => html`<option value=${own} selected=${own === value}>${words}</option>`)}
  </select></label></div>`;
}

function Line({ line }) {
  if (line.direction === "lost")
    return html`<li class="frame lost-lines">${say("inspector.missed", { n: line.text || line.bytes || "" })}</li>`;
  return html`<li class="frame ${line.direction}">
    <details>
      <summary>
        <time class="number">${fine(line.ms)}</time>
        <span class="way" title=${say(`inspector.${line.direction}`)}><${Icon} name=${line.direction === "in" ? "in" : "outward"} size="16" /><span class="unseen">${say(`inspector.${line.direction}`)}</span></span>
        <b class="mono">${line.method || "—"}</b>
        <span class="peer">${line.peer}</span>
        <span class="quiet mono text">${line.text}</span>
        <span class="quiet small number">${line.format?.toUpperCase()} ${size(line.bytes)}</span>
      </summary>
      <pre class="json mono" tabindex="0">${pretty(line.text)}</pre>
    </details>
  </li>`;
}

/** JSON with lines, XML with lines, anything else as it is. */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text?.startsWith("<") ? text.replace(/>\s*</g, ">\n<") : text;
  }
}

const SECONDS = 300;

/** Records what passes into a file that `ctigate replay` plays. */
function Record({ about }) {
  const running = useSignal(null);
  const start = () =>
    attempt(async () => {
      const given = Object.fromEntries(Object.entries(about).filter(([, value]) => value));
      const { id } = await post("captures", { ...given, pbx: true, seconds: SECONDS });
      running.value = { id, since: gatewayNow() };
    });
  const stop = () =>
    attempt(async () => {
      const { id } = running.peek();
      await remove(`captures/${part(id)}`);
      running.value = null;
      await save(`captures/${part(id)}`, `capture-${id}.ctigate`);
    }, say("inspector.saved"));
  if (!running.value)
    return html`<button type="button" class="main" onClick=${start}><${Icon} name="record" />${say("inspector.record")}</button>`;
  return html`<button type="button" class="bad" onClick=${stop}><${Icon} name="record" />${say("inspector.stop")} <span class="number">${span(Math.max(0, gatewayNow() - running.value.since))}</span></button>`;
}
