// node run.mjs [part of a name]: the stories that need a real browser. `CTIGATE` names the program to test, by default
// the debug build; `CHROMIUM` the browser.

import { readdir } from "node:fs/promises";
import { run } from "../peers/support/stories.mjs";

const folder = new URL("stories/", import.meta.url);
for (const name of (await readdir(folder)).sort()) await import(new URL(name, folder));
await run(process.argv[2]);
