# Two commands set everything up from nothing: `make demo` runs the main job, `make test` runs every check.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TOOLS := $(VENV)/tools
LOCK := requirements-dev.txt

.PHONY: demo test check code page types pictures lock audit tables docs site clean

# Every package is of the version and the content that the lock names; what builds our own is among them.
$(VENV)/installed: pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

demo: $(VENV)/installed
	$(BIN)/lead demo --out demo

# What tests of one file share is made once, by the process that runs the file.
test: $(VENV)/installed check
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 1

check: code page site

code: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The page's JavaScript. Where there is no Node it stays unchecked, unless LEAD_REQUIRE_NODE is set.
ifneq ($(shell command -v npm || true),)
page: node_modules/installed
	npm run --silent check
else
page:
	@echo "There is no Node here: the page's JavaScript is not checked."
	@case "$${LEAD_REQUIRE_NODE:-0}" in 0) ;; *) exit 1 ;; esac
endif

node_modules/installed: package.json package-lock.json .npmrc
	npm ci --silent
	touch $@

# Writes the types of the messages between page and server from the server's own description of them.
types: $(VENV)/installed node_modules/installed
	$(BIN)/python tests/studio/described.py | npm run --silent types > types/messages.d.ts

# Takes the pictures of docs/studio.md anew; look at them afterwards.
pictures: $(VENV)/installed
	PYTHONPATH=tests/studio $(BIN)/python tests/studio/pictured.py

# Locks what the development environment installs, for every platform and Python that we support. What is locked
# already stays; UPGRADE=--upgrade takes the newest of everything but torch, which goes with its torchvision.
lock: $(TOOLS)/installed
	$(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev --extra weights \
		$(UPGRADE) --upgrade-package torch==2.14.1 --upgrade-package torchvision==0.29.1 \
		--custom-compile-command 'make lock' --output-file $(LOCK) pyproject.toml

# Looks every locked package up among the known advisories; needs the network. One that cannot be looked up is an error.
audit: $(TOOLS)/installed
	$(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip -r $(LOCK)

$(TOOLS)/installed:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet uv pip-audit
	touch $@

# Fills the tables and numbers of the documents in from results/, and writes the index of results/.
tables: $(VENV)/installed
	$(BIN)/python -m lead.evaluation.tables README.md docs/*.md
	$(BIN)/python -m lead.evaluation.index results/README.md

# Writes the reference of the commands from their code.
docs: $(VENV)/installed
	$(BIN)/python -m lead.cli.reference docs/commands.md

# Builds the documentation as a site into site/; a link that leads nowhere is an error. The variable spares an announcement.
site: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:
	rm -rf $(VENV) node_modules site .mypy_cache .ruff_cache .pytest_cache .hypothesis
