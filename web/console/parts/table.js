/** Tables: sorted by a click on a heading, read as cards where there is no width. */

import { useState } from "preact/hooks";
import { html } from "../html.js";
import { language } from "../choice.js";
import { say } from "../words.js";
import { Icon } from "./icon.js";

/**
 * `columns`: `{title, cell(row), by?(row), class?}`; `by` gives what the column is sorted by. `open(row)` is done by a
 * click anywhere in a row; the first cell should hold a link or button that does the same, for the keyboard. `ends(row)`
 * gives what stands at a row's end.
 */
export function Table({ label, columns, rows, id, open, ends, first = null, marked }) {
  const [order, setOrder] = useState(first);
  const shown = columns.filter(Boolean);
  const sorted = order === null ? rows : sortedBy(rows, shown[order.at]?.by, order.down);

  function clicked(event, row) {
    if (!open || event.target.closest("a, button, input, select, label, summary") || String(getSelection())) return;
    open(row);
  }

  return html`<div class="tabled">
    <table>
      <caption class="unseen">${label}</caption>
      <thead>
        <tr>
          ${shown.map(({ title, by, class: kind }, at) => {
            const mine = order?.at === at;
            return html`<th scope="col" class=${kind} aria-sort=${mine ? (order.down ? "descending" : "ascending") : undefined}>
              ${
                by
                  ? html`<button type="button" class="plain heading" onClick=${() => setOrder({ at, down: mine && !order.down })}>
                    ${title}<span class=${mine ? (order.down ? "way down" : "way") : "way none"} aria-hidden="true"></span>
                  </button>`
                  : title
              }
            </th>`;
          })}
          ${ends && html`<th scope="col" class="ends"><span class="unseen">${say("actions")}</span></th>`}
        </tr>
      </thead>
      <tbody>
        ${sorted.map(
          (row) => html`<tr
            key=${id(row)}
            class=${[open ? "opens" : "", marked?.(row) ?? ""].join(" ")}
            onClick=${(event) => clicked(event, row)}
          >
            ${shown.map(
              ({ title, cell, class: kind }) =>
                html`<td class=${kind} data-title=${title}><div>${cell(row)}</div></td>`,
            )}
            ${ends && html`<td class="ends"><div>${ends(row)}</div></td>`}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function sortedBy(rows, by, down) {
  if (!by) return rows;
  const words = new Intl.Collator(language.value, { numeric: true });
  const compare = (a, b) => {
    const [x, y] = [by(a), by(b)];
    return typeof x === "number" && typeof y === "number" ? x - y : words.compare(String(x ?? ""), String(y ?? ""));
  };
  return [...rows].sort((a, b) => (down ? compare(b, a) : compare(a, b)));
}

/** Goes on in a list that comes in pieces. */
export function More({ list }) {
  if (!list.next) return null;
  return html`<div class="more">
    <button type="button" disabled=${list.loading} onClick=${list.more}>
      <${Icon} name="down" />${say(list.loading ? "loading" : "more")}
    </button>
  </div>`;
}
