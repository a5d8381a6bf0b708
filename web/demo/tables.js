/** What the gateway is now: links, users, calls, forms and executions, each a table that follows the snapshot. */

import { h, keyed, say as text } from "../page/dom.js";
import { clock, length } from "../page/language.js";
import { say } from "./words.js";

const LINK_TONES = { up: "good", dialing: "warn", waiting: "warn", competing: "warn", retrying: "bad", refused: "bad" };
const USER_TONES = { 1: "good", 2: "warn", 3: "warn", 5: "bad", 6: "accent" };
const CALL_TONES = { ringing: "accent", talking: "good", queued: "warn" };

/**
 * A card with a table. `columns` are words; `make(item)` gives the cells, each a node or a string, and is called again
 * when the item has changed.
 */
function table({ title, empty, columns, key, make, wide }) {
  const count = h("span", { class: "quiet number" });
  const rows = h("tbody", {});
  const body = h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        columns.map((word) => h("th", { scope: "col" }, say(word))),
      ),
    ),
    rows,
  );
  const nothing = h("p", { class: "empty" }, say(empty));
  const node = h(
    "section",
    { class: `card${wide ? " wide" : ""}` },
    h("h2", { class: "row" }, say(title), count),
    nothing,
    body,
  );

  function row(item) {
    const line = h("tr", { "data-key": key(item) });
    let drawn = "";
    const update = (next) => {
      const shape = JSON.stringify(next);
      if (shape === drawn) return;
      drawn = shape;
      line.replaceChildren(...make(next).map((cell, i) => h("td", { "data-label": say(columns[i]) }, cell)));
    };
    return { node: line, update };
  }

  function show(items = []) {
    text(count, items.length ? String(items.length) : "");
    nothing.hidden = items.length > 0;
    body.hidden = items.length === 0;
    keyed(rows, items, key, row);
  }

  return { node, show };
}

const word = (prefix, value) => {
  const found = say(`${prefix}.${value}`);
  return found === `${prefix}.${value}` ? String(value) : found;
};

/** A time of the past; `running` ones are counted on by `tickAges`. */
function since(ms) {
  return h(
    "time",
    { class: "number", "data-since": String(ms), title: new Date(ms).toLocaleString() },
    length(Date.now() - ms),
  );
}

export function tickAges() {
  const now = Date.now();
  for (const node of document.querySelectorAll("time[data-since]"))
    text(node, length(now - Number(node.dataset.since)));
}

const quietly = (words) => h("div", { class: "quiet small" }, words);

export const linksTable = () =>
  table({
    title: "links",
    empty: "noLinks",
    wide: true,
    key: ({ name }) => name,
    columns: ["link", "state", "since", "crm", "offers", "flight"],
    make: ({ name, mode, state, since_ms, detail, crm, methods = [], forms = [], in_flight }) => [
      [h("strong", {}, name), quietly(mode)],
      [
        h("span", { class: `pill ${LINK_TONES[state] ?? ""}`, "data-state": state }, word("link", state)),
        detail && quietly(detail),
      ],
      [h("span", { class: "number" }, clock(since_ms)), h("div", { class: "quiet small" }, since(since_ms))],
      crm || "—",
      h(
        "div",
        { class: "row tags" },
        [...methods, ...forms].map((offer) => h("span", { class: "tag" }, offer)),
      ),
      h("span", { class: "number" }, String(in_flight)),
    ],
  });

export const usersTable = () =>
  table({
    title: "users",
    empty: "",
    wide: true,
    key: ({ login }) => login,
    columns: ["user", "number", "state", "tabs"],
    make: ({ login, name, number, department, state, online, tabs = [] }) => [
      [h("strong", {}, name || login), quietly([login, department].filter(Boolean).join(" · "))],
      h("span", { class: "number" }, number || "—"),
      h(
        "span",
        { class: `pill ${online ? (USER_TONES[state] ?? "") : ""}`, "data-online": String(online) },
        online ? word("us", state) : say("offline"),
      ),
      h("div", { class: "row tags" }, tabs.map(tab)),
    ],
  });

function tab({ door, link, tab: id, address, since_ms, focus }) {
  const words = door === "tunnel" ? [say("tunnel"), link, id] : [say("direct"), address];
  return h(
    "span",
    {
      class: `tag tab ${door}${focus ? " focus" : ""}`,
      "data-door": door,
      title: [address, clock(since_ms), focus ? say("focus") : ""].filter(Boolean).join(", "),
    },
    words.filter(Boolean).join(" "),
  );
}

/** `act(op, number)` plays on the simulator. */
export const callsTable = (act) =>
  table({
    title: "calls",
    empty: "noCalls",
    key: ({ chain }) => chain,
    columns: ["from", "to", "state", "age", "act"],
    make: ({ caller, called, state, number, since_ms }) => [
      h("strong", { class: "number" }, caller),
      [
        h("span", { class: "number" }, called),
        number && number !== called && h("span", { class: "quiet number" }, ` → ${number}`),
      ],
      h("span", { class: `pill ${CALL_TONES[state] ?? ""}` }, word("call", state)),
      since(since_ms),
      number &&
        h(
          "div",
          { class: "row" },
          state === "ringing" &&
            h("button", { class: "little", type: "button", onclick: () => act("answer", number) }, say("answer")),
          h("button", { class: "little", type: "button", onclick: () => act("hangup", number) }, say("hangup")),
        ),
    ],
  });

export const formsTable = () =>
  table({
    title: "forms",
    empty: "noForms",
    key: ({ id }) => id,
    columns: ["form", "user", "shown", "age"],
    make: ({ name, login, shown, since_ms }) => [
      h("strong", {}, name),
      login,
      h("span", { class: "number" }, String(shown)),
      since(since_ms),
    ],
  });

export const executionsTable = () =>
  table({
    title: "executions",
    empty: "noExecutions",
    key: ({ id }) => id,
    columns: ["method", "link", "askedBy", "age"],
    make: ({ method, link, asked_by, since_ms }) => [
      h("strong", {}, method),
      link || "—",
      word("by", asked_by),
      since(since_ms),
    ],
  });
