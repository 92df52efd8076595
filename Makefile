# `make` prints what there is. Everything runs in .venv, which each target brings up to date first.
# Variables: PYTHON, PORT_OFFSET, ONLY, EFFORT, ARGS; the help says where each counts.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
EFFORT ?= 50
PY := .venv/bin/python
STACK = $(if $(PORT_OFFSET),DASHTRACK_STACK_PORT_OFFSET=$(PORT_OFFSET)) $(PY) -m services.stack
export PYTHON ONLY

##@ Run the system
.PHONY: up
up: .venv-stack ## Start everything; PORT_OFFSET=100 shifts all ports
	@$(STACK) up

.PHONY: demo
demo: .venv-stack ## Fill the running system with a company and a fleet; ARGS='--seconds 300' for longer
	@$(STACK) demo $(ARGS)

.PHONY: status
status: .venv-stack ## Say what runs, where, and how it is
	@$(STACK) status

.PHONY: logs
logs: .venv-stack ## Print what the parts say; ARGS=users for one of them
	@$(STACK) logs $(ARGS)

.PHONY: down
down: .venv-stack ## Stop everything; the data stays
	@$(STACK) down

##@ Check a change
.PHONY: test
test: .venv-dev ## Everything a merge needs; ONLY=expression picks tests as pytest -k does
	@$(PY) -m pytest -n 2 --no-loadscope-reorder $(if $(ONLY),-k '$(ONLY)') $(ARGS)

.PHONY: test-unit
test-unit: .venv-dev ## The tests that need no server: seconds
	@$(PY) -m pytest tests/unit $(if $(ONLY),-k '$(ONLY)') $(ARGS)

.PHONY: lint
lint: lint-style types lint-imports lint-files lint-protos ## Style, types, layers, contract, generated code

.PHONY: types
types: .venv-dev ## The type checker alone
	@$(PY) -m mypy .

.PHONY: format
format: .venv-dev ## Lay out the code and repair what can be repaired
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

.PHONY: breaking
breaking: .venv-dev ## Compare the contract with the last release's
	@tools/protos.sh breaking

.PHONY: soak
soak: .venv-dev ## What make test tries a little, EFFORT=50 times as much: hours
	@DASHTRACK_TEST_EFFORT=$(EFFORT) $(PY) -m pytest -n 2 --no-loadscope-reorder $(if $(ONLY),-k '$(ONLY)') \
	  tests/e2e/test_api_description.py tests/sagas tests/security tests/unit/chassis $(ARGS)

.PHONY: bench
bench: .venv-dev ## Measure, and write BENCHMARKS.md; ONLY=name runs a part
	@$(PY) -m tests.bench $(ONLY)

##@ Change the project
.PHONY: venv
venv: .venv-dev ## Bring .venv to requirements-dev.lock; PYTHON= says of what, for a new one

.PHONY: generate
generate: .venv-dev ## Generate what follows from the proto files: code, permissions, goldens
	@$(PY) protos/generate.py
	@$(PY) -m gateway permissions
	@$(PY) -m tests.gateway.golden

.PHONY: lock
lock: ## Resolve the pins of pyproject.toml into the locks; ARGS=--upgrade moves the indirect ones
	@tools/lock.sh $(ARGS)

.PHONY: baseline
baseline: .venv-dev ## Freeze the contract as this release's: part of making a release
	@tools/protos.sh baseline

.PHONY: clean
clean: ## Remove what was installed and built; the system's data stays
	rm -rf .venv .venv.lock build tools/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ This page
.PHONY: help
help: ## Print it
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: .venv-dev .venv-stack
.venv-dev:
	@tools/venv.sh dev
.venv-stack:
	@tools/venv.sh stack

.PHONY: lint-style lint-imports lint-files lint-protos
lint-style: .venv-dev
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
lint-imports: .venv-dev
	@.venv/bin/lint-imports --no-logo
lint-files: .venv-dev
	@$(PY) -m tools.sizes
	@.venv/bin/shellcheck .ci/run $$(git ls-files '*.sh')
	@.venv/bin/yamllint --strict .
lint-protos: .venv-dev
	@$(PY) protos/generate.py --check
	@tools/protos.sh lint
	@tools/protos.sh breaking
