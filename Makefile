# One command for each thing a person does here; `make help` lists them.
# Every target builds what it needs first and is quick when nothing has changed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
EXTENSION := $(VENV)/share/jupyter/labextensions/lepton-lab
PAGE := $(VENV)/share/jupyter/voila/templates/lepton
# The machine's Node when it is new enough, else the one that `make setup` puts into the environment.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Threads that wait do not spin: two spinning OpenMP threads on two busy cores are slower than one.
export OMP_WAIT_POLICY ?= PASSIVE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Jupyter does not run as root unless it is told so; in a container one often is.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# More for the program that a target starts: make lab ARGS=--no-browser
ARGS ?=

JS_SOURCES := $(shell find js -type f -not -path '*/node_modules/*' -not -path 'js/lib/*' -not -path 'js/.yarn/*' 2>/dev/null)

.PHONY: help setup system lab lab-check dashboard gallery test check pictures python-tests js-tests bench bench-accuracy faults fuzz words clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.python-done $(VENV)/.js-done $(VENV)/.served-done ## build the environment in .venv (safe to repeat)
	@bash tests/tools/what-is-missing.sh

$(VENV)/.python-done: pyproject.toml constraints.txt hatch_build.py Makefile
	@bash tests/tools/make-venv.sh $(VENV)
	HATCH_JUPYTER_BUILDER_SKIP_NPM=1 $(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.js-done: $(JS_SOURCES) $(VENV)/.python-done
	@bash tests/tools/build-js.sh $(VENV)
	@touch $@

# What Jupyter and Voilà serve lies in the environment as an installed wheel puts it there; Voilà refuses links.
$(VENV)/.served-done: $(VENV)/.js-done $(wildcard lepton_lab/voila/*)
	@rm -rf $(EXTENSION) $(PAGE) && mkdir -p $(EXTENSION) $(PAGE)
	@cp -R lepton_lab/labextension/. $(EXTENSION) && cp -R lepton_lab/voila/. $(PAGE)
	@touch $@

system: ## install what the browser tests need from Debian (root only; others are told the command)
	@bash tests/tools/system-packages.sh

lab: setup ## open JupyterLab at notebooks/quickstart.ipynb
	$(BIN)/jupyter lab $(AS_ROOT) --LabApp.default_url=/lab/tree/notebooks/quickstart.ipynb $(ARGS)

lab-check: setup system ## the same without a screen: run the quickstart in JupyterLab in a headless Chromium
	$(PY) -m pytest -q tests/browser/test_quickstart.py

# Which page: make dashboard BOARD=monitor (runs to look at), BOARD=model-card (an endpoint to try)
BOARD ?= studio

dashboard: setup ## serve the studio to people who write no code, closed by a token
	cd notebooks/dashboards && ../../$(BIN)/voila $(ARGS) $(BOARD).ipynb

# The Chinese notebooks are the same cells: that they are, is proved here, and they are not run a second time.
gallery: setup ## run every notebook of the gallery and the course once, one epoch each, on the sets in LEPTON_TEST_DATA
	$(PY) -m pytest -q -s --run-slow tests/test_gallery.py tests/test_notebooks.py

check: setup ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

pictures: setup system ## keep how every step and page looks now as how it shall look; look at the pages before
	LEPTON_RENEW_PICTURES=1 $(PY) -m pytest -q tests/browser -k "looks"

js-tests: setup ## lint, types and tests of js/
	@if [ -f js/package.json ]; then cd js && jlpm check; fi

python-tests: setup system
	$(PY) -m pytest -q tests

test: check js-tests ## everything: lint, types, js, Python, browsers
	@$(MAKE) --no-print-directory python-tests

# Some issues only: make bench ARGS="runs serve"; their rows take the place of the old ones.
bench: setup ## measure everything beside its peers; writes bench.json
	@$(BIN)/pip install -q -c constraints.txt -e '.[dev,bench,ray]'
	$(PY) -m tests.benchmarks $(ARGS)

# Sets by name: make bench-accuracy ARGS="gunpoint adult --seeds 1"
bench-accuracy: setup ## test accuracy on real sets with default options; goes on where it ended; adds to bench.json
	$(PY) -m tests.benchmarks.accuracy $(ARGS)

faults: setup system ## the fault tests in their long form: kills, full disks, bit rot, races; writes faults.json
	@$(BIN)/pip install -q -c constraints.txt -e '.[dev,ray]'
	$(PY) -m pytest -q -s --run-slow -m "fault or slow" --figures faults.json tests/runs tests/training tests/serving/test_long.py tests/serving/test_cluster.py tests/scaling tests/compression tests/test_spine_faults.py

fuzz: setup system ## load 5,000 broken files, send 20,000 odd requests: no crash, no hang, nothing lost in silence; adds to faults.json
	$(PY) -m pytest -q -s --run-slow --figures faults.json tests/data/test_fuzz.py tests/serving/test_fuzz.py

words: setup ## bring the Chinese catalogue of the Python side up to date; prints what has no translation yet
	@$(PY) -m tests.tools.messages

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) dist build lepton_lab/labextension lepton_lab/*/static js/node_modules js/lib tests/artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
