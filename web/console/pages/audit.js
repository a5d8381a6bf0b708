/** Who has changed what, from where. */

import { useSignal } from "@preact/signals";
import { html } from "../html.js";
import { moment, whole } from "../format.js";
import { usePieces } from "../live.js";
import { Json } from "../parts/badge.js";
import { Search } from "../parts/field.js";
import { Empty, Failed, Loading, Old } from "../parts/states.js";
import { More, Table } from "../parts/table.js";
import { say, sayOr } from "../words.js";

export function Audit() {
  const list = usePieces("audit", { about: ["settings", "users", "links", "audit"] });
  const text = useSignal("");
  return html`
    <div class="tools"><${Search} value=${text.value} set=${(value) => (text.value = value)} label=${say("audit.search")} /></div>
    <${Rows} list=${list} text=${text.value} />
  `;
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
            { title: say("audit.who"), class: "main-cell", cell: ({ who }) => html`<b>${who}</b>` },
            { title: say("audit.what"), cell: ({ what }) => html`${sayOr(`audited.${what}`, what)}` },
            { title: say("audit.about"), cell: ({ about }) => html`<span class="mono">${about || "—"}</span>` },
            {
              title: say("audit.from"),
              cell: ({ from_where }) => html`<span class="quiet small mono">${from_where || "—"}</span>`,
            },
            {
              title: say("details"),
              cell: ({ detail }) =>
                filled(detail)
                  ? html`<details><summary>${say("details")}</summary><${Json} value=${detail} /></details>`
                  : "",
            },
          ]}
        />`
        : html`<${Empty} title=${say("noneFound")} />`
    }
    <${More} list=${list} />
  `;
}

const filled = (detail) => detail && (typeof detail !== "object" || Object.keys(detail).length > 0);
