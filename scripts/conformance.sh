#!/usr/bin/env bash
# Autobahn|Testsuite against both ends of our WebSocket: the server and the client, plain, by TLS and through nginx; compression
# (groups 12 and 13) plain. What comes out is compared with tests/conformance/expected.tsv; any difference fails. It takes about
# 25 minutes; CASES=6.* and the like plays some, and compares those.
set -euo pipefail
cd "$(dirname "$0")/.."
OUT=$PWD/target/conformance
PORT=${CONFORMANCE_PORT:-9150} # and the five after it
CASES=${CASES:-*}

command -v nginx >/dev/null || { echo "nginx is needed: apt-get install nginx-light" >&2; exit 1; }
tests/conformance/install.sh
cargo build --locked --quiet --features echo --example echo-server --example echo-client
SERVER=$PWD/target/debug/examples/echo-server
CLIENT=$PWD/target/debug/examples/echo-client
WSTEST=$OUT/wstest

started=()
stop() {
  local id
  for id in "${started[@]}"; do kill "$id" 2>/dev/null || true; done
}
trap stop EXIT
rm -rf "$OUT/reports" "$OUT/run"
mkdir -p "$OUT/reports" "$OUT/run"
cd "$OUT/run"

# Ports: our server plain and by TLS; nginx before it; the suite's server plain and by TLS; nginx before that.
server=$PORT server_tls=$((PORT + 1)) server_nginx=$((PORT + 2)) suite=$((PORT + 3)) suite_tls=$((PORT + 4)) suite_nginx=$((PORT + 5))

cat >nginx.conf <<NGINX
daemon off;
pid nginx.pid;
error_log nginx.log warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  proxy_http_version 1.1;
  proxy_read_timeout 600s;
  proxy_set_header Host \$proxy_host;
  proxy_set_header Upgrade \$http_upgrade;
  proxy_set_header Connection upgrade;
  server { listen 127.0.0.1:$server_nginx; location / { proxy_pass http://127.0.0.1:$server; } }
  server { listen 127.0.0.1:$suite_nginx; location / { proxy_pass http://127.0.0.1:$suite; } }
}
NGINX
nginx -p "$PWD/" -c "$PWD/nginx.conf" 2>nginx.err &
started+=($!)
"$SERVER" $server $server_tls "$PWD" 2>server.log &
started+=($!)

# open PORT: waits until somebody listens there, at most ten seconds
open() {
  local i
  for i in {1..100}; do
    (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.1
  done
  echo "nothing listens on port $1; see $OUT/run" >&2
  exit 1
}
open $server
open $server_tls
open $server_nginx

ABOUT='{ "outdir": "%s", "cases": ["%s"], "exclude-cases": [%s], "exclude-agent-cases": {}, %s }'
PACKED='"12.*", "13.*"' OTHERS='"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"'
spec() { # NAME EXCLUDED REST
  # shellcheck disable=SC2059
  printf "$ABOUT" "$OUT/reports/$1" "$CASES" "$2" "$3" >"$1.json"
}
spec server "$PACKED" '"servers": [
  { "agent": "plain", "url": "ws://127.0.0.1:'$server'" },
  { "agent": "tls", "url": "wss://127.0.0.1:'$server_tls'" },
  { "agent": "nginx", "url": "ws://127.0.0.1:'$server_nginx'" } ]'
spec server-packed "$OTHERS" '"servers": [ { "agent": "plain", "url": "ws://127.0.0.1:'$server'" } ]'
spec client "$PACKED" '"url": "ws://127.0.0.1:'$suite'"'
spec client-tls "$PACKED" '"url": "wss://127.0.0.1:'$suite_tls'", "key": "server.key", "cert": "server.pem"'
spec client-packed "$OTHERS" '"url": "ws://127.0.0.1:'$suite'"'

# serving NAME PORT COMMAND...: runs the commands of our client while the suite serves
serving() {
  local name=$1 port=$2 id
  shift 2
  "$WSTEST" -m fuzzingserver -s "$name.json" -u 0 >"$name.log" 2>&1 &
  id=$!
  started+=("$id")
  open "$port"
  "$@"
  kill "$id"
  wait "$id" 2>/dev/null || true
}
us() { # SCHEME PORT AGENT SUITE
  local i before
  before=$(grep -c '^Report generation complete' "$4.log" || true)
  "$CLIENT" "$1://127.0.0.1:$2" "$3" 2>>dial.log
  for i in {1..1200}; do
    [ "$(grep -c '^Report generation complete' "$4.log" || true)" -gt "$before" ] && return
    sleep 0.1
  done
  echo "no report of $3 came; see $OUT/run" >&2
  exit 1
}
# The suite waits for ever when it has no case to play.
packed=true others=true
case $CASES in 12.* | 13.*) others=false ;; [0-9]*) packed=false ;; esac
we_dial() {
  if $others; then
    serving client $suite both
    serving client-tls $suite_tls us wss $suite_tls tls client-tls
  fi
  if $packed; then serving client-packed $suite us ws $suite plain client-packed; fi
}
both() {
  us ws $suite plain client
  open $suite_nginx
  us ws $suite_nginx nginx client
}
they_dial() {
  if $others; then "$WSTEST" -m fuzzingclient -s server.json >server-suite.log 2>&1; fi
  if $packed; then "$WSTEST" -m fuzzingclient -s server-packed.json >server-packed-suite.log 2>&1; fi
}

they_dial &
dialing=$!
started+=("$dialing")
we_dial
wait "$dialing"
cd - >/dev/null
node tests/conformance/table.mjs "$OUT/reports" "$CASES" ${EXPECT:+--write}
