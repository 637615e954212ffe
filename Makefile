# make demo    sets everything up, compiles two models for two targets, and compares their cost
# make test    sets everything up, and runs every check and test
# make lint    style, types, layers      make bless   renews generated pages and golden files
# make build   sets everything up, and rebuilds the native parts if their sources changed
# make fuzz    100,000 mutants of the emulator tests' PTX through its core, built with sanitizers (about half an hour;
#              FUZZ_CASES and FUZZ_SEED choose others; failures land in build/fuzz/failures)
# make clean   removes what was built, not the environment      make distclean   removes the environment too
#
# Needed beforehand: Python 3.11 or later, make, a C++20 compiler. All else is installed into .venv, at the versions of
# constraints.txt.

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt
NATIVE := $(shell find targets -name '*.cpp' -o -name '*.h' -o -name CMakeLists.txt)
# Compiles kernels for the emulator's tests. torch's wheels with CUDA pin another one, so it stands outside of
# constraints.txt; where there is no wheel of it, its tests are skipped.
TRITON := triton==3.9.0
RECIPE := pyproject.toml constraints.txt CMakeLists.txt $(NATIVE)
JOBS ?= 2
FUZZ := build/fuzz
FUZZ_CASES ?= 100000
FUZZ_SEED ?= 1

.PHONY: demo test lint lit pytest bless build fuzz bench-env clean distclean
.DELETE_ON_ERROR:
# The steps of `test` share two cores among themselves already.
.NOTPARALLEL:

demo: $(VENV)/.stamp-demo
	$(BIN)/python -m accelc.tools.demo

test: $(VENV)/.stamp-test lint lit pytest

lint: $(VENV)/.stamp-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

lit: $(VENV)/.stamp-test
	$(BIN)/lit -sv -j $(JOBS) test

pytest: $(VENV)/.stamp-test
	# A file's tests stay on one worker: some files end in a test of what the others have met.
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile

bless: $(VENV)/.stamp-test
	$(BIN)/python -m pytest -q -m golden --bless

build: $(VENV)/.stamp-test

# The corpus is what the emulator's own tests load, each kernel for itself.
fuzz: $(VENV)/.stamp-test
	PYTHONPATH=test/targets/gpu/emulator $(BIN)/python -m pytest -q -p keep_ptx --keep-ptx $(FUZZ)/corpus test/targets/gpu/emulator
	$(BIN)/cmake -S targets/gpu/emulator/fuzz -B $(FUZZ)/driver -G Ninja -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja
	$(BIN)/cmake --build $(FUZZ)/driver -j $(JOBS)
	$(FUZZ)/driver/emulator_fuzz $(FUZZ)/corpus --cases $(FUZZ_CASES) --seed $(FUZZ_SEED) --failures $(FUZZ)/failures

bench-env: $(VENV)/.stamp-build $(RECIPE)
	$(PIP) --no-build-isolation -e '.[bench]'

# The build's own tools come first, because the project is built inside the environment (no isolation: what is
# pinned is what builds).
$(VENV)/.stamp-build: constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) cmake nanobind ninja scikit-build-core
	touch $@

$(VENV)/.stamp-demo: $(VENV)/.stamp-build $(RECIPE)
	$(PIP) --no-build-isolation -e '.[check]'
	touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-build $(RECIPE)
	$(PIP) --no-build-isolation -e '.[check,test,dev]'
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps $(TRITON) || echo "no $(TRITON) here"
	touch $@ $(VENV)/.stamp-demo

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find dialects passes python targets test tools -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f $(VENV)/.stamp-demo $(VENV)/.stamp-test $(VENV)/.stamp-build

distclean: clean
	rm -rf $(VENV)
