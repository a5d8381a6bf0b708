/** A question over the page: Escape or the cross close it, and the focus goes back to where it was. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** Opens one. `close` names the cross; `children` may hold a form with `method="dialog"`. Gives the dialog and its end. */
export function dialog(title, close, ...children) {
  const heading = h("h2", { id: "dialog-title" }, title);
  const cross = h("button", { class: "plain round", type: "button", "aria-label": close, title: close }, icon("close"));
  const node = h(
    "dialog",
    { class: "card", "aria-labelledby": "dialog-title" },
    h("header", { class: "row" }, heading, h("span", { class: "grow" }), cross),
    children,
  );
  cross.addEventListener("click", () => node.close());
  node.addEventListener("click", (event) => event.target === node && node.close());
  const closed = new Promise((resolve) => node.addEventListener("close", resolve)).then(() => node.remove());
  document.body.append(node);
  node.showModal();
  node.querySelector("[autofocus], input, select, textarea")?.focus();
  return { node, closed, close: () => node.close() };
}
