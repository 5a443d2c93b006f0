# Everything a developer types. Each line with ## is shown by `make help`.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
SHELL := bash
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
INSTALLED := $(VENV)/.installed
LOCKED := $(VENV)/.locked
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input
LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-fast chaos chaos-long bench bench-peers lint types contracts migrate format lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## create .venv and install what the lock file names (quick when nothing changed)

run: setup ## start the whole platform on this machine; Ctrl-C stops it
	@exec $(BIN)/python -m deploy.local

demo: setup ## play ten days of a service department on the platform that `make run` started (ARGS="--requests 300 --seconds 150")
	@$(BIN)/python -m deploy.demo $(ARGS)

test: setup ## run every test, with real PostgreSQL and real Kafka
	@$(BIN)/python -m tests.run

test-fast: setup ## run the tests that need no database and no broker
	@$(BIN)/python -m pytest -q -m "pure and not postgres"

bench: setup ## measure everything beside its limits (ARGS="--list", "--only accept,relay", "--quick"); see benchmarks/README.md
	@$(BIN)/python -m benchmarks $(ARGS)

bench-peers: setup $(PEERS)/.installed ## measure beside django-helpdesk on the same PostgreSQL, which is installed into .venv-peers
	@$(BIN)/python -m benchmarks --only peers $(ARGS)

chaos: setup ## load the platform, kill and cut it in every way, and compare it with what it promised (ARGS="--seconds 120 --brokers 3")
	@$(BIN)/python -m tests.chaos $(ARGS)

chaos-long: setup ## the same for 30 minutes with random seeds; stops at the first difference (ARGS="--minutes 60")
	@$(BIN)/python -m tests.chaos.long $(ARGS)

lint: setup ## check style, formatting and the walls between services and rooms
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: setup ## check types (mypy, strict)
	$(BIN)/mypy

contracts: setup ## write the event contracts to docs/contracts/
	$(BIN)/python -m shared.events.document

migrate: setup ## bring the four databases (<SERVICE>_DATABASE_URL) to the newest version
	$(BIN)/python -m deploy.cli db migrate

format: setup ## format the code and sort its imports
	$(BIN)/ruff check --fix --quiet --exit-zero
	$(BIN)/ruff format

lock: setup ## write the lock files anew from pyproject.toml
	$(LOCK) --output-file requirements.lock pyproject.toml
	$(LOCK) --extra local --extra dev --output-file requirements-dev.lock pyproject.toml
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["peers"], sep="\n")' \
		| $(LOCK) --output-file requirements-peers.lock -

clean: ## remove .venv and what tools left behind; data in .aftercare stays
	rm -rf $(VENV) $(PEERS) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two stamps: a change of the settings in pyproject.toml does not ask for every package again.
$(INSTALLED): $(LOCKED) pyproject.toml
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(LOCKED): requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "Aftercare needs Python 3.11 or newer, and none was found. Name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) comes without the venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || { echo "Creating $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing what requirements-dev.lock names; the first time takes a minute or two"
	@set -o pipefail; $(PIP) --require-hashes --requirement requirements-dev.lock | { grep --line-buffered -vE 'already satisfied|^Ignoring|^Looking in' || true; }
	@touch $@

$(PEERS)/.installed: requirements-peers.lock
	@$(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --disable-pip-version-check --no-input --quiet --require-hashes --requirement requirements-peers.lock
	@touch $@
