#!/usr/bin/env bash
# Figures, printed; no time makes it fail, only a message that was lost or nothing that was measured. Codec, machines, engine, every line
# of docs/performance.md against others in the same run, the growth plot (docs/performance.svg), and (where Chromium and the tests' npm
# packages are installed) the time from an answered form to its closing in another tab.
#
#   BENCH_ROUNDS=5 BENCH_MILLIS=2000 scripts/bench.sh
#   BENCH_CTIGATE=target/guided/ctigate scripts/bench.sh     the gateway is another program: what is shipped (make guided)
set -euo pipefail
cd "$(dirname "$0")/.."
echo "building with optimisation and a profile (the first time takes a quarter of an hour)"
goals=$(scripts/guided.sh goals)
cargo bench --locked --no-run --quiet --bench codec --bench machines
for bench in codec machines; do
  echo
  echo "== $bench"
  cargo bench --locked --quiet --bench "$bench"
done
echo
echo "== goals"
# Ten thousand connections on both sides.
ulimit -n "$(ulimit -H -n)"
"$goals" growth --bench
echo
echo "== a form in the page"
if command -v chromium >/dev/null && [ -d tests/browser/node_modules ]; then
  shipped=${BENCH_CTIGATE:-target/guided/ctigate}
  [ -x "$shipped" ] || { cargo build --locked --release --quiet; shipped=target/release/ctigate; }
  CTIGATE=$(realpath "$shipped") node tests/browser/delay.mjs
else
  echo "left out: run scripts/install.sh first (Chromium, npm packages)"
fi
