/** Who has changed what, from where. */

import { useSignal } from "@preact/signals";
import { html } from "../html.js";
import { moment, whole } from "../format.js";
import { usePieces } from "../live.js";
import { Search } from "../parts/field.js";
import { Empty, Failed, Loading, Old } from "../parts/states.js";
import { More, Table } from "../parts/table.js";
import { to } from "../route.js";
import { say, sayOr } from "../words.js";

export function Audit() {
  const list = usePieces("audit", { about: ["settings", "users", "links", "audit"] });
  const text = useSignal("");
  return html`
    <div class="tools"><${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("audit.search")} /></div>
    <${Rows} list=${list} text=${text.value} />
  `;
}

/** Who it was, in words. */
const person = (who) =>
  who === "token"
    ? say("audit.token")
    : who.startsWith("key ")
      ? say("audit.key", { name: who.slice(4) })
      : who.replace(/\bcommand line\b/, say("audit.command"));

/** What it was about: paths of the configuration (`link[crm].url, user[ivanov]`) one below the other, with a link where there is a page. */
function Path({ of }) {
  if (!of) return "—";
  return of.split(", ").map((path) => {
    const name = /^(link|user)\[([^\]]+)\](?:\.(.+))?$/.exec(path);
    const shown = name ? html`${say(`audit.${name[1]}`)} <b>${name[2]}</b>${name[3] ? html` <span class="mono">${name[3]}</span>` : ""}` : html`<span class="mono">${path}</span>`;
    return html`<div>${name?.[1] === "link" ? html`<a href=${to("links", [name[2]])}>${shown}</a>` : shown}</div>`;
  });
}

function Rows({ list, text }) {
  if (list.items === null)
    return list.error ? html`<${Failed} error=${list.error} again=${list.reload} />` : html`<${Loading} />`;
  const low = text.trim().toLowerCase();
  const found = low ? list.items.filter((row) => JSON.stringify(row).toLowerCase().includes(low)) : list.items;
  if (!list.items.length) return html`<${Empty} icon="audit" title=${say("audit.none")}>${say("audit.none.what")}<//>`;
  return html`
    ${list.error && html`<${Old} error=${list.error} again=${list.reload} />`}
    ${
      found.length
        ? html`<${Table}
          label=${say("page.audit")}
          rows=${found}
          id=${({ number }) => number}
          columns=${[
            {
              title: say("audit.when"),
              class: "number",
              cell: ({ at_ms }) => html`<time title=${whole(at_ms)}>${moment(at_ms)}</time>`,
            },
            { title: say("audit.who"), class: "main-cell", cell: ({ who }) => html`<b>${person(who)}</b>` },
            { title: say("audit.what"), cell: ({ what }) => html`${sayOr(`audited.${what}`, what)}` },
            { title: say("audit.about"), cell: ({ about }) => html`<${Path} of=${about} />` },
            {
              title: say("audit.from"),
              cell: ({ from_where }) => html`<span class="quiet small mono">${from_where === "this machine" ? say("audit.here") : from_where || "—"}</span>`,
            },
            {
              title: say("details"),
              cell: ({ detail }) =>
                filled(detail)
                  ? html`<details><summary>${say("details")}</summary><${Detail} of=${detail} /></details>`
                  : "",
            },
          ]}
        />`
        : html`<${Empty} title=${say("noneFound")} />`
    }
    <${More} list=${list} />
  `;
}

/** What was and what is, a line for each thing that is another; anything else by its names. */
function Detail({ of }) {
  if (typeof of === "string") return html`<p>${of}</p>`;
  const lines = Array.isArray(of)
    ? of.map(({ key, was, is }) => [key, was, is])
    : "was" in of || "is" in of
      ? [...new Set([...Object.keys(of.was ?? {}), ...Object.keys(of.is ?? {})])].map((key) => [
          key,
          written(of.was?.[key]),
          written(of.is?.[key]),
        ])
      : Object.entries(of).map(([key, value]) => [key, "", written(value)]);
  return html`<dl class="facts">
    ${lines.map(
      ([key, was, is]) => html`<div><dt><span class="mono">${sayOr(`audited.key.${key}`, key)}</span></dt>
        <dd>${was && html`<del class="mono quiet">${was}</del> `}<span class="mono">${is || (was ? say("audit.nothing") : "—")}</span></dd></div>`,
    )}
  </dl>`;
}

const written = (value) =>
  value === undefined || value === null || value === ""
    ? ""
    : Array.isArray(value)
      ? value.map(written).join(", ")
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value);

const filled = (detail) => detail && (typeof detail !== "object" || Object.keys(detail).length > 0);
