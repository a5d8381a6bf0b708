/** The forms that are open in this tab, and the notices of those that ended. */

import { h, say as text } from "../page/dom.js";
import { length } from "../page/language.js";
import { say } from "./words.js";

const NOTICE_MS = 60_000;

export function formsColumn(gateway, tell, complain) {
  const list = h("div", { class: "forms" });
  const node = h("section", { class: "desk", "aria-label": say("forms"), hidden: true }, list);
  const cards = new Map();

  /** Whether the call of a form is still to be answered: the keys are for the phone then. */
  const rings = ({ card }) => Boolean(card.chainid) && gateway.phone.line.phase !== "talking";
  const count = () => (node.hidden = list.childElementCount === 0);

  gateway.forms.on("open", (form) => {
    const card = formCard(form, complain);
    cards.get(form.id)?.node.remove();
    cards.set(form.id, card);
    list.prepend(card.node);
    count();
    tell(say("did.open", { form: form.caption || say("form") }), "accent");
    if (!typing() && !rings(form)) card.focus();
  });
  gateway.forms.on("change", (form) => cards.get(form.id)?.update());
  gateway.forms.on("close", (form, ending) => {
    const card = cards.get(form.id);
    if (!card) return;
    const how = endingWords(ending);
    tell(say("did.close", { form: form.caption || say("form"), how }), ending.mine ? "good" : "warn");
    const gone = () => {
      if (cards.get(form.id) === card) cards.delete(form.id);
      card.node.remove();
      count();
    };
    if (ending.mine) gone();
    else card.end(how, gone);
  });

  const tick = () => cards.forEach((card) => card.tick());
  return {
    node,
    tick,
    /** Goes to the newest open form; false when there is none. */
    focus() {
      const card = [...cards.values()].findLast(({ node: shown }) => !shown.classList.contains("ended"));
      card?.focus();
      return Boolean(card);
    },
  };
}

/** Whether a form must not take the focus away. */
function typing() {
  return document.activeElement?.matches("input, textarea, select") ?? false;
}

function endingWords({ reason, mine, by }) {
  if (mine) return say("closed.mine");
  if (reason === "answered" && by) return say("closed.answeredBy", { by });
  const words = say(`closed.${reason}`);
  return words === `closed.${reason}` ? say("closed.closed") : words;
}

function formCard(form, complain) {
  let opened = Date.now();
  const title = h("h3", {});
  const age = h("span", { class: "quiet small number" });
  const facts = h("dl", { class: "facts" });
  const inputs = h("div", { class: "inputs" });
  const trouble = h("p", { class: "note bad", role: "alert", hidden: true });
  const buttons = h("div", { class: "row actions" });
  const body = h("form", { novalidate: true, onsubmit: submit }, facts, inputs, trouble, buttons);
  const node = h(
    "article",
    { class: `card form ${form.kind}`, "data-form": form.id, "data-name": form.name },
    h("header", { class: "row" }, title, h("span", { class: "grow" }), age),
    body,
  );
  let drawn = "";

  function update() {
    opened = Date.now();
    text(title, form.caption || say("form"));
    const shape = JSON.stringify([form.kind, form.fields, form.card]);
    if (shape === drawn) return;
    drawn = shape;
    facts.replaceChildren(...factsOf(form).flatMap(([caption, value]) => [h("dt", {}, caption), h("dd", {}, value)]));
    inputs.replaceChildren(...inputsOf(form));
    buttons.replaceChildren(...buttonsOf());
  }

  function buttonsOf() {
    if (form.kind === "reserve") return [];
    if (form.kind !== "confirm") return [h("button", { class: "main", type: "submit" }, say("save"))];
    return [
      h("button", { class: "good", type: "submit" }, say("accept")),
      h("button", { type: "button", onclick: () => send(() => form.confirm(false)) }, say("refuse")),
    ];
  }

  function submit(event) {
    event.preventDefault();
    if (form.kind === "confirm") send(() => form.confirm(true));
    else if (form.kind !== "reserve") send(() => form.answer());
  }

  async function send(act) {
    const bad = inputs.querySelector("[data-bad]");
    if (bad) return warn(bad.dataset.bad, bad);
    const missing =
      form.kind !== "confirm" &&
      form.fields.find(
        ({ name, required, readonly }) => required && !readonly && ["", null, undefined].includes(form.values[name]),
      );
    if (missing) {
      const field = inputs.querySelector(`[name="${CSS.escape(missing.name)}"]`);
      return warn(say("missing", { field: missing.caption || missing.name }), field);
    }
    warn("");
    for (const button of buttons.children) button.disabled = true;
    try {
      await act();
    } catch (error) {
      if (error.code === 59013 || error.code === 59014) return; // the form has ended, and says so itself
      const lost = ["offline", "timeout", "closed"].includes(error.code);
      warn(lost ? say("notSent") : say("failed", { why: error.message }));
      complain(form.caption || say("form"), error);
    } finally {
      for (const button of buttons.children) button.disabled = false;
    }
  }

  function warn(words, field) {
    trouble.hidden = !words;
    text(trouble, words);
    field?.focus();
  }

  function focus() {
    node.querySelector("input, select, textarea, button")?.focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest" });
  }

  /** The form is over: what is left is a notice, with what had been typed. */
  function end(how, gone) {
    const typed = typedIn(form);
    const held = node.contains(document.activeElement);
    node.classList.add("ended");
    const close = h("button", { class: "little", type: "button", onclick: gone }, say("dismiss"));
    node.replaceChildren(
      h("header", { class: "row" }, title, h("span", { class: "grow" }), close),
      h("p", { class: "note warn ending", role: "status" }, how),
    );
    if (typed.length) {
      const lines = typed.map(([caption, value]) => h("p", {}, `${caption}: ${value}`));
      node.append(h("div", { class: "typed small" }, h("p", { class: "quiet" }, say("typed")), lines));
    }
    if (held) close.focus();
    setTimeout(gone, NOTICE_MS);
  }

  update();
  function tick() {
    const passed = Date.now() - opened;
    const limit = form.card.timeoutms;
    text(age, limit ? say("closesIn", { time: length(limit - passed) }) : say("openFor", { time: length(passed) }));
  }
  tick();
  return { node, update, focus, end, tick };
}

/** What is read only: the call it is about, and the fields that the call has filled. */
function factsOf({ kind, card, fields }) {
  const facts = [];
  if (kind === "reserve") facts.push(["", say("reserved")]);
  if (kind === "confirm") facts.push(["", say("confirmAsk")]);
  const caller = [card.callerid, card.callername].filter(Boolean).join(", ");
  if (caller) facts.push([say("caller"), caller]);
  for (const field of fields)
    if (field.readonly) facts.push([field.caption || field.name, shown(field.value, field.type)]);
  return facts;
}

function shown(value, type) {
  if (value === null || value === undefined || value === "") return "—";
  if (type === "bool" || typeof value === "boolean") return say([true, "true", 1, "1"].includes(value) ? "yes" : "no");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function inputsOf(form) {
  if (form.kind === "reserve" || form.kind === "confirm") return [];
  const editable = form.fields.filter(({ readonly }) => !readonly);
  const nodes = editable.map((field) => inputOf(form, field));
  const results = Array.isArray(form.card.results) ? form.card.results : [];
  if (results.length && !editable.some(({ name }) => name === "resultcode")) {
    nodes.push(choice(form, { name: "resultcode", caption: say("result") }, results));
  }
  if (!editable.some(({ name }) => name === "comment")) {
    const area = h("textarea", { id: `${form.id}-comment`, value: form.comment, maxlength: "4000" });
    area.addEventListener("input", () => form.setComment(area.value));
    nodes.push(h("div", { class: "wide" }, h("label", { for: area.id }, say("comment")), area));
  }
  return nodes;
}

/** An editable field by its type. A value that does not fit is marked, and holds up the answer. */
function inputOf(form, field) {
  const { name, type = "string" } = field;
  const caption = (field.caption || name) + (field.required ? " *" : "");
  const id = `${form.id}-${name}`;
  const value = form.values[name];
  const results = form.card.results;
  if (name === "resultcode" && Array.isArray(results) && results.length)
    return choice(form, { ...field, caption }, results);
  if (type === "bool") {
    const box = h("input", { type: "checkbox", id, name, checked: value === true || value === "true" });
    box.addEventListener("change", () => form.set(name, box.checked));
    return h("label", { class: "check", for: id }, box, caption);
  }
  const structured = type === "object" || type === "array";
  const long = structured || name === "comment";
  const input = h(long ? "textarea" : "input", {
    id,
    name,
    autocomplete: "off",
    maxlength: "4000",
    required: field.required,
    type: long ? null : type === "datetime" ? "datetime-local" : "text",
    step: type === "datetime" ? "1" : null,
    inputmode: type === "int" ? "numeric" : type === "float" ? "decimal" : null,
    value:
      value === undefined || value === null
        ? ""
        : structured
          ? JSON.stringify(value)
          : type === "datetime"
            ? String(value).replace(" ", "T")
            : String(value),
  });
  input.addEventListener("input", () => {
    const [read, complaint] = readAs(type, input.value);
    if (complaint) input.dataset.bad = say(complaint, { field: field.caption || name });
    else delete input.dataset.bad;
    input.toggleAttribute("aria-invalid", Boolean(complaint));
    if (!complaint) form.set(name, read);
  });
  return h("div", { class: long ? "wide" : "" }, h("label", { for: id }, caption), input);
}

function readAs(type, typed) {
  if (typed === "") return [type === "string" ? "" : null];
  if (type === "int") return /^[+-]?\d{1,15}$/.test(typed.trim()) ? [Number(typed)] : [null, "notNumber"];
  if (type === "float") {
    const number = Number(typed.trim().replace(",", "."));
    return Number.isFinite(number) ? [number] : [null, "notNumber"];
  }
  if (type === "datetime") return [typed.replace("T", " ").padEnd(19, ":00")];
  if (type !== "object" && type !== "array") return [typed];
  try {
    const value = JSON.parse(typed);
    const fits = type === "array" ? Array.isArray(value) : value && typeof value === "object" && !Array.isArray(value);
    return fits ? [value] : [null, "notJson"];
  } catch {
    return [null, "notJson"];
  }
}

/** One of the results that the task allows; each is a string, or an object with a code and a name. */
function choice(form, { name, caption }, results) {
  const id = `${form.id}-${name}`;
  const options = results.map((result) => {
    const code = String(result?.code ?? result?.id ?? result?.name ?? result);
    return h("option", { value: code }, String(result?.caption ?? result?.name ?? code));
  });
  const select = h("select", { id, name }, h("option", { value: "" }, "—"), options);
  select.value = form.values[name] ?? "";
  select.addEventListener("change", () => form.set(name, select.value));
  return h("div", {}, h("label", { for: id }, caption), select);
}

function typedIn(form) {
  const lines = form.fields
    .filter((field) => !field.readonly)
    .map((field) => {
      const value = form.values[field.name];
      const same = value === undefined || value === null || value === "" || value === field.value;
      return same ? null : [field.caption || field.name, shown(value, field.type)];
    });
  if (form.comment) lines.push([say("comment"), form.comment]);
  return lines.filter(Boolean);
}
