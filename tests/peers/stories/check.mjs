// `ctigate check-crm` finds nothing wrong with the example CRMs.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { csharpCrm, nodeCrm, phpCrm, pythonCrm, pythonServer } from "../support/crms.mjs";
import { PROGRAM } from "../support/gateway.mjs";
import { freePorts, output, start } from "../support/processes.mjs";
import { story } from "../support/stories.mjs";

const CREDENTIALS = ["--login", "crm", "--password", "secret"];

/** No check failed, and nothing was remarked. */
function clean(said, made) {
  assert.match(said, new RegExp(`^${made} checks, nothing failed$`, "m"));
  assert.doesNotMatch(said, /^(BAD|note) /m);
}

/** Tries a CRM that connects by itself; `connect` starts it, given what it would be given of a gateway. */
async function whoConnects(ending, connect) {
  const folder = await mkdtemp(join(tmpdir(), "ctigate-check-"));
  ending(() => rm(folder, { recursive: true, force: true }));
  const [port] = await freePorts(1);
  const args = ["check-crm", "--listen", `127.0.0.1:${port}`, "--tls", ...CREDENTIALS];
  const check = start(ending, PROGRAM, args, { cwd: folder });
  await check.until(/waiting at wss:/);
  await connect({ port: () => port, ca: join(folder, "certs/server.pem") });
  assert.equal(await check.gone, 0, check.said);
  await check.flushed;
  clean(check.said, 21);
}

story("check-crm: nothing is wrong with the Python CRM, dialed", async (ending) => {
  const [port] = await freePorts(1);
  await pythonServer(ending, port);
  clean(await output(PROGRAM, ["check-crm", `ws://127.0.0.1:${port}/`, "--auth", "basic", ...CREDENTIALS]), 20);
});

story("check-crm: nothing is wrong with the Python CRM, connecting", (ending) =>
  whoConnects(ending, (gate) => pythonCrm(ending, gate)),
);

story("check-crm: nothing is wrong with the Node CRM", (ending) => whoConnects(ending, (gate) => nodeCrm(ending, gate)));

story("check-crm: nothing is wrong with the C# CRM", (ending) => whoConnects(ending, (gate) => csharpCrm(ending, gate)));

story("check-crm: nothing is wrong with the PHP CRM", async (ending) => {
  const [port] = await freePorts(1);
  const { origin } = await phpCrm(ending, port);
  clean(await output(PROGRAM, ["check-crm", `${origin}/hook.php`, "--auth", "basic", ...CREDENTIALS]), 16);
});
