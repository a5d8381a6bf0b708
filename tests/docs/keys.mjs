// node keys.mjs: writes docs/configuration.md and docs/ru/configuration.md, every key of the configuration, from what the program says
// of itself. `node keys.mjs --check` changes nothing and says whether they are as it would write them.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gateway } from "../peers/support/gateway.mjs";
import { REPOSITORY } from "./support/play.mjs";

const TITLES = {
  web: ["The ports that people and programs reach", "Порты, куда приходят люди и программы"],
  store: ["What outlives a restart", "Что переживает перезапуск"],
  pbx: ["The telephone system", "Телефония"],
  "pbx.asterisk": ["Asterisk", "Asterisk"],
  limits: ["How much a peer may ask", "Сколько может просить собеседник"],
  log: ["What is told on standard error", "Что пишется в поток ошибок"],
  recordings: ["Recordings of calls", "Записи разговоров"],
  files: ["Uploads and photos", "Загрузки и фотографии"],
};
const WORDS = {
  en: {
    title: "Every key of the configuration",
    text: [
      "This page is made from the program (`node tests/docs/keys.mjs`). What each key is for in more words, and the keys of `[[user]]`, `[[link]]`,",
      "`[[form]]`, `[[queue]]`, `[[break]]` and `[[procedure]]`, stands in [ctigate.example.toml](EXAMPLE).",
      "",
      "Values come from five layers, the later wins: defaults, the file, the store (what the console and commands changed), the environment",
      "(`CTIGATE_WEB__BIND`, two underscores for a dot), flags (`--set web.bind=…`). What a change does to a gateway that runs: `now` counts at once,",
      "`restart` after the next start. Changes of people, forms, queues, breaks and procedures count at once; those of a link open that link anew.",
    ],
    head: "| key | default | a change | what |",
  },
  ru: {
    title: "Все ключи конфигурации",
    text: [
      "Эта страница сделана программой (`node tests/docs/keys.mjs`). Подробнее о каждом ключе и о ключах таблиц `[[user]]`, `[[link]]`, `[[form]]`,",
      "`[[queue]]`, `[[break]]` и `[[procedure]]` — в [ctigate.example.toml](EXAMPLE).",
      "",
      "Значения берутся из пяти слоёв, побеждает более поздний: умолчания, файл, хранилище (то, что изменили консоль и команды), окружение",
      "(`CTIGATE_WEB__BIND`, два подчёркивания вместо точки), флаги (`--set web.bind=…`). К чему ведёт изменение на ходу: `now` действует сразу, `restart` —",
      "после следующего запуска. Изменения людей, форм, очередей, перерывов и процедур действуют сразу, изменение связи открывает её заново.",
    ],
    head: "| ключ | по умолчанию | изменение | что это |",
  },
};

/** The two pages, by language. */
export async function pages() {
  const undo = [];
  try {
    const gate = await gateway((fn) => undo.push(fn));
    const { items } = (await gate.api("settings")).body;
    return { en: page("en", items), ru: page("ru", items) };
  } finally {
    for (const fn of undo.reverse()) await fn();
  }
}

function page(lang, items) {
  const { title, text, head } = WORDS[lang];
  const lines = [`# ${title}`, "", ...text.map((line) => line.replace("EXAMPLE", `${lang === "ru" ? "../../" : "../"}ctigate.example.toml`))];
  let table = "";
  for (const { key, default: given, effect, [`help_${lang}`]: help } of items) {
    const of = key.slice(0, key.lastIndexOf("."));
    if (of !== table) {
      table = of;
      const named = TITLES[of]?.[lang === "ru" ? 1 : 0];
      lines.push("", named ? `## ${named}: \`[${of}]\`` : `## \`[${of}]\``, "", head, "|---|---|---|---|");
    }
    const shown = given === null || given === "" ? "" : `\`${typeof given === "string" ? given : JSON.stringify(given)}\``;
    lines.push(`| \`${key}\` | ${shown} | \`${effect}\` | ${help.replaceAll("|", "\\|")} |`);
  }
  return lines.join("\n") + "\n";
}

export const FILES = { en: join(REPOSITORY, "docs/configuration.md"), ru: join(REPOSITORY, "docs/ru/configuration.md") };

/** Which pages are not as they would be written. */
export async function stale() {
  const made = await pages();
  const read = (file) => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return "";
    }
  };
  return Object.entries(FILES).filter(([lang, file]) => read(file) !== made[lang]).map(([, file]) => `${file} is not what the program says; run node tests/docs/keys.mjs`);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  if (process.argv.includes("--check")) {
    const wrong = await stale();
    for (const line of wrong) console.log(line);
    process.exit(wrong.length > 0 ? 1 : 0);
  }
  const made = await pages();
  for (const [lang, file] of Object.entries(FILES)) writeFileSync(file, made[lang]);
  process.exit(0);
}
