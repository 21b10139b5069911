# make reproduce: everything, from an empty machine to both tables. make test: what a change needs,
# three minutes. make test-all: kills, servers, browsers and every notebook too. make test-kill: 20
# kills a model. make test-slurm: a cluster, one node of which fails. make model DATA="FOLDER
# FOLDER": the models in the box, made anew. make gpu-evidence DATA=FOLDER [WHEELS=FOLDER]: for GPU
# machines. make site: the course, the guide and the results as pages, in build/site.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL ?= $(BIN)/pip install --quiet
ARGS ?=

.PHONY: reproduce lint papers lock measured course test test-all test-lowest test-colab test-kill test-slurm model lab outputs site release gpu-evidence

reproduce: $(VENV)/.repro
	$(BIN)/colorkit reproduce $(ARGS)

# Two processes of one thread each, for two cores. A file's tests stay
# together, so that what they share is made once.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile
EMPTY_RUNS = runs=$$(mktemp -d) && trap 'rm -rf "$$runs"' EXIT && export COLORKIT_RUNS=$$runs

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# The address and the version, which pyproject.toml has, wherever they are said; environment.yml.
papers: $(VENV)/.test
	$(BIN)/python .ci/papers.py

# The versions that CI installs, so that it fails by our changes only; by others' once a week.
lock: $(VENV)/.test
	$(INSTALL) --editable '.[making,site]'
	$(BIN)/pip list --format freeze --exclude-editable | grep -Ev '^(cuda|nvidia|triton|pip=|setuptools)' >.ci/lock.txt

# How long each lesson computes and what it prints, then what is made of that: half an hour.
measured: $(VENV)/.repro
	OMP_NUM_THREADS=1 $(BIN)/python .ci/measure.py $(ARGS)
	$(MAKE) papers course

# After git tag: does the tag hold what the badges open?
release: $(VENV)/.test
	$(BIN)/python .ci/papers.py --tag

# Notebooks 1 and 2 give the same output everywhere; 3 to 6 are run by a slow test, 7 to 10 by
# test-all.
test: lint
	$(PYTEST)
	$(EMPTY_RUNS) && $(BIN)/pytest --nbval notebooks/0[12]_*.ipynb

# The lowest versions that pyproject.toml allows; ONNX wants a newer torch, and has its own.
LOWEST = uv pip install --quiet --torch-backend cpu --resolution lowest-direct
test-lowest:
	uv venv --clear --quiet --python 3.11 .venv-lowest
	$(LOWEST) --python .venv-lowest --editable '.[course,repro,hub,demo,test]'
	OMP_NUM_THREADS=1 .venv-lowest/bin/pytest --ignore tests/pictures/test_onnx.py
	uv venv --clear --quiet --python 3.11 .venv-lowest
	$(LOWEST) --python .venv-lowest --editable '.[onnx,cluster,test]'
	OMP_NUM_THREADS=1 .venv-lowest/bin/pytest tests/pictures/test_onnx.py tests/replication/test_cluster.py

# Setup cell, students' notebooks 1, 2 and 7, doctor, reproduce among Colab's versions, in an emptied
# folder.
test-colab: $(VENV)/.repro
	.ci/colab $(BIN)/python

test-all: lint
	$(PYTEST) -m ''
	$(EMPTY_RUNS) && $(BIN)/pytest --nbval notebooks/0[12]_*.ipynb
	$(EMPTY_RUNS) && $(PYTEST) --nbval-lax notebooks/0[7-9]*_*.ipynb notebooks/10_*.ipynb

# Every model killed at 20 moments and started again: about half an hour on 2 CPU cores.
test-kill: $(VENV)/.test
	COLORKIT_KILLS=20 $(BIN)/pytest -m slow -rP tests/replication/test_survival.py

# Both tables on a two-node Slurm on this machine, one node of which fails, and again without it:
# about twenty minutes. Needs root, and Slurm: apt-get install slurm-wlm.
test-slurm: $(VENV)/.test
	COLORKIT_SLURM=1 OMP_NUM_THREADS=1 $(BIN)/pytest -m slow -rsP tests/replication/test_cluster.py -k node

# Forty minutes of a core for "box"; ARGS="--only trials" for what it was chosen from. After
# ARGS=--publish, `python -m colorkit.lost.guess` counts anew what the new models leave open.
model: $(VENV)/.repro
	$(INSTALL) --editable '.[making]'
	$(BIN)/colorkit make $(foreach folder,$(DATA),--data '$(folder)') $(ARGS)

# Tables at the paper's settings, then the bench, on any Linux machine with a CUDA GPU, no network
# needed: packages are PYTHON's own or wheels in a folder (this kit's too), the backbone's weights
# a file named by COLORKIT_RESNET18, or COLORKIT_WEIGHTS=random. Training is stopped after seven
# minutes (exit code 124) and goes on when called again; ends with results/<device>-<date>/.
gpu-evidence:
	$(if $(WHEELS),$(PYTHON) -m pip install --quiet --no-index --no-deps --upgrade --target .site $(WHEELS)/*.whl)
	PYTHONPATH=.site timeout -s TERM 420 $(PYTHON) -m colorkit reproduce --profile paper --data '$(DATA)' --no-notebooks --out runs/gpu $(ARGS)
	PYTHONPATH=.site $(PYTHON) -m colorkit bench --publish --out runs/gpu

# The lessons to fill in, solutions to give out, the teacher's guide: made from notebooks/.
course: $(VENV)/.repro
	$(BIN)/colorkit course build

# The lessons to fill in; the folder beside them, notebooks, holds solutions.
lab: $(VENV)/.repro
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/student

# The notebooks' committed outputs: a smoke run on the sample, from nothing.
NBCONVERT = $(BIN)/jupyter nbconvert --to notebook --inplace --execute --log-level WARN \
	--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.timeout=1200
outputs: $(VENV)/.repro
	runs=$$(mktemp -d) && trap 'rm -rf "$$runs"' EXIT && export COLORKIT_RUNS=$$runs && \
	$(NBCONVERT) notebooks/0[1-5]_*.ipynb && \
	$(BIN)/colorkit reproduce && \
	$(NBCONVERT) notebooks/0[6-9]*_*.ipynb notebooks/10_*.ipynb && \
	cp "$$runs/smoke/pictures/comparison-t1.png" results/comparison.png

# Links that lead nowhere, and any other warning, stop it (-W).
site: $(VENV)/.repro
	$(INSTALL) --editable '.[site]'
	$(BIN)/python -W ignore -m sphinx -q -W --keep-going -c docs . build/site

$(VENV)/.repro: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("colorkit needs Python 3.11 or newer: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable '.[course,repro]'
	touch $@

$(VENV)/.test: $(VENV)/.repro
	$(INSTALL) --editable '.[hub,onnx,demo,cluster,test]'
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
	echo "the browser's test needs Chromium: install it, such as by apt-get install chromium"
	touch $@
