// node run.mjs [part of a name]: the gateway with CRMs in other languages. `CTIGATE` names the program to test, by
// default the debug build. Needs Python with the websockets package, PHP, mono, and `npm ci` in examples/crm-node.

import { readdir } from "node:fs/promises";
import { run } from "./support/stories.mjs";

const folder = new URL("stories/", import.meta.url);
for (const name of (await readdir(folder)).sort()) await import(new URL(name, folder));
await run(process.argv[2]);
