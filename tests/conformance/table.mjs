// node table.mjs REPORTS CASES [--write]: makes one table of what Autobahn|Testsuite says of both our ends and compares it with
// expected.tsv, as far as CASES (6.*, or * for all) were played. --write puts it there instead. A result that is neither OK nor
// informational fails, expected or not.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [reports, cases, write] = process.argv.slice(2);
const EXPECTED = new URL("expected.tsv", import.meta.url);
const GOOD = new Set(["OK", "INFORMATIONAL"]);
const HEAD = ["case", "server plain", "server tls", "server nginx", "client plain", "client tls", "client nginx"];
/** Where each column's results may stand, and the agent they stand under. */
const SOURCES = [
  ["server", "server-packed"].map((folder) => [folder, "plain"]),
  [["server", "tls"]],
  [["server", "nginx"]],
  ["client", "client-packed"].map((folder) => [folder, "plain"]),
  [["client-tls", "tls"]],
  [["client", "nginx"]],
];

const rows = new Map();
const bad = [];
SOURCES.forEach((sources, column) => {
  for (const [folder, agent] of sources) {
    const file = join(reports, folder, "index.json");
    if (!existsSync(file)) continue;
    for (const [name, result] of Object.entries(JSON.parse(readFileSync(file, "utf8"))[agent] ?? {})) {
      if (!rows.has(name)) rows.set(name, Array(SOURCES.length).fill("-"));
      const told = [result.behavior, result.behaviorClose];
      rows.get(name)[column] = told[0] === told[1] ? told[0] : told.join(" ");
      if (!told.every((word) => GOOD.has(word))) bad.push(`${HEAD[column + 1]}, ${name}: ${told.join(", close ")}`);
    }
  }
});

const order = (name) => name.split(".").map((part) => part.padStart(4, "0")).join(".");
const sorted = [...rows].sort(([a], [b]) => order(a).localeCompare(order(b)));
const lines = sorted.map(([name, results]) => [name, ...results].join("\t"));

if (write === "--write") {
  writeFileSync(EXPECTED, `${HEAD.join("\t")}\n${lines.join("\n")}\n`);
} else {
  const played = new RegExp(`^(${cases.replaceAll(".", "\\.").replaceAll("*", ".*")})$`);
  const [, ...wanted] = readFileSync(EXPECTED, "utf8").trimEnd().split("\n");
  const expected = new Map(wanted.map((line) => [line.slice(0, line.indexOf("\t")), line]));
  for (const name of expected.keys()) if (played.test(name) && !rows.has(name)) bad.push(`${name} was not played`);
  for (const line of lines) {
    const name = line.slice(0, line.indexOf("\t"));
    if (line !== expected.get(name)) bad.push(`expected ${expected.get(name) ?? `nothing of ${name}`}\n     came ${line}`);
  }
}
bad.forEach((line) => console.log(line));
const counts = {};
for (const results of rows.values()) for (const word of results) if (word !== "-") counts[word] = (counts[word] ?? 0) + 1;
const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
console.log(`${rows.size} cases, ${all} results: ${Object.entries(counts).map(([word, n]) => `${n} ${word}`).join(", ")}`);
if (all === 0) bad.push("nothing was played");
console.log(`${all} passed, ${bad.length} failed`.replace(/^\d+/, String(Math.max(0, all - bad.length))));
process.exitCode = bad.length ? 1 : 0;
