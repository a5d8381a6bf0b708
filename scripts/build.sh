#!/usr/bin/env bash
# Builds the program into a file: as it is shipped, or by another profile of cargo.
#
#   scripts/build.sh release build/ctigate     with optimisation, laid out by a profile (half an hour on two cores)
#   scripts/build.sh dev build/ctigate         quickly
set -euo pipefail
[ $# = 2 ] || { sed -n '2,5s/^# \?//p' "$0" >&2; exit 2; }
profile=$1 to=$(realpath -m "$2")
cd "$(dirname "$0")/.."
if [ "$profile" = release ]; then
  made=$(scripts/guided.sh)
else
  cargo build --locked --profile "$profile" --bin ctigate >&2
  made=${CARGO_TARGET_DIR:-target}/$([ "$profile" = dev ] && echo debug || echo "$profile")/ctigate
fi
install -D "$made" "$to"
