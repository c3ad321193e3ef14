# Holdfast. `make run` and `make test` do all of their own set-up: Python 3.11–3.13 and make are enough.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.stamp
.DEFAULT_GOAL := help
# Bytecode is kept: some hosts never write it, and then every process of the tests compiles and rewrites them all again.
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help setup run test quick check fmt docs sim simulate sim-long bench bench-overload bench-vs mutants coverage lock

help:      ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1@/p' Makefile | awk -F@ '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY)  ## create .venv from requirements.lock (once; later calls cost nothing)
$(READY): requirements.lock pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh "$(PYTHON)"

run: $(READY)  ## trade on a simulated venue (ARGS="--for 60s --json")
	@$(BIN)/holdfast run $(ARGS)

test: $(READY)  ## every test, those of real processes beside those that compute (ARGS="-k latch": these, one by one)
	@$(BIN)/python $(if $(ARGS),-m pytest $(ARGS),scripts/tests.py)

quick: $(READY)  ## the tests without the slow ones
	@$(BIN)/python -m pytest -m "not slow" $(ARGS)

check: $(READY)  ## ruff, mypy --strict, import-linter, tidy tests (what the documents run is in `make test`)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy --strict
	@$(BIN)/lint-imports && $(BIN)/python -m pytest tests/repo -m "not slow"

fmt: $(READY)  ## format, and fix what ruff can fix
	@$(BIN)/ruff check --fix-only . && $(BIN)/ruff format .

docs: $(READY)  ## write the reference pages that follow from the code
	@$(BIN)/python scripts/docs.py

sim: $(READY)  ## the simulated venue alone (SEED=7 ARGS=…)
	@$(BIN)/holdfast sim $(if $(SEED),--seed $(SEED)) $(ARGS)

simulate: $(READY)  ## seeds of everything going wrong (SEED=7 for one, ARGS="--seeds 100")
	@$(BIN)/holdfast simulate $(if $(SEED),--seeds 1 --first-seed $(SEED)) $(ARGS)

sim-long: $(READY)  ## ten thousand seeds; goes on from bench/simulation.json of the same commit (ARGS="--seeds 500")
	@$(BIN)/holdfast simulate --seeds 10000 --jobs 2 --no-shrink --result bench/simulation.json \
		--build "$$(git rev-parse HEAD)" $(ARGS)

bench: $(READY)  ## measure, print a table, write bench/results.json
	@$(BIN)/python -m bench.run $(ARGS)

bench-overload: $(READY)  ## more quotes than one can look at: ages, what is left out, memory (2 min)
	@$(BIN)/python -m bench.overload $(ARGS)

bench-vs: $(READY)  ## the same work in another framework, in its own environment
	@$(BIN)/python -m bench.vs_nautilus $(ARGS)

mutants: $(READY)  ## break gate, holds and ladder one change at a time; goes on where it stopped (ARGS="--minutes 30")
	@$(BIN)/python scripts/mutants.py $(ARGS)

coverage: $(READY)  ## every branch of gate, holds and ladder is taken by a test of the core, or it says which is not
	@$(BIN)/python -m coverage run -m pytest tests/core -n 0 -m "not slow" $(ARGS)
	@$(BIN)/python -m coverage report

lock:      ## rewrite requirements.lock (the one target that needs uv)
	@sh scripts/lock.sh
