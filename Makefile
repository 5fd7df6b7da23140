# Works on a machine with Python 3.11 or later and make, nothing else.
#
#   make demo      compile the library, verify it, then train beside the naive formula
#   make test      linters, types, contracts and tests
#   make sweep     the slow tests, for the record
#   make generate  rebuild generated/ from specs/
#   make check     is generated/ fresh, and does every loss hold? (minutes)
#   make docs      the documentation, in docs/_build/html

.DEFAULT_GOAL := help
.PHONY: help env demo test lint unit sweep generate check docs clean
.DELETE_ON_ERROR:

# Another environment that is active where make is called is none of ours: IPython warns of it.
unexport VIRTUAL_ENV

# The first interpreter that is new enough and able to make environments; PYTHON=... overrides.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14 python; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
		2>/dev/null && { command -v "$$python"; break; }; \
	done)

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
# Random points per dtype and loss in the demo; `make check` takes its time.
POINTS ?= 40
TORCH := $(shell grep '^torch==' constraints.txt)

help:
	@sed -n 's/^#   //p' Makefile

env: $(STAMP)

# PyTorch comes first and pinned: left to the resolver, its newest build would be fetched.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { \
		echo "no Python 3.11 or later with venv found; set PYTHON=/path/to/python" >&2; exit 1; }
	@echo "==> environment in $(VENV), from $(PYTHON)"
	@rm -f $(STAMP)
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet -c constraints.txt "$(TORCH)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $(STAMP)

demo: env
	@echo "==> generate: compile every spec of the library"
	@$(BIN)/losscodegen generate
	@echo "==> check: value and gradient against interval arithmetic, worst first"
	@$(BIN)/losscodegen check --points $(POINTS)
	@echo "==> train: the generated weighted log loss beside the formula typed into PyTorch"
	@$(BIN)/python demo/train_breast_cancer.py

test: lint unit

lint: env
	@echo "==> ruff"
	@$(BIN)/ruff check .
	@echo "==> black"
	@$(BIN)/black --check --quiet . || { $(BIN)/black --check .; exit 1; }
	@echo "==> mypy"
	@$(BIN)/mypy
	@echo "==> import contracts"
	@$(BIN)/lint-imports --no-cache
	@echo "==> generated files"
	@$(BIN)/losscodegen generate --check

unit: env
	@echo "==> tests"
	@$(BIN)/python -m pytest -n auto -m "not slow"

# Sweeps that take many minutes: every guard of every module undone, and the like.
sweep: env
	@echo "==> slow tests"
	@$(BIN)/python -m pytest -n auto -m slow

generate: env
	@$(BIN)/losscodegen generate

check: env
	@$(BIN)/losscodegen generate --check
	@$(BIN)/losscodegen check

# Warnings are errors, links that lead nowhere among them. No network is needed.
docs: env
	@echo "==> documentation in docs/_build/html"
	@$(BIN)/python -m sphinx -W --keep-going -n -q -b html -d docs/_build/doctrees \
		docs docs/_build/html

clean:
	rm -rf $(VENV) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.losscodegen_cache docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
