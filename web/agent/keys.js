/**
 * Single keys that do things, while nobody types: by their place on the keyboard, so that they are the same in every
 * layout. They can be switched off, for people whose tools type for them.
 */

import { dialog } from "../page/dialog.js";
import { h } from "../page/dom.js";
import { say } from "./words.js";

const KEPT = "ctigate.keys";

/** `orders` is `{code: act}` by `KeyboardEvent.code`; an act that gives false leaves the key to the browser. */
export function shortcuts(orders) {
  const wanted = () => localStorage.getItem(KEPT) !== "off";

  function pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input:not([type=checkbox]), select, textarea, audio, [role=menu], [contenteditable]"))
      return;
    if (event.key === "?") {
      event.preventDefault();
      return help();
    }
    const order = wanted() && !event.shiftKey && orders[event.code];
    if (order && order() !== false) event.preventDefault();
  }

  function help() {
    const box = h("input", { type: "checkbox", id: "keys-on", checked: wanted() });
    box.addEventListener("change", () => localStorage.setItem(KEPT, box.checked ? "on" : "off"));
    const rows = Object.keys(orders).map((code) => [
      code === "Slash" ? "/" : code.replace("Key", ""),
      say(`key.${code}`),
    ]);
    rows.push(["?", say("keys")], ["Esc", say("key.Escape")], ["↑ ↓ ← →", say("key.arrows")]);
    dialog(
      say("keys"),
      say("close"),
      h(
        "dl",
        { class: "keys" },
        rows.map(([key, words]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, words))),
      ),
      h("label", { class: "check", for: box.id }, box, say("keysOn")),
    );
  }

  addEventListener("keydown", pressed);
  return { help, stop: () => removeEventListener("keydown", pressed) };
}
