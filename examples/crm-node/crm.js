// A CRM beside ctigate that tunnels: its pages talk to this server, and one link carries what they say.
//
//     node crm.js --connect wss://127.0.0.1:4067/ --ca ../../certs/server.pem --pages 127.0.0.1:8090

import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import WebSocket, { WebSocketServer } from "ws";

const { values: options } = parseArgs({
  options: {
    connect: { type: "string", default: "wss://127.0.0.1:4067/" },
    login: { type: "string", default: "crm" },
    password: { type: "string", default: "secret" },
    ca: { type: "string" },
    pages: { type: "string", default: "127.0.0.1:8090" },
  },
});
const file = (name) => readFileSync(new URL(name, import.meta.url));
const hash = (algorithm, data) => createHash(algorithm).update(data).digest("hex");
const contract = JSON.parse(file("../contract.json")); // the declarations, as they go over the wire
const clients = new Map(JSON.parse(file("../clients.json")).map((client) => [client.phone, client]));
const SELF = { type: "crm", name: "Node CRM", version: "1.0" };
const RETRY_MS = 2000;

const methods = {
  FindClient({ phone }) {
    const { clientid = "", name = "", manager = "", vip = false } = clients.get(phone) ?? {};
    return { clientid, name, manager, vip };
  },
  SaveCall({ phone, result = "", comment = "" }) {
    console.log(`saved: ${phone} ${result} ${comment}`);
    return { saved: true };
  },
};

// The link with ctigate. To restore it is our part, since we dial.

let link = null;
const packets = new Map(); // message-id → the pieces of a long message that are here

function dial(authorization) {
  const headers = authorization ? { authorization } : {};
  const socket = new WebSocket(options.connect, ["json"], { headers, ca: options.ca && readFileSync(options.ca) });
  let retry = setTimeout.bind(null, dial, RETRY_MS); // how to go on when this socket ends
  socket.on("unexpected-response", (request, response) => {
    console.log(`the gateway answers ${response.statusCode}`);
    if (response.statusCode === 401 && !authorization) retry = dial.bind(null, answerTo(response));
    request.destroy();
    socket.emit("close");
  });
  socket.on("open", () => {
    link = socket;
    packets.clear();
    send("whoareyou", { qid: randomUUID(), ...SELF });
  });
  socket.on("message", (data) => handle(String(data)));
  socket.on("error", (error) => console.log(error.message));
  socket.once("close", () => {
    if (link === socket) link = null;
    retry();
  });
}

/** Answers a Digest challenge (RFC 7616), SHA-256 rather than MD5. */
function answerTo({ rawHeaders }) {
  const lines = rawHeaders.filter((_, i) => i % 2 && rawHeaders[i - 1].toLowerCase() === "www-authenticate");
  const read = (line) => Object.fromEntries([...line.matchAll(/(\w+)="?([^",]+)"?/g)].map(([, name, value]) => [name, value]));
  const offers = lines.filter((line) => /^digest /i.test(line)).map(read);
  const { realm, nonce, algorithm = "MD5" } = offers.find((offer) => offer.algorithm === "SHA-256") ?? offers[0];
  const h = (...parts) => hash(algorithm.replace("-", ""), parts.join(":"));
  const [uri, nc, cnonce] = [new URL(options.connect).pathname, "00000001", randomBytes(16).toString("hex")];
  const response = h(h(options.login, realm, options.password), nonce, nc, cnonce, "auth", h("GET", uri));
  return `Digest username="${options.login}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=${algorithm}, ` +
    `qop=auth, nc=${nc}, cnonce="${cnonce}", response="${response}"`;
}

function send(name, body) {
  link?.send(JSON.stringify([name, body]));
}

/** What ctigate sends is the CRM's own business, or a page's. */
function handle(data) {
  const [name, body] = JSON.parse(data);
  const { qid, executionid } = body;
  if (name === "multipart") collect(body);
  else if (name === "ping") send("pong", body);
  else if (name === "whoareyou") send("iam", { qid, ...SELF });
  else if (name === "iam") linked(body);
  else if (name === "getavailablemethods") send("availablemethods", { qid, result: 1, methods: contract.methods });
  else if (name === "getavailableforms") send("availableforms", { qid, result: 1, forms: contract.forms });
  else if (name === "getactiveusers") tellUsers(qid);
  else if (name === "executemethod" && methods[body.name]) {
    const outputparameters = methods[body.name](body.inputparameters ?? {});
    send("methodresult", { qid, executionid, result: 1, outputparameters });
  } else if (name === "executemethod" && !contract.methods.some((method) => method.name === body.name)) {
    send("methodresult", { qid, executionid, result: 0, error: 59001, errormsg: "Unknown method", outputparameters: {} });
  } else {
    toPages(body, data);
  }
}

/** A long message comes in packets: base64 pieces of its text, numbered from 0. */
function collect({ "message-id": id, packetcount, packetnumber, content }) {
  const pieces = packets.get(id) ?? [];
  pieces[Number(packetnumber)] = Buffer.from(content, "base64");
  packets.set(id, pieces);
  if (Object.keys(pieces).length < Number(packetcount)) return;
  packets.delete(id);
  handle(String(Buffer.concat(pieces)));
}

/** A reply names its tab; an event is for all tabs of its user, or for everybody. */
function toPages({ tabid, userlogin }, data) {
  for (const page of pages) {
    if (tabid ? tabid === page.tab : !userlogin || userlogin === page.account?.userlogin) page.socket.send(data);
  }
}

/** The gateway may have been started anew: everybody enters the tunnel again. */
function linked({ name, version }) {
  console.log(`linked with ${name} ${version}`);
  for (const page of pages) enter(page);
}

// The pages: each tab is a socket to this server, and a `tabid` in the tunnel.

const pages = new Set(); // {socket, tab, cookie, account}
const accounts = new Map(); // cookie → what `login` carries: a person need not type the password for every tab

function enter({ account, tab }) {
  if (account) send("login", { qid: randomUUID(), ...account, tabid: tab });
}

function tellUsers(qid) {
  const tabs = new Map();
  for (const { account, tab } of pages) {
    if (account) tabs.set(account.userlogin, [...(tabs.get(account.userlogin) ?? []), tab]);
  }
  send("activeusers", { qid, users: [...tabs].map(([userlogin, list]) => ({ userlogin, userid: "", type: "page", tabs: list })) });
}

/** ctigate takes a hash, over windows-1251, in place of a password. */
function hashes(password) {
  const byte = (c) => (c < 128 ? c : { 1025: 168, 1105: 184 }[c] ?? c - 848); // Ё, ё, and the other Russian letters
  const bytes = (text) => Buffer.from([...text].map((char) => byte(char.charCodeAt(0))));
  return { Password: hash("md5", bytes(password)), password: hash("md5", bytes(password.toLowerCase())) };
}

const server = createServer((request, response) => {
  const name = { "/": "page.html", "/page.js": "page.js" }[new URL(request.url, "http://page").pathname];
  if (!name) return response.writeHead(404).end();
  const known = /crm=\w+/.exec(request.headers.cookie ?? "");
  response.writeHead(200, {
    "content-type": name.endsWith(".js") ? "text/javascript" : "text/html; charset=utf-8",
    "content-security-policy": "default-src 'self'",
    ...(known ? {} : { "set-cookie": `crm=${randomBytes(16).toString("hex")}; HttpOnly; SameSite=Strict` }),
  }).end(file(name));
});

// Only our own pages may open a socket: the cookie speaks for a person.
const verifyClient = ({ origin, req }) => origin === `http://${req.headers.host}`;
new WebSocketServer({ server, verifyClient }).on("connection", (socket, request) => {
  const cookie = /crm=(\w+)/.exec(request.headers.cookie ?? "")?.[1];
  const page = { socket, tab: randomUUID(), account: accounts.get(cookie) };
  pages.add(page);
  enter(page);
  tellUsers();
  socket.on("message", (data) => {
    const [name, body] = JSON.parse(String(data));
    if (name === "login") {
      page.account = { userlogin: body.userlogin, ...hashes(body.secret) };
      if (cookie) accounts.set(cookie, page.account);
      enter(page);
      tellUsers();
    } else {
      if (name === "logout") accounts.delete(cookie);
      send(name, { ...body, userlogin: page.account?.userlogin ?? "", tabid: page.tab });
    }
  });
  socket.on("close", () => {
    pages.delete(page);
    if (page.account) send("logout", { qid: randomUUID(), userlogin: page.account.userlogin, tabid: page.tab });
    tellUsers();
  });
});

const [host, port] = options.pages.split(":");
server.listen(Number(port), host, () => console.log(`pages on http://${options.pages}/`));
dial();
