#!/usr/bin/env bash
# Figures, printed; nothing passes or fails. Codec, machines, engine, a routed call over sockets, and (where Chromium and the
# tests' npm packages are installed) the time from an answered form to its closing in another tab.
#
#   BENCH_ROUNDS=5 BENCH_SECONDS=3 scripts/bench.sh
set -euo pipefail
cd "$(dirname "$0")/.."
echo "building with optimisation (the first time takes some minutes)"
cargo bench --locked --no-run --quiet
for bench in codec machines routed; do
  echo
  echo "== $bench"
  cargo bench --locked --quiet --bench "$bench"
done
echo
echo "== a form in the page"
if command -v chromium >/dev/null && [ -d tests/browser/node_modules ]; then
  cargo build --locked --release --quiet
  CTIGATE=$PWD/target/release/ctigate node tests/browser/delay.mjs
else
  echo "left out: run scripts/install.sh first (Chromium, npm packages)"
fi
