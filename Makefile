# make demo   on a fresh machine: environment, install, then the demo (a few minutes)
# make test   environment, install, and every check that CI runs
# make check  the same as make test

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST ?= -n 2 --dist worksteal

.PHONY: demo test check format lint types docs unit benchmarks clean

demo: $(VENV)/installed
	$(BIN)/motionprint demo --overwrite

# In this order, so that the summary of the tests stands last.
test check: lint types docs unit

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict

unit: $(VENV)/installed-dev
	$(BIN)/pytest $(PYTEST)

# Those that need no recordings, runs or archives of one's own.
BENCHMARKS := corrupted inference prepare readers recurrent scaling training

benchmarks: $(VENV)/installed-dev
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit 1; done

clean:
	rm -rf build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The stamps keep a second `make` from installing again.
$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,docs]'
	touch $(VENV)/installed $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "motionprint needs Python 3.11 or newer, found `$(PYTHON) --version`; say make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
