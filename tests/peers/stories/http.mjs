// curl, and nginx in front.

import assert from "node:assert/strict";
import { gateway } from "../support/gateway.mjs";
import { nginxBefore } from "../support/nginx.mjs";
import { output } from "../support/processes.mjs";
import { story } from "../support/stories.mjs";

const UPGRADE = [
  ["Connection", "Upgrade"],
  ["Upgrade", "websocket"],
  ["Sec-WebSocket-Version", "13"],
  ["Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="],
  ["Sec-WebSocket-Protocol", "json"],
].flatMap(([name, value]) => ["-H", `${name}: ${value}`]);

/** What curl saw: every status line and header, of our side too. */
const curl = (...args) =>
  output("curl", ["-sv", "--http1.1", "--max-time", "2", "-o", "/dev/null", ...args], { ok: [0, 28] });
const statuses = (text) => [...text.matchAll(/^< HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));

const link =
  (auth) =>
  ({ port }) => `
[[link]]
name = "crm"
mode = "accept-ws"
bind = "127.0.0.1:${port("link")}"
auth = "${auth}"
login = "crm"
password = "secret"
`;

story("curl passes Basic with the right password, and no other", async (ending) => {
  const gate = await gateway(ending, link("basic"));
  const url = `http://127.0.0.1:${gate.port("link")}/`;
  const naked = await curl(...UPGRADE, url);
  assert.deepEqual(statuses(naked), [401]);
  assert.match(naked, /^< www-authenticate: Basic realm="ctigate"/im);
  assert.deepEqual(statuses(await curl(...UPGRADE, "-u", "crm:wrong", url)), [401]);
  assert.deepEqual(statuses(await curl(...UPGRADE, "-u", "crm:secret", url)), [101]);
});

story("curl passes Digest on one connection, and what it sent works no second time", async (ending) => {
  const gate = await gateway(ending, link("digest"));
  const url = `http://127.0.0.1:${gate.port("link")}/`;
  const seen = await curl(...UPGRADE, "--digest", "-u", "crm:secret", url);
  assert.deepEqual(statuses(seen), [401, 101]);
  assert.match(seen, /Re-using existing connection|Reusing existing|re-using/i);
  assert.match(seen, /algorithm="?SHA-256"?/i);
  const [, header] = /^> (Authorization: Digest .*)\r?$/m.exec(seen);
  const replayed = await curl(...UPGRADE, "-H", header, url);
  assert.deepEqual(statuses(replayed), [401]);
  assert.deepEqual(statuses(await curl(...UPGRADE, "--digest", "-u", "crm:wrong", url)), [401, 401]);
});

story("behind nginx with TLS the page comes and a socket opens", async (ending) => {
  const { origin, ca } = await nginxBefore(ending, await gateway(ending));
  assert.match(await output("curl", ["-sf", "--cacert", ca, `${origin}/`]), /agent\.js/);
  const seen = await curl("--cacert", ca, ...UPGRADE, "-H", `Origin: ${origin}`, `${origin}/`);
  assert.deepEqual(statuses(seen), [101]);
  const foreign = await curl("--cacert", ca, ...UPGRADE, "-H", "Origin: https://elsewhere.example", `${origin}/`);
  assert.deepEqual(statuses(foreign), [403]);
});
