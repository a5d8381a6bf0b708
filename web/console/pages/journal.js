/** Calls of the past: filtered, in pieces, each whole as a timeline, and all of them as CSV. */

import { useSignal } from "@preact/signals";
import { part, query as queryOf, save } from "../api.js";
import { fromLocal, length, local, moment, whole } from "../format.js";
import { html } from "../html.js";
import { useLoad, usePieces } from "../live.js";
import { Facts, Json, State, Tag } from "../parts/badge.js";
import { Choice, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { attempt } from "../parts/said.js";
import { Empty, Failed, Loaded, Loading, Old } from "../parts/states.js";
import { More, Table } from "../parts/table.js";
import { Timeline } from "../parts/timeline.js";
import { go, to } from "../route.js";
import { say, sayOr } from "../words.js";

const DIRECTIONS = ["incoming", "outgoing", "internal"];
const OUTCOMES = ["answered", "abandoned", "noanswer", "busy", "refused", "cancelled", "unreachable", "menu", "failed"];

export function Journal({ parts, query }) {
  return parts[0] ? html`<${Entry} key=${parts[0]} chain=${parts[0]} />` : html`<${List} query=${query} />`;
}

function List({ query }) {
  const { from = "", till = "", number = "", direction = "", outcome = "", queue = "" } = query;
  const filters = { from_ms: fromLocal(from), to_ms: fromLocal(till), number, direction, outcome, queue };
  const path = `journal${queryOf(filters)}`;
  const list = usePieces(path, { about: ["journal"] });
  const set = (change) => go(to("journal", [], { ...query, ...change }), { quietly: true });
  const filtered = Object.values(filters).some(Boolean);
  const typed = useSignal(number);
  const lately = (days) => {
    const start = new Date();
    start.setDate(start.getDate() - days);
    start.setHours(0, 0, 0, 0);
    set({ from: local(start.getTime()), till: "" });
  };
  return html`
    <form class="filters card" onSubmit=${(event) => {
      event.preventDefault();
      set({ number: typed.value.trim() });
    }}>
      <${Text} label=${say("journal.number")} data-search inputmode="tel" value=${typed.value} set=${(value) => (typed.value = value)} onBlur=${() => typed.value.trim() === number || set({ number: typed.value.trim() })} />
      <${Choice} label=${say("journal.direction")} value=${direction} set=${(value) => set({ direction: value })} choices=${[["", say("all")], ...DIRECTIONS.map((one) => [one, say(`direction.${one}`)])]} />
      <${Choice} label=${say("journal.outcome")} value=${outcome} set=${(value) => set({ outcome: value })} choices=${[["", say("all")], ...OUTCOMES.map((one) => [one, say(`outcome.${one}`)])]} />
      <${Text} label=${say("journal.queue")} value=${queue} onChange=${(event) => set({ queue: event.currentTarget.value.trim() })} set=${() => {}} />
      <${Text} label=${say("journal.from")} type="datetime-local" value=${from} set=${(value) => set({ from: value })} />
      <${Text} label=${say("journal.till")} type="datetime-local" value=${till} set=${(value) => set({ till: value })} />
      <div class="row filter-ends">
        <button type="button" class="little" onClick=${() => lately(0)}>${say("journal.today")}</button>
        <button type="button" class="little" onClick=${() => lately(6)}>${say("journal.week")}</button>
        ${
          filtered &&
          html`<button type="button" class="plain little" onClick=${() => {
            typed.value = "";
            go(to("journal"), { quietly: true });
          }}>${say("journal.clear")}</button>`
        }
        <span class="grow"></span>
        <button type="button" class="little" onClick=${() => attempt(() => save(`journal.csv${queryOf(filters)}`, "journal.csv"))}><${Icon} name="save" size="16" />CSV</button>
        <button class="unseen" type="submit">${say("search")}</button>
      </div>
    </form>
    <${Rows} list=${list} filtered=${filtered} />
  `;
}

function Rows({ list, filtered }) {
  if (list.items === null)
    return list.error ? html`<${Failed} error=${list.error} again=${list.reload} />` : html`<${Loading} />`;
  if (!list.items.length)
    return html`<${Empty} icon="journal" title=${say(filtered ? "noneFound" : "journal.none")}>${say(filtered ? "journal.wider" : "journal.none.what")}<//>`;
  const open = ({ chain }) => go(to("journal", [chain]));
  return html`
    ${list.error && html`<${Old} error=${list.error} again=${list.reload} />`}
    <${Table}
      label=${say("page.journal")}
      rows=${list.items}
      id=${({ chain, talk }) => `${chain} ${talk}`}
      open=${open}
      columns=${[
        {
          title: say("journal.when"),
          class: "number main-cell",
          cell: (row) =>
            html`<a href=${to("journal", [row.chain])} title=${whole(row.began_ms)}>${moment(row.began_ms)}</a>`,
        },
        { title: say("journal.direction"), cell: (row) => html`<${Direction} of=${row.direction} />` },
        { title: say("journal.caller"), cell: (row) => html`<span class="party-of">${party(row, "caller")}</span>` },
        { title: say("journal.called"), cell: (row) => html`<span class="party-of">${party(row, "called")}</span>` },
        { title: say("journal.outcome"), cell: (row) => html`<${State} kind="outcome" state=${row.outcome} />` },
        {
          title: say("journal.length"),
          class: "number",
          cell: (row) =>
            html`${row.length_ms ? length(row.length_ms) : "—"}${row.wait_ms > 0 && html`<br /><span class="quiet small">${say("journal.waited", { time: length(row.wait_ms) })}</span>`}`,
        },
        {
          title: say("journal.talked"),
          cell: ({ talk, inside = [], outside = [] }) => (talk ? [...inside, ...outside].join(", ") : "—"),
        },
        { title: say("journal.queue"), cell: (row) => row.queue || "—" },
      ]}
    />
    <${More} list=${list} />
  `;
}

/** The caller or the called, by name where one is known. */
function party(row, side) {
  const [number, name] = [row[side], row[`${side}_name`]];
  return name && name !== number ? html`${name} <span class="quiet">${number}</span>` : number || "—";
}

export function Direction({ of }) {
  const icons = { incoming: "incoming", outgoing: "outgoing", internal: "internal" };
  return html`<span class="with-icon"><${Icon} name=${icons[of] ?? "call"} size="16" />${sayOr(`direction.${of}`, of)}</span>`;
}

function Entry({ chain }) {
  const load = useLoad(`journal/${part(chain)}`, { about: ["journal"] });
  return html`
    <p class="back"><a href=${to("journal")}><${Icon} name="before" size="16" />${say("page.journal")}</a></p>
    <${Loaded} load=${load}>${(data) => html`<${Whole} chain=${chain} data=${data} />`}<//>
  `;
}

function Whole({ chain, data }) {
  const steps = (data.steps ?? []).map((step) => ({
    at_ms: step.at_ms,
    text: [say(`step.${step.kind}`), step.number, sayOr(`cause.${step.detail}`, step.detail)]
      .filter(Boolean)
      .join(" · "),
    level: step.kind === "answered" ? "good" : "",
  }));
  return html`<div class="columns">
    <section class="card">
      <h2>${say("journal.call")}</h2>
      <${Facts}
        rows=${[
          [say("journal.when"), html`<time>${whole(data.began_ms)}</time>`],
          [say("journal.direction"), html`<${Direction} of=${data.direction} />`],
          [say("journal.caller"), party(data, "caller")],
          [say("journal.called"), party(data, "called")],
          [say("journal.outcome"), html`<${State} kind="outcome" state=${data.outcome} />`],
          [say("journal.lasted"), length(data.ended_ms - data.began_ms)],
          [say("journal.length"), data.talk_ms ? length(data.talk_ms) : ""],
          [say("journal.wait"), data.wait_ms ? length(data.wait_ms) : ""],
          [say("journal.queue"), (data.queues ?? []).map(({ queue }) => queue).join(", ")],
          [say("journal.id"), html`<span class="mono">${chain}</span>`],
        ]}
      />
      <div class="row after"><a class="button" href=${to("explain", ["call", chain])}><${Icon} name="explain" />${say("explain")}</a></div>
      ${data.talks?.length > 0 && html`<h3>${say("journal.talks")}</h3><ul class="rows">${data.talks.map((talk) => html`<li><${Talk} talk=${talk} /></li>`)}</ul>`}
    </section>
    <section class="card">
      <h2>${say("journal.course")}</h2>
      ${steps.length ? html`<${Timeline} items=${steps} />` : html`<p class="quiet">${say("explain.nothing")}</p>`}
      <details class="rest"><summary>${say("journal.raw")}</summary><${Json} value=${data} /></details>
    </section>
  </div>`;
}

function Talk({ talk }) {
  const who = talk.parties.map(({ name, number }) => name || number).join(" — ");
  return html`<p>
    <b>${who}</b> <span class="quiet number">${moment(talk.began_ms)}, ${length(talk.ended_ms - talk.began_ms)}</span>
    ${talk.conference && html` <${Tag}>${say("step.conference")}<//>`}
    ${talk.recording && html` <${Tag} title=${talk.recording}>${say("journal.recorded")}<//>`}
  </p>`;
}
