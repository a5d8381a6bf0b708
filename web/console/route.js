/** Where in the console one is: `#/journal/c0ff?number=101` is a page, its parts and its query. */

import { signal } from "@preact/signals";

function read() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...parts] = path.split("/").map(decoded);
  return { page: page || "overview", parts, query: Object.fromEntries(new URLSearchParams(search)) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const route = signal(read());
addEventListener("hashchange", () => (route.value = read()));

/** The address of a page. */
export function to(page, parts = [], query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = pairs.length ? `?${new URLSearchParams(pairs)}` : "";
  return `#/${[page, ...[parts].flat()].map(encodeURIComponent).join("/")}${search}`;
}

/** Goes there. `quietly`: without a step in the browser's history. */
export function go(address, { quietly = false } = {}) {
  if (!quietly) {
    location.hash = address;
    return;
  }
  history.replaceState(null, "", address);
  route.value = read();
}
