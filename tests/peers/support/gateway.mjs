// The real gateway: the program itself, in a folder and on ports of its own.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts, output, start } from "./processes.mjs";
import { until } from "./stories.mjs";

export const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
export const PROGRAM = process.env.CTIGATE ?? join(REPOSITORY, "target/debug/ctigate");

const USERS = [
  { login: "ivanov", name: "Ivan Ivanov", number: "101" },
  { login: "petrov", name: "Petr Petrov", number: "102" },
  { login: "sidorova", name: "Anna Sidorova", number: "103" },
  { login: "kuznetsova", name: "Olga Kuznetsova", number: "104" },
];
export const passwordOf = (login) => `Demo-${login}`;

/**
 * Starts a gateway. `more` is configuration behind the usual: a text, or a function of `{port}`, which gives free ports
 * by name, the same ones after a restart.
 */
export async function gateway(ending, more = "") {
  const folder = await mkdtemp(join(tmpdir(), "ctigate-"));
  ending(() => rm(folder, { recursive: true, force: true }));
  const free = await freePorts(8);
  const ports = {};
  const port = (name) => (ports[name] ??= free.pop());
  const file = join(folder, "ctigate.toml");
  const users = USERS.map(
    ({ login, name, number }) =>
      `[[user]]\nlogin = "${login}"\nname = "${name}"\nnumber = "${number}"\npassword = "${passwordOf(login)}"\n`,
  );
  await writeFile(
    file,
    [
      `[web]\nbind = "127.0.0.1:${port("web")}"\ntls_bind = "127.0.0.1:${port("tls")}"`,
      `admin_bind = "127.0.0.1:${port("admin")}"\n`,
      ...users,
      typeof more === "function" ? more({ port }) : more,
    ].join("\n"),
  );

  const me = {
    folder,
    file,
    port,
    origin: `http://127.0.0.1:${port("web")}`,
    ca: join(folder, "certs/server.pem"),
    process: null,
    /** Starts it, the first time or again on the same ports. */
    async start() {
      me.process = start(ending, PROGRAM, ["serve", "--config", file], { cwd: folder });
      const ready = () =>
        fetch(`http://127.0.0.1:${port("admin")}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        );
      const died = me.process.gone.then((how) => {
        throw new Error(`the gateway ended (${how}):\n${me.process.said}`);
      });
      await Promise.race([until(ready, "the gateway to be ready", 20_000), died]);
    },
    /** Ends it as a power cut would. */
    kill: () => me.process.stop("SIGKILL"),
    /** Runs a command of the program against this gateway. */
    command: (...args) => output(PROGRAM, [...args, "--config", file], { cwd: folder }),
    /** What happens on the simulated telephones. */
    async sim(order) {
      const { status, body } = await me.api("sim", order);
      if (status !== 200) throw new Error(`${JSON.stringify(order)}: ${status} ${body.errormsg}`);
    },
    incoming: (caller, called) => me.sim({ op: "incoming", caller, called }),
    /** Links, users, forms, executions and calls as they are now. */
    picture: async () => (await me.api("snapshot")).body,
    /** Waits until a link is up, and its CRM has said what it can do. */
    async linked(name) {
      const up = (link) => link.name === name && link.state === "up" && link.methods.length > 0;
      return until(async () => (await me.picture()).links.find(up), `the link ${name} to be up`);
    },
    /** Asks the interface of the admin port, by GET or, with a body, by POST; gives status and body. */
    async api(path, body) {
      const token = (await readFile(join(folder, "data/admin.token"), "utf8")).trim();
      const response = await fetch(`http://127.0.0.1:${port("admin")}/api/v1/${path}`, {
        method: body ? "POST" : "GET",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: body && JSON.stringify(body),
      });
      return { status: response.status, body: await response.json() };
    },
  };
  await me.start();
  return me;
}

/** A link that waits for a CRM over TLS with Digest. */
export const acceptLink = ({ port }) => `
[[link]]
name = "crm"
mode = "accept-wss"
bind = "127.0.0.1:${port("link")}"
auth = "digest"
login = "crm"
password = "secret"
`;

/** The form that every example offers, opened by a ringing phone. */
export const RING_FORM = `
[[form]]
name = "clientcard"
on = "ring"
close_on = ["hangup"]
ask = "FindClient"
parameters = { phone = "{caller}", clientid = "{ask.clientid}", client = "{ask.name}", vip = "{ask.vip}" }
`;
