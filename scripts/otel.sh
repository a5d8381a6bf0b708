#!/usr/bin/env bash
# Builds a gateway with the feature otel, gives it a collector of a few lines on loopback and a call, and shows the spans that
# arrive. Ends with 0 when the order's span is among them.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --features otel --target-dir target/otel
python3 scripts/otel.py target/otel/debug/ctigate
