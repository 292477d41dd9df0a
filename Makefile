# From a bare Python 3.11 or newer.  make forecast: the main job.  make test: every check.  make docs: the pages.
# make picture: the picture of README.md, anew.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: forecast test docs picture clean

forecast: $(VENV)/.installed
	$(BIN)/bayes-scaling forecast olmo_ladder --out results --seed 0

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist loadfile

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

picture: forecast
	$(BIN)/python docs/picture.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bayes-scaling needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; say make PYTHON=python3.12, for example")'
	$(PYTHON) -m venv $(VENV)

# The stamps are renewed when the dependencies change; the code itself is installed in place.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) results docs/_build docs/api/generated docs/notebooks docs/*.txt
