/** Russian and English: the one chosen on the page, else the browser's first that is either. */

const KEPT = "ctigate.language";
const KNOWN = ["ru", "en"];

export const language =
  localStorage.getItem(KEPT) ??
  navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => KNOWN.includes(tag)) ??
  "en";
document.documentElement.lang = language;

/** The language that a click would change to. */
export const other = language === "ru" ? "en" : "ru";
export const otherName = { ru: "Русский", en: "English" }[other];

/** Changes the language; the page starts anew. */
export function change() {
  localStorage.setItem(KEPT, other);
  location.reload();
}

/** Gives the function that says the words of a table `{key: [english, russian]}`, with `{name}` replaced by values. */
export function speaker(table) {
  const column = language === "ru" ? 1 : 0;
  return (key, values = {}) =>
    (table[key]?.[column] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Time of day, with seconds. */
export function clock(ms) {
  return new Date(ms).toLocaleTimeString(language, { hour12: false });
}

/** A length of time as m:ss or h:mm:ss. */
export function length(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  return (hours ? `${hours}:${two(Math.floor(s / 60) % 60)}` : String(Math.floor(s / 60))) + `:${two(s % 60)}`;
}
