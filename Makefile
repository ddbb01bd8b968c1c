# Every target does its own set-up: a virtual environment in .venv, made again when pyproject.toml or
# constraints.txt change. Without make (Windows, an environment of your own): see README.md.

PYTHON ?= python3
ARGS ?=
RUN := .venv/bin/python
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv selfplay test test-slow check lint format clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo '  Options:   ARGS="--max-minutes 30" is passed on; PYTHON=python3.13 makes .venv with that Python'

venv: $(STAMP) ## Make .venv with everything for use, tests and development

selfplay: $(STAMP) ## Train by self-play, chess and ten minutes by default; again to go on
	@$(RUN) scripts/selfplay.py --game chess $(ARGS)

test: $(STAMP) ## Run the tests, all but the slow ones
	@$(RUN) -m pytest $(ARGS)

test-slow: $(STAMP) ## Run the slow tests
	@$(RUN) -m pytest -m slow $(ARGS)

check: lint test ## What CI runs: lint, format, types, tests

lint: $(STAMP) ## Check style, format and types
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy

format: $(STAMP) ## Format the code and mend what ruff can mend
	@$(RUN) -m ruff check --fix
	@$(RUN) -m ruff format

clean: ## Remove caches and build products; keeps .venv and runs
	rm -rf build dist rlcore.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find rlcore games agents selfplay scripts tests -name __pycache__ -prune -exec rm -rf {} +

# The stamp is touched last, so that an interrupted installation is taken up again. A .venv that works is kept:
# whoever has put another build of torch there finds it there afterwards.
VERSION := import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 11))

$(STAMP): pyproject.toml constraints.txt
	@found=$$("$(PYTHON)" -c '$(VERSION)' 2>/dev/null) || { echo "rlcore needs Python 3.11 or newer, but PYTHON=$(PYTHON) is $${found:-no Python that runs}. Try: make venv PYTHON=python3.11" >&2; exit 1; }
	@echo "Installing into .venv; the first time this takes some minutes (torch is large) ..."
	@{ $(RUN) -c '$(VERSION)' && $(RUN) -m pip --version; } >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear .venv
	@$(RUN) -m pip install -qq --disable-pip-version-check --editable ".[dev]" --constraint constraints.txt
	@touch $@
