// The examples as peers: real CRMs in Python, PHP, Node and C#.

import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "./gateway.mjs";
import { freePorts, output, start } from "./processes.mjs";

const EXAMPLES = join(REPOSITORY, "examples");
const VENV = join(REPOSITORY, "target/python/bin/python");
const PYTHON = existsSync(VENV) ? VENV : "python3";
const unbuffered = { ...process.env, PYTHONUNBUFFERED: "1", PYTHONDONTWRITEBYTECODE: "1" };

/** Connects to the gateway's link over WSS with Digest. */
export function pythonCrm(ending, gateway, ...more) {
  const url = `wss://127.0.0.1:${gateway.port("link")}/`;
  const args = [join(EXAMPLES, "crm-python/crm.py"), "--connect", url, "--ca", gateway.ca, ...more];
  return start(ending, PYTHON, args, { env: unbuffered });
}

/** Waits to be dialed. */
export async function pythonServer(ending, port, ...more) {
  const args = [join(EXAMPLES, "crm-python/crm.py"), "--listen", `127.0.0.1:${port}`, ...more];
  const crm = start(ending, PYTHON, args, { env: unbuffered });
  await crm.until(/listening/);
  return crm;
}

/** Connects to the gateway's link over WSS with Digest, and tunnels the pages it serves at `origin`. */
export async function nodeCrm(ending, gateway) {
  const [port] = await freePorts(1);
  const url = `wss://127.0.0.1:${gateway.port("link")}/`;
  const args = ["crm.js", "--connect", url, "--ca", gateway.ca, "--pages", `127.0.0.1:${port}`];
  const crm = start(ending, "node", args, { cwd: join(EXAMPLES, "crm-node") });
  await crm.until(/pages on/);
  return Object.assign(crm, { origin: `http://127.0.0.1:${port}` });
}

/** Answers POSTs at `port`. */
export async function phpCrm(ending, port) {
  const folder = await mkdtemp(join(tmpdir(), "ctigate-php-"));
  ending(() => rm(folder, { recursive: true, force: true }));
  const args = ["-d", `sys_temp_dir=${folder}`, "-S", `127.0.0.1:${port}`, "crm.php"];
  const crm = start(ending, "php", args, { cwd: join(EXAMPLES, "crm-php") });
  await crm.until(/started/);
  return Object.assign(crm, { origin: `http://127.0.0.1:${port}` });
}

let csharp = null;

/** The C# example as a program, compiled once. */
async function compiled() {
  const folder = await mkdtemp(join(tmpdir(), "ctigate-csharp-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const sources = ["Crm.cs", "Message.cs", "WebSocket.cs"].map((name) => join(EXAMPLES, "crm-csharp", name));
  const program = join(folder, "Crm.exe");
  const libraries = ["-r:System.Json.dll", "-r:System.Xml.Linq.dll"];
  await output("mcs", ["-langversion:7", "-warnaserror", ...libraries, `-out:${program}`, ...sources]);
  return program;
}

/** Connects to the gateway's link over WSS with Digest, in XML, and shows forms on pages at `origin`. */
export async function csharpCrm(ending, gateway) {
  const program = await (csharp ??= compiled());
  const [port] = await freePorts(1);
  const url = `wss://127.0.0.1:${gateway.port("link")}/`;
  const args = [program, "--connect", url, "--ca", gateway.ca, "--pages", `127.0.0.1:${port}`, "--examples", EXAMPLES];
  const crm = start(ending, "mono", args);
  await crm.until(/pages on/);
  return Object.assign(crm, { origin: `http://127.0.0.1:${port}` });
}

const ORLOVA = { clientid: "41", name: "Anna Orlova, Sever LLC", manager: "ivanov", vip: true };

/** The CRM of this gateway says whose number it is. */
export async function finds(gate) {
  const { status, body } = await gate.api("methods/FindClient", { input: { phone: "79001112233" } });
  assert.deepEqual([status, body.outcome, body.output], [200, "ok", ORLOVA]);
}

/** The forms that are open on this gateway. */
export const openForms = async (gate) => (await gate.picture()).forms;
