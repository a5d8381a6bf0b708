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

/** A moment as the gateway writes it (`YYYY-MM-DD HH:MM:SS`): the time alone when it is of today, else the day too. */
export function day(moment) {
  const [date = "", time = ""] = String(moment).split(" ");
  if (date === today()) return time.slice(0, 5);
  const [year, month, number] = date.split("-").map(Number);
  const words = new Date(year, month - 1, number).toLocaleDateString(language, { day: "numeric", month: "short" });
  return `${words}, ${time.slice(0, 5)}`;
}

/** The day so many days from now, as `YYYY-MM-DD`. */
export function today(shift = 0) {
  const now = new Date();
  now.setDate(now.getDate() + shift);
  const two = (n) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}
