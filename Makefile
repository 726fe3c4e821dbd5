# `make demo` and `make test` need nothing but Python 3.11 or newer and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Fewer puppets, a quicker demo: make demo CONVERSATIONS=20
CONVERSATIONS ?= 120
ENCODERS := --text-encoder minilm --audio-encoder prosody --visual-encoder faces:fps=2 \
	--normalise audio=corpus --normalise visual=corpus
FILES := build/puppets-files

# Two OpenMP threads that spin while they wait are several times slower on shared cores.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 0

.PHONY: demo test test-fast pytest lint install clean

# The main job on the built-in corpus, from recordings to scores and to the emotions of one of them.
demo: $(VENV)/.installed
	$(BIN)/sdt puppets $(FILES) --conversations $(CONVERSATIONS) --overwrite
	$(BIN)/sdt corpus import $(FILES)/utterances.jsonl --name puppets $(ENCODERS) --cache build/cache --output build/puppets --overwrite
	$(BIN)/sdt train recipes/puppets.yaml --corpus build/puppets --output runs/puppets --overwrite
	$(BIN)/sdt evaluate runs/puppets --output build/puppets-scores --overwrite
	$(BIN)/sdt predict $(FILES)/scene0002.vtt --media $(FILES) --model runs/puppets

# PyTorch's products round by shape in the tests (tests/kernels); SDT_TEST_KERNELS=plain leaves them as they are.
test: lint pytest

pytest: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

# The inner loop: no processes, services, clusters, browsers or clocks.
test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not slow and not system"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

install: $(VENV)/.installed-dev

# The stamps make the second call start at once; a changed dependency list installs again.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[media]'
	@touch $@

# What tests need: the tools, and every optional part.
$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.installed $@

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sdt needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) runs build
