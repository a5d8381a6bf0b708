/** A button with a menu: arrows, Home, End and first letters move, Enter chooses, Escape or a click elsewhere close. */

import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { Icon } from "./icon.js";

/** `items`: `{text, act, icon?, bad?, checked?, hint?}` or `{title}`; what is falsy is left out. `spoken`: what stands on the button names it. */
export function Menu({ label, items, children, spoken, class: kind = "plain", align = "end" }) {
  const [open, setOpen] = useState(false);
  const whole = useRef();
  const list = useRef();
  useEffect(() => {
    if (!open) return undefined;
    list.current.querySelector("[aria-checked=true], [role^=menuitem]")?.focus();
    const elsewhere = ({ target }) => whole.current?.contains(target) || setOpen(false);
    addEventListener("pointerdown", elsewhere, true);
    return () => removeEventListener("pointerdown", elsewhere, true);
  }, [open]);

  function shut() {
    setOpen(false);
    whole.current.querySelector("button").focus();
  }

  function moved(event) {
    const all = [...list.current.querySelectorAll("[role^=menuitem]")];
    const at = all.indexOf(document.activeElement);
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 };
    if (event.key in moves) all[moves[event.key] % all.length]?.focus();
    else if (event.key === "Escape" || event.key === "Tab") shut();
    else if (event.key.length === 1 && event.key !== " ") {
      const letter = event.key.toLowerCase();
      [...all.slice(at + 1), ...all.slice(0, at + 1)]
        .find(({ textContent }) => textContent.trim().toLowerCase().startsWith(letter))
        ?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  const row = ({ title, text, act, icon, bad, checked, hint }) =>
    title
      ? html`<div class="title" role="presentation">${title}</div>`
      : html`<button
          type="button"
          class=${bad ? "item danger" : "item"}
          role=${checked === undefined ? "menuitem" : "menuitemradio"}
          aria-checked=${checked === undefined ? undefined : String(checked)}
          tabindex="-1"
          onClick=${() => {
            shut();
            act();
          }}
        >
          ${icon && html`<${Icon} name=${icon} />`}<span class="grow">${text}</span>${hint && html`<kbd>${hint}</kbd>`}
        </button>`;

  return html`<div class="menued" ref=${whole}>
    <button
      type="button"
      class=${kind}
      aria-label=${spoken ? undefined : label}
      title=${label}
      aria-haspopup="menu"
      aria-expanded=${String(open)}
      onClick=${() => setOpen(!open)}
      onKeyDown=${(event) => {
        if (open || event.key !== "ArrowDown") return;
        event.preventDefault();
        setOpen(true);
      }}
    >
      ${children ?? html`<${Icon} name="more" />`}
    </button>
    ${
      open &&
      html`<div class="menu ${align}" role="menu" aria-label=${label} ref=${list} onKeyDown=${moved}>
      ${items.filter(Boolean).map(row)}
    </div>`
    }
  </div>`;
}
