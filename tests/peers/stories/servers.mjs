// A CRM that is a WebSocket server of Node's `ws` package: ctigate dials it, in JSON and in XML.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { gateway } from "../support/gateway.mjs";
import { story } from "../support/stories.mjs";

const { WebSocketServer } = createRequire(new URL("../../browser/package.json", import.meta.url))("ws");

const dialLink = (format) => ({ port }) => `
[[link]]
name = "crm"
mode = "dial-ws"
url = "ws://127.0.0.1:${port("crm")}/cti"
format = "${format}"
auth = "none"
`;

const param = (name, text) => `<param name="${name}">${text}</param>`;
const METHOD_XML = `<param name="methods" type="array"><item type="object">${param("name", "Greet")}</item></param>`;

/** What the CRM says in each format, and how it reads a parameter of a message. */
const SPEECH = {
  json: {
    read: (text) => JSON.parse(text),
    iam: (qid) => JSON.stringify(["iam", { qid, type: "node", name: "Node server", version: "1" }]),
    methods: (qid) => JSON.stringify(["availablemethods", { qid, methods: [{ name: "Greet" }] }]),
    greeting: (executionid) =>
      JSON.stringify(["methodresult", { executionid, result: 1, outputparameters: { text: "Привет" } }]),
  },
  xml: {
    read: (text) => {
      const value = (name) => text.match(new RegExp(`<param name="${name}"[^>]*>([^<]*)</param>`))?.[1];
      return [text.match(/<message name="([^"]*)"/)[1], { qid: value("qid"), executionid: value("executionid") }];
    },
    iam: (qid) =>
      `<message name="iam">${param("qid", qid)}${param("type", "node")}${param("name", "Node server")}${param("version", "1")}</message>`,
    methods: (qid) => `<message name="availablemethods">${param("qid", qid)}${METHOD_XML}</message>`,
    greeting: (id) =>
      `<message name="methodresult">${param("executionid", id)}<param name="result" type="int">1</param>` +
      `<param name="outputparameters" type="object">${param("text", "Привет")}</param></message>`,
  },
};

for (const format of ["json", "xml"]) {
  story(`Node waits, is dialed in ${format}, and answers`, async (ending) => {
    const gate = await gateway(ending, dialLink(format));
    const speech = SPEECH[format];
    const offered = [];
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port: gate.port("crm"),
      handleProtocols: (protocols) => offered.push(...protocols) && [...protocols][0],
    });
    ending(() => server.close());
    server.on("connection", (socket) =>
      socket.on("message", (data) => {
        const [name, { qid, executionid }] = speech.read(data.toString());
        if (name === "whoareyou") socket.send(speech.iam(qid));
        if (name === "getavailablemethods") socket.send(speech.methods(qid));
        if (name === "executemethod") socket.send(speech.greeting(executionid));
      }),
    );
    await gate.linked("crm");
    assert.deepEqual(offered, [format]);
    const { status, body } = await gate.api("methods/Greet", { input: {} });
    assert.equal(status, 200);
    assert.deepEqual([body.outcome, body.output], ["ok", { text: "Привет" }]);
    for (const socket of server.clients) socket.terminate();
  });
}
