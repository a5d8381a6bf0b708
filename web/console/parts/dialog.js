/** Questions over the page. Escape or the cross close one, and the focus goes back to where it was. */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { html } from "../html.js";
import { say } from "../words.js";
import { Icon } from "./icon.js";

/** What is open, the newest last: functions of `{close}` that give what stands in the dialog. */
const open = signal([]);
let numbers = 0;

/**
 * Opens one. `content({close})` gives what is in it; `close(answer)` ends it. The promise is fulfilled with the answer,
 * undefined when it was left. `strict`: a click beside it does not close it, because something would be lost.
 */
export function ask(title, content, { wide = false, strict = false } = {}) {
  return new Promise((resolve) => {
    const id = ++numbers;
    const close = (answer) => {
      open.value = open.value.filter((one) => one.id !== id);
      resolve(answer);
    };
    open.value = [...open.value, { id, title, content, wide, strict, close }];
  });
}

/** Asks whether something is really wanted. `bad`: it cannot be undone. */
export function sure(title, text, act, { bad = true } = {}) {
  return ask(
    title,
    ({ close }) => html`<p>${text}</p>
    <div class="ends">
      <button type="button" onClick=${() => close(false)}>${say("cancel")}</button>
      <button type="button" class=${bad ? "bad" : "main"} autofocus onClick=${() => close(true)}>${act}</button>
    </div>`,
  );
}

/** Closes all that is open. */
export function closeAll() {
  for (const one of open.peek()) one.close();
}

export function Dialogs() {
  return open.value.map((one) => html`<${Dialog} key=${one.id} ...${one} />`);
}

function Dialog({ id, title, content: Content, wide, strict, close }) {
  const node = useRef();
  useEffect(() => {
    const before = document.activeElement;
    node.current.showModal();
    node.current.querySelector("[autofocus], .dialog-body :is(input, select, textarea)")?.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  const beside = (event) => !strict && event.target === node.current && close();
  return html`<dialog
    ref=${node}
    class=${wide ? "card wide" : "card"}
    aria-labelledby="dialog-${id}"
    onCancel=${(event) => {
      event.preventDefault();
      close();
    }}
    onMouseDown=${beside}
  >
    <header class="row nowrap">
      <h2 id="dialog-${id}" class="grow">${title}</h2>
      <button class="plain round" type="button" aria-label=${say("close")} title=${say("close")} onClick=${() => close()}>
        <${Icon} name="close" />
      </button>
    </header>
    <div class="dialog-body"><${Content} close=${close} /></div>
  </dialog>`;
}
