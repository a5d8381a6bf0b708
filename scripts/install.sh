#!/usr/bin/env bash
# Installs what the tests need beyond cargo: Debian packages as root, npm and Python packages into the tree.
# Without root it prints the one line that is needed, and stops.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
need() { command -v "$1" >/dev/null 2>&1 || packages+=("$2"); }
need chromium chromium
need node nodejs
need npm npm
need php php-cli
need mono mono-runtime
need mcs mono-mcs
need nginx nginx-light
need curl curl
need xmllint libxml2-utils
need openssl openssl
need c++ g++
[ -e /usr/lib/mono/4.5/System.Json.dll ] || packages+=(libmono-system-json4.0-cil)
[ -e /usr/lib/mono/4.5/System.Xml.Linq.dll ] || packages+=(libmono-system-xml-linq4.0-cil)
[ -e /usr/lib/mono/4.5/Mono.Btls.Interface.dll ] || packages+=(libmono-btls-interface4.0-cil) # TLS 1.2
# Debian keeps initdb out of the path.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)

if [ ${#packages[@]} -gt 0 ]; then
  line="apt-get install -y --no-install-recommends ${packages[*]}"
  if [ "$(id -u)" != 0 ]; then
    echo "The tests need some programs. Install them, then run make test again:" >&2
    echo "  sudo $line" >&2
    exit 1
  fi
  echo "installing: ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >target/install.log 2>&1 && $line >>target/install.log 2>&1 || {
    echo "installing failed; the end of target/install.log:" >&2
    tail -5 target/install.log >&2
    exit 1
  }
fi

for folder in tests/browser examples/crm-node; do
  if [ ! -e "$folder/node_modules/.package-lock.json" ] || [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ]; then
    echo "npm packages of $folder"
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error
  fi
done

scripts/suites.sh

needed=(examples/crm-python/requirements.txt tests/it/requirements.txt)
if [ ! -e target/python/.ready ] || [ "${needed[0]}" -nt target/python/.ready ] || [ "${needed[1]}" -nt target/python/.ready ]; then
  echo "python packages of ${needed[*]}"
  python3 -m venv target/python
  target/python/bin/pip install --quiet --disable-pip-version-check -r "${needed[0]}" -r "${needed[1]}"
  touch target/python/.ready
fi

# Without it the test of the alert rules says that it did nothing.
scripts/rules.sh --install || true

# Without it the other suites run, and those that need it fail.
tests/asterisk/install.sh || true
