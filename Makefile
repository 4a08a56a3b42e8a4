# make demo: from nothing to a one-step policy. make test: from nothing to a test report.
VENV ?= .venv
PYTHON ?= python3
EXTRAS ?= rl,export,dev
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(EXTRAS)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint bench

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## a virtual environment in VENV, made anew only when what it holds changes

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "oneleap needs Python 3.11 or later: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: setup ## collect data, train a one-step policy, evaluate it, write a report (minutes)
	$(BIN)/oneleap demo

test: setup ## the tests
	$(BIN)/python -m pytest -m "not slow and not gpu" -n 2 --cov=oneleap.core --cov-report=term:skip-covered

test-slow: setup ## the heavy checks
	$(BIN)/python -m pytest -m slow

lint: setup ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## time this machine
	$(BIN)/oneleap bench rl
