# `make demo` needs nothing but Python 3.11; `make test` sets up all that the tests need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: demo test check bench fit train evaluate docs clean

demo: $(VENV)/.engine
	$(BIN)/mile demo digits

test: $(VENV)/.dev
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m experiments.bench

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "MILE-RL needs Python 3.11 or newer; say make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# The engine alone: no torch, no gymnasium.
$(VENV)/.engine: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable .
	touch $@

# The environments' tests need gymnasium, numba and stable-baselines3, hence torch (its build for the CPU, 200 MB).
$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable '.[dev,plot,traces,training]'
	touch $@ $(VENV)/.engine $(VENV)/.training

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable '.[bench,traces,training]'
	touch $@

fit: $(VENV)/.dev $(VENV)/.training
	$(BIN)/python -m experiments.fit_prediction $(TRACES)

# Banks are drawn first; an interrupted training goes on where it stopped. `make train SHIP=--ship` installs it.
train: $(VENV)/.dev $(VENV)/.training
	$(BIN)/python -m experiments.train $(SHIP)

# All tables. `make evaluate TRACES=DIR` (from `python -m traces mine`) replays real sessions too, each foreseen by a
# model that never saw its people, and tries people unlike those in the training.
evaluate: $(VENV)/.dev $(VENV)/.training
	test -e build/agent/test.npz || $(BIN)/python -m envs make --sessions 300 --seed 2 --out build/agent/test.npz
	$(if $(TRACES),$(BIN)/python -m experiments.replays $(TRACES))
	$(BIN)/python -m experiments.evaluate build/agent/test.npz $(if $(TRACES),build/replays/dvc.npz build/replays/mlflow.npz) \
		--learned $(wildcard build/agent/learned_*.onnx)
	$(BIN)/python -m experiments.shifts $(TRACES) --test build/agent/test.npz --shifts costs families $(if $(TRACES),people)

docs: $(VENV)/.engine
	$(BIN)/python -m mile_rl.cli.reference > docs/cli.md

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
