// curl, and nginx in front.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gateway } from "../support/gateway.mjs";
import { freePorts, output, start } from "../support/processes.mjs";
import { story, until } from "../support/stories.mjs";

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
  const folder = await mkdtemp(join(tmpdir(), "ctigate-nginx-"));
  ending(() => rm(folder, { recursive: true, force: true }));
  const [port] = await freePorts(1);
  const gate = await gateway(ending, "");
  await output("openssl", [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost,IP:127.0.0.1",
    "-keyout",
    join(folder, "key.pem"),
    "-out",
    join(folder, "cert.pem"),
  ]);
  await writeFile(
    join(folder, "nginx.conf"),
    `
daemon off; pid ${folder}/pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
  uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
    location / {
      proxy_pass ${gate.origin};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}`,
  );
  start(ending, "nginx", ["-c", join(folder, "nginx.conf"), "-e", "stderr"]);
  const page = () =>
    output("curl", ["-sf", "--cacert", join(folder, "cert.pem"), `https://localhost:${port}/`]).catch(() => null);
  assert.match(await until(page, "nginx to pass the page on"), /agent\.js/);
  const seen = await curl(
    "--cacert",
    join(folder, "cert.pem"),
    ...UPGRADE,
    "-H",
    `Origin: https://localhost:${port}`,
    `https://localhost:${port}/`,
  );
  assert.deepEqual(statuses(seen), [101]);
});
