#!/usr/bin/env bash
# Runs the fuzz targets, each for a minute: first all seeds, the corpus and what was ever found, then what it thinks of. Every
# target is run, whatever another one finds; it ends with the figures of all, and says how many passed.
#
#   fuzz/run.sh                 every target
#   fuzz/run.sh json xml        these
#   FUZZ_SECONDS=600 fuzz/run.sh json
#   FUZZ_JOBS=2 fuzz/run.sh     two at a time
#   FUZZ_ASAN=1 fuzz/run.sh     with AddressSanitizer as well (slower; the crate itself forbids unsafe code)
#   fuzz/run.sh --build         builds only
#
# It needs cargo and a C++ compiler, nothing else: what `cargo fuzz` would pass to the compiler is passed here, and without
# a sanitizer all of it is stable. The folders are laid out as `cargo fuzz` wants them.
set -euo pipefail
cd "$(dirname "$0")"

host=$(rustc -vV | sed -n 's/^host: //p')
flags="--cfg fuzzing -Ccodegen-units=16 -Cpasses=sancov-module"
for arg in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=" -Cllvm-args=-sanitizer-coverage-$arg"
done
if [ -n "${FUZZ_ASAN:-}" ]; then
    # Sanitizers are not stable; the switch lets this compiler take the flag.
    export RUSTC_BOOTSTRAP=1
    flags+=" -Zsanitizer=address"
fi

echo "building the fuzz targets"
# The target is named so that build scripts are built without these flags.
RUSTFLAGS="$flags" cargo build --release --quiet --target "$host"
[ "${1:-}" = --build ] && exit 0

# Seeds: the vectors of the specification, and what is written by hand. A corpus keeps what was found worth keeping.
seed() { # TARGET: a folder to fill anew with its seeds
    local into=target/seeds/$1 file
    rm -rf "$into" && mkdir -p "$into"
    if [ -d "seeds/$1" ]; then cp "seeds/$1"/* "$into"; fi
    [ -d ../proto-spec/vectors ] || return 0
    case $1 in
    json | xml)
        while read -r file; do cp "$file" "$into/$(tr / - <<<"${file#../proto-spec/vectors/}")"; done \
            < <(find ../proto-spec/vectors -name "*.$1")
        ;;
    post)
        while read -r file; do
            printf 'format=%s&data=%s' "${file##*.}" "$(base64 <"$file" | tr -d '\n' | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')" \
                >"$into/$(tr / - <<<"${file#../proto-spec/vectors/}")"
        done < <(find ../proto-spec/vectors/several ../proto-spec/vectors/login* -name '*.json' -o -name '*.xml')
        ;;
    esac
}

targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    mapfile -t targets < <(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | tail -n +2)
fi
seconds=${FUZZ_SECONDS:-60}
jobs=${FUZZ_JOBS:-1}

# One target, from its seeds to its line of figures; the line goes into a file, so that several may run at a time.
run() { # TARGET
    local target=$1 log=target/$1.log line=target/$1.line folders options executed covered
    seed "$target"
    mkdir -p "corpus/$target" "artifacts/$target"
    folders=("corpus/$target" "target/seeds/$target")
    # Inputs that once broke something are run first, always.
    if [ -d "findings/$target" ]; then folders+=("findings/$target"); fi
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="artifacts/$target/")
    if [ -f "dictionaries/$target.dict" ]; then options+=(-dict="dictionaries/$target.dict"); fi
    if ! "target/$host/release/$target" "${options[@]}" "${folders[@]}" >"$log" 2>&1; then
        {
            echo "$target: found something:"
            tail -n 40 "$log"
            echo "run it again with fuzz/target/$host/release/$target fuzz/artifacts/$target/FILE"
            echo "once it is mended, keep the file in fuzz/findings/$target"
        } >"$line"
        return 1
    fi
    # Executions, edges covered, inputs kept.
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(grep -o ' cov: [0-9]*' "$log" | tail -n 1 | tr -dc 0-9)
    printf '%-12s %10s executions, %s edges covered, %s inputs in the corpus\n' "$target" "$executed" "$covered" \
        "$(find "corpus/$target" -type f | wc -l)" >"$line"
}

echo "fuzzing ${targets[*]}: $seconds s each, $jobs at a time"
passed=0 failed=0
for ((at = 0; at < ${#targets[@]}; at += jobs)); do
    pids=()
    for target in "${targets[@]:at:jobs}"; do
        run "$target" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        if wait "$pid"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    done
    for target in "${targets[@]:at:jobs}"; do cat "target/$target.line"; done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
