.DEFAULT_GOAL := help
.PHONY: help venv lock

help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## Bring .venv to what requirements-dev.lock describes
	@tools/venv.sh dev

lock: ## Resolve pyproject.toml's pins into the three lock files
	@tools/lock.sh
