// A gateway that says what the story tells it to: for what a real one would not do on demand. It serves the real pages.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { within } from "../../peers/support/stories.mjs";

const WEB = fileURLToPath(new URL("../../../web", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const WAIT_MS = 5000;

/**
 * Starts one. `replies` are bodies, or functions of the call's body, by method: they are sent without asking; what has
 * none waits for the story. A reply of `null` means silence.
 */
export async function scripted(ending, replies = {}) {
  const answers = {
    ping: {},
    login: { result: 1, userid: "u1", sessionid: "s1" },
    subscribeevent: { result: 1 },
    getuserstate: { result: 1, userstateid: 1 },
    tabfocus: { result: 1 },
    ...replies,
  };
  const heard = []; // {name, body, socket}, all there ever was
  const waiting = new Set();
  const sockets = [];

  const http = createServer(async ({ url }, response) => {
    const path = new URL(url, "http://gateway").pathname;
    const file = join(WEB, normalize({ "/": "/agent/index.html", "/demo": "/demo/index.html" }[path] ?? path));
    try {
      const body = await readFile(file);
      response.writeHead(200, { "content-type": TYPES[extname(file)], "content-security-policy": POLICY }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  const server = new WebSocketServer({ server: http, handleProtocols: () => "json" });
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("message", (data) => {
      const [name, body] = JSON.parse(String(data));
      const message = { name, body, socket };
      heard.push(message);
      const answer = name in answers ? answers[name] : null;
      const reply = typeof answer === "function" ? answer(body) : answer;
      if (reply) send(socket, name === "ping" ? "pong" : `${name}result`, { ...reply, qid: body.qid });
      for (const look of [...waiting]) look(message);
    });
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address();
  ending(() => {
    for (const socket of sockets) socket.terminate();
    http.closeAllConnections();
    http.close();
  });

  function send(socket, name, body) {
    socket.send(JSON.stringify([name, body]));
  }

  return {
    origin: `http://127.0.0.1:${port}`,
    answers,
    sockets,
    heard,
    /** How often a method was called. */
    count: (method) => heard.filter(({ name }) => name === method).length,
    /** The next call of a method, or the `nth` there ever was. */
    call(method, nth = this.count(method) + 1) {
      const found = () => heard.filter(({ name }) => name === method)[nth - 1];
      const coming = new Promise((resolve) => {
        const look = () => {
          if (!found()) return;
          waiting.delete(look);
          resolve(found());
        };
        waiting.add(look);
        look();
      });
      return within(WAIT_MS, coming, `call ${nth} of ${method}`);
    },
    /** Answers a call that came without a ready reply. */
    reply: ({ name, body, socket }, answer) => send(socket, `${name}result`, { ...answer, qid: body.qid }),
    /** Sends an event to the newest connection, or all of them. */
    event: (name, body) => send(sockets.at(-1), name, { qid: crypto.randomUUID().toUpperCase(), ...body }),
    raw: (text) => sockets.at(-1).send(text),
    cut: () => sockets.at(-1).terminate(),
  };
}
