/** Fields of forms: a label, the field, what it means, and what is wrong with it. */

import { useId, useState } from "preact/hooks";
import { html } from "../html.js";
import { say } from "../words.js";
import { Icon } from "./icon.js";
import { tell } from "./said.js";

/** `children(attributes)` makes the field itself from its id and what describes it. */
function Field({ label, help, wrong, children, needed, class: kind = "" }) {
  const id = useId();
  const about = [help && `${id}-help`, wrong && `${id}-wrong`].filter(Boolean).join(" ") || undefined;
  return html`<div class="field ${kind}">
    <label for=${id}>${label}${needed && html`<span class="needed" aria-hidden="true"> *</span>`}</label>
    ${children({ id, "aria-describedby": about, "aria-invalid": wrong ? "true" : undefined, required: needed })}
    ${wrong && html`<p class="wrong" id="${id}-wrong" role="alert">${wrong}</p>`}
    ${help && html`<p class="help" id="${id}-help">${help}</p>`}
  </div>`;
}

/** A line of text. The rest of the properties go to the input. */
export function Text({ label, help, wrong, value, set, needed, class: kind, ...rest }) {
  return html`<${Field} ...${{ label, help, wrong, needed, class: kind }}>
    ${(attributes) =>
      html`<input
        type="text"
        autocomplete="off"
        spellcheck=${false}
        ...${rest}
        ...${attributes}
        value=${value ?? ""}
        onInput=${(event) => set(event.currentTarget.value)}
      />`}
  <//>`;
}

/** A secret, which can be looked at. */
export function Word({ label, help, wrong, value, set, needed, autocomplete = "off", ...rest }) {
  const [seen, setSeen] = useState(false);
  return html`<${Field} ...${{ label, help, wrong, needed }}>
    ${(attributes) =>
      html`<div class="joined">
        <input
          ...${rest}
          ...${attributes}
          type=${seen ? "text" : "password"}
          autocomplete=${autocomplete}
          autocapitalize="none"
          spellcheck=${false}
          value=${value ?? ""}
          onInput=${(event) => set(event.currentTarget.value)}
        />
        <button type="button" class="square" aria-pressed=${String(seen)} aria-label=${say("show")} title=${say("show")} onClick=${() => setSeen(!seen)}>
          <${Icon} name="eye" />
        </button>
      </div>`}
  <//>`;
}

/** One of some: `choices` are `[value, words]` or plain values. */
export function Choice({ label, help, wrong, value, set, choices, needed, class: kind, ...rest }) {
  return html`<${Field} ...${{ label, help, wrong, needed, class: kind }}>
    ${(attributes) =>
      html`<select ...${rest} ...${attributes} value=${value ?? ""} onChange=${(event) => set(event.currentTarget.value)}>
        ${choices.map((one) => {
          const [own, words] = Array.isArray(one) ? one : [one, one];
          return html`<option value=${own} selected=${own === (value ?? "")}>${words}</option>`;
        })}
      </select>`}
  <//>`;
}

/** Yes or no. */
export function Check({ label, help, value, set, disabled }) {
  const id = useId();
  return html`<div class="field">
    <label class="check" for=${id}>
      <input type="checkbox" id=${id} checked=${Boolean(value)} disabled=${disabled} aria-describedby=${help ? `${id}-help` : undefined} onChange=${(event) => set(event.currentTarget.checked)} />
      <span>${label}</span>
    </label>
    ${help && html`<p class="help" id="${id}-help">${help}</p>`}
  </div>`;
}

/** More than one line. */
export function Area({ label, help, wrong, value, set, needed, ...rest }) {
  return html`<${Field} ...${{ label, help, wrong, needed }}>
    ${(attributes) =>
      html`<textarea spellcheck=${false} ...${rest} ...${attributes} value=${value ?? ""} onInput=${(event) => set(event.currentTarget.value)}></textarea>`}
  <//>`;
}

/** Words with commas or on lines, as a list. */
export const words = (text) =>
  String(text ?? "")
    .split(/[\s,;]+/)
    .filter(Boolean);

/** The field that searches a page: `/` goes to it, Escape empties it. */
export function Search({ value, set, label = say("search") }) {
  return html`<div class="search">
    <${Icon} name="inspect" />
    <input
      type="search"
      data-search
      aria-label=${label}
      placeholder=${label}
      value=${value}
      onInput=${(event) => set(event.currentTarget.value)}
      onKeyDown=${(event) => {
        if (event.key !== "Escape") return;
        if (value) set("");
        else event.currentTarget.blur();
        event.preventDefault();
      }}
    />
    <kbd aria-hidden="true">/</kbd>
  </div>`;
}

/** Some of a few, as buttons beside each other. */
export function Pills({ label, value, set, choices }) {
  return html`<div class="pills" role="group" aria-label=${label}>
    ${choices.map(
      ([own, words, n]) =>
        html`<button type="button" aria-pressed=${String(own === value)} onClick=${() => set(own)}>
          ${words}${n !== undefined && html` <span class="n">${n}</span>`}
        </button>`,
    )}
  </div>`;
}

/** Puts a text where the user pastes from. */
export function Copy({ text, label = say("copy") }) {
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      tell(say("copied"));
    } catch {
      tell(say("notCopied"), "bad");
    }
  }
  return html`<button type="button" class="little" onClick=${copy}><${Icon} name="copy" size="16" />${label}</button>`;
}
