# `make demo` and `make test` need nothing but Python 3.11 or newer and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PUPPETS := $(addprefix build/puppets-files/,utterances.jsonl audio.npy visual.npy)

# Two OpenMP threads that spin while they wait are several times slower on shared cores.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 0

.PHONY: demo test lint install clean

# The main job on the built-in corpus, from generated files to scores.
demo: $(VENV)/.installed
	$(BIN)/sdt puppets build/puppets-files --overwrite
	$(BIN)/sdt corpus import $(PUPPETS) --name puppets --text-encoder words:256 --output build/puppets --overwrite
	$(BIN)/sdt train recipes/puppets.yaml --corpus build/puppets --output runs/puppets --overwrite
	$(BIN)/sdt evaluate runs/puppets --output build/puppets-scores --overwrite

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(VENV)/.installed-dev

# The stamps make the second call start at once; a changed dependency list installs again.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

# What tests need on top: the tools, and every optional part.
$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sdt needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) runs build
