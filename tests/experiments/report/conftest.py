"""Experiments on the tiny corpus of the training's tests, and a corpus whose names mean something to every renderer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sdt.conversation import Conversation
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.store import Corpus
from sdt.evaluation.bootstrap import Resampling
from sdt.experiments.plan import Row
from sdt.experiments.report.gather import gather
from sdt.experiments.report.study import Study
from tests.evaluation.runs import make_run
from tests.experiments.test_results import make_experiment
from tests.training.conftest import make_builder

FEW = Resampling(draws=200)
ROWS = (
    Row("full", {}),
    Row("voice", {"modalities": ["voice"]}),
    Row("no-distillation", {"objective.hard": 0.0, "objective.soft": 0.0}),
)
HOSTILE = {"calm": "<b>calm</b>", "cross": "a_b & 50 %", "glad": "x|y $z$ `#{}~^\\"}
"""What a label may be called."""


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """With as many test conversations as intervals need."""
    return write_corpus(make_builder(test=7), tmp_path_factory.mktemp("corpora") / "tiny")


@pytest.fixture(scope="session")
def experiment(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rows of three seeds; voice/seed-1 was not started. Nobody writes into it.

    Tests of the command import this fixture, which is another one then; the experiment is made once.
    """
    folder = tmp_path_factory.getbasetemp() / "reported" / "parts"
    return folder if folder.exists() else make_experiment(corpus, folder, ROWS)


@pytest.fixture(scope="session")
def study(experiment: Path) -> Study:
    return gather([str(experiment)], FEW)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a corpus with hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    made = write_corpus(hostile_builder(), folder / "corpus")
    return make_run(folder / "run_1", made, 1)


def hostile_builder() -> CorpusBuilder:
    builder = make_builder()
    return replace(
        builder,
        name="<i>_&_%",
        labels=tuple(HOSTILE.values()),
        licence="<script>alert(1)</script>",
        conversations=[
            Conversation(c.id, tuple(replace(u, label=HOSTILE[u.label or ""]) for u in c.utterances))
            for c in builder.conversations
        ],
    )
