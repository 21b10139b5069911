# make reproduce: everything, from an empty machine to both tables. make test: all tests.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
ARGS ?=

.PHONY: reproduce test lab outputs

reproduce: $(VENV)/.repro
	$(BIN)/colorkit reproduce $(ARGS)

# Notebooks whose output is deterministic are compared with it, the others only have to run.
test: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pytest
	runs=$$(mktemp -d) && trap 'rm -rf "$$runs"' EXIT && export COLORKIT_RUNS=$$runs && \
	$(BIN)/pytest --nbval notebooks/01_*.ipynb notebooks/02_*.ipynb && \
	$(BIN)/pytest --nbval-lax notebooks/0[3-6]_*.ipynb

lab: $(VENV)/.repro
	$(BIN)/jupyter lab notebooks

# The notebooks' committed outputs: a smoke run on the sample, from nothing.
NBCONVERT = $(BIN)/jupyter nbconvert --to notebook --inplace --execute --log-level WARN \
	--ExecutePreprocessor.record_timing=False
outputs: $(VENV)/.repro
	runs=$$(mktemp -d) && trap 'rm -rf "$$runs"' EXIT && export COLORKIT_RUNS=$$runs && \
	$(NBCONVERT) notebooks/0[1-5]_*.ipynb && \
	$(BIN)/colorkit reproduce && \
	$(NBCONVERT) notebooks/06_*.ipynb && \
	cp "$$runs/smoke/pictures/comparison-t1.png" results/comparison.png

$(VENV)/.repro: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("colorkit needs Python 3.11 or newer: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[course,repro]'
	touch $@

$(VENV)/.test: $(VENV)/.repro
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@
