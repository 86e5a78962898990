# make demo | make sandbox | make test | make check | make cover | make bench | make soak. Each sets up what is missing first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

SEED     ?= 1
KILLS    ?= 20
DATABASE ?= all
REPLICA_KILLS ?= 200

# Every process of the tests, the demo and the soak would compile each module again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: programs demo sandbox pictures icon reading test check cover format bench soak setup dev
demo: setup
	@$(BIN)/gpubot demo
sandbox: setup
	@$(BIN)/gpubot sandbox
pictures: programs dev
	@$(BIN)/python -m tests.by_hand.pictures
icon: programs dev
	@$(BIN)/python -m tests.by_hand.icon
reading: dev
	@$(BIN)/python -m tests.by_hand.reading --seed $(SEED)
programs:
	@$(PYTHON) tests/programs.py
test: programs dev
	@$(BIN)/python -m pytest -n 4 --dist worksteal
check: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint deploy/Dockerfile
cover: programs dev
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q --cov --cov-report=json:.coverage.json --cov-report=
	@$(BIN)/python -m tests.coverage_by_package .coverage.json
format: dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
bench: dev
	@$(BIN)/python -m bench
soak: dev
	@$(BIN)/python -m soak --seed $(SEED) --kills $(KILLS) --replica-kills $(REPLICA_KILLS) --database $(DATABASE) $(if $(EPISODE),--episode $(EPISODE)) $(if $(MONTH),--month)

setup: $(VENV)/.ready
dev: $(VENV)/.ready-dev
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "gpubot needs Python 3.11, 3.12 or 3.13. Name one with: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@
$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "Adding what the tests need ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
