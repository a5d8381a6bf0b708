// node same.mjs: puts the blocks of each English page into its Russian one, by number, with the comments above them. The text
// between them stays. A Russian page that is being written may hold a line `<!-- block -->` in a block's place.

import { readFileSync, writeFileSync } from "node:fs";
import { pairs } from "./support/pages.mjs";

/** The page cut up: text, block, text, block … */
function parts(text) {
  const found = [];
  const pattern = /((?:^<!-- (?:file|append|background|until|wait|exit|of|as|because|skip|stop|gateway)\b.*-->\n)*)^ {0,3}(`{3,})[\w+#-]*\n[\s\S]*?^ {0,3}\2\n|(?:^<!-- (?:block|stop: .*|gateway: .*) -->\n)/gm;
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    found.push(text.slice(from, match.index), match[0]);
    from = match.index + match[0].length;
  }
  return [...found, text.slice(from)];
}

for (const [english, russian] of pairs()) {
  if (!english) continue;
  const [theirs, before] = [parts(readFileSync(english.file, "utf8")), readFileSync(russian.file, "utf8")];
  const ours = parts(before);
  if (theirs.length !== ours.length) {
    console.log(`${russian.name}: ${(ours.length - 1) / 2} blocks, ${english.name} has ${(theirs.length - 1) / 2}; left as it is`);
    continue;
  }
  const text = ours.map((part, i) => (i % 2 ? theirs[i] : part)).join("");
  if (text === before) continue;
  writeFileSync(russian.file, text);
  console.log(`${russian.name}: made the same`);
}
