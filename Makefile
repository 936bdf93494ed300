# Python 3.11 and make are all this assumes. Everything it installs goes into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test check format types contracts simulate fuzz interop bench reference wheel clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements.txt
	@echo "setting up $(VENV) (first time, or requirements changed)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.runtime  ## the whole product in about a minute: sandbox venues, service, bot, ledger; no keys, no network
	@$(BIN)/python runbot.py demo $(ARGS)

test: $(VENV)/.dev check  ## everything that must hold before a change lands
	$(PYTEST) tests $(ARGS)

check: $(VENV)/.dev format types contracts  ## format, lint, types, import contracts

format: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(VENV)/.dev
	@$(BIN)/mypy exchange_clients strategies funding_rate_service/core

contracts: $(VENV)/.dev
	@$(BIN)/lint-imports --no-cache

simulate: $(VENV)/.dev  ## the long proofs: thousands of seeds, simulated weeks, every fault at every step
	PERP_LONG=1 $(PYTEST) tests/simulation $(ARGS)

fuzz: $(VENV)/.dev  ## whatever a venue may send: 10,000 tries a venue and test instead of 500
	PERP_LONG=1 $(PYTEST) tests/fuzz $(ARGS)

interop: $(VENV)/.dev  ## clients that we did not write, against the sandbox; each gets its own environment in .bench
	PERP_INTEROP=1 $(PYTEST) tests/interop $(ARGS)

bench: $(VENV)/.dev  ## ours / the peers / the limit, as ratios of one run; peers get their own environments in .bench
	@$(BIN)/python -m benchmarks $(ARGS)

reference: $(VENV)/.dev  ## rewrite the generated pages of docs/reference and the README's matrix
	@$(BIN)/python -m docs.build_reference

wheel: $(VENV)/.dev  ## build the library's wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist ./exchange_clients
	@rm -rf exchange_clients/build *.egg-info

clean:  ## remove what this Makefile made
	rm -rf $(VENV) .bench dist build
