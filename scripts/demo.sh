#!/usr/bin/env bash
# make demo: builds, starts the gateway with a demo CRM, and prints what to open. CRM=python|php|node|csharp puts one of the examples
# in the place of the built-in CRM. Ctrl-C ends everything.
set -euo pipefail
cd "$(dirname "$0")/.."
crm=${CRM:-rust}

echo "building (the first time takes some minutes)"
cargo build --locked --quiet
ctigate=$PWD/target/debug/ctigate

started=()
finish() { for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; }
trap finish EXIT

missing() { echo "CRM=$crm needs $1. $2" >&2; exit 1; }

case $crm in
rust) exec "$ctigate" demo ;;
python)
  [ -x target/python/bin/python ] || { python3 -m venv target/python && target/python/bin/pip install --quiet -r examples/crm-python/requirements.txt; } \
    || missing "python3 with venv" "On Debian: apt-get install python3-venv"
  "$ctigate" demo --alone &
  started+=($!)
  until curl -fs -o /dev/null http://127.0.0.1:4058/readyz; do kill -0 "${started[0]}" || exit 1; sleep 0.2; done
  target/python/bin/python examples/crm-python/crm.py --connect wss://127.0.0.1:4067/ --ca certs/server.pem --password demo-crm &
  started+=($!)
  ;;
node)
  command -v npm >/dev/null || missing "node and npm" "On Debian: apt-get install nodejs npm"
  npm ci --prefix examples/crm-node --no-audit --no-fund --loglevel=error
  "$ctigate" demo --alone &
  started+=($!)
  until curl -fs -o /dev/null http://127.0.0.1:4058/readyz; do kill -0 "${started[0]}" || exit 1; sleep 0.2; done
  node examples/crm-node/crm.js --connect wss://127.0.0.1:4067/ --ca certs/server.pem --password demo-crm &
  started+=($!)
  ;;
csharp)
  command -v mcs >/dev/null && command -v mono >/dev/null || missing "mono" "On Debian: apt-get install mono-mcs mono-runtime libmono-system-json4.0-cil libmono-system-xml-linq4.0-cil libmono-btls-interface4.0-cil"
  mkdir -p target/csharp
  mcs -langversion:7 -r:System.Json.dll -r:System.Xml.Linq.dll -out:target/csharp/Crm.exe examples/crm-csharp/*.cs
  "$ctigate" demo --alone &
  started+=($!)
  until curl -fs -o /dev/null http://127.0.0.1:4058/readyz; do kill -0 "${started[0]}" || exit 1; sleep 0.2; done
  mono target/csharp/Crm.exe --connect wss://127.0.0.1:4067/ --ca certs/server.pem --password demo-crm --examples examples &
  started+=($!)
  ;;
php)
  command -v php >/dev/null || missing "php" "On Debian: apt-get install php-cli"
  CRM_PASSWORD=demo-crm php -S 127.0.0.1:8080 examples/crm-php/crm.php &
  started+=($!)
  # Beside the link that waits for a CRM, one that posts to PHP.
  "$ctigate" demo --alone --set 'link[1].name=php' --set 'link[1].mode=post-http' \
    --set 'link[1].url=http://127.0.0.1:8080/hook.php' --set 'link[1].auth=basic' --set 'link[1].login=crm' \
    --set 'link[1].password=demo-crm' --set 'link[1].poll_interval=500ms' &
  started+=($!)
  ;;
*) echo "CRM=$crm is none of rust, python, php, node, csharp" >&2; exit 2 ;;
esac
wait -n
