/** Shows the document of the interface (OpenAPI 3.1) to people: each operation with parameters, bodies, examples, curl. */

import { h } from "/page/dom.js";
import { change, otherName, speaker } from "/page/language.js";

const say = speaker({
  title: ["The HTTP interface", "Интерфейс HTTP"],
  skip: ["To the operations", "К операциям"],
  find: ["Find", "Найти"],
  nothing: ["Nothing is found", "Ничего не найдено"],
  failed: ["The document cannot be loaded: {why}", "Не удалось загрузить описание: {why}"],
  document: ["The document for programs", "Описание для программ"],
  parameters: ["Parameters", "Параметры"],
  body: ["Body of the request", "Тело запроса"],
  answers: ["Answers", "Ответы"],
  example: ["Example", "Пример"],
  curl: ["With curl", "Через curl"],
  copy: ["Copy", "Копировать"],
  copied: ["Copied", "Скопировано"],
  name: ["Name", "Имя"],
  type: ["Type", "Тип"],
  about: ["What it is", "Что это"],
  status: ["Status", "Код"],
  needed: ["needed", "обязательно"],
  path: ["in the address", "в адресе"],
  query: ["after ?", "после ?"],
  access: ["Who may ask", "Кто может обращаться"],
  open: ["Nothing is asked for.", "Доступ не проверяется."],
  overview: ["Overview", "Обзор"],
  calls: ["Calls", "Звонки"],
  journal: ["Journal", "Журнал"],
  methods: ["Dynamic methods", "Динамические методы"],
  forms: ["Forms", "Формы"],
  events: ["Events and logs", "События и журнал работы"],
  links: ["Links", "Связи с CRM"],
  people: ["People and keys", "Люди и ключи"],
  access_: ["Access", "Доступ"],
  settings: ["Settings", "Настройки"],
  explain: ["Explanations and captures", "Объяснения и записи обмена"],
  setup: ["First run", "Первый запуск"],
  health: ["Health and figures", "Состояние и показатели"],
});

const VERBS = ["get", "post", "put", "patch", "delete"];
let document_ = {};

/** What a reference points to, else the thing itself. */
function resolve(thing) {
  if (!thing?.$ref) return thing ?? {};
  return thing.$ref.split("/").slice(1).reduce((at, part) => at?.[part.replaceAll("~1", "/")], document_) ?? {};
}

const nameOf = (schema) => schema?.$ref?.split("/").pop();

/** The other half of "this or null". */
function notNull(schema) {
  const some = (schema.oneOf ?? schema.anyOf ?? []).filter((one) => one.type !== "null");
  return some.length === 1 ? some[0] : schema;
}

/** The type of a schema in words. */
function typeOf(schema) {
  const named = nameOf(schema);
  const full = notNull(resolve(schema));
  if (full !== resolve(schema)) return typeOf(full);
  if (full.enum) return full.enum.map((value) => JSON.stringify(value)).join(" | ");
  const type = [full.type].flat().filter((one) => one && one !== "null").join(" | ");
  if (type === "array") return `${typeOf(full.items)}[]`;
  if (named) return named;
  if (full.additionalProperties?.$ref) return `{…: ${typeOf(full.additionalProperties)}}`;
  const range = [full.minimum, full.maximum].some((bound) => bound !== undefined) ? ` ${full.minimum ?? "…"}…${full.maximum ?? ""}` : "";
  return (type || "any") + range;
}

/** A value that fits a schema. */
function exampleOf(schema, depth = 0) {
  const full = notNull(resolve(schema));
  if (full.$ref) return exampleOf(full, depth);
  if (full.example !== undefined) return full.example;
  if (full.examples?.length) return full.examples[0];
  if (full.default !== undefined) return full.default;
  if (full.enum) return full.enum[0];
  if (full.allOf) return Object.assign({}, ...full.allOf.map((part) => exampleOf(part, depth)));
  const type = [full.type].flat().find((one) => one && one !== "null");
  if (type === "array") return depth > 5 ? [] : [exampleOf(full.items, depth + 1)];
  if (type === "object" || full.properties) {
    const all = Object.entries(full.properties ?? {});
    if (!all.length && full.additionalProperties?.$ref) return { name: exampleOf(full.additionalProperties, depth + 1) };
    return depth > 5 ? {} : Object.fromEntries(all.map(([name, one]) => [name, exampleOf(one, depth + 1)]));
  }
  return { string: "", integer: full.minimum ?? 0, number: full.minimum ?? 0, boolean: false }[type] ?? null;
}

/** Text in which `words` between backticks are code. */
function prose(text) {
  return String(text ?? "").split("`").map((part, at) => (at % 2 ? h("code", { class: "mono" }, part) : part));
}

/** A table of the fields of a schema, those of objects within it below. */
function fields(schema, prefix = "", depth = 0) {
  const full = notNull(resolve(schema));
  const real = full.$ref ? resolve(full) : full;
  if ([real.type].flat().includes("array")) return fields(real.items, `${prefix}[].`, depth);
  return Object.entries(real.properties ?? {}).flatMap(([name, one]) => {
    const about = one.description ?? resolve(notNull(one)).description;
    const needed = real.required?.includes(name);
    const row = h("tr", {}, h("td", { class: "mono" }, prefix + name, needed ? h("span", { class: "needed", title: say("needed") }, " *") : null),
      h("td", { class: "mono" }, typeOf(one)), h("td", {}, prose(about)));
    const inner = notNull(resolve(one));
    const list = [inner.type].flat().includes("array");
    const deeper = depth < 3 && (resolve(inner).properties || (list && resolve(notNull(resolve(inner.items))).properties));
    return deeper ? [row, ...fields(list ? inner.items : inner, `${prefix}${name}${list ? "[]" : ""}.`, depth + 1)] : [row];
  });
}

function table(rows, heads) {
  if (!rows.length) return null;
  return h("div", { class: "scroll" }, h("table", { class: "fields" }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, say(head))))), h("tbody", {}, rows)));
}

function code(text) {
  const copy = h("button", { type: "button", class: "small", onclick: async () => {
    await navigator.clipboard?.writeText(text);
    copy.textContent = say("copied");
    setTimeout(() => (copy.textContent = say("copy")), 1500);
  } }, say("copy"));
  return h("div", { class: "example" }, h("pre", { tabindex: "0" }, text), navigator.clipboard ? copy : null);
}

function curl(verb, path, operation, example) {
  const query = (operation.parameters ?? []).map(resolve).filter((one) => one.in === "query" && one.required).map((one) => `${one.name}=…`);
  const open = operation.security?.some((way) => !Object.keys(way).length);
  const lines = ["curl"];
  const stream = Object.keys(operation.responses).some((status) => resolve(operation.responses[status]).content?.["text/event-stream"]);
  if (stream) lines[0] += " -N";
  if (verb !== "get") lines[0] += ` -X ${verb.toUpperCase()}`;
  if (!open) lines.push(`-H "Authorization: Bearer $(cat data/admin.token)"`);
  if (example !== undefined) {
    lines.push(`-H 'Content-Type: ${example.type}'`);
    const text = typeof example.value === "string" ? example.value : JSON.stringify(example.value);
    lines.push(`-d '${text.replaceAll("'", "'\\''")}'`);
  }
  lines.push(`'${location.origin}${path}${query.length ? `?${query.join("&")}` : ""}'`);
  return lines.join(" \\\n  ");
}

function content(of) {
  const [type, media] = Object.entries(of?.content ?? {})[0] ?? [];
  if (!type) return null;
  const given = media.example ?? Object.values(media.examples ?? {})[0]?.value;
  return { type, schema: media.schema, value: given ?? exampleOf(media.schema) };
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function access(operation) {
  const ways = operation.security ?? document_.security ?? [];
  if (ways.some((way) => !Object.keys(way).length)) return h("p", {}, say("open"));
  const schemes = document_.components?.securitySchemes ?? {};
  const names = ways.flatMap((way) => Object.keys(way));
  return h("ul", {}, names.map((name) => h("li", {}, h("code", { class: "mono" }, name), " ", h("span", { class: "quiet" }, schemes[name]?.description ?? ""))));
}

/** What is inside an operation: made when it is opened. */
function inside(verb, path, operation) {
  const parameters = (operation.parameters ?? []).map(resolve).map((one) =>
    h("tr", {}, h("td", { class: "mono" }, one.name, one.required ? h("span", { class: "needed", title: say("needed") }, " *") : null),
      h("td", { class: "mono" }, typeOf(one.schema)), h("td", {}, prose(one.description), " ", h("span", { class: "quiet small" }, say(one.in)))));
  const body = content(resolve(operation.requestBody));
  const answers = Object.entries(operation.responses).map(([status, answer]) => [status, resolve(answer)]);
  const good = content(answers.find(([status]) => status.startsWith("2"))?.[1]);
  return [
    operation.description ? h("p", {}, prose(operation.description)) : null,
    parameters.length ? [h("h3", {}, say("parameters")), table(parameters, ["name", "type", "about"])] : null,
    body ? [h("h3", {}, say("body"), " ", h("span", { class: "quiet small" }, body.type)), table(fields(body.schema), ["name", "type", "about"]), code(pretty(body.value))] : null,
    h("h3", {}, say("answers")),
    table(answers.map(([status, answer]) => h("tr", {}, h("td", { class: "mono" }, status),
      h("td", { class: "mono" }, typeOf(content(answer)?.schema ?? { type: "" })), h("td", {}, prose(answer.description)))), ["status", "type", "about"]),
    good ? [h("h3", {}, say("example"), " ", h("span", { class: "quiet small" }, good.type)), table(fields(good.schema), ["name", "type", "about"]), code(pretty(good.value))] : null,
    h("h3", {}, say("curl")),
    code(curl(verb, path, operation, body ?? undefined)),
    h("h3", {}, say("access")),
    access(operation),
  ].flat().filter(Boolean);
}

function card(verb, path, operation) {
  const holder = h("div", { class: "inside" });
  const id = operation.operationId;
  const details = h("details", { class: "card operation", id: `op-${id}`, ontoggle: () => {
    if (details.open && !holder.childNodes.length) holder.append(...inside(verb, path, operation));
    if (details.open) history.replaceState(null, "", `#op-${id}`);
  } },
  h("summary", {}, h("span", { class: `verb ${verb}` }, verb.toUpperCase()), h("span", { class: "path" }, path), h("span", { class: "what" }, operation.summary)), holder);
  return details;
}

/** Every operation with its group, in the order of the groups. */
function operations() {
  const all = Object.entries(document_.paths).flatMap(([path, item]) =>
    VERBS.filter((verb) => item[verb]).map((verb) => ({ verb, path, operation: item[verb], group: item[verb].tags?.[0] ?? "" })));
  const order = (document_.tags ?? []).map((tag) => tag.name);
  return { all, groups: [...order, ...new Set(all.map((one) => one.group).filter((group) => !order.includes(group)))] };
}

function show() {
  const { all, groups } = operations();
  const named = (group) => say(group === "access" ? "access_" : group);
  const found = [];
  const sections = groups.map((group) => {
    const own = all.filter((one) => one.group === group);
    if (!own.length) return null;
    const cards = own.map((one) => {
      const node = card(one.verb, one.path, one.operation);
      const entry = h("a", { href: `#${node.id}`, onclick: () => (node.open = true) }, one.operation.summary);
      found.push({ node, entry, text: `${one.verb} ${one.path} ${one.operation.summary} ${one.operation.description ?? ""}`.toLowerCase() });
      return { node, entry };
    });
    return { head: h("h2", {}, named(group)), list: h("h2", {}, named(group)), cards };
  }).filter(Boolean);
  const none = h("p", { class: "empty", role: "status", hidden: true }, say("nothing"));
  const find = h("input", { type: "search", placeholder: say("find"), "aria-label": say("find"), oninput: () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let some = false;
    for (const { node, entry, text } of found) {
      const hidden = !words.every((word) => text.includes(word));
      node.hidden = entry.hidden = hidden;
      some ||= !hidden;
    }
    for (const { head, list, cards } of sections) head.hidden = list.hidden = cards.every(({ node }) => node.hidden);
    none.hidden = some;
  } });
  document.body.replaceChildren(
    h("a", { class: "skip", href: "#operations" }, say("skip")),
    h("div", { class: "reader" },
      h("nav", { class: "side" }, h("div", { class: "row" }, h("strong", { class: "grow" }, "ctigate API"), h("button", { type: "button", class: "small", onclick: change }, otherName)),
        find, sections.map(({ list, cards }) => [list, cards.map(({ entry }) => entry)])),
      h("main", { id: "operations", tabindex: "-1" },
        h("h1", {}, say("title"), " ", h("span", { class: "quiet small" }, document_.info.version)),
        h("p", { class: "quiet" }, prose(document_.info.description)),
        h("p", {}, h("a", { href: "/api/v1/openapi.json" }, say("document"))),
        none,
        sections.map(({ head, cards }) => h("section", {}, head, cards.map(({ node }) => node))))));
  document.title = `ctigate: ${say("title")}`;
  // "/" goes to the search, as on other pages of this kind.
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && document.activeElement?.tagName !== "INPUT") {
      event.preventDefault();
      find.focus();
    }
  });
  const wanted = location.hash && document.getElementById(location.hash.slice(1));
  if (wanted) {
    wanted.open = true;
    wanted.scrollIntoView();
  }
}

try {
  const answer = await fetch("/api/v1/openapi.json");
  if (!answer.ok) throw new Error(`${answer.status}`);
  document_ = await answer.json();
  show();
} catch (error) {
  document.body.replaceChildren(h("main", {}, h("p", { role: "alert" }, say("failed", { why: error.message }))));
}
