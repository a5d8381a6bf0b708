// node console.mjs [part of a name]: the stories of the administrator's console, in a real browser against a real gateway.
// Pictures of every page are left in target/console.

import { readdir } from "node:fs/promises";
import { run } from "../peers/support/stories.mjs";

const folder = new URL("console/", import.meta.url);
for (const name of (await readdir(folder)).sort()) await import(new URL(name, folder));
await run(process.argv[2]);
