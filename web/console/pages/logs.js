/** The last lines of the gateway's own log, and those that come. */

import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get, query as queryOf, keep, stream } from "../api.js";
import { fine, whole } from "../format.js";
import { html } from "../html.js";
import { Choice, Search } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { why } from "../parts/said.js";
import { Empty, Failed, Loading } from "../parts/states.js";
import { go, to } from "../route.js";
import { say } from "../words.js";

const LEVELS = ["error", "warn", "info", "debug"];
const MOST = 2000;
const SHOWN = 500;
const AGAIN_MS = 2000;

export function Logs({ query }) {
  const level = query.level ?? "info";
  const lines = useSignal(null);
  const failure = useSignal(null);
  const following = useSignal(true);
  const text = useSignal("");
  const turn = useSignal(0);

  useEffect(() => {
    const end = new AbortController();
    let fresh = [];
    let drawn = 0;
    const draw = () => {
      drawn = 0;
      lines.value = [...(lines.peek() ?? []), ...fresh].slice(-MOST);
      fresh = [];
    };
    async function run() {
      while (!end.signal.aborted) {
        try {
          const { items = [] } = await get(`logs${queryOf({ level })}`, { signal: end.signal });
          if (end.signal.aborted) return;
          lines.value = items.slice(-MOST);
          failure.value = null;
          if (!following.peek()) return;
          const last = items.at(-1)?.number ?? "";
          await stream(
            `logs/follow${queryOf({ level, after: last })}`,
            (_, line) => {
              if (!line) return;
              fresh.push(line);
              drawn ||= requestAnimationFrame(draw);
            },
            { stop: end.signal },
          );
        } catch (error) {
          if (end.signal.aborted) return;
          failure.value = error;
          if (error.status >= 400 && error.status < 500 && error.status !== 429) return;
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    run();
    return () => {
      end.abort();
      cancelAnimationFrame(drawn);
    };
  }, [level, following.value, turn.value]);

  const found = useComputed(() => {
    const low = text.value.trim().toLowerCase();
    const all = lines.value ?? [];
    return low ? all.filter((line) => JSON.stringify(line).toLowerCase().includes(low)) : all;
  });
  const download = () =>
    keep(
      new Blob([found.value.map((line) => JSON.stringify(line)).join("\n") + "\n"], { type: "application/x-ndjson" }),
      "log.ndjson",
    );

  return html`
    <div class="tools">
      <${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("logs.search")} />
      <${Choice} label=${say("logs.level")} class="inline" value=${level} set=${(value) => go(to("logs", [], { level: value }), { quietly: true })} choices=${LEVELS.map((one) => [one, say(`level.${one}`)])} />
      <button type="button" aria-pressed=${String(following.value)} onClick=${() => (following.value = !following.value)}><${Icon} name=${following.value ? "pause" : "play"} />${say(following.value ? "logs.stop" : "logs.follow")}</button>
      <button type="button" onClick=${download} disabled=${!found.value.length}><${Icon} name="save" />${say("inspector.keep")}</button>
    </div>
    ${failure.value && lines.value && html`<p class="note warn" role="status">${why(failure.value)}</p>`}
    ${
      lines.value === null
        ? failure.value
          ? html`<${Failed} error=${failure.value} again=${() => turn.value++} />`
          : html`<${Loading} lines="10" />`
        : found.value.length
          ? html`<p class="quiet small" role="status">${say("logs.count", { n: found.value.length })}</p>
            <ol class="log rows mono" tabindex="0" aria-label=${say("page.logs")}>${found.value
              .slice(-SHOWN)
              .reverse()
              .map((line) => html`<${Line} line=${line} />`)}</ol>`
          : html`<${Empty} icon="logs" title=${say(text.value ? "noneFound" : "logs.none")} />`
    }
  `;
}

function Line({ line }) {
  const level = String(line.level ?? "info").toLowerCase();
  const at = line.at_ms;
  const fields = Object.entries(line.fields ?? {});
  return html`<li class=${level}>
    <time class="number quiet" title=${whole(at)}>${fine(at)}</time>
    <span class="level">${level.toUpperCase()}</span>
    <span class="text">${line.message}${fields.map(([key, value]) => html` <span class="quiet">${key}=${value}</span>`)}
    ${line.target && html` <span class="quiet target">${line.target}</span>`}</span>
  </li>`;
}
