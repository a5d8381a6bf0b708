# Everything a person does with this tree. Each target says what it needs and what it prints.

.PHONY: demo test docs load lint bench bench-smoke fuzz soak network build guided deb deb-test image rules help conformance

help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

build: ## Build the gateway
	cargo build --locked

demo: ## Build, start the gateway, a demo CRM and a simulated call (CRM=rust|python|php|node|csharp)
	@CRM="$(CRM)" scripts/demo.sh

test: ## Install what the tests need (root), then run every suite
	@scripts/test.sh

docs: ## Follow the documentation: each command of docs/ is run, in both languages (PAGE=part of a path)
	@cargo build --locked --quiet
	@node tests/docs/run.mjs "$(PAGE)"

load: ## 200 calls at a time through a real Asterisk, every entry of the ledger checked (a minute)
	@tests/asterisk/install.sh
	@cargo test --locked --test asterisk -- --ignored --nocapture

lint: ## Format, clippy and documentation, warnings as errors
	@scripts/lint.sh

conformance: ## Autobahn|Testsuite against both ends of our WebSocket, compared with the known results (25 minutes; CASES=6.*)
	@scripts/conformance.sh

bench: ## Figures against others, printed, and the growth plot; no time makes it fail
	@scripts/bench.sh

bench-smoke: ## Each of those benches for a moment: fails when a message was lost, never for a time
	@cargo test --locked --quiet --bench goals -- smoke

guided: ## Build it as it is shipped: laid out by what a load has counted, in target/guided (half an hour on two cores)
	@scripts/guided.sh

deb: ## A Debian package in target/deb (builds it as `make guided`; CTIGATE=binary packs one that is there)
	@scripts/deb.sh

deb-test: ## Install the package into an empty root, run it there, remove it (root)
	@scripts/deb-test.sh

image: ## Build the container image and run it; without a container engine, play its stages (root)
	@scripts/image.sh

rules: ## Check and try the alert rules with promtool
	@scripts/rules.sh

soak: ## Half an hour under load after a warm-up of half as long: memory stays flat, descriptors come back (MINUTES=n)
	@MINUTES=$(or $(MINUTES),30) cargo test --locked --test it -- --ignored --nocapture soak::

network: ## More stories on the simulated network (SEEDS=n, SEED=n for one)
	@SEEDS=$(or $(SEEDS),20000) cargo test --locked --test network -- --nocapture

fuzz: ## Each fuzz target for a minute (SECONDS_EACH=n for longer)
	@FUZZ_SECONDS=$(or $(SECONDS_EACH),60) fuzz/run.sh
