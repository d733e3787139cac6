# Every verb of the project. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

BIN := .venv/bin
UV := .tools/uv/bin/uv
LOCKS := layer documents dev ministack sam uv
PYTEST := $(BIN)/pytest -q
# An interpreter able to bootstrap uv; a pyenv shim may refuse until the pinned version is installed.
PYTHON := $(shell for p in python3.13 python3 python3.12 python3.11 /usr/bin/python3; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

.PHONY: help setup lock fmt lint types test unit contract integration e2e chaos prove bench build run stop logs reset openapi docs

help: ## list the verbs
	@sed -nE 's/^([a-z0-9]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 13

setup: .venv/.ready .tools/ministack/.ready .tools/sam/.ready ## prepare the tool environments (the other verbs imply it)

.tools/uv/.ready: requirements/uv.lock
	@$(if $(PYTHON),,echo "python 3.11 or newer is needed" >&2; exit 1)
	@echo "setup: uv"
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.tools/%/.ready: requirements/%.lock .tools/uv/.ready .python-version
	@echo "setup: $*"
	@$(UV) venv --quiet --allow-existing $(@D)
	@$(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	@touch $@

.venv/.ready: requirements/dev.lock .tools/uv/.ready .python-version tools/install.py
	@echo "setup: project"
	@$(UV) venv --quiet --allow-existing $(@D)
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $<
	@$(BIN)/python tools/install.py
	@touch $@

lock: .tools/uv/.ready ## resolve requirements/*.in again into the hashed locks (U=--upgrade for newer versions)
	@for name in $(LOCKS); do echo "lock: $$name"; \
	$(UV) pip compile --quiet $(U) --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	    --python-version 3.13 --python-platform x86_64-manylinux_2_28 \
	    requirements/$$name.in -o requirements/$$name.lock; done

fmt: setup ## format the code and fix what can be fixed
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lint: setup ## ruff, import contracts, template
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/hms imports
	@$(BIN)/hms template

types: setup ## mypy, strict
	@$(BIN)/mypy

unit: setup ## pure tests, no sockets
	@$(PYTEST) tests/unit

contract: setup ## template, events, API documents and layout
	@$(PYTEST) tests/contract

integration: setup ## one part against its engine
	@$(PYTEST) -n auto tests/integration

e2e: setup ## over HTTP, and the table on its engine; ENDPOINT_URL=… uses the emulator there, without what is marked any_engine
	@ENDPOINT_URL=$(ENDPOINT_URL) $(PYTEST) -n 2 -m "not chaos$(if $(ENDPOINT_URL), and not any_engine)" tests/e2e tests/integration/test_table.py

chaos: setup ## on a deployed hospital consumers and flows of money die at every call they make, P3, P4, P12 and the table of P11 small (hours on two cores)
	@ENDPOINT_URL=$(ENDPOINT_URL) $(PYTEST) -m chaos tests

test: lint types ## everything but chaos: lint, types, unit, contract, integration, e2e
	@$(PYTEST) -n auto -m "not chaos" tests

prove: setup ## prove the promises, some with P="P1 P2"
	@$(BIN)/hms prove $(P)

bench: setup ## measure the speed ratios
	@$(BIN)/hms bench

build: setup ## build the layers and functions
	@$(BIN)/hms build

run: setup ## start the hospital on localhost:4566 (HMS_PORT moves it) and leave it running
	@$(BIN)/hms up

stop: setup ## stop it, keeping its data
	@$(BIN)/hms down

logs: setup ## show the functions' logs
	@$(BIN)/hms logs

reset: setup ## stop it and forget its data
	@$(BIN)/hms reset

openapi: setup ## generate openapi.json and gateway.yaml from the code
	@$(BIN)/hms openapi

docs: openapi ## generate what the documents take from the code
	@$(BIN)/hms docs
