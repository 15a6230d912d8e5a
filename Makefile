# Each target makes what it needs, in .venv, and does its whole job on a machine that has only
# Python >= 3.11, a C compiler and a package index.

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
# The libraries we are compared with live apart, and we beside them; what does not install is missing.
PEERS = .venv-peers
PEER_PACKAGES = torch==2.13.0 jax numba numexpr micrograd
SOURCES = setup.py pyproject.toml $(wildcard $(foreach kind,pyx pxd pxi,$(addprefix tinygrad_relu/,*/*.$(kind) */*/*.$(kind))))

.PHONY: demo test lint bench clean

demo: $(VENV)/ready
	$(BIN)/python -m tinygrad_relu demo

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/ready
	$(BIN)/ruff check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint tinygrad_relu

bench: $(PEERS)/ready
	$(PEERS)/bin/python benchmarks/run.py

clean:
	rm -rf $(VENV) $(PEERS) build dist *.egg-info demo_pictures benchmarks/results
	find tinygrad_relu \( -name '*.c' -o -name '*.so' -o -name '*.html' \) -delete

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/ready: $(SOURCES) | $(BIN)/python
	@echo "Installing what is needed and compiling: about a minute, in silence."
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

$(PEERS)/ready: $(SOURCES)
	@echo "Installing the libraries to compare with, and compiling: a few minutes, in silence."
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --upgrade pip
	for package in $(PEER_PACKAGES); do $(PEERS)/bin/python -m pip install --quiet $$package || true; done
	$(PEERS)/bin/python -m pip install --quiet --editable ".[demo]"
	touch $@
