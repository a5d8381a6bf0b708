// CRMs that are posted to, and that post.

import assert from "node:assert/strict";
import { finds, openForms, phpCrm } from "../support/crms.mjs";
import { gateway } from "../support/gateway.mjs";
import { output } from "../support/processes.mjs";
import { story, until } from "../support/stories.mjs";

const postLink = ({ port }) => `
[[link]]
name = "crm"
mode = "post-http"
url = "http://127.0.0.1:${port("crm")}/hook.php"
auth = "basic"
login = "crm"
password = "secret"
poll_interval = "250ms"
`;

story("PHP answers posts", async (ending) => {
  const gate = await gateway(ending, postLink);
  await phpCrm(ending, gate.port("crm"));
  await gate.linked("crm");
  await finds(gate);
  const wrong = await gate.api("methods/FindClient", { input: {} });
  assert.deepEqual([wrong.status, wrong.body.outcome], [400, "bad_input"]);
  assert.match(wrong.body.errormsg, /phone/);
});

story("a form is answered on a page of the PHP CRM, and a poll brings the answer", async (ending) => {
  const gate = await gateway(ending, postLink);
  const crm = await phpCrm(ending, gate.port("crm"));
  await gate.linked("crm");
  const page = async () => (await fetch(`${crm.origin}/?user=ivanov`)).text();
  await page();
  assert.equal(
    (await gate.api("forms", { name: "clientcard", userlogin: "ivanov", parameters: { phone: "7<b>" } })).status,
    201,
  );
  const html = await until(async () => /7&lt;b&gt;/.test(await page()) && page(), "the form on the page");
  const [, formid] = /name="formid" value="([^"]+)"/.exec(html);
  await fetch(`${crm.origin}/?user=ivanov`, {
    method: "POST",
    body: new URLSearchParams({ formid, resultcode: "sold" }),
  });
  await until(async () => (await openForms(gate)).length === 0, "the form to be answered");
});

story("curl posts to /rpc what a CRM has to say", async (ending) => {
  const gate = await gateway(
    ending,
    ({ port }) => `
[[link]]
name = "shop"
mode = "post-http"
url = "http://127.0.0.1:${port("nobody")}/"
rpc_login = "shop"
rpc_password = "rpc-secret"
`,
  );
  const post = (message, login = "shop:rpc-secret") => {
    const data = Buffer.from(JSON.stringify(message)).toString("base64");
    const fields = ["--data-urlencode", "format=json", "--data-urlencode", `data=${data}`];
    return output("curl", ["-s", "-w", "\n%{http_code}", "-u", login, ...fields, `${gate.origin}/rpc`]);
  };
  const answer = await post(["getpbxnumbers", { qid: 1.5, mode: "full", userlogin: "", userid: "" }]);
  const [text, status] = answer.trim().split("\n");
  assert.equal(status, "200");
  const [name, body] = JSON.parse(text);
  assert.deepEqual([name, body.qid, body.numbers.length], ["getpbxnumbersresult", 1.5, 4]);
  assert.match(await post(["ping", { qid: "1" }], "shop:wrong"), /401$/);
});
