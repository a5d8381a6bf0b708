/** Times, lengths, sizes and counts, in the chosen language. */

import { signal } from "@preact/signals";
import { language } from "./choice.js";
import { say } from "./words.js";

/** The browser's clock, once a second: what shows a running time reads it. */
export const now = signal(Date.now());
setInterval(() => document.hidden || (now.value = Date.now()), 1000);

/** How far the gateway's clock is ahead of the browser's; set by whoever learns it. */
export const skew = signal(0);
export const gatewayNow = () => now.value + skew.value;

const locale = () => (language.value === "ru" ? "ru-RU" : "en-GB");
const two = (n) => String(n).padStart(2, "0");

/** Time of day with seconds. */
const clock = (ms) => new Date(ms).toLocaleTimeString(locale(), { hour12: false });

/** Time of day with thousandths. */
export const fine = (ms) => `${clock(ms)}.${String(Math.floor(ms) % 1000).padStart(3, "0")}`;

/** A moment: the time alone when it is of today, else day and time. */
export function moment(ms) {
  if (!ms) return "—";
  const date = new Date(ms);
  if (date.toDateString() === new Date().toDateString()) return clock(ms);
  const sameYear = date.getFullYear() === new Date().getFullYear();
  const day = date.toLocaleDateString(locale(), {
    day: "numeric",
    month: "short",
    year: sameYear ? undefined : "numeric",
  });
  return `${day}, ${clock(ms)}`;
}

/** A day alone. */
export const day = (ms) =>
  ms ? new Date(ms).toLocaleDateString(locale(), { day: "numeric", month: "short", year: "numeric" }) : "—";

/** A moment, whole, for titles. */
export const whole = (ms) =>
  ms ? new Date(ms).toLocaleString(locale(), { dateStyle: "full", timeStyle: "medium" }) : "";

/** A running time as m:ss or h:mm:ss. */
export function length(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(s / 3600);
  return (hours ? `${hours}:${two(Math.floor(s / 60) % 60)}` : String(Math.floor(s / 60))) + `:${two(s % 60)}`;
}

/** A long time in its two largest units: 3 d 4 h. */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const units = [
    ["d", Math.floor(s / 86400)],
    ["h", Math.floor(s / 3600) % 24],
    ["min", Math.floor(s / 60) % 60],
    ["s", s % 60],
  ];
  const first = units.findIndex(([, n]) => n > 0);
  if (first < 0) return say("unit.s", { n: 0 });
  return units
    .slice(first, first + 2)
    .filter(([, n]) => n > 0)
    .map(([unit, n]) => say(`unit.${unit}`, { n }))
    .join(" ");
}

/** How long ago, in the largest unit. */
export function ago(ms) {
  if (!ms) return "—";
  const s = Math.max(0, Math.round((gatewayNow() - ms) / 1000));
  const words = new Intl.RelativeTimeFormat(locale(), { numeric: "auto", style: "short" });
  if (s < 5) return say("justNow");
  if (s < 60) return words.format(-s, "second");
  if (s < 3600) return words.format(-Math.floor(s / 60), "minute");
  if (s < 86400) return words.format(-Math.floor(s / 3600), "hour");
  return words.format(-Math.floor(s / 86400), "day");
}

/** A size in bytes. */
export function size(bytes) {
  if (!Number.isFinite(bytes)) return "—";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let n = bytes;
  while (n >= 1024 && at < units.length - 1) {
    n /= 1024;
    at++;
  }
  return `${n.toLocaleString(locale(), { maximumFractionDigits: n < 10 && at ? 1 : 0 })} ${say(`unit.${units[at]}`)}`;
}

/** A count or a rate. */
export const count = (n, digits = 0) =>
  Number.isFinite(n) ? n.toLocaleString(locale(), { maximumFractionDigits: digits }) : "—";

/** Thousandths of a second. */
export const millis = (ms) => (Number.isFinite(ms) ? say("unit.ms", { n: count(ms, ms < 10 ? 1 : 0) }) : "—");

/** A moment for `<input type="datetime-local">`, and back. */
export function local(ms) {
  if (!ms) return "";
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`;
}
export const fromLocal = (text) => (text ? new Date(text).getTime() : null);
