# Every target works as the very first command on a fresh clone: Python 3.11 or later and make.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= rl,speech,singing,music,export,dev
WORKERS ?= 2

comma := ,
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint docs bench

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done
	@echo "  variables: VENV=$(VENV) EXTRAS=$(EXTRAS) PYTHON=$(PYTHON)"

setup: $(STAMP) ## the virtual environment; rebuilt only when pyproject.toml or constraints.txt change

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "oneleap needs Python 3.11 or later, $(PYTHON) is $$($(PYTHON) --version 2>&1): make PYTHON=python3.11 ..." >&2; exit 2; }
	@echo "installing into $(VENV): a few minutes, some gigabytes"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

demo: $(STAMP) ## collect data, train a one-step policy, evaluate it: minutes, and runs/demo/report.html
	$(BIN)/oneleap demo

test: $(STAMP) ## all but the slow tests and those that need a GPU; coverage of the core
	$(BIN)/python -m pytest -m "not slow and not gpu" -n $(WORKERS) --cov=oneleap.core --cov-report=term:skip-covered

test-slow: $(STAMP) ## the slow tests
	$(BIN)/python -m pytest -m "slow and not gpu"

lint: $(STAMP) ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(STAMP) ## the documentation as web pages, in build/docs; any warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --config-file docs/.mkdocs/mkdocs.yml

bench: $(STAMP) ## time this machine
	$(BIN)/oneleap bench rl
