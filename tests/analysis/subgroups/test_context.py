"""Limited context: what the model sees, and that seeing everything is seeing everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sdt.analysis.subgroups.context import context_excerpts, limit_context
from sdt.corpus.batches import corpus_batch
from sdt.corpus.store import Corpus
from sdt.models.sdt.model import SDT
from sdt.training.group import Group
from tests.evaluation.runs import make_run
from tests.training.conftest import corpus

__all__ = ["corpus"]


@pytest.fixture(scope="module")
def group(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Group:
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        make_run(folder / f"seed-{seed}", corpus, seed)
    return Group.find(str(folder))


@pytest.mark.parametrize("before", [0, 1, 3, None])
def test_windows_end_with_their_utterance(corpus: Corpus, before: int | None) -> None:
    places = [(c.id, u.id) for c in corpus.split("test") for u in c.utterances]
    view, of_place = context_excerpts(corpus, places, before)
    for (conversation, utterance), window in of_place.items():
        whole = corpus.conversations[conversation].utterances
        last = [u.id for u in whole].index(utterance)
        first = 0 if before is None else max(0, last - before)
        assert window.utterances == whole[first : last + 1]
        rows = view.rows(window.id)
        expected = corpus.rows(conversation).start + first
        assert (rows.start, rows.stop) == (expected, expected + len(window))


def test_each_utterance_is_predicted_from_its_window_alone(corpus: Corpus, group: Group) -> None:
    system = group.system("test")
    seen: list[int] = []
    (one,) = limit_context(system, group, corpus, [1], progress=seen.append)
    assert sum(seen) == len(system.utterance_keys) * group.size
    assert one.name == f"{system.name}, 1 before"
    view, of_place = context_excerpts(corpus, system.utterance_keys, 1)
    for row, run in enumerate(group.runs):
        model = SDT.from_pretrained(run.path)
        for index, place in enumerate(system.utterance_keys):
            batch = corpus_batch(
                view,
                [of_place[place]],
                modalities=tuple(model.config.modalities),
                labels=corpus.labels,
                speakers=corpus.speakers,
            )
            with torch.no_grad():
                said = int(model(batch).logits["fused"][-1].argmax())
            assert one.predicted[row, index] == said


def test_the_last_utterance_of_a_conversation_has_seen_all_of_it(corpus: Corpus, group: Group) -> None:
    system = group.system("test")
    nothing, everything = limit_context(system, group, corpus, [0, None])
    last = {conversation: row for row, (conversation, _) in enumerate(system.utterance_keys)}
    rows = list(last.values())
    np.testing.assert_array_equal(everything.predicted[:, rows], system.predicted[:, rows])
    assert (nothing.predicted != everything.predicted).any()


def test_excerpts_keep_the_corpus(corpus: Corpus, tmp_path: Path) -> None:
    id = corpus.splits["test"][0]
    view = corpus.excerpts({"part": (id, slice(1, 2))})
    assert (view.size, view.splits, list(view.conversations)) == (1, {}, ["part"])
    assert view.fingerprint == corpus.fingerprint
    assert corpus.split("test")[0].id == id
