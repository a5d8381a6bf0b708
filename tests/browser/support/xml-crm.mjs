// The smallest CRM that speaks XML: it waits to be dialed, says who it is, and finds one client.

import { WebSocketServer } from "ws";

const param = (name, text, type = "") => `<param name="${name}"${type}>${text}</param>`;
const METHODS = `<param name="methods" type="array"><item type="object">${param("name", "FindClient")}</item></param>`;
const FOUND = `<param name="outputparameters" type="object">${param("name", "Anna Orlova")}</param>`;

/** Waits at a port until the story ends. */
export function xmlCrm(ending, port) {
  const server = new WebSocketServer({ host: "127.0.0.1", port, handleProtocols: ([first]) => first });
  const answers = {
    whoareyou: ({ qid }) => [
      "iam",
      param("qid", qid) + param("type", "node") + param("name", "XML CRM") + param("version", "1"),
    ],
    getavailablemethods: ({ qid }) => ["availablemethods", param("qid", qid) + METHODS],
    executemethod: ({ executionid }) => [
      "methodresult",
      param("executionid", executionid) + param("result", "1", ' type="int"') + FOUND,
    ],
  };
  server.on("connection", (socket) =>
    socket.on("message", (data) => {
      const text = data.toString();
      const value = (name) => text.match(new RegExp(`<param name="${name}"[^>]*>([^<]*)</param>`))?.[1];
      const answer = answers[text.match(/<message name="([^"]*)"/)[1]]?.({
        qid: value("qid"),
        executionid: value("executionid"),
      });
      if (answer) socket.send(`<message name="${answer[0]}">${answer[1]}</message>`);
    }),
  );
  ending(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
}
