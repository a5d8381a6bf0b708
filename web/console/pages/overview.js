/** At a glance: what is up, how much there is, and how the last hour went. */

import { count, day, gatewayNow, millis, moment, size, skew, span } from "../format.js";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { State, toneOf } from "../parts/badge.js";
import { Chart } from "../parts/chart.js";
import { Icon } from "../parts/icon.js";
import { Loaded } from "../parts/states.js";
import { to } from "../route.js";
import { say, sayOr } from "../words.js";

const EVERY_MS = 5000;
const SOON_DAYS = 21;
const GIB = 2 ** 30;

/** How pressing it is that a disk fills up. */
const pressing = ({ free_bytes: free }, full) =>
  free < GIB || full > 0.97 ? "bad" : free < 5 * GIB || full > 0.92 ? "warn" : "";

export function Overview() {
  const load = useLoad("overview", { about: ["links", "users", "calls", "forms"], every: EVERY_MS });
  return html`<${Loaded} load=${load} lines="8">${(data) => html`<${Picture} ...${data} />`}<//>`;
}

function Picture({ node = {}, counts = {}, parts = [], certificates = [], disk, rates = {}, series }) {
  if (node.now_ms) skew.value = node.now_ms - Date.now();
  const points = series?.points ?? [];
  const times = points.map(({ at_ms }) => at_ms);
  const line = (key) => points.map((point) => point[key] ?? null);
  const second = (key) => line(key).map((n) => (n === null ? null : (n * 1000) / (series.step_ms || 10_000)));
  const last = (key) => points.findLast((point) => Number.isFinite(point[key]))?.[key];
  const first = certificates.length ? certificates.reduce((a, b) => (a.days <= b.days ? a : b)) : null;
  const disked = disk?.total_bytes ? disk : null;
  const full = disk?.total_bytes ? 1 - disk.free_bytes / disk.total_bytes : null;
  const waiting = (counts.links ?? counts.links_up) - counts.links_up;
  return html`
    <${Begin} counts=${counts} />
    <ul class="tiles" aria-label=${say("overview.tiles")}>
      <${Tile} page="links" icon="links" name=${say("tile.links")} tone=${waiting > 0 ? "bad" : counts.links_up ? "good" : ""}
        value=${counts.links === undefined ? count(counts.links_up) : `${count(counts.links_up)} / ${count(counts.links)}`}
        under=${waiting > 0 ? say("tile.links.down", { n: waiting }) : say("tile.links.up")} />
      <${Tile} page="people" icon="people" name=${say("tile.users")} value=${count(counts.users_online)} under=${say("tile.tabs", { n: count(counts.tabs) })} />
      <${Tile} page="calls" icon="call" name=${say("tile.calls")} value=${count(counts.calls)} under=${say("tile.minute", { n: count(rates.calls_minute, 1) })} />
      <${Tile} page="forms" icon="forms" name=${say("tile.forms")} value=${count(counts.forms)} under=${say("tile.executions", { n: count(counts.executions) })} />
      <${Tile} page="links" icon="spark" name=${say("tile.latency")} value=${millis(last("method_p50_ms"))} under=${say("tile.p95", { n: millis(last("method_p95_ms")) })} />
      <${Tile} page="logs" icon="warn" name=${say("tile.errors")} tone=${rates.errors_minute > 0 ? "warn" : ""} value=${count(rates.errors_minute, 1)} under=${say("tile.errors.minute")} />
      <${Tile} page="doctor" icon="audit" name=${say("tile.certificate")} tone=${first && first.days < SOON_DAYS ? (first.days < 7 ? "bad" : "warn") : ""}
        value=${first ? say("unit.d", { n: count(first.days) }) : "—"} under=${first ? first.subject || first.key : say("tile.certificate.none")} />
      <${Tile} page="doctor" icon="save" name=${say("tile.disk")} tone=${disked ? pressing(disk, full) : ""}
        value=${disked ? size(disk.free_bytes) : "—"} under=${disk?.store_bytes ? say("tile.store", { n: size(disk.store_bytes) }) : ""} />
    </ul>
    <section class="charts" aria-label=${say("overview.hour")}>
      <${Chart} title=${say("chart.calls")} times=${times} summary=${say("chart.now", { n: count(last("calls"), 1) })}
        lines=${[{ label: say("chart.calls"), tone: "accent", values: line("calls"), fill: true }]} />
      <${Chart} title=${say("chart.latency")} times=${times} unit=${millis} summary=${say("chart.now", { n: millis(last("method_p95_ms")) })}
        lines=${[
          { label: say("chart.p50"), tone: "accent", values: line("method_p50_ms") },
          { label: say("chart.p95"), tone: "warn", values: line("method_p95_ms") },
        ]} />
      <${Chart} title=${say("chart.messages")} times=${times} summary=${say("chart.now", { n: count(rates.messages_second, 1) })}
        lines=${[{ label: say("chart.messages"), tone: "good", values: second("messages"), fill: true }]} />
      <${Chart} title=${say("chart.tabs")} times=${times} summary=${say("chart.now", { n: count(last("tabs")) })}
        lines=${[
          { label: say("chart.tabs"), tone: "accent", values: line("tabs"), fill: true },
          { label: say("chart.errors"), tone: "bad", values: line("errors") },
        ]} />
    </section>
    <div class="columns">
      <section class="card">
        <h2>${say("overview.parts")}</h2>
        <ul class="parts rows">
          ${parts.map(
            ({ name, state, detail }) => html`<li class="row nowrap">
              <span class="dot ${toneOf(state)}"></span>
              <span class="grow"><b>${sayOr(`part.${name}`, name)}</b>${detail && html`<span class="quiet small"> ${detail}</span>`}</span>
              <${State} kind="state" state=${state} />
            </li>`,
          )}
        </ul>
      </section>
      <section class="card">
        <h2>${say("overview.node")}</h2>
        <dl class="facts">
          <div><dt>${say("node.version")}</dt><dd>${node.version}</dd></div>
          <div><dt>${say("node.uptime")}</dt><dd>${span(gatewayNow() - node.started_ms)}<span class="quiet small"> ${say("node.since", { at: moment(node.started_ms) })}</span></dd></div>
          ${Object.entries(node.addresses ?? {})
            .filter(([, address]) => address)
            .map(
              ([name, address]) =>
                html`<div><dt>${sayOr(`address.${name}`, name)}</dt><dd class="mono">${address}</dd></div>`,
            )}
          ${disked && html`<div><dt>${say("node.disk")}</dt><dd>${say("node.free", { free: size(disk.free_bytes), total: size(disk.total_bytes) })}<span class="quiet small mono"> ${disk.path}</span></dd></div>`}
          ${certificates.map(
            ({ key, days, subject, until_ms }) =>
              html`<div><dt>${say("node.certificate", { key })}</dt><dd>${say("unit.d", { n: count(days) })}<span class="quiet small"> ${subject}${until_ms && ` · ${day(until_ms)}`}</span></dd></div>`,
          )}
        </dl>
      </section>
    </div>
  `;
}

function Tile({ page, icon, name, value, under, tone = "" }) {
  return html`<li>
    <a class="tile card ${tone}" href=${to(page)}>
      <span class="name"><${Icon} name=${icon} />${name}</span>
      <b class="value number">${value}</b>
      <span class="under quiet small">${under}</span>
    </a>
  </li>`;
}

/** What to do first, as long as there is nothing. */
function Begin({ counts }) {
  if (counts.links === undefined || counts.links > 0) return null;
  return html`<section class="card begin">
    <h2>${say("begin.title")}</h2>
    <p class="quiet">${say("begin.text")}</p>
    <div class="row">
      <a class="button main" href=${to("links", ["new"])}><${Icon} name="add" />${say("links.add")}</a>
      <a class="button" href=${to("people")}><${Icon} name="people" />${say("page.people")}</a>
    </div>
  </section>`;
}
