// A dynamic method and a form through each of the example CRMs.

import assert from "node:assert/strict";
import { csharpCrm, finds, nodeCrm, openForms, pythonCrm, pythonServer } from "../support/crms.mjs";
import { acceptLink, gateway, RING_FORM } from "../support/gateway.mjs";
import { story, until } from "../support/stories.mjs";

const dialLink = ({ port }) => `
[[link]]
name = "crm"
mode = "dial-ws"
url = "ws://127.0.0.1:${port("crm")}/"
auth = "basic"
login = "crm"
password = "secret"
`;
story("Python connects over WSS with Digest, and answers", async (ending) => {
  const gate = await gateway(ending, acceptLink);
  const crm = pythonCrm(ending, gate);
  await crm.until(/linked with ctigate/);
  await gate.linked("crm");
  await finds(gate);
  const printed = await gate.command("call", "FindClient", "phone=79001112233");
  assert.match(printed, /Anna Orlova/);
});

story("Python waits, is dialed with Basic, goes away, and is found again", async (ending) => {
  const gate = await gateway(ending, dialLink);
  const crm = await pythonServer(ending, gate.port("crm"));
  await gate.linked("crm");
  await finds(gate);
  await crm.stop("SIGKILL");
  await until(async () => (await gate.picture()).links[0].state !== "up", "the link to be down");
  assert.equal((await gate.api("methods/FindClient", { input: { phone: "7" } })).status, 503);
  await pythonServer(ending, gate.port("crm"));
  await gate.linked("crm");
  await finds(gate);
});

story("a form for a manager of the Python CRM is answered there", async (ending) => {
  const gate = await gateway(ending, acceptLink);
  const crm = pythonCrm(ending, gate, "--answer-after", "0.2");
  await gate.linked("crm");
  const { status } = await gate.api("forms", { name: "clientcard", userlogin: "ivanov", parameters: { phone: "7" } });
  assert.equal(status, 201);
  await crm.until(/form clientcard for ivanov/);
  await until(async () => (await openForms(gate)).length === 0, "the form to be answered");
});

story("Node connects over WSS with Digest, and answers", async (ending) => {
  const gate = await gateway(ending, acceptLink);
  const crm = await nodeCrm(ending, gate);
  await crm.until(/linked with ctigate/);
  await gate.linked("crm");
  await finds(gate);
});

story("C# connects over WSS with Digest in XML, and answers", async (ending) => {
  const gate = await gateway(ending, acceptLink);
  const crm = await csharpCrm(ending, gate);
  await crm.until(/linked with ctigate/);
  await gate.linked("crm");
  await finds(gate);
  assert.match(await gate.command("call", "SaveCall", "phone=7", "comment=Скажу <позже> & \u0001"), /saved +true/);
  await crm.until(/saved: 7 {2}Скажу <позже> & \u0001/);
});

story("a form shows on a page of the C# CRM, and is answered there", async (ending) => {
  const gate = await gateway(ending, ({ port }) => acceptLink({ port }) + RING_FORM);
  const crm = await csharpCrm(ending, gate);
  await gate.linked("crm");
  const page = async () => (await fetch(`${crm.origin}/?user=ivanov`)).text();
  await page(); // from now on the CRM says that ivanov is there
  await gate.incoming("79001112233", "101");
  const formid = await until(async () => /name="formid" value="([^"]+)"/.exec(await page())?.[1], "the form on the page");
  assert.match(await page(), /<dt>client<\/dt><dd>Anna Orlova, Sever LLC<\/dd>/);
  const body = new URLSearchParams({ formid, resultcode: "sold", comment: "позвонить" });
  await fetch(`${crm.origin}/?user=ivanov`, { method: "POST", body });
  await until(async () => (await openForms(gate)).length === 0, "the form to be answered");
});

story("C# comes back when the gateway was killed", async (ending) => {
  const gate = await gateway(ending, acceptLink);
  await csharpCrm(ending, gate);
  await gate.linked("crm");
  await gate.kill();
  await gate.start();
  await gate.linked("crm");
  await finds(gate);
});
