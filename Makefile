# The verbs of the course. `make` alone prints them.
.DEFAULT_GOAL := help
.PHONY: help setup lab check test soak notebooks sync bench down clean
PY := .venv/bin/python
ARGS ?=
WORKERS ?= 4

# nbval needs one worker a notebook; the store's clock runs faster than a learner's.
# Lessons wait most of their time, so there are more workers than two cores.
PYTEST := STEAMLAB_SPEED=$${STEAMLAB_SPEED:-25} $(PY) -m pytest
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout 120 --nbval-kernel-startup-timeout 120

help:
	@echo 'make lab        set up, start Kafka, open the course in JupyterLab'
	@echo 'make down       end Kafka'
	@echo 'make test       everything that proves the course; brings its own Kafka'
	@echo 'make soak       kill the processor 200 times, and a broker 10 times: a quarter of an hour'
	@echo 'make check      format, lint, types, notebook rules, quick tests: seconds'
	@echo 'make notebooks  run every notebook and compare it with what is stored'
	@echo 'make sync       derive the exercises from the solutions, run both, store the outputs'
	@echo 'make bench      measure what the README promises'
	@echo 'make setup      only make .venv from requirements.lock'
	@echo 'make clean      end Kafka, delete .venv and caches; your workspace/ stays'
	@echo
	@echo 'ARGS="..." is handed on, for example: make lab ARGS="--fresh 01"'

setup:
	@python=$$(sh tools/python.sh) && "$$python" tools/setup.py

lab: setup
	@$(PY) -m steamlab lab $(ARGS)

down:
	@if [ -x $(PY) ]; then $(PY) -m steamlab down; else echo 'Nothing runs: there is no .venv.'; fi

check: setup
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) tools/lint_notebooks.py
	$(PYTEST) -q -n 2 --dist loadgroup -m "not broker and not browser and not slow" tests $(ARGS)

test: setup
	$(PYTEST) -n $(WORKERS) --dist loadgroup $(NBVAL) tests notebooks $(ARGS)

soak: setup
	STEAMLAB_KILLS=$${STEAMLAB_KILLS:-200} STEAMLAB_BROKER_KILLS=$${STEAMLAB_BROKER_KILLS:-10} \
		$(PYTEST) -s -n 0 tests/test_pipeline_kills.py -k random $(ARGS)

notebooks: setup
	$(PYTEST) -p tests.conftest -n $(WORKERS) --dist loadgroup $(NBVAL) notebooks $(ARGS)

sync: setup
	$(PY) tools/derive.py
	$(PY) tools/execute.py $(ARGS)

bench: setup
	@for bench in benchmarks/[!_]*.py; do \
		echo "== $$bench"; $(PY) "$$bench" || exit 1; done

clean: down
	rm -rf .venv build .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
