# Two commands on a fresh machine: `make demo` and `make test`. Both make the environment first.
PYTHON ?= python3.11
VENV := .venv
# The peers bring a torchvision that may not fit this torch, and then break parts of transformers.
PEERS := .venv-bench
BIN := $(VENV)/bin

.PHONY: setup demo test lint bench clean help

help:
	@echo "make setup   environment in .venv with asclip installed"
	@echo "make demo    phantom hospital -> data set -> model -> scores -> report card in runs/demo/"
	@echo "make test    the tests"
	@echo "make lint    format, lint, types, layers"
	@echo "make bench   benchmarks beside peers; JSON in runs/benchmarks/"

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 must be installed; got none called '$(PYTHON)'; run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamp depends on what is to be installed, so an edit of pyproject.toml installs again.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[weights,track]" --group test --group lint
	@touch $@

setup: $(VENV)/.installed

demo: setup
	$(BIN)/asclip demo --out runs/demo

# One thread a process: two processes of two threads each wait for one another on two cores.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q

lint: setup
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: setup
	@mkdir -p runs/benchmarks
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[weights]" --group bench
	for name in benchmarks/*.py; do $(PEERS)/bin/python $$name --out runs/benchmarks/$$(basename $$name .py).json; done

clean:
	rm -rf $(VENV) $(PEERS) runs
