# `make demo` and `make test` do all the set-up themselves, on a machine with Python 3.11+ and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
JS := tests/gateway/clients/js

# The tests start many short processes. Without kept bytecode each of them would compile all of Segue again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-recorded test thorough fast check format docs clean

$(VENV)/.run: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Segue needs Python 3.11 or later; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Segue into $(VENV) …"
	@$(PIP) install --quiet --editable ".[serve]"
	@touch $@

$(VENV)/.dev: $(VENV)/.run constraints.txt $(JS)/package-lock.json
	@echo "Installing what the checks need …"
	@$(PIP) install --quiet --editable '.[dev]' --constraint constraints.txt
	@if command -v npm >/dev/null; then \
	  npm ci --prefix $(JS) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null 2>&1 \
	    || echo "The JavaScript clients could not be installed: their tests will be skipped."; \
	else echo "npm is not here: the tests of JavaScript clients will be skipped."; fi
	@touch $@

# The main job end to end: a scripted upgrade, judged per slice. No key, no network.
demo: $(VENV)/.run
	@$(BIN)/python examples/demo.py

# The same on GPT-4 March -> June 2023; needs SEGUE_DATA.
demo-recorded: $(VENV)/.run
	@$(BIN)/python examples/demo_recorded.py

# Everything: format, lint, types, import contracts, tests, docs.
test: $(VENV)/.dev
	@$(BIN)/python -m ruff format --check --quiet . || { echo "Run: make format"; exit 1; }
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports --config importlinter.ini
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --durations 8

# The inner loop: the fast part of the tests.
fast: $(VENV)/.dev
	@$(BIN)/python -m pytest --numprocesses 2 -m "not slow and not browser and not postgres"

# The dearest tests as often as the goals ask: twenty upgrades and twenty evals with processes killed, more seeds.
thorough: $(VENV)/.dev
	@SEGUE_THOROUGH=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --timeout 1200 --durations 8

format: $(VENV)/.dev
	@$(BIN)/python -m ruff format --quiet .
	@$(BIN)/python -m ruff check --quiet --fix .

clean:
	rm -rf $(VENV) demo-out .mypy_cache .ruff_cache .hypothesis $(JS)/node_modules
