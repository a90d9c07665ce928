# Starbooth's commands. `make` alone lists them. Each does its own set-up in .venv; a second run starts in seconds.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTS ?= tests
PYTEST_ARGUMENTS ?= -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install demo test check format bench up migrate pins clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Install everything into .venv

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[engine,dev]'
	@touch $@

demo: $(STAMP) ## Try everything with play money; DEMO="--once" ends after the first picture
	$(BIN)/starbooth demo $(DEMO)

# The official JavaScript client, for its contract test; without npm, or where npm cannot reach its packages, that
# test is skipped and says so.
$(VENV)/.javascript: tests/darkroom/js/package.json | $(STAMP)
	@if ! command -v npm >/dev/null; then \
		echo "npm is not installed: the test of the JavaScript client is skipped"; \
	elif npm install --prefix tests/darkroom/js --no-package-lock --no-audit --no-fund --silent; then \
		touch $@; \
	else echo "npm could not install: the test of the JavaScript client is skipped"; fi

test: $(STAMP) $(VENV)/.javascript ## Run all tests; TESTS=tests/domain runs some
	$(BIN)/python -m pytest $(PYTEST_ARGUMENTS) $(TESTS)

check: $(STAMP) ## Format, lint, types and the direction of imports
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format the code
	$(BIN)/ruff format src tests bench
	$(BIN)/ruff check --fix src tests bench

bench: $(STAMP) ## Measure, side by side in one run; the method is in docs/performance.md
	$(BIN)/python -m bench

up: $(STAMP) ## Run the booth with the settings in starbooth.toml and the environment
	$(BIN)/starbooth up

migrate: $(STAMP) ## Bring the database to this release
	$(BIN)/starbooth migrate

pins: $(STAMP) ## Write what is installed now into constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable | sed -e 's/+cpu$$//' > constraints.txt

clean: ## Remove what was installed and measured; your data in .starbooth stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench/out
