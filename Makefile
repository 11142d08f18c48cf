# make alone lists what there is. Nothing here needs root or apt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# A core is waited for less often than a program that starts: more processes than cores only disturb each other.
JOBS ?= 2
INTEROP := .interop
GO_SOURCES := /usr/share/gocode/src

.DEFAULT_GOAL := help
.PHONY: help demo run test interop check format bench bench-compare bench-scale bench-attack docs standards lock

help: ## list these
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/ready: requirements/dev.txt pyproject.toml
	@echo "setting up $(VENV) (once, from hash-pinned packages)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Keyfob needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/ready ## play the whole journey on this machine, and write a transcript
	@$(BIN)/python -m keyfob.demo

run: $(VENV)/ready ## set the same up in ./demo-home, or start it again; leave both servers running
	@$(BIN)/python -m keyfob.demo --keep-running demo-home

test: $(VENV)/ready ## run all tests (JOBS=8: in as many processes)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

interop: $(VENV)/ready $(INTEROP)/venv/ready $(INTEROP)/node $(INTEROP)/go ## play the clients and verifiers of others (RECORD=1 writes their page)
	@$(BIN)/python -m pytest tests/interop $(if $(RECORD),--record)

$(INTEROP)/venv/ready: requirements/interop.txt
	@$(PYTHON) -m venv $(INTEROP)/venv
	@$(INTEROP)/venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/interop.txt
	@touch $@

# What is not on this machine is left out: its tests say so and are skipped.
$(INTEROP)/node: tests/interop/node/package-lock.json
	@! command -v npm >/dev/null || { npm ci --prefix tests/interop/node --ignore-scripts --no-audit --no-fund --loglevel=error && mkdir -p $@ && touch $@; }

$(INTEROP)/go: tests/interop/go/client/main.go tests/interop/go/verifier/main.go
	@! command -v go >/dev/null || test ! -d $(GO_SOURCES)/github.com/coreos/go-oidc || tests/interop/go/build $@

check: $(VENV)/ready ## format, lint, strict types, import contracts
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@PYTHONPATH=src $(BIN)/lint-imports --no-cache >$(VENV)/imports.log 2>&1 || { cat $(VENV)/imports.log; exit 1; }
	@echo "check: format, lint, types and imports hold"

format: $(VENV)/ready ## bring the code into its one form
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix --quiet .

bench: $(VENV)/ready $(INTEROP)/venv/ready $(INTEROP)/node bench/peers/ready ## measure everything, beside others, and write the page of it (PARTS="tokens start": some)
	@$(BIN)/python bench/run.py $(PARTS)

bench-compare: $(VENV)/ready $(INTEROP)/venv/ready $(INTEROP)/node bench/peers/ready ## measure again: what costs over 15 % more than what is committed
	@$(BIN)/python bench/compare.py $(PARTS)

bench-scale: $(VENV)/ready ## a million clients, ten million records, on SQLite and PostgreSQL: 20 minutes (ROWS=100000: so many clients)
	@$(BIN)/python bench/scale.py $(if $(ROWS),--rows $(ROWS))

bench-attack: $(VENV)/ready ## what time tells a stranger, and what a good client feels of attacks and of others' writes
	@$(BIN)/python bench/unknown_or_wrong.py
	@$(BIN)/python bench/under_attack.py
	@$(BIN)/python bench/cdms_put.py

# Whom we are measured beside. Without npm it is left out, and said so.
bench/peers/ready: bench/peers/package-lock.json
	@! command -v npm >/dev/null || { npm ci --prefix bench/peers --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; }

docs: $(VENV)/ready ## run every command and example of the documents
	@$(BIN)/python -m pytest tests/docs

standards: $(VENV)/ready ## prove anew which test guards which rule of which standard
	@$(BIN)/python tests/standards/prove.py

lock: $(VENV)/ready ## choose the locked packages anew
	@$(BIN)/python -m pip install -q uv
	@for name in base:"" all:"--all-extras" dev:"--all-extras --group dev"; do \
	  $(BIN)/uv pip compile -q --universal --upgrade --generate-hashes --no-header --no-annotate -p 3.11 \
	    pyproject.toml $${name#*:} -o requirements/$${name%%:*}.txt; done
	@for name in build interop; do \
	  $(BIN)/uv pip compile -q --universal --upgrade --generate-hashes --no-header --no-annotate -p 3.11 \
	    requirements/$$name.in -o requirements/$$name.txt; done
