// Programs that a story starts, and ends.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { within } from "./stories.mjs";

const STOP_MS = 10_000;

/**
 * Starts a program. `said` is all it has printed; `until(pattern)` waits for a line; `stop(signal)` ends it. It ends
 * with the story in any case.
 */
export function start(ending, command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const gone = new Promise((resolve) => {
    child.on("exit", (code, signal) => resolve(code ?? signal));
    child.on("error", (error) => resolve(error.message));
  });
  const flushed = new Promise((resolve) => child.on("close", resolve));
  const listeners = new Set();
  const process = {
    pid: child.pid,
    said: "",
    gone,
    flushed,
    async until(pattern, ms = 15_000) {
      const seen = new Promise((resolve) => {
        const look = () => {
          const found = pattern.exec(process.said);
          if (!found) return;
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        look();
      });
      const died = gone.then((how) => {
        throw new Error(`${command} ended (${how}) before it said ${pattern}:\n${process.said.slice(-3000)}`);
      });
      try {
        return await within(ms, Promise.race([seen, died]), `${command} to say ${pattern}`);
      } catch (error) {
        error.message += error.message.includes("ended") ? "" : `; it said:\n${process.said.slice(-3000)}`;
        throw error;
      }
    },
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      return within(STOP_MS, gone, `${command} to end`).catch((error) => {
        child.kill("SIGKILL");
        throw error;
      });
    },
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      process.said += text;
      for (const look of [...listeners]) look();
    });
  }
  ending(() => (child.exitCode === null && child.signalCode === null ? process.stop() : null));
  return process;
}

/** Runs a program to its end. Rejects when that is not 0, or one of `ok`, with what it printed. */
export async function output(command, args, options = {}) {
  const undo = [];
  const process = start((fn) => undo.push(fn), command, args, options);
  const how = await within(30_000, process.gone, `${command} to end`);
  await process.flushed;
  if (!(options.ok ?? [0]).includes(how))
    throw new Error(`${command} ${args.join(" ")} ended with ${how}:\n${process.said}`);
  return process.said;
}

// Below the ports that the system hands out: nobody else takes one between the asking and its use. A process claims a
// block by listening at its first port for as long as it lives.
const FIRST = 7100;
const BEYOND = 9900;
const BLOCK = 400;
const block = { next: 0, end: 0 };

/** Listens; gives the server, or null when somebody else does. */
function listens(port) {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(null));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

async function nextPort() {
  for (let first = FIRST; block.next === block.end && first < BEYOND; first += BLOCK) {
    const claim = await listens(first);
    if (claim) Object.assign(block, { next: first + 1, end: first + BLOCK }, { claim: claim.unref() });
  }
  if (block.next === block.end) throw new Error("too many processes want ports of their own");
  return block.next++;
}

/** Ports that are free, and given to nobody else. */
export async function freePorts(count) {
  const ports = [];
  while (ports.length < count) {
    const port = await nextPort();
    const server = await listens(port);
    if (!server) continue;
    await new Promise((resolve) => server.close(resolve));
    ports.push(port);
  }
  return ports;
}
