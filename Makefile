# make setup   creates .venv with everything osler needs
# make demo    setup, then indexes a sample of the Human Phenotype Ontology and answers questions from it
# make test    setup, then the tests
# make check   setup, then format, lint, types and tests, as before a commit
#
# PYTHON       the interpreter that .venv is made from (3.11 or newer)
# PIP_INDEX    another index for pip, such as https://download.pytorch.org/whl/cpu for a torch without CUDA

PYTHON ?= python3
PIP_INDEX ?=
BIN := .venv/bin

# Without compiled modules each start of osler takes ten seconds more.
unexport PYTHONDONTWRITEBYTECODE

ifneq ($(wildcard ../shared/data),)
export OSLER_DATA ?= $(abspath ../shared/data)
endif

.PHONY: setup demo test check

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt scripts/setup
	@PYTHON=$(PYTHON) PIP_INDEX=$(PIP_INDEX) scripts/setup
	@touch $@

demo: setup
	@$(BIN)/osler demo

test: setup
	@$(BIN)/python -m pytest -rs

check: setup
	@scripts/check
