#!/usr/bin/env bash
# Every suite, one after another; a table of seconds at the end, and last the sum. A suite that counts nothing has failed.
set -u
cd "$(dirname "$0")/.."
mkdir -p target/test-logs
export NO_COLOR=1 CARGO_TERM_COLOR=never

scripts/install.sh || exit 1

passed=0 failed=0 table=()

# suite NAME COMMAND...: runs it, keeps its log, adds up the lines of cargo test ("N passed; N failed") or the plain
# closing line of ours ("N passed, N failed").
suite() {
  local name=$1 log=target/test-logs/$1.log began=$SECONDS code=0 ok bad
  shift
  printf '%-10s ' "$name"
  "$@" >"$log" 2>&1 || code=$?
  ok=$(grep -oE '[0-9]+ passed' "$log" | awk '{n+=$1} END{print n+0}')
  bad=$(grep -oE '[0-9]+ failed' "$log" | awk '{n+=$1} END{print n+0}')
  if [ "$code" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
  if [ "$ok" = 0 ] && [ "$bad" = 0 ]; then bad=1; echo "counted nothing" >>"$log"; fi
  passed=$((passed + ok)) failed=$((failed + bad))
  printf '%5d passed %3d failed %5d s\n' "$ok" "$bad" $((SECONDS - began))
  table+=("$name $((SECONDS - began))")
  if [ "$bad" != 0 ]; then
    echo "--- what failed in $name (whole log: $log)"
    grep -nE -A4 'panicked at|^error|FAILED|not ok|✗|counted nothing' "$log" | grep -v 'stack backtrace' | head -60
    tail -25 "$log"
    echo "---"
  fi
}

began=$SECONDS
printf '%-10s ' build
if cargo build --locked --workspace --all-targets >target/test-logs/build.log 2>&1; then
  printf '%29d s\n' $((SECONDS - began))
else
  echo "failed"
  grep -A12 '^error' target/test-logs/build.log | head -60
  echo "0 passed, 1 failed"
  exit 1
fi

suite proto cargo test --locked -p ctigate-proto
suite house cargo test --locked --test house
suite units cargo test --locked --lib --bins
suite telephony cargo test --locked --test telephony
suite sockets cargo test --locked --test it
suite network cargo test --locked --test network -- --nocapture
suite bench cargo test --locked --bench goals -- smoke
suite killed cargo test --locked --test it -- --ignored killed::
# As quick as they are with the binary that the other suites use, they need a root of their own.
if [ "$(id -u)" = 0 ]; then
  suite package env CTIGATE=target/debug/ctigate scripts/deb-test.sh
  suite image env CTIGATE=target/debug/ctigate scripts/image.sh
else
  echo "package and image are left out: they need root (make deb-test, make image)"
fi
suite peers node tests/peers/run.mjs
suite docs node tests/docs/run.mjs
suite browser node tests/browser/run.mjs
suite console node tests/browser/console.mjs
# The stories wait more than they work.
suite asterisk cargo test --locked --test asterisk -- --test-threads 8
suite desks node tests/browser/asterisk.mjs
suite fuzz env FUZZ_SECONDS=15 FUZZ_JOBS="$(nproc)" fuzz/run.sh
suite load cargo test --locked --test asterisk -- --ignored --nocapture

echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
