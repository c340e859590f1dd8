# make install | demo | test | check | docs | bench | models | clean; each sets up what it needs. PYTHON=python3.12 make ... picks the interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One process for each core, up to four: each of them loads torch and collects the tests anew.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install demo test check docs bench models clean

help:
	@echo "make install   build $(VENV) from constraints.txt"
	@echo "make demo      train on generated sentences, drums, grooves, melodies and digits, evaluate, sample and interpolate"
	@echo "make test      all tests, the slow ones and the doctests included"
	@echo "make check     lint, format, types, fast tests"
	@echo "make docs      run the tutorials in docs/ and put in place what they print and draw"
	@echo "make bench     every script in benchmarks/, some minutes; FULL=1: steadier figures; those that need files say which"
	@echo "make models    train the models that come along, from the published data in the folder DATA"
	@echo "make clean     remove caches and build output; runs/ and $(VENV) stay"

install: $(STAMP)

# Setuptools comes first, from constraints.txt: an isolated build would fetch one that no file pins.
$(STAMP): constraints.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "%s is Python %d.%d; seqvae needs 3.11 or later: make PYTHON=python3.11 install" % (sys.executable, *sys.version_info[:2]))'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --quiet setuptools
	$(PIP) --quiet --no-build-isolation -e '.[dev,latent,tensorboard]'
	@touch $@

demo: install
	$(BIN)/python scripts/demo.py

test: install
	$(PYTEST)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m "not slow"

docs: install
	$(BIN)/python scripts/tutorials.py

bench: install
	$(BIN)/python scripts/benchmarks.py --size $(if $(FULL),full,short)

models: install
	$(BIN)/python scripts/make_models.py $(or $(DATA),data)

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(STAMP)
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
