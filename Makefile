# make setup   creates .venv with everything osler needs
# make demo    setup, then indexes a sample of the Human Phenotype Ontology and answers questions from it
# make test    setup, then all tests
# make check   setup, then format, lint, types and the tests that are not slow, as before a commit
# make docs    builds the documentation as a site; `python3 -m http.server -d site` shows it
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

# What the pages of the site are made of; `make docs` needs no setup, and has an environment of its own.
PAGES := README.md CHANGELOG.md CONTRIBUTING.md LICENSE NOTICE docs osler/models/shipped/README.md

.PHONY: setup demo test check docs

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

docs: .venv-docs/.installed
	@rm -rf build/pages && mkdir -p build/pages
	@tar -cf - $(PAGES) | tar -xf - -C build/pages
	@rm build/pages/docs/performance/*.md build/pages/docs/results/*.md # tables that stand on pages
	@.venv-docs/bin/zensical build --clean --strict
	@! grep -rnoE '(src=|<link [^>]*href=)"?https?://[^" >]*' site --include='*.html' # a page fetches nothing from elsewhere

.venv-docs/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $$($(PYTHON) -c \
	"import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'])")
	@touch $@
