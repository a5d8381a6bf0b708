// The console's words: both languages say everything, and the pages say nothing that the tables do not know.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { story } from "../../peers/support/stories.mjs";
import { REPOSITORY } from "../../peers/support/gateway.mjs";

const CONSOLE = join(REPOSITORY, "web/console");

async function tables() {
  const all = {};
  for (const file of await readdir(join(CONSOLE, "words"))) {
    const [table] = Object.values(await import(join(CONSOLE, "words", file)));
    for (const [key, words] of Object.entries(table)) {
      assert.ok(!(key in all), `${key} stands in two tables`);
      all[key] = words;
    }
  }
  return all;
}

async function sources() {
  const files = (await readdir(CONSOLE, { recursive: true })).filter(
    (name) => name.endsWith(".js") && !name.startsWith("words/"),
  );
  return (await Promise.all(files.map((name) => readFile(join(CONSOLE, name), "utf8")))).join("\n");
}

const gaps = (words) => [...words.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

story("console words: each is said in both languages, with the same gaps", async () => {
  const all = await tables();
  assert.ok(Object.keys(all).length > 400);
  for (const [key, words] of Object.entries(all)) {
    assert.equal(words.length, 2, key);
    const [english, russian] = words;
    assert.ok(english.trim() && russian.trim(), `${key} is empty`);
    assert.deepEqual(gaps(english), gaps(russian), `${key} has other gaps in the other language`);
    assert.ok(!/[а-яё]/i.test(english), `${key}: the English is Russian`);
  }
});

story("console words: what the pages say is in the tables, and what is in the tables is said", async () => {
  const all = await tables();
  const code = await sources();
  const said = [...code.matchAll(/\bsay(?:Or)?\(\s*(?:[^"`()]*\?\s*)?"([\w.]+)"/g)].map(([, key]) => key);
  const choices = [
    ...code.matchAll(/\bsay\([^()]*\?\s*"([\w.]+)"\s*:\s*(?:[^()"]*\?\s*"([\w.]+)"\s*:\s*)?"([\w.]+)"/g),
  ].flatMap((found) => found.slice(1));
  for (const key of [...said, ...choices].filter(Boolean)) assert.ok(key in all, `${key} is in no table`);
  // What is put together from parts: `say(`state.${…}`)` says every key that fits.
  const parted = [...code.matchAll(/\bsay(?:Or)?\(`([^`]+)`/g)]
    .map(([, text]) => text)
    .filter((text) => !text.startsWith("$"));
  const made = parted.map((text) => {
    const pattern = text
      .split(/\$\{[^}]*\}/)
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join("[\\w.-]+");
    return new RegExp(`^${pattern}$`);
  });
  const kinds = [...code.matchAll(/kind="(\w+)"/g)].map(([, kind]) => new RegExp(`^${kind}\\.`));
  const quoted = new Set([...code.matchAll(/"([\w.]+)"/g)].map(([, key]) => key));
  const never = Object.keys(all).filter(
    (key) => !quoted.has(key) && ![...made, ...kinds].some((pattern) => pattern.test(key)),
  );
  assert.deepEqual(never, [], "words that nobody says");
});
