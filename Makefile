# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# A menu. Every line delegates: `scripts/setup.sh` installs, CMake builds,
# `scripts/run_tests.py` tests. Each step looks at what is there and does
# nothing when nothing changed.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON := .venv/bin/python
export PATH := $(CURDIR)/build/bin:$(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/python:$(CURDIR)

.PHONY: help setup build demo test test-lit test-cpp test-python asan bench \
        wheel lint format size docs clean distclean

help: ## show this menu
	@echo "asic-mlir: make <what>"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16

setup: ## install Debian packages, .venv and Python packages
	@scripts/setup.sh

build: setup ## configure and build the C++ tree into build/
	@scripts/build.sh

demo: build ## train, quantise, compile and run a digits CNN on three accelerators
	@$(PYTHON) examples/demo.py $(ARGS)

test: build ## every test: lit, C++ unit tests, pytest
	@$(PYTHON) scripts/run_tests.py $(ARGS)

test-lit: build ## lit suites only; ARGS="--filter REGEX" narrows them
	@$(PYTHON) scripts/run_tests.py --only lit $(ARGS)

test-cpp: build ## C++ unit tests only
	@$(PYTHON) scripts/run_tests.py --only ctest $(ARGS)

test-python: build ## pytest only
	@$(PYTHON) scripts/run_tests.py --only pytest $(ARGS)

asan: setup ## emulator and runtime tests under address and undefined-behaviour sanitizers
	@scripts/build.sh asan
	@cd build-asan && ctest --output-on-failure --no-tests=error -j 2

bench: build ## the accelerator benchmark; ARGS="--net resnet18 --target npu-256"
	@$(PYTHON) -m benchmarks.accelerator $(ARGS)

wheel: setup ## a self-contained wheel (LLVM and MLIR linked in statically) in dist/
	@scripts/wheel.sh

lint: setup ## ruff, mypy, codespell, clang-format: report only
	@scripts/lint.sh

format: setup ## apply ruff and clang-format
	@scripts/lint.sh --fix

size: ## lines per folder, longest files and functions
	@python3 scripts/size.py

docs: build ## regenerate the generated pages (docs/overview.md)
	@$(PYTHON) scripts/make_overview.py

clean: ## remove build results
	rm -rf build build-asan build-wheel dist out

distclean: clean ## remove the virtual environment and caches too
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
