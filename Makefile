# `make` lists the verbs. Each does whatever set-up it still needs.

PYTHON ?= python3
BIN    := .venv/bin
STAMP  := .venv/.installed

# No two verbs run side by side: heavy steps at once only slow each other down.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help venv demo test slow sbc lint types bench notebooks wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

venv: $(STAMP) ## the virtual environment .venv: pinned dependencies and unmix itself

demo: $(STAMP) ## Old Faithful, from the declaration to the cross-checked answer
	@$(BIN)/unmix demo

# In two processes, a file of tests at a time; more would each compile the same graphs once more.
test: $(STAMP) ## the tests, without the slow ones
	@$(BIN)/python tests/compile_kernels.py
	@$(BIN)/python -m pytest -n 2 --dist loadfile

slow: $(STAMP) ## the slow, statistical tests
	@$(BIN)/python -m pytest -m slow

# Goes on where it stopped; `make sbc SBC="--problems normal --simulations 100"` does a part.
sbc: $(STAMP) ## simulation-based calibration: hours, then docs/sbc.md
	@cd tests && OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 ../$(BIN)/python -m sbc $(SBC)

lint: $(STAMP) ## ruff: rules and format
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .

types: $(STAMP) ## mypy
	@$(BIN)/python -m mypy

# `make bench QUICK=--quick` runs everything small. One that fails does not stop the others.
bench: $(STAMP) ## every script in benchmarks/, then docs/benchmarks.md
	@status=0; for script in benchmarks/*.py; do \
	  test -e "$$script" || { echo "benchmarks/ holds no script yet."; break; }; \
	  echo "== $$script"; $(BIN)/python "$$script" $(QUICK) || status=1; \
	done; \
	$(BIN)/python docs/make_benchmarks.py $(QUICK) || status=1; exit $$status

# Two at a time. One that fails keeps the outputs it had.
notebooks: $(STAMP) ## run the notebooks and keep their outputs in them
	@printf '%s\n' notebooks/*.ipynb | \
	  xargs -n 1 -P 2 env -u MPLBACKEND $(BIN)/python -c "$$RUN_NOTEBOOK"

# Without timings, so that running it again changes only what its results change.
define RUN_NOTEBOOK
import sys
from pathlib import Path
import nbformat
from nbclient import NotebookClient

path = Path(sys.argv[1])
book = nbformat.read(path, as_version=4)
where = {"metadata": {"path": str(path.parent)}}
NotebookClient(book, resources=where, timeout=None, record_timing=False).execute()
nbformat.write(book, path)
print(f"{path} done.")
endef
export RUN_NOTEBOOK

# Built by way of the sdist, then installed where none of the checkout can be imported.
wheel: $(STAMP) ## build sdist and wheel into dist/, install the wheel elsewhere, try it
	@rm -rf dist
	@$(BIN)/python -m build --quiet --no-isolation > /dev/null
	@set -e; elsewhere=$$(mktemp -d); trap 'rm -rf "$$elsewhere"' EXIT; \
	$(BIN)/python -m venv "$$elsewhere/venv"; \
	"$$elsewhere/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt dist/*.whl; \
	wheel=$$(ls dist/*.whl); cd "$$elsewhere"; \
	venv/bin/python -c "$$SMOKE_TEST"; \
	venv/bin/unmix --help > /dev/null; \
	echo "$$wheel works."

define SMOKE_TEST
import sys
import unmix
import unmix.models

for module in (unmix, unmix.models):
    assert module.__file__.startswith(sys.prefix), module.__file__
assert len(unmix.datasets.old_faithful()) == 272
for name in unmix.__all__:
    getattr(unmix, name)
endef
export SMOKE_TEST

clean: ## remove what the other verbs made, but for .venv
	@rm -rf build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./.venv -prune -o -name __pycache__ -prune -exec rm -rf {} +

# Remade when the dependencies change. A .venv that is there is used, unless its Python cannot be.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 12))'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) $(NEW_ENOUGH) 2> /dev/null || { \
	  found=$$($(PYTHON) -c 'import sys; print("Python", sys.version.split()[0])' 2> /dev/null); \
	  echo "unmix needs Python 3.12 or newer, but '$(PYTHON)' is $${found:-not a working Python}:" \
	    "install one and name it, as in 'make venv PYTHON=python3.13'." >&2; exit 1; }
	@$(BIN)/python $(NEW_ENOUGH) 2> /dev/null || $(PYTHON) -m venv --clear .venv
	@echo "Installing unmix and what it needs into .venv; once, a minute or two."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  --no-build-isolation --editable '.[dev]'
	@touch $@
