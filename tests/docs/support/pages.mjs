// Which pages there are, and which belong together.

import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { read } from "./page.mjs";
import { REPOSITORY } from "./play.mjs";

const markdown = (folder) =>
  readdirSync(join(REPOSITORY, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
    .map((entry) => join(REPOSITORY, folder, entry.name))
    .sort();

const load = (file) => Object.assign(read(file), { name: relative(REPOSITORY, file) });

/** What is played: the READMEs and all of `docs/`. */
export const pages = [
  ...["README.md", "README.ru.md"].map((name) => join(REPOSITORY, name)).filter(existsSync).map(load),
  ...["docs", "docs/en", "docs/ru"].filter((folder) => existsSync(join(REPOSITORY, folder))).flatMap((folder) => markdown(folder).map(load)),
];

/** Pages with a mistake each; the first line says how it must be told. */
export const broken = markdown("tests/docs/broken").map(load);

/** Pages that are not played, but whose links count. */
export const others = [
  ...["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map((name) => join(REPOSITORY, name)),
  ...["proto-spec", "proto-spec/methods", "certs", "examples", "examples/crm-python", "examples/crm-php", "examples/crm-node"].flatMap(markdown),
  ...["examples/crm-csharp", "web", "tests/docs"].flatMap(markdown),
].map(load);

/** Each Russian page with the English one that it is of: that of the same name in `docs/en/`, or in `docs/`. */
export function pairs() {
  const named = new Map(pages.map((page) => [page.name, page]));
  const pair = (russian) => {
    const name = russian.name.split("/").pop();
    return [named.get(`docs/en/${name}`) ?? named.get(`docs/${name}`), russian];
  };
  return [[named.get("README.md"), named.get("README.ru.md")], ...pages.filter(({ name }) => name.startsWith("docs/ru/")).map(pair)];
}

/** English guides that have no Russian page. */
export const alone = () =>
  pages.filter(({ name }) => name.startsWith("docs/en/") && !existsSync(join(REPOSITORY, name.replace("/en/", "/ru/")))).map(({ name }) => name);
