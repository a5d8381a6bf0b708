// Real telephones for the browser's stories: the stage of tests/asterisk, started once. With TELEPHONES=asterisk in the
// environment an office has it behind its gateway in place of the simulator, and what happens on phones happens there.

import { join } from "node:path";
import { REPOSITORY } from "../../peers/support/gateway.mjs";
import { within } from "../../peers/support/stories.mjs";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const PROGRAM = join(REPOSITORY, "target/debug/examples/asterisk-stage");
const NUMBERS = ["101", "102", "103", "104", "110"].map((number) => `"${number}"`).join(", ");
const READY_MS = 90_000;
const ORDER_MS = 30_000;

export const real = process.env.TELEPHONES === "asterisk";

let stage = null;

async function open() {
  const child = spawn(PROGRAM, [], { stdio: ["pipe", "pipe", "inherit"] });
  const gone = new Promise((_, reject) => child.on("exit", (how) => reject(new Error(`the stage ended (${how})`))));
  gone.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (ms) => JSON.parse((await within(ms, Promise.race([lines.next(), gone]), "the stage")).value);
  const about = await line(READY_MS);
  let last = Promise.resolve();
  /** Gives an order when those before it are done; fails when it cannot be followed. */
  function order(what) {
    const done = last.then(async () => {
      child.stdin.write(`${JSON.stringify(what)}\n`);
      const { result, error } = await line(ORDER_MS);
      if (result !== 1) throw new Error(`${JSON.stringify(what)}: ${error}`);
    });
    last = done.catch(() => {});
    return done;
  }
  return { about, order };
}

/** The stage, with nobody talking and every phone connected, now and when the story is over. */
export async function telephones(ending) {
  stage ??= open();
  const { about, order } = await stage;
  await order({ op: "quiet" });
  ending(() => order({ op: "quiet" }));
  return { about, order };
}

/** What a gateway is told of it. */
export const configuration = ({ ami, agi, user, secret, recordings }) => `
[pbx]
kind = "asterisk"

[pbx.asterisk]
port = ${ami}
user = "${user}"
secret = "${secret}"
agi_bind = "127.0.0.1:${agi}"
talk_notify = [${NUMBERS}]
record_folder = "${recordings}"

[recordings]
folder = "${recordings}"
`;
