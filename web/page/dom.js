/** Elements from data. Whatever is a string becomes text, never markup. */

/**
 * Makes an element. `props`: `class`, `on…` handlers, properties (`value`, `checked`, `disabled`, `hidden`), and
 * attributes; `null`, `undefined` and `false` are left out. Children: nodes, strings, numbers, arrays, or nothing.
 */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (["value", "checked", "disabled", "hidden"].includes(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/**
 * Makes the children of `parent` follow `items`, in their order, keeping the nodes of those that stay (and with them
 * focus and what was typed). `make(item)` gives `{node, update?(item)}`.
 */
export function keyed(parent, items, key, make) {
  const before = rowsOf.get(parent) ?? new Map();
  const rows = new Map();
  for (const item of items) {
    const id = String(key(item));
    const row = before.get(id) ?? make(item);
    row.update?.(item);
    rows.set(id, row);
  }
  for (const [id, row] of before) if (!rows.has(id)) row.node.remove();
  let next = parent.firstElementChild;
  for (const { node } of rows.values()) {
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  rowsOf.set(parent, rows);
}

const rowsOf = new WeakMap();

/** Sets the text of a node, if it is another one. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
