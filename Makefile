# `make help` lists what there is. Everything runs in a virtual environment of its own, .venv/.
SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin
# The first Python of a supported version; choose another with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
# What `make sweep` runs; `make sweep STUDY=digits` is the quick one.
STUDY ?= fashion
OUT ?= outputs/$(STUDY)
# How many processes run tests at once; each file of tests stays in one.
JOBS ?= 2
# Slow tests wait for processes of their own, so more of them run at once.
SLOW_JOBS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup sweep tables results reproduce docs test test-slow test-grammar networks lint format lock clean bench bench-peers

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(BIN)/.installed  ## make the virtual environment and install qbench in it

$(BIN)/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "qbench needs Python 3.11, 3.12 or 3.13; none was found." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

sweep: setup  ## the 16-row table of the paper on images of Fashion-MNIST, in OUT=outputs/fashion
	$(BIN)/qbench sweep study=$(STUDY) out=$(OUT)

tables: setup  ## rebuild the committed tables and figures from their records; trains nothing
	@for folder in results/*/; do echo "$$folder"; $(BIN)/qbench report $$folder || exit 1; done

results: setup  ## train and convert what results/ holds, in place; finished runs are kept
	$(BIN)/qbench sweep study=digits out=results/digits deploy.enabled=true
	$(BIN)/qbench sweep 'seeds=[0,1,2,3,4,5,6,7]' deploy.seeds=null out=results/fashion

reproduce: setup  ## train a committed study again (STUDY=digits, fashion, ...; DATA=DIR if it needs it), and compare
	$(BIN)/python scripts/reproduce.py $(STUDY) $(if $(DATA),--data "$(DATA)")

docs: setup  ## write the tables of docs/configuration.md from the settings as they are declared
	$(BIN)/python scripts/configuration_page.py

# Without kept bytecode each process compiles all modules anew. An empty value keeps it.
test test-slow test-grammar: export PYTHONDONTWRITEBYTECODE =

test: setup  ## the tests; 5 to 6 minutes on 2 cores
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile

test-slow: setup  ## the tests that take longer; about 10 minutes
	$(BIN)/python -m pytest -q -n $(SLOW_JOBS) --dist loadfile -m slow

test-grammar: setup  ## 300 random networks, each trained and converted; make test-slow has 20 of them
	GRAMMAR_NETWORKS=300 $(BIN)/python -m pytest -q -n $(JOBS) -m slow tests/grammar

networks: setup  ## train and convert 20 networks that people bring, into docs/networks.md; goes on where it was stopped
	$(BIN)/python scripts/networks_page.py

bench: setup bench-peers  ## every benchmark, into docs/benchmarks.md; about an hour. CIFAR=DIR adds CIFAR-10
	$(BIN)/python benchmarks/step.py --save
	$(BIN)/python benchmarks/profile_step.py
	$(BIN)/python benchmarks/commands.py
	$(BIN)/python benchmarks/conversion.py
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/thresholds.py
	$(BIN)/python benchmarks/coverage.py
	$(BIN)/python benchmarks/effects_coverage.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/sharing.py
	$(BIN)/python benchmarks/parallel.py
	$(BIN)/python benchmarks/folder.py --save
	$(BIN)/python benchmarks/resnet50_file.py
	$(BIN)/python benchmarks/integer.py threads=1
	$(BIN)/python benchmarks/integer.py study=mobilenet
ifdef CIFAR
	ROUNDS=2 $(BIN)/python benchmarks/sharing.py study=cifar10_resnet8 data.dir=$(CIFAR) seeds=0 deploy.enabled=false train.steps=400
	ROUNDS=2 $(BIN)/python benchmarks/parallel.py study=cifar10_resnet8 data.dir=$(CIFAR) seeds=0 deploy.enabled=false train.steps=100
	$(BIN)/python benchmarks/deployment.py data.dir=$(CIFAR)
	$(BIN)/python benchmarks/integer.py study=cifar10_resnet8 data.dir=$(CIFAR) seeds=0 deploy.enabled=false train.steps=300 eval.limit=500 threads=1
endif
	$(BIN)/python scripts/benchmarks_page.py

bench-peers: $(patsubst benchmarks/peers/%.txt,.peers/%/.installed,$(wildcard benchmarks/peers/*.txt))  ## the tools that benchmarks compare with, each in an environment of its own

.peers/%/.installed: benchmarks/peers/%.txt
	$(PYTHON) -m venv .peers/$*
	.peers/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup  ## write constraints.txt from what is installed
	$(BIN)/python -m pip freeze --exclude-editable | grep -v '@' > constraints.txt

clean:  ## remove the virtual environment and caches; results stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
