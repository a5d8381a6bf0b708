#!/usr/bin/env bash
# Builds with a profile: a first build counts which paths a load takes, the second lays the program out by it. A call costs a tenth
# to a quarter less CPU that way, mostly because what belongs together then lies together (docs/performance.md).
#
#   scripts/guided.sh            the program as it is shipped, in target/guided/ctigate (half an hour on two cores)
#   PLAIN=1 scripts/guided.sh    without a profile, in a third of the time
#   scripts/guided.sh goals      the bench with all that it compares, built alike, in target/guided/goals
#
# The last line that it prints is the path. The profile is kept beside it (target/guided/*.profdata) and made anew when a source is newer;
# the same profile gives the same program. Without the compiler's llvm-profdata the build is the plain one, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-ctigate}
case $what in ctigate | goals) ;; *) echo "scripts/guided.sh [ctigate|goals], not $what" >&2; exit 2 ;; esac
host=$(rustc -vV | sed -n 's/^host: //p')
guided=$(realpath -m "${CARGO_TARGET_DIR:-target}")/guided
mkdir -p "$guided"

# The tool must know what this compiler writes: the compiler's own, else one of the system of the same version.
tool() {
  local own major
  own=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata
  major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
  [ -x "$own" ] || rustup component add llvm-tools >/dev/null 2>&1 || true
  if [ -x "$own" ]; then echo "$own"; else command -v "llvm-profdata-$major"; fi
}

# build FOLDER FLAGS: prints the path of the program
build() {
  local arguments=(--locked --target "$host" --target-dir "$guided/$what-$1")
  # The target is named so that build scripts are built without the flags.
  case $what in
  ctigate)
    RUSTFLAGS=$2 cargo build --release --bin ctigate "${arguments[@]}" >&2
    echo "$guided/$what-$1/$host/release/ctigate"
    ;;
  goals)
    RUSTFLAGS=$2 cargo bench --no-run --bench goals "${arguments[@]}" 2>&1 | tee "$guided/$what-$1.log" >&2
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$guided/$what-$1.log"
    ;;
  esac
}

# The load that it learns from: every line of the bench that sends, each for a moment.
teach() { # PROGRAM
  local load=$1
  ulimit -n "$(ulimit -H -n)"
  if [ "$what" = ctigate ]; then
    cargo bench --locked --quiet --profile dev --bench goals --no-run >&2
    load=$(cargo bench --locked --profile dev --bench goals --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
    export BENCH_CTIGATE=$1
  fi
  LLVM_PROFILE_FILE="$counts/%p.profraw" BENCH_ROUNDS=1 BENCH_MILLIS=600 \
    "$load" routed flight naive large xml post line fan login handshake --bench
}

profile=$guided/$what.profdata
counts=$guided/$what.counts
if [ -n "${PLAIN:-}" ]; then
  made=$(build plain "")
elif ! profdata=$(tool); then
  echo "built without a profile, which wants: rustup component add llvm-tools" >&2
  made=$(build plain "")
else
  if [ ! -e "$profile" ] || [ -n "$(find Cargo.lock Cargo.toml src benches -newer "$profile" -type f | head -1)" ]; then
    echo "the build that counts" >&2
    counting=$(build counting "-Cprofile-generate=$guided/counts")
    echo "a load to count" >&2
    rm -rf "$counts"
    teach "$counting" >"$counts.log" 2>&1 || { tail -20 "$counts.log" >&2; exit 1; }
    "$profdata" merge -o "$profile" "$counts"/*.profraw
    rm -rf "$counts"
  fi
  echo "the build that uses the counts" >&2
  # What an earlier profile has laid out cannot be linked with what this one does.
  rm -rf "$guided/$what-using/$host/release/incremental"
  # What the load did not make hot is built for size.
  made=$(build using "-Cprofile-use=$profile -Cllvm-args=-pgso-lwss-only=false -Cllvm-args=-pgso-cutoff-instr-prof=999900")
fi
cp "$made" "$guided/$what"
echo "$guided/$what"
