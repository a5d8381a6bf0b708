/** A field for a number or a name: what is typed finds people; Up and Down choose one, Enter takes the chosen one. */

import { h, keyed } from "../page/dom.js";
import { stateTone, stateWord } from "./states.js";
import { say } from "./words.js";

const SHOWN = 8;
const NUMBER = /^\+?[\d*#][\d*#\s().-]*$/;

/** `chosen(number)` is called when a person of the list was taken. */
export function targetField(gateway, id, label, chosen) {
  let found = [];
  let at = -1;
  const list = h("ul", {
    class: "found",
    id: `${id}-found`,
    role: "listbox",
    "aria-label": say("colleagues"),
    hidden: true,
  });
  const input = h("input", {
    id,
    autocomplete: "off",
    spellcheck: "false",
    enterkeyhint: "go",
    placeholder: label,
    "aria-label": label,
    role: "combobox",
    "aria-expanded": "false",
    "aria-autocomplete": "list",
    "aria-controls": list.id,
  });
  const node = h("div", { class: "target" }, input, list);

  function look() {
    const typed = input.value.trim();
    found = typed
      ? gateway.people
          .search(typed)
          .filter(({ number, me }) => number && !me)
          .slice(0, SHOWN)
      : [];
    if (found.length === 1 && found[0].number === typed) found = [];
    at = -1;
    draw();
  }

  function draw() {
    keyed(list, found, ({ id: who }) => who, option);
    [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === at)));
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    if (at < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[at].id);
  }

  function option(person) {
    const number = h("span", { class: "quiet number" }, person.number);
    const name = h("span", { class: "grow" }, person.name);
    const dot = h("span", { class: "dot" });
    const node = h("li", { role: "option", id: `${id}-${person.id}` }, dot, name, number);
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      take(person);
    });
    const update = ({ state }) => {
      dot.className = `dot ${stateTone(state)}`;
      dot.title = stateWord(state);
    };
    return { node, update };
  }

  function take(person) {
    input.value = person.number;
    hide();
    chosen(person.number);
  }

  function hide() {
    found = [];
    at = -1;
    draw();
  }

  input.addEventListener("input", look);
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && !found.length) look();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      at = (at + step + found.length) % found.length;
      draw();
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      take(found[at]);
    } else if (event.key === "Escape" && found.length) {
      event.stopPropagation();
      hide();
    }
  });

  /** The number that was typed, or that of the one person whose name was; null when neither is clear. */
  function number() {
    const typed = input.value.trim();
    if (NUMBER.test(typed)) return typed;
    const fits = typed ? gateway.people.search(typed).filter((one) => one.number && !one.me) : [];
    const exact = fits.filter(({ name }) => name.toLowerCase() === typed.toLowerCase());
    const [one, other] = exact.length ? exact : fits;
    return one && !other ? one.number : null;
  }

  function clear() {
    input.value = "";
    hide();
  }

  function rename(words) {
    input.placeholder = words;
    input.setAttribute("aria-label", words);
  }

  return { node, input, number, clear, rename };
}
