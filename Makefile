# Everything a newcomer types. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
PROCESSES ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n + 1 : 4)))
SIDE_BY_SIDE := --numprocesses $(PROCESSES) --max-worker-restart 0 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install demo test faults-small outages faults-short faults test-fast check format docs compiled test-compiled bench kafka requirements clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## install everything into .venv (the other targets call it)

$(STAMP): requirements/dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON) here: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is older than 3.11: name a newer one, make install PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "no venv here: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: $(STAMP) ## carts and parcels become mails, text messages and a live feed (POSTCART_BROKER=kafka: on real Kafka)
	$(BIN)/postcart demo

test: $(STAMP) ## all tests, side by side, each process on a real Kafka (or KAFKA_BOOTSTRAP); then the fault matrix, small
	$(PYTEST) $(SIDE_BY_SIDE) -m "not faults and not outage"
	$(MAKE) faults-small

faults-small: $(STAMP) ## every row of the fault matrix, small, in minutes
	$(PYTEST) tests/faults -m faults

outages: $(STAMP) ## brokers of a cluster that are away for longer, under stages and a sender
	$(PYTEST) tests/stream -m outage

faults-short: $(STAMP) ## every row of the fault matrix with 10,000 events, 3 seeds; hours
	PYTHONPATH=tests $(BIN)/python -m tests.faults --all --seeds 3 --at-a-time 2 --keep

faults: $(STAMP) ## the same with 20 seeds; some ten hours; results and the table in docs/guarantees.md
	PYTHONPATH=tests $(BIN)/python -m tests.faults --all --seeds 20 --at-a-time 2 --keep

test-fast: $(STAMP) ## the tests that need neither Kafka nor patience
	$(PYTEST) $(SIDE_BY_SIDE) -m "not slow and not kafka and not browser"

CHECKS := "ruff format --check ." "ruff check ." "mypy" "lint-imports" "python -m postcart.cli.docs --check"

check: $(STAMP) ## format, lint, types, layers, generated pages; tells all that is wrong, not only the first
	@failed=; for step in $(CHECKS); do echo "== $$step"; $(BIN)/$$step || failed="$$failed; $$step"; done; \
	  test -z "$$failed" || { echo "failed$$failed" >&2; exit 1; }

format: $(STAMP) ## write the code as the formatter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

UNIT_OF_COMPILED := avro_reader codecs_shop_events codecs_unusable_records compiled detect_overdue equality \
  equality_stream equality_tasks foresight oracle processors_rows processors_watermark stage_figures story_visits track_task
OF_COMPILED := tests/golden tests/stream/test_pipeline.py $(UNIT_OF_COMPILED:%=tests/unit/test_%.py)

compiled: $(STAMP) ## build the package with its hot modules as C extensions, in build/compiled; needs a C compiler
	@command -v cc >/dev/null || { echo "no C compiler here: apt-get install gcc python3-dev" >&2; exit 1; }
	rm -rf build
	COMPILE_HOT_MODULES=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --target build/compiled .

test-compiled: compiled ## the tests of what is compiled, with that
	PYTHONPATH=$(CURDIR)/build/compiled COMPILE_HOT_MODULES=1 $(PYTEST) $(SIDE_BY_SIDE) $(OF_COMPILED)

bench: compiled ## measure side by side, in a quarter of an hour; writes docs/performance.md
	$(BIN)/python -m bench

kafka: $(STAMP) ## run a real Kafka in the foreground; Ctrl-C stops it
	@$(BIN)/python -m postcart.adapters.local_kafka

COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

requirements: $(STAMP) ## compile requirements/*.txt again from pyproject.toml
	$(COMPILE) -o requirements/base.txt pyproject.toml
	$(COMPILE) -c requirements/base.txt --extra dev --extra demo -o requirements/dev.txt pyproject.toml
	printf 'setuptools>=77\nmypy>=2.4\n' | $(COMPILE) -c requirements/base.txt -o requirements/build.txt -

clean: ## throw away what was built
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
