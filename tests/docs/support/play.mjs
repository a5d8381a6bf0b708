// Plays a page: does what its blocks say, in a folder of its own, and says what went wrong.

import { spawn } from "node:child_process";
import { appendFile, chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "../../peers/support/processes.mjs";

export const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
export const PROGRAM = process.env.CTIGATE ?? join(REPOSITORY, "target/debug/ctigate");

const COMMAND_MS = 60_000;
const WAIT_MS = 40_000;
const STOP_MS = 10_000;
/** Ports that pages name. Each page gets free ones in their place. */
const PORTS = [443, 4055, 4056, 4058, 4060, 4067, 4068, 4069, 4573, 8080, 8081, 8090, 8091, 8443, 9000, 9001];

/** How often each kind of block was met, and the blocks that were not run with their reasons. */
export const counts = { run: 0, files: 0, outputs: 0, checked: 0, skipped: [] };

/** Plays the page, whole. Throws at the first step that is not as the page says, with its line. */
export async function play(page) {
  const free = await freePorts(PORTS.length);
  const folder = await mkdtemp(join(tmpdir(), "ctigate-docs-"));
  const player = new Player(page, folder, new Map(PORTS.map((port, i) => [String(port), String(free[i])])));
  try {
    await player.prepare();
    for (const step of page.steps) {
      try {
        await player.step(step);
      } catch (error) {
        throw new Error(`line ${step.line}: ${error.message}${player.tails()}`);
      }
    }
  } finally {
    await player.end();
    await rm(folder, { recursive: true, force: true });
  }
}

class Player {
  constructor(page, folder, ports) {
    this.page = page;
    this.folder = folder;
    this.ports = ports;
    this.pattern = new RegExp(`(?<![\\d.])(${PORTS.join("|")})(?![\\d.]\\d)(?!\\d)`, "g");
    this.running = new Map();
    this.last = null; // the output of the block before
    this.again = null; // runs it once more, when the page says that one must wait
  }

  async prepare() {
    const bin = join(this.folder, ".bin");
    await mkdir(bin);
    await symlink(PROGRAM, join(bin, "ctigate"));
    const python = join(REPOSITORY, "target/python/bin/python");
    for (const name of ["python", "python3"]) {
      if (!existsSync(python)) break;
      await writeFile(join(bin, name), `#!/bin/sh\nexec '${python}' "$@"\n`);
      await chmod(join(bin, name), 0o755);
    }
    await writeFile(join(bin, "open-page"), `#!/bin/sh\nexec node '${join(REPOSITORY, "tests/docs/open.mjs")}' "$@"\n`);
    await chmod(join(bin, "open-page"), 0o755);
    await symlink(join(REPOSITORY, "examples/crm-node/node_modules"), join(this.folder, "node_modules"));
    await symlink(join(REPOSITORY, "examples"), join(this.folder, "examples"));
    await symlink(join(REPOSITORY, "deploy"), join(this.folder, "deploy"));
    await symlink(join(REPOSITORY, "web"), join(this.folder, "web"));
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("CTIGATE") && name !== "CRM_PASSWORD");
    this.env = {
      ...Object.fromEntries(own),
      PATH: `${bin}:${process.env.PATH}`,
      HOME: this.folder,
      NO_COLOR: "1",
      PYTHONUNBUFFERED: "1",
      PYTHONDONTWRITEBYTECODE: "1",
      TMPDIR: this.folder,
      // Where a page says nothing else, the gateway listens at this page's ports too.
      CTIGATE_WEB__BIND: this.mapped("127.0.0.1:4055"),
      CTIGATE_WEB__TLS_BIND: this.mapped("127.0.0.1:4056"),
      CTIGATE_WEB__ADMIN_BIND: this.mapped("127.0.0.1:4058"),
    };
  }

  /** With this page's ports in place of the usual ones. */
  mapped(text) {
    return text.replace(this.pattern, (port) => this.ports.get(port));
  }

  async step({ lang, text, notes }) {
    if (notes.skip !== undefined) {
      if (notes.skip === true || notes.skip.length < 8) throw new Error("skip: says no reason");
      counts.skipped.push(`${this.page.name}: ${notes.skip}`);
      return;
    }
    if (notes.stop) return this.stop(notes.stop);
    if (lang === null) return this.run({ background: "gateway", until: " ready " }, `exec ${notes.gateway}`);
    if (notes.file || notes.append) return this.write(notes, text);
    if (lang === "sh") return this.run(notes, text);
    if (lang === "text") return this.compare(notes, text);
    if (lang === "toml") return this.checkConfig(text);
    if (lang === "json") return this.checkJson(text);
    if (lang === "xml") return this.checkXml(text);
    if (lang === "timeline") return this.checkTimeline(text);
    throw new Error(`a block of "${lang}" that says neither file: nor skip: (tests/docs/README.md)`);
  }

  async write(notes, text) {
    const name = join(this.folder, notes.file ?? notes.append);
    await mkdir(dirname(name), { recursive: true });
    await (notes.append ? appendFile : writeFile)(name, this.mapped(text));
    counts.files++;
  }

  async run(notes, text) {
    counts.run++;
    if (notes.as && !notes.because) throw new Error("as: needs because:");
    const script = this.mapped(notes.as ?? text);
    if (notes.background) {
      await this.stop(notes.background);
      const program = this.start(script);
      this.running.set(notes.background, program);
      if (notes.until) await this.until(program, (said) => said.includes(this.mapped(notes.until)), `"${notes.until}"`);
      this.last = program;
      this.again = null;
      return;
    }
    const wanted = Number(notes.exit ?? 0);
    const once = async () => {
      const program = this.start(script);
      const code = await within(COMMAND_MS, program.gone, "the command to end").catch(async (error) => {
        await end(program);
        throw new Error(`${error.message}; it said:\n${program.said}`);
      });
      this.last = program;
      return code;
    };
    const until = Date.now() + WAIT_MS;
    let code = await once();
    while (notes.wait && code !== wanted && Date.now() < until) {
      await pause(200);
      code = await once();
    }
    this.again = notes.wait ? once : null;
    if (code !== wanted) throw new Error(`ended with ${code}, expected ${wanted}; it said:\n${this.last.said}`);
  }

  async compare(notes, text) {
    counts.outputs++;
    const program = notes.of ? this.running.get(notes.of) : this.last;
    if (!program) throw new Error("an output, but nothing was run");
    const expected = this.mapped(text);
    const fits = (said) => missing(said, expected) === null;
    if (notes.of || [...this.running.values()].includes(program)) {
      return this.until(program, fits, () => missing(program.said, expected), this.again);
    }
    const until = Date.now() + WAIT_MS;
    while (this.again && !fits(this.last.said) && Date.now() < until) {
      await pause(200);
      await this.again();
    }
    const lost = missing(this.last.said, expected);
    if (lost) throw new Error(`the output lacks: ${lost}\nit was:\n${this.last.said}`);
  }

  /** A part of a configuration: what it needs besides, a person and the files of its secrets, is made up. */
  async checkConfig(text) {
    counts.checked++;
    const folder = await mkdtemp(join(this.folder, "config-"));
    const variables = {};
    for (const [, name] of text.matchAll(/^\s*\w+_env = "([^"]+)"/gm)) variables[name] = "Secret-0123456789";
    for (const [, name] of text.matchAll(/^\s*\w+_file = "([^"/]+)"/gm)) {
      await writeFile(join(folder, name), "Secret-0123456789\n", { mode: 0o600 });
    }
    const person = /^\[\[user\]\]/m.test(text) ? "" : '[[user]]\nlogin = "ivanov"\nnumber = "101"\npassword = "Secret1"\n\n';
    const file = join(folder, "ctigate.toml");
    await writeFile(file, person + text);
    const program = this.start(`exec ctigate check-config --config '${file}'`, { ...this.env, ...variables });
    const code = await program.gone;
    if (code !== 0) throw new Error(`check-config:\n${program.said}`);
  }

  async checkJson(text) {
    counts.checked++;
    for (const value of values(text)) {
      if (Array.isArray(value) && typeof value[0] === "string" && value.length === 2) await this.convert("xml", JSON.stringify(value));
    }
  }

  async checkXml(text) {
    counts.checked++;
    if (/^\s*<message\b/.test(text)) return this.convert("json", text.trim());
    await this.filter("xmllint --noout -", text);
  }

  convert(to, message) {
    return this.filter(`ctigate convert --to ${to}`, message);
  }

  async checkTimeline(text) {
    counts.checked++;
    const file = join(this.folder, "checked.timeline");
    await writeFile(file, text);
    const people = ["ivanov", "petrov", "sidorova", "kuznetsova"].map(
      (login, i) => `[[user]]\nlogin = "${login}"\nnumber = "${101 + i}"\npassword = "Secret1"\n`,
    );
    const queue = '[[queue]]\nnumber = "600"\nusers = ["petrov"]\n';
    await writeFile(join(this.folder, "checked.toml"), [...people, queue].join("\n"));
    const keys = `pbx.timeline=${file} store.url=sqlite::memory: web.bind=127.0.0.1:0 web.tls_bind= web.admin_bind=127.0.0.1:0`;
    const sets = keys.split(" ").map((key) => `--set '${key}'`);
    const program = this.start(`exec ctigate serve --config checked.toml ${sets.join(" ")}`);
    await this.until(program, (said) => said.includes(" ready "), "the simulator to read it");
    await end(program);
  }

  async filter(command, input) {
    const program = this.start(command, this.env, input);
    const code = await program.gone;
    if (code !== 0) throw new Error(`${command}:\n${program.said}`);
  }

  start(script, env = this.env, input = null) {
    const child = spawn("bash", ["-e", "-o", "pipefail", "-c", script], {
      cwd: this.folder,
      env,
      detached: true,
      stdio: [input === null ? "ignore" : "pipe", "pipe", "pipe"],
    });
    if (input !== null) child.stdin.end(input);
    const program = { child, said: "", gone: new Promise((resolve) => child.on("close", (code, signal) => resolve(code ?? signal))) };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (program.said += text));
    return program;
  }

  /** Waits until a program has said what fits. `again` is done in between: what was to be seen may have passed too early. */
  async until(program, fits, what, again = null) {
    let ended = null;
    program.gone.then((how) => (ended = how));
    const end = Date.now() + WAIT_MS;
    while (!fits(program.said)) {
      const wanted = () => `${typeof what === "function" ? what() : what}; it said:\n${program.said.slice(-3000)}`;
      if (ended !== null) throw new Error(`it ended (${ended}) before it said ${wanted()}`);
      if (Date.now() > end) throw new Error(`waited ${WAIT_MS} ms for ${wanted()}`);
      await pause(again ? 500 : 50);
      if (again && !fits(program.said)) await again();
    }
  }

  async stop(name) {
    const program = this.running.get(name);
    if (!program) return;
    this.running.delete(name);
    await end(program);
  }

  /** The last lines of what still runs, for whoever reads the failure. */
  tails() {
    const tail = ([name, { said }]) => `\n--- ${name}\n${said.split("\n").slice(-12).join("\n")}`;
    return [...this.running].map(tail).join("");
  }

  async end() {
    for (const name of [...this.running.keys()].reverse()) await this.stop(name);
  }
}

/** Ends a program and what it has started, in order, and then not. */
async function end({ child, gone }) {
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // It is gone.
    }
  };
  signal("SIGINT");
  await within(STOP_MS, gone, "it to end").catch(() => signal("SIGKILL"));
  signal("SIGKILL");
}

/** The first line of the expected output that does not come in its place, or null. */
export function missing(said, expected) {
  const squeeze = (line) => line.replace(/\s+/g, " ").trim();
  const lines = said.split("\n").map(squeeze);
  let at = 0;
  for (const line of expected.split("\n").map(squeeze)) {
    if (line === "" || line === "…") continue;
    const pattern = new RegExp(line.split(/ ?… ?/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*"));
    const found = lines.findIndex((one, i) => i >= at && pattern.test(one));
    if (found < 0) return line;
    at = found + 1;
  }
  return null;
}

/** One value of JSON, or several: each begins at the start of a line. */
function values(text) {
  try {
    return [JSON.parse(text)];
  } catch {
    return text.split(/\n(?=[[{])/).map((part) => JSON.parse(part));
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
