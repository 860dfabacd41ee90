.DEFAULT_GOAL := help

# What `make release` makes.
version =
# Where `make demo` puts its service, where that listens, and its database (SQLite).
into = ../my-service
port = 8000
database =
export into port database
# uv has certificates of its own; the machine's know the proxies that it is behind.
UV_SYSTEM_CERTS ?= true
export UV_SYSTEM_CERTS

# A misspelt name would do nothing, and nobody would notice.
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out into port database version TEST_ARGS,$(GIVEN))
ifneq ($(UNKNOWN),)
$(error There is no $(UNKNOWN)=: make demo takes into=, port= and database=, make test and make bench take TEST_ARGS=, make release takes version=)
endif

PYTEST := .venv/bin/python -m pytest -n auto --dist worksteal

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "%-10s %s\n", $$1, $$2 }'

.PHONY: demo
demo: .venv/.installed ## Make a service and serve it (into=../my-demo port=8123 database=postgresql)
	@scripts/demo

.PHONY: test
test: .venv/.installed ## Test on every database that can be reached or started (TEST_ARGS="-k update")
	$(PYTEST) $(TEST_ARGS)

.PHONY: test-fast
test-fast: .venv/.installed ## Test what needs no server, in a minute
	$(PYTEST) --databases=sqlite -m "not slow" $(TEST_ARGS)

.PHONY: bench
bench: .venv/.installed ## Compare with plain Alembic, in an hour (TEST_ARGS="-k nothing --rounds=3")
	.venv/bin/python -m pytest benchmarks --rounds=5 $(TEST_ARGS)

.PHONY: check
check: .venv/.installed ## Lint, check format and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

.PHONY: format
format: .venv/.installed ## Format the code, and fix what the linter can fix
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

.PHONY: lock
lock: .venv/.installed ## Take the newest versions of everything into requirements.txt
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --group test --group generated \
	  --no-header --no-emit-index-url --upgrade --output-file requirements.txt

.PHONY: release
release: .venv/.installed ## Check, write the changelog, tag (version=1.2.0)
	@.venv/bin/python scripts/release.py "$(version)"

.venv/.installed: requirements.txt scripts/bootstrap
	@scripts/bootstrap
