"""otel.py PROGRAM: a collector on loopback that prints the names of the spans it gets, and a gateway that sends to it."""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

got = b""
arrived = threading.Condition()


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global got
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(f"POST {self.path}: {len(body)} bytes of {self.headers['Content-Type']}")
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()
        with arrived:
            got += body
            arrived.notify_all()

    def log_message(self, *_):
        pass


collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=collector.serve_forever, daemon=True).start()
folder = tempfile.mkdtemp()
with open(f"{folder}/ctigate.toml", "w") as file:
    file.write(
        """[web]
bind = "127.0.0.1:4955"
admin_bind = "127.0.0.1:4958"
[[user]]
login = "ivanov"
number = "101"
password = "Secret1"
api_call_enabled = true
[[user]]
login = "petrov"
number = "102"
password = "Secret1"
"""
    )
environment = {
    **os.environ,
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
}
program = os.path.abspath(sys.argv[1])
gateway = subprocess.Popen([program, "serve", "--config", f"{folder}/ctigate.toml"], env=environment, stderr=subprocess.DEVNULL)


def ask(path, body=None):
    with open(f"{folder}/data/admin.token") as file:
        token = file.read().strip()
    request = urllib.request.Request(f"http://127.0.0.1:4958{path}", body and json.dumps(body).encode())
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/json")
    return urllib.request.urlopen(request, timeout=10).read()


try:
    for _ in range(200):
        try:
            ask("/api/v1/calls")
            break
        except OSError:
            time.sleep(0.1)
    ask("/api/v1/calls", {"login": "ivanov", "number": "102"})
    wanted = [b"pbxautocallstart", b"order to the telephone system", b"ctigate.order"]
    with arrived:
        arrived.wait_for(lambda: all(name in got for name in wanted), 20)
finally:
    gateway.terminate()
    gateway.wait(20)
missing = [name.decode() for name in wanted if name not in got]
print("missing: " + ", ".join(missing) if missing else "all spans have arrived")
sys.exit(1 if missing else 0)
