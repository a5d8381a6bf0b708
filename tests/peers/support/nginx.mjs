// nginx in front of a gateway, as people put it there for TLS.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, output, start } from "./processes.mjs";
import { until } from "./stories.mjs";

/** Starts one with a certificate for `localhost`; gives its `origin` and the certificate to trust as `ca`. */
export async function nginxBefore(ending, gateway) {
  const folder = await mkdtemp(join(tmpdir(), "ctigate-nginx-"));
  ending(() => rm(folder, { recursive: true, force: true }));
  const [port] = await freePorts(1);
  const [ca, key, conf] = ["cert.pem", "key.pem", "nginx.conf"].map((name) => join(folder, name));
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
  await output("openssl", [...request, "-addext", names, "-keyout", key, "-out", ca]);
  await writeFile(
    conf,
    `
daemon off; pid ${folder}/pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
  uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${ca}; ssl_certificate_key ${key};
    location / {
      proxy_pass ${gateway.origin};
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
  start(ending, "nginx", ["-c", conf, "-e", "stderr"]);
  const origin = `https://localhost:${port}`;
  const answers = () =>
    output("curl", ["-sf", "--cacert", ca, `${origin}/`]).then(
      () => true,
      () => false,
    );
  await until(answers, "nginx to pass the page on");
  return { origin, ca };
}
