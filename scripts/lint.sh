#!/usr/bin/env bash
# The gate for style: format, clippy and documentation with warnings as errors.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo clippy --locked --features otel,echo -p ctigate --lib --bins --examples -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet
echo "lint: clean"
