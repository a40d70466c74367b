# Needed on the machine: Python 3.11 or newer, and make. Everything else is set up here.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEEDS ?= 200
WHAT ?= core

.PHONY: help setup demo test check faults bench up

help: ## Say what each target does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## Make the virtual environment from the lock

$(STAMP): requirements.lock pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	  { [ -x $(BIN)/python ] || uv venv --quiet --python $(PYTHON) $(VENV); } && \
	  uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --editable .; \
	else \
	  { [ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV); } && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	fi
	@touch $(STAMP)

demo: setup ## Campaigns from a Slack command to Finished, on embedded servers (ONCE=1: end by itself; N=20000: so many contacts)
	@$(BIN)/muster demo $(if $(ONCE),--once) $(if $(N),--contacts $(N) --folder .muster/demo-$(N))

test: setup ## All tests, side by side on shared servers; a few seeds of faults, the others by make faults
	@CHECK_BIN=$(BIN) bash deploy/tests.sh

check: setup ## Lint, types, import contracts, and all tests
	@CHECK_BIN=$(BIN) bash deploy/check.sh

faults: setup ## Fault tests: SEEDS=200 or SEED=n of all services, RUNS=300 or RUN=n of delivery alone, MONEY=50 of budget and stock, EVENTS=200 or EVENT=n of Message Center
	@$(BIN)/python -m tests.faults $(if $(MONEY),money --seeds $(MONEY),\
	  $(if $(EVENT)$(EVENTS),events $(if $(EVENT),--seed $(EVENT),--seeds $(EVENTS)),\
	  $(if $(RUN)$(RUNS),delivery $(if $(RUN),--seed $(RUN),--runs $(RUNS)),\
	  $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)))))
	@$(if $(MONEY)$(EVENT)$(EVENTS)$(RUN)$(RUNS)$(SEED),:,$(BIN)/pytest -q tests/faults/delivery \
	  tests/faults/money tests/faults/events)
	@$(if $(MONEY)$(EVENT)$(EVENTS)$(RUN)$(RUNS)$(SEED),:,$(BIN)/pytest -q -m long --ignore tests/faults/delivery \
	  --ignore tests/faults/money --ignore tests/faults/events tests/faults tests/e2e)

bench: setup ## Benchmarks, WHAT=core, actions or timings
	@$(BIN)/muster bench $(WHAT)

up: setup ## Everything in one process, on embedded servers unless the environment names others
	@$(BIN)/muster up
