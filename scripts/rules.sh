#!/usr/bin/env bash
# Checks the alert rules of deploy/prometheus with promtool, and tries them on made-up figures. Where promtool is missing, it is
# taken out of Debian's package prometheus (19 MB) into target/promtool; nothing of this machine changes.
set -euo pipefail
cd "$(dirname "$0")/.."
promtool=$(type -P promtool || echo target/promtool/promtool)
if [ ! -x "$promtool" ]; then
  echo "promtool, out of Debian's package prometheus, into target/promtool"
  mkdir -p target/promtool/got
  (cd target/promtool/got && apt-get -qq download prometheus) || {
    echo "the package prometheus cannot be had from this machine's archive; is it Debian, and up to date (apt-get update)?" >&2
    exit 1
  }
  dpkg-deb --fsys-tarfile target/promtool/got/prometheus_*.deb | tar -x -C target/promtool --strip-components=3 ./usr/bin/promtool
  rm -r target/promtool/got
fi
[ "${1:-}" = --install ] && exit 0
"$promtool" check rules deploy/prometheus/ctigate.rules.yml
"$promtool" test rules tests/monitoring/ctigate.rules.test.yml
