# Two commands need nothing set up before: `make run` and `make test`.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# A clone works from its own files, also with a shared environment (VENV=...)
export PYTHONPATH := $(CURDIR)

.PHONY: run install test check lint types imports bench faults docs clean

run: $(STAMP)  ## open the dashboard; without a terminal, train the quickstart preset
	@$(BIN)/python -m tui

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): a few minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# Half of the tests wait for processes and screens, so two workers take two thirds of the time. More arithmetic
# threads than cores would spin against one another.
test: $(STAMP)  ## install and run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: lint types imports test  ## everything that CI asks for

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

bench: $(STAMP)  ## measurements; never decide whether tests pass
	$(BIN)/python -m tests.benchmarks

faults: $(STAMP)  ## the long form of every fault harness: kills, full disks, hostile input; about an hour
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults

docs: $(STAMP)  ## regenerate what is made from the schema and from the dashboard's commands
	$(BIN)/python -m presets.reference > docs/configuration.md
	$(BIN)/python -m tui.reference docs/dashboard.md

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
