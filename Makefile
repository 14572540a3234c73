# Every target sets up what it needs first; the second time that takes no time.
# Stamps carry the digest of what they were made from, so a changed lock rebuilds.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --warn-undefined-variables

VENV := .venv
BIN := $(VENV)/bin
digest = $(shell cat $(1) | sha256sum | cut -c1-16)
LOCKED := $(VENV)/.locked-$(call digest,requirements-dev.lock)
INSTALLED := $(VENV)/.installed-$(call digest,requirements-dev.lock pyproject.toml)

# Some runners name a home that is not there; what is kept between runs needs one.
ifneq ($(shell [ -d "$${HOME:-}" ] && [ -w "$$HOME" ] || echo missing),)
export HOME := $(CURDIR)/.cache/home
endif

WORKERS ?= 2
TESTS ?= tests/unit tests/integration tests/security

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| while IFS=$$'\t' read -r name what; do printf '  make %-11s %s\n' "$$name" "$$what"; done

.PHONY: setup
setup: $(INSTALLED) ## Install the locked packages and TMWS itself into .venv
	@:

$(LOCKED): requirements-dev.lock scripts/python-env.sh
	@scripts/python-env.sh $(VENV) requirements-dev.lock
	@touch $@

$(INSTALLED): $(LOCKED) pyproject.toml
	@$(BIN)/pip install --quiet --quiet --no-input --no-deps --no-build-isolation --editable .
	@# Where Python may not write bytecode, each of a thousand processes would compile it all.
	@$(BIN)/python -m compileall -q src
	@touch $@

.PHONY: docker
docker: ## Find a Docker engine, or install and start one where that is ours to do
	@scripts/docker-engine.sh

.PHONY: sandbox
sandbox: setup docker ## Build the image that checks run in
	@$(BIN)/tmws sandbox build --node

.PHONY: demo
demo: sandbox ## Watch two agents learn, claim, get checked, and earn trust
	@$(BIN)/tmws demo

.PHONY: test
test: check sandbox ## Run every check and every test, as the gate does; nothing is skipped
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile \
		--override-ini=tmp_path_retention_policy=failed $(TESTS)

.PHONY: bench
bench: sandbox ## Measure what we promise, beside floors measured in the same run
	@$(BIN)/python -m tests.performance

.PHONY: coverage
coverage: setup ## Measure which branches the tests take, where that is promised
	@$(BIN)/python -m tests.coverage

.PHONY: mutation
mutation: setup ## Put faults into rules, and print those that no test notices
	@$(BIN)/python -m tests.mutation

.PHONY: check
check: format lint types imports unused links addresses licences ## Run all checks that start nothing

.PHONY: format
format: setup
	@$(BIN)/ruff format --check --quiet . || { echo "Run 'make fix' to format." >&2; exit 1; }
	@echo 'format     ok'

.PHONY: lint
lint: setup
	@$(BIN)/ruff check --quiet .
	@echo 'lint       ok'

.PHONY: types
types: setup
	@$(BIN)/mypy --no-error-summary
	@echo 'types      ok'

.PHONY: imports
imports: setup
	@$(BIN)/lint-imports --no-logo
	@echo 'imports    ok'

.PHONY: unused
unused: setup
	@$(BIN)/python -m scripts.check_unused

.PHONY: links
links: setup
	@$(BIN)/python -m scripts.check_links

.PHONY: addresses
addresses: setup
	@$(BIN)/python -m scripts.check_addresses

.PHONY: licences
licences: setup
	@$(BIN)/python -m scripts.check_licences

.PHONY: fix
fix: setup ## Format, and mend what the linter can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: lock
lock: setup ## Resolve the dependencies again and write both locks
	@scripts/lock.sh

.PHONY: clean
clean: ## Remove everything these targets made in this folder
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -type d -name __pycache__ -prune -exec rm -rf {} +
