// What must hold of the pages besides that they can be followed. Each truth gives a list of what is wrong.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { anchor, read } from "./page.mjs";
import { alone, others, pages, pairs } from "./pages.mjs";
import { PROGRAM, REPOSITORY } from "./play.mjs";

const say = (...args) => execFileSync(PROGRAM, args, { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" }, cwd: "/" });

export const truths = {
  "every page is written as the runner can read it": () => pages.flatMap(written),

  "every guide is there in both languages": () => [
    ...alone().map((name) => `${name} has no Russian page`),
    ...pairs().flatMap(([english, russian]) => (english ? [] : [`${russian.name} has no English page`])),
  ],

  "both languages have the same headings": () =>
    pairs().flatMap(([english, russian]) => {
      if (!english) return [];
      const levels = (page) => page.headings.map(({ level }) => level).join("");
      return levels(english) === levels(russian) ? [] : [`${russian.name}: ${levels(russian)}, expected ${levels(english)} as ${english.name}`];
    }),

  "both languages have the same blocks": () =>
    pairs().flatMap(([english, russian]) => {
      if (!english) return [];
      const parts = (page) => page.steps.map(({ lang, text, notes: { line, skip, because, ...notes } }) => JSON.stringify([lang, text, notes]));
      const [theirs, ours] = [parts(english), parts(russian)];
      if (theirs.length !== ours.length) return [`${russian.name}: ${ours.length} blocks, expected ${theirs.length} as ${english.name}`];
      return theirs.flatMap((part, i) => (part === ours[i] ? [] : [`${russian.name}: line ${russian.steps[i].line}: not as in ${english.name}, line ${english.steps[i].line}`]));
    }),

  "Russian pages are in Russian": () =>
    pairs().flatMap(([, { name, prose }]) => {
      const text = prose.map(({ text: line }) => line.replace(/`[^`]*`|\]\([^)]*\)|<[^>]*>/g, "")).join("\n");
      const [russian, latin] = [text.match(/[а-яё]/gi)?.length ?? 0, text.match(/[a-z]/gi)?.length ?? 0];
      return russian > latin * 3 ? [] : [`${name}: ${russian} Russian letters, ${latin} Latin ones`];
    }),

  "docs/README.md names every page": () => {
    const index = pages.find(({ name }) => name === "docs/README.md").prose.map(({ text }) => text).join("\n");
    const named = ({ name }) => !name.startsWith("docs/") || name === "docs/README.md" || index.includes(`](${name.slice(5)})`);
    return pages.filter((page) => !named(page)).map(({ name }) => `${name} is not there`);
  },

  "every link leads somewhere": () => [...pages, ...others].flatMap(linked),

  "every command and flag exists": () => pages.flatMap(commanded),

  "every key of the configuration exists": () => pages.flatMap(keyed),

  "every error code, close reason and status is explained, in both languages": () => {
    const spec = readFileSync(join(REPOSITORY, "proto-spec/errors.md"), "utf8").split(/^## /m);
    const part = (title) => spec.find((one) => one.startsWith(title));
    const codes = [...part("Failed calls").matchAll(/^\| (\d{5}) \|/gm)].map(([, code]) => code);
    const closes = [...new Set([...part("Close reasons").matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => code))];
    const reasons = [...part("Close reasons").matchAll(/^\| \d{4} \| ([^|]+?) \|/gm)].map(([, reason]) => reason).filter((one) => one !== "(none)" && one !== "what was wrong in the frame");
    const statuses = [...part("HTTP statuses").matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, list]) => list.split(", ")).filter((status) => status !== "101");
    if (codes.length < 15 || closes.length < 6 || statuses.length < 15) return ["proto-spec/errors.md is not read right"];
    return ["docs/en/troubleshooting.md", "docs/ru/troubleshooting.md"].flatMap((name) => {
      const page = pages.find((one) => one.name === name);
      if (!page) return [`${name} is not there`];
      const text = page.prose.map((line) => line.text).join("\n");
      const headed = new Set(page.headings.map((heading) => /^(\d{5}|\d{4})\b/.exec(heading.text)?.[1]));
      const rows = new Set([...text.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, list]) => list.split(", ")));
      return [
        ...[...codes, ...closes].filter((code) => !headed.has(code)).map((code) => `${name}: no heading for ${code}`),
        ...reasons.filter((reason) => !text.includes(reason)).map((reason) => `${name}: the reason "${reason}" is not named`),
        ...statuses.filter((status) => !rows.has(status)).map((status) => `${name}: no row for ${status}`),
      ];
    });
  },
};

/** What can be said of one page by itself: how it is written, its links, the commands and the keys that it names. */
export const looks = [written, linked, commanded, keyed];

function written(page) {
  return page.mistakes.map((mistake) => `${page.name}: ${mistake}`);
}

function linked(page) {
  return page.prose.flatMap((line) => links(page, line));
}

let knownCommands = null;

function commanded(page) {
  knownCommands ??= commands();
  const unknown = ({ line, text }) => unknownCommand(knownCommands, text).map((what) => `${page.name}: line ${line}: ${what}`);
  return named(page).flatMap(unknown);
}

let knownKeys = null;

function keyed(page) {
  knownKeys ??= keys();
  const unknown = ({ line, text }) =>
    [...text.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => unknownKey(knownKeys, code)).map((what) => `${page.name}: line ${line}: ${what}`);
  return page.prose.flatMap(unknown);
}

/** The links of a line that lead nowhere. What is in the world is not asked. */
function links(page, { line, text }) {
  const wrong = [];
  const bare = text.replace(/`[^`]*`/g, "");
  for (const [, target] of bare.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(https?|mailto):/.test(target)) continue;
    const [path, fragment] = target.split("#");
    const file = path === "" ? page.file : resolve(dirname(page.file), path);
    if (!file.startsWith(REPOSITORY) || !existsSync(file)) wrong.push(target);
    else if (fragment && file.endsWith(".md") && statSync(file).isFile()) {
      const there = read(file).headings.map((heading) => anchor(heading.text));
      const ids = [...readFileSync(file, "utf8").matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id);
      if (![...there, ...ids].includes(fragment)) wrong.push(target);
    }
  }
  return wrong.map((target) => `${page.name}: line ${line}: ${target} leads nowhere`);
}

/** The commands of the program by name, with the flags of each. */
function commands() {
  const known = new Map();
  const visit = (path) => {
    const help = say(...path, "--help");
    const flags = new Set([...help.matchAll(/(--[a-z][a-z-]*|(?<=\s)-[a-zA-Z])\b/g)].map(([flag]) => flag));
    const list = /^Commands:\n((?: {2}.*\n)+)/m.exec(help)?.[1] ?? "";
    const below = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name).filter((name) => name !== "help");
    known.set(path.join(" "), { flags, below });
    for (const name of below) visit([...path, name]);
  };
  visit([]);
  return known;
}

/** Everything on a page that is a command of ours: in its blocks and in its text. */
function named(page) {
  const lines = page.steps.filter(({ lang, notes }) => lang === "sh" || notes.as).flatMap(({ line, text, notes }) => `${text}\n${notes.as ?? ""}`.replace(/\\\n/g, " ").split("\n").map((one) => ({ line, text: one })));
  const codes = page.prose.flatMap(({ line, text }) => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => ({ line, text: code })));
  return [...lines, ...codes].filter(({ text }) => OURS.test(text));
}

/** The program where a command stands: at the beginning, behind another command, with variables before it. */
const OURS = /(?:^\s*|[|;&(]\s*|\b(?:sudo|exec) )(?:[A-Z_]+=\S+ )*(?:target\/debug\/)?ctigate ((?:[^\s|;&#)]+\s*)+)/;

function unknownCommand(known, text) {
  const found = OURS.exec(text.replace(/"[^"]*"|'[^']*'/g, "''").replace(/\s#.*$/, ""));
  if (!found) return [];
  const words = found[1].trim().split(/\s+/);
  const path = [];
  while (known.get([...path, words[0]].join(" "))) path.push(words.shift());
  const { below, flags } = known.get(path.join(" "));
  if (below.length > 0 && words[0] && /^[a-z][a-z-]*$/.test(words[0])) return [`there is no command "${["ctigate", ...path, words[0]].join(" ")}"`];
  const general = known.get("").flags;
  return words
    .filter((word) => /^--./.test(word) || /^-[a-zA-Z]$/.test(word))
    .map((word) => word.split("=")[0])
    .filter((flag) => !flags.has(flag) && !general.has(flag))
    .map((flag) => `"ctigate ${path.join(" ")}" has no ${flag}`);
}

/** The keys of the configuration: by table, as the example names them. */
function keys() {
  const known = new Map();
  let table = "";
  for (const line of readFileSync(join(REPOSITORY, "ctigate.example.toml"), "utf8").split("\n")) {
    const head = /^\[\[?([a-z.]+)\]\]?$/.exec(line);
    if (head) table = head[1];
    const key = /^(?:# )?([a-z_0-9]+) = /.exec(line);
    if (head) known.set(table, known.get(table) ?? new Set());
    else if (key && table) known.get(table).add(key[1]);
  }
  return known;
}

/** `web.bind`, `[web] bind`, `[limits] stop_grace = "10s"`. */
function unknownKey(known, code) {
  const found = /^\[\[?([a-z.]+)\]\]? ([a-z_0-9]+)\b/.exec(code) ?? /^(web|store|pbx|pbx\.asterisk|limits|log|recordings|files|user|link|form|queue|break|procedure)\.([a-z_0-9]+)( =.*)?$/.exec(code);
  if (!found) return /^\[(\[[a-z.]+\]|[a-z]+\.[a-z.]+)\]$/.test(code) && !known.has(code.replace(/[[\]]/g, "")) ? [`there is no table ${code}`] : [];
  const [, table, key] = found;
  if (/\.(md|db|pem|key|toml|token|js|php|py|cs)$/.test(code) || (table === "pbx" && key === "asterisk")) return [];
  return known.get(table)?.has(key) ? [] : [`there is no key ${table}.${key}`];
}
