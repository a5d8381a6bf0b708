// A page of Markdown as a list of what stands in it: headings, blocks with the comments above them, and comments that stand alone.

import { readFileSync } from "node:fs";

const FENCE = /^( {0,3})(`{3,})([\w+#-]*)\s*$/;
const COMMENT = /^<!--\s*([a-z]+)(?::\s*(.*?))?\s*-->$/;
const KNOWN = ["fails", "file", "append", "background", "until", "wait", "exit", "of", "as", "because", "skip", "stop", "gateway"];

/**
 * Reads a page: `headings` of `{level, text, line}`; `steps` in order, each `{line, lang, text, notes}`, where `lang` is null
 * for a comment that stands alone; `prose`, the lines outside of blocks as `{line, text}`; `mistakes` in how it is written.
 */
export function read(file) {
  const lines = readFileSync(file, "utf8").split("\n");
  const page = { file, headings: [], steps: [], prose: [], mistakes: [] };
  let notes = {};
  const alone = () => {
    if (notes.line) page.mistakes.push(`line ${notes.line}: a comment with no block below it`);
    notes = {};
  };
  for (let i = 0; i < lines.length; i++) {
    const fence = FENCE.exec(lines[i]);
    if (fence) {
      const [, indent, ticks, lang] = fence;
      const end = lines.findIndex((line, at) => at > i && line.trim() === ticks);
      if (end < 0) throw new Error(`${file}: line ${i + 1}: the block has no end`);
      const text = lines.slice(i + 1, end).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
      page.steps.push({ line: i + 1, lang, text: text.join("\n") + "\n", notes });
      notes = {};
      i = end;
      continue;
    }
    const comment = COMMENT.exec(lines[i]);
    if (comment) {
      const [, key, value] = comment;
      if (key === "fails") {
        page.fails = value; // a page that shows that a mistake is seen
        continue;
      }
      if (!KNOWN.includes(key)) page.mistakes.push(`line ${i + 1}: nobody knows the comment "${key}"`);
      if (key === "stop" || key === "gateway") {
        page.steps.push({ line: i + 1, lang: null, text: "", notes: { [key]: value } });
        continue;
      }
      notes = { line: i + 1, ...notes, [key]: value ?? true };
      if (lines[i + 1]?.trim() === "" || i + 1 === lines.length) alone();
      continue;
    }
    alone();
    const heading = /^(#{1,6}) (.*)$/.exec(lines[i]);
    if (heading) page.headings.push({ level: heading[1].length, text: heading[2], line: i + 1 });
    if (/^( {4}|\t)\S/.test(lines[i]) && lines[i - 1]?.trim() === "") page.mistakes.push(`line ${i + 1}: an indented block; fence it`);
    page.prose.push({ line: i + 1, text: lines[i] });
  }
  return page;
}

/** The anchor that a heading gets. */
export function anchor(text) {
  const plain = text.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "");
  return plain
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");
}
