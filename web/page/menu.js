/**
 * A button with a menu. Enter, Space or Down open it; Up, Down, Home, End and first letters move; Enter chooses; Escape,
 * Tab or a click elsewhere close it, and the focus is back on the button.
 */

import { h } from "./dom.js";

/**
 * `button` gets the menu. `items()` gives what is in it each time it opens: `{text, act, checked?, hint?, tone?, lang?}`,
 * or `{title}` for a heading, or null for nothing. `checked` makes it one of a choice. Gives the node of both.
 */
export function menuOn(button, items, { align = "start" } = {}) {
  const list = h("div", { class: `menu ${align}`, role: "menu", hidden: true });
  const node = h("div", { class: "menued" }, button, list);
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  list.setAttribute("aria-label", button.getAttribute("aria-label") ?? button.textContent);

  const choices = () => [...list.querySelectorAll("[role^=menuitem]")];

  function open(last = false) {
    list.replaceChildren(...items().filter(Boolean).map(row));
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    addEventListener("pointerdown", elsewhere, true);
    const all = choices();
    (all.find((one) => one.getAttribute("aria-checked") === "true") ?? all.at(last ? -1 : 0))?.focus();
  }

  function close(focus = true) {
    if (list.hidden) return;
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    removeEventListener("pointerdown", elsewhere, true);
    if (focus) button.focus();
  }

  function elsewhere({ target }) {
    if (!node.contains(target)) close(false);
  }

  function row({ title, text, act, checked, hint, tone = "", lang }) {
    if (title) return h("div", { class: "title", role: "presentation" }, title);
    const choose = () => {
      close();
      act();
    };
    return h(
      "button",
      {
        class: "item",
        type: "button",
        role: checked === undefined ? "menuitem" : "menuitemradio",
        "aria-checked": checked === undefined ? null : String(checked),
        tabindex: "-1",
        lang,
        onclick: choose,
      },
      h("span", { class: tone ? `dot ${tone}` : "grow" }, tone ? "" : text),
      tone && h("span", { class: "grow" }, text),
      hint && h("kbd", {}, hint),
    );
  }

  button.addEventListener("click", () => (list.hidden ? open() : close()));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    open(event.key === "ArrowUp");
  });
  list.addEventListener("keydown", (event) => {
    const all = choices();
    const at = all.indexOf(document.activeElement);
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 };
    if (event.key in moves) {
      event.preventDefault();
      all[moves[event.key] % all.length]?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      close();
    } else if (event.key.length === 1 && event.key !== " ") {
      const letter = event.key.toLowerCase();
      const next = [...all.slice(at + 1), ...all.slice(0, at + 1)];
      next.find(({ textContent }) => textContent.trim().toLowerCase().startsWith(letter))?.focus();
    }
    event.stopPropagation();
  });
  return node;
}
