"""Embedding spaces, their measures and their figure."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sdt.analysis.explanation import embeddings as module
from sdt.analysis.explanation.embeddings import Embeddings, embed, spaces
from sdt.analysis.explanation.representations import colours, figure, grid
from sdt.analysis.explanation.separation import separation
from sdt.corpus.batches import corpus_batch
from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.models.config import Architecture, SDTConfig
from sdt.models.sdt.model import SDT
from tests.evaluation.small import small_corpus, small_model
from tests.training.conftest import make_builder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(make_builder(test=8), tmp_path_factory.mktemp("corpus") / "tiny")


@pytest.fixture(scope="module")
def model(corpus: Corpus) -> SDT:
    torch.manual_seed(0)
    return SDT(SDTConfig.for_corpus(corpus, Architecture(width=8, heads=2))).eval()


@pytest.fixture(scope="module")
def found(model: SDT, corpus: Corpus) -> Embeddings:
    done: list[int] = []
    found = embed(model, corpus, corpus.split("test"), progress=done.append)
    assert sum(done) == spaces(model) == len(found.spaces)
    return found


def test_spaces_are_the_models_states(found: Embeddings, model: SDT, corpus: Corpus) -> None:
    conversations = corpus.split("test")
    batch = corpus_batch(
        corpus,
        conversations,
        modalities=tuple(model.config.modalities),
        labels=model.config.labels,
        speakers=model.config.speakers,
    )
    with torch.no_grad():
        states = model(batch).states
    assert found.utterance_keys == tuple((c.id, u.id) for c in conversations for u in c.utterances)
    np.testing.assert_array_equal(found.label, batch.label.numpy())
    conversation = np.repeat(np.arange(len(conversations)), batch.lengths.numpy())
    expected = [("features", m, batch.features[m]) for m in batch.features]
    expected += [("before fusion", m, states[m]) for m in batch.features]
    for space, (stage, modality, x) in zip(found.spaces[:-1], expected, strict=True):
        assert (space.stage, space.modality, space.width) == (stage, modality, x.shape[1])
        rows = batch.present[modality].numpy().nonzero()[0]
        np.testing.assert_array_equal(space.rows, rows)
        centred = x[rows] - x[rows].mean(0)
        of = separation((centred / centred.pow(2).mean(0).sqrt()).numpy(), found.label[rows], conversation[rows], 10)
        assert space.separation is not None
        assert space.separation.silhouette == pytest.approx(of.silhouette, abs=1e-3)
        assert space.separation.purity == pytest.approx(of.purity, abs=0.02)
    last = found.spaces[-1]
    assert (last.name, last.width, len(last.rows)) == ("after fusion", 8, len(found.utterance_keys))


def test_the_same_seed_gives_the_same_points(found: Embeddings, model: SDT, corpus: Corpus) -> None:
    again = embed(model, corpus, corpus.split("test"))
    for one, other in zip(found.spaces, again.spaces, strict=True):
        assert one.xy is not None
        assert other.xy is not None
        np.testing.assert_array_equal(one.xy, other.xy)
    assert again.to_dict() == found.to_dict()
    assert found.perplexity == pytest.approx((len(found.utterance_keys) - 1) / 3)


def test_json_and_csv(found: Embeddings) -> None:
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["utterances"] == sum(values["labels"].values()) == len(found.utterance_keys)
    assert [of["stage"] for of in values["spaces"]] == ["features"] * 2 + ["before fusion"] * 2 + ["after fusion"]
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [(row["conversation"], row["utterance"]) for row in rows] == list(found.utterance_keys)
    words = found.spaces[0]
    assert [i for i, row in enumerate(rows) if row["words, features x"]] == words.rows.tolist()
    assert words.xy is not None
    assert float(rows[words.rows[3]]["words, features y"]) == pytest.approx(words.xy[3, 1], rel=1e-4)


def test_the_figure_draws_every_point_in_its_emotions_colour(found: Embeddings) -> None:
    drawn = figure(found, "tiny, $test")
    panels = drawn.axes[:5]
    shades = colours(found.labels)
    for axes, space in zip(panels, found.spaces, strict=True):
        assert axes.get_title(loc="left").strip() == space.name
        assert sum(len(np.asarray(dots.get_offsets())) for dots in axes.collections) == len(space.rows)
        order = np.argsort(-np.bincount(found.label, minlength=3), kind="stable").tolist()
        assert space.xy is not None
        for dots, c in zip(axes.collections, order, strict=True):
            np.testing.assert_allclose(np.asarray(dots.get_offsets()), space.xy[found.label[space.rows] == c])
            red = int(shades[found.labels[c]][1:3], 16) / 255
            assert np.asarray(dots.get_facecolor())[0, 0] == pytest.approx(red)
        assert space.separation is not None
        assert f"chance {space.separation.chance:.0%}" in axes.texts[0].get_text()
    assert len(grid(found, "tiny").rows) == 5


def test_a_draw_where_there_are_many(model: SDT, corpus: Corpus) -> None:
    some = embed(model, corpus, corpus.split("test"), at_most=9, seed=1)
    assert len(some.utterance_keys) == 9
    size = sum(map(len, corpus.split("test")))
    assert some.notes == (f"random sample of 9 of {size} annotated utterances",)
    other = embed(model, corpus, corpus.split("test"), at_most=9, seed=2)
    assert some.utterance_keys != other.utterance_keys


def test_a_modality_of_too_few_and_constant_features(tmp_path: Path) -> None:
    builder = make_builder(test=6)
    rows = np.arange(len(builder.features["voice"].present))
    builder.features["voice"].present[:] = rows < 3
    builder.features["voice"].features[rows >= 3] = 0
    builder.features["words"].features[:] = 1.0
    builder.features["words"].present[:] = True
    corpus = write_corpus(builder, tmp_path / "odd")
    torch.manual_seed(0)
    model = SDT(SDTConfig.for_corpus(corpus, Architecture(width=8, heads=2)))
    found = embed(model, corpus, corpus.split("test"))
    voice = [space for space in found.spaces if space.modality == "voice"]
    assert all(space.xy is None and space.separation is None and not len(space.rows) for space in voice)
    assert found.spaces[0].xy is not None
    assert np.isfinite(found.spaces[0].xy).all()
    assert "too few for a projection" in figure(found).axes[1].texts[0].get_text()
    assert model.training


def test_refusals(model: SDT, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no modality"):
        embed(model, small_corpus(tmp_path / "other"), [])
    unlabelled = small_corpus(tmp_path / "unlabelled", labelled=False)
    with pytest.raises(InputError, match="only 0 utterances are annotated"):
        embed(small_model(unlabelled), unlabelled, unlabelled.split("test"))
    monkeypatch.setattr(module, "separation", None)
    with torch.no_grad():
        broken = SDT(model.config)
        broken.unimodal["words"].reduce.bias.fill_(torch.nan)  # type: ignore[union-attr, operator]
    monkeypatch.undo()
    with pytest.raises(InputError, match="words, before fusion: not finite"):
        embed(broken, corpus, corpus.split("test"))


def test_colours_are_distinct() -> None:
    iemocap = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
    for labels in (iemocap, ("calm", "cross", "glad"), ("joy", "happy", "x"), tuple(map(str, range(14)))):
        found = colours(labels)
        assert list(found) == list(labels)
        assert len(set(found.values())) == len(labels)
    assert colours(("joy", "calm"))["joy"] == colours(("anger", "joy"))["joy"]
    assert len(colours([str(i) for i in range(40)])) == 40
