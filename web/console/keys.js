/** Keys that work on every page while nobody types; by their place on the keyboard, so the layout does not matter. */

import { html } from "./html.js";
import { PAGES } from "./pages.js";
import { go, to } from "./route.js";
import { say } from "./words.js";

const SECOND_MS = 1200;

/** Listens until the function it gives is called. */
export function shortcuts() {
  let waiting = 0; // until when a letter behind `g` counts

  function pressed(event) {
    if (event.code === "KeyK" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      if (!document.querySelector("dialog[open]")) import("./frame.js").then(({ palette }) => palette());
      return;
    }
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    if (
      event.target.closest?.(
        "input:not([type=checkbox], [type=radio]), select, textarea, [role=menu], [contenteditable]",
      )
    )
      return;
    const letter = event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : "";
    if (Date.now() < waiting && letter) {
      waiting = 0;
      const page = PAGES.find(({ key }) => key === letter);
      if (page) go(to(page.id));
    } else if (event.key === "?" || (event.shiftKey && event.code === "Slash")) {
      import("./frame.js").then(({ helpSheet }) => helpSheet());
    } else if (event.code === "Slash" || event.key === "/") {
      const field = document.querySelector("[data-search]");
      if (!field) return;
      field.focus();
      field.select();
    } else if (letter === "g" && !event.shiftKey) {
      waiting = Date.now() + SECOND_MS;
    } else if (letter === "n" && !event.shiftKey) {
      const button = document.querySelector("[data-new]");
      if (!button) return;
      button.click();
    } else if ((letter === "j" || letter === "k") && !event.shiftKey) {
      if (!move(letter === "j" ? 1 : -1)) return;
    } else return;
    event.preventDefault();
  }

  addEventListener("keydown", pressed);
  return () => removeEventListener("keydown", pressed);
}

/** To the next or the last row of the page's table: its first link or button gets the focus. */
function move(by) {
  const rows = [...document.querySelectorAll(".content tbody tr, .content .rows > *")];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  const target = next?.querySelector("a, button");
  target?.focus();
  return Boolean(target);
}

/** All of them, for reading. */
export function Sheet() {
  const pages = PAGES.map(({ id, key }) => [["g", key], say(`page.${id}`)]);
  const others = [
    [["/"], say("key.search")],
    [["Ctrl", "K"], say("key.palette")],
    [["n"], say("key.new")],
    [["j"], say("key.down")],
    [["k"], say("key.up")],
    [["Enter"], say("key.open")],
    [["Esc"], say("key.close")],
    [["?"], say("keysSheet")],
  ];
  const list = (rows) =>
    html`<dl class="keys">
      ${rows.map(([keys, words]) => html`<div><dt>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${words}</dd></div>`)}
    </dl>`;
  return html`<div class="sheet"><section><h3>${say("key.everywhere")}</h3>${list(others)}</section>
    <section><h3>${say("key.pages")}</h3>${list(pages)}</section></div>`;
}
