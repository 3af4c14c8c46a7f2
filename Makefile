# One command per chore, the same on a laptop and in CI. `make` alone explains itself.
.DEFAULT_GOAL := help
.PHONY: help demo test test-all check unit format bench bench-quick clean
.NOTPARALLEL:

PY := .venv/bin/python
QUICK := not docker and not podman and not vm and not network and not wheel and not long and not nightly
# The tests of real engines stand together in the order of files: worksteal has both workers busy with them to the end.
# DEVBOX_NO_SKIP makes a skipped integration test a failure: on a machine that has been set up nothing is missing.
PYTEST = TMPDIR="$$($(PY) scripts/tmpdir.py)" DEVBOX_NO_SKIP=1 $(PY) -m pytest -p tests.support.skips -n 2 --dist worksteal

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## set up what is missing, bring examples/python-flask up, run its tests inside
	@scripts/setup.sh demo
	@scripts/demo.sh

test: ## set up what is missing and run the whole suite, on the real engine
	@scripts/setup.sh test
	@$(PYTEST) -m "not nightly"

test-all: ## make test and the nightly tests
	@scripts/setup.sh test-all
	@$(PYTEST)

check: ## linters, types, import contract, and the tests that need no engine: under a minute
	@scripts/setup.sh check
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	$(PY) -m pytest -q -n 2 -m "$(QUICK)" tests/unit tests/contract tests/architecture

unit: ## the unit tests alone, in seconds
	@scripts/setup.sh check
	$(PY) -m pytest -q -n 2 tests/unit

format: ## let ruff mend and format everything
	@scripts/setup.sh check
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: ## the benchmarks against peers: paired runs, medians, ratios
	@scripts/setup.sh test
	@$(PY) -m benchmarks

bench-quick: ## the same with few runs
	@scripts/setup.sh test
	@$(PY) -m benchmarks --quick

clean: ## remove what the chores above made in this clone; environments stay (devbox destroy, devbox prune)
	rm -rf .venv build-out dist .benchmarks .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
