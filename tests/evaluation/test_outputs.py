from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.corpus.batches import corpus_batch
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.compatibility import check_compatibility
from sdt.evaluation.outputs import SplitOutputs, run_model, write_predictions
from sdt.evaluation.predicted import read_prediction_file
from sdt.formats.records import prediction_record
from sdt.models.batch_prediction import BatchPrediction, to_predictions
from tests.evaluation.small import LABELS, small_corpus, small_model


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus") / "small")


def weighed(outputs: SplitOutputs) -> npt.NDArray[np.float32]:
    assert outputs.weights is not None
    return outputs.weights


def test_outputs_are_in_the_order_of_the_conversations(corpus: Corpus) -> None:
    model = small_model(corpus)
    conversations = corpus.split("test")
    outputs = run_model(model, corpus, conversations, batch_size=2)
    assert outputs.utterance_keys == tuple((c.id, u.id) for c in conversations for u in c.utterances)
    row = 0
    for conversation in conversations:  # each alone
        batch = corpus_batch(
            corpus, [conversation], modalities=("text", "audio"), labels=LABELS, speakers=corpus.speakers
        )
        with torch.no_grad():
            output = model(batch)
        rows = slice(row, row + len(conversation))
        for head, logits in output.logits.items():
            np.testing.assert_allclose(outputs.probabilities[head][rows], logits.softmax(-1), atol=1e-5)
        np.testing.assert_allclose(weighed(outputs)[rows], output.weights.mean(-1), atol=1e-5)
        np.testing.assert_array_equal(outputs.label[rows], batch.label)
        row = rows.stop
    assert row == len(outputs.label)


def test_the_batch_size_does_not_matter(corpus: Corpus) -> None:
    model = small_model(corpus)
    one, all_ = (run_model(model, corpus, corpus.split("test"), batch_size=size) for size in (1, 99))
    for head in ("fused", "text", "audio"):
        np.testing.assert_allclose(one.probabilities[head], all_.probabilities[head], atol=1e-6)
        np.testing.assert_allclose(one.probabilities[head].sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(weighed(one).sum(1), 1, atol=1e-5)


def test_a_missing_modality_has_no_weight(corpus: Corpus) -> None:
    outputs = run_model(small_model(corpus), corpus, corpus.split("test"))
    missing = np.concatenate(
        [~corpus.modalities["audio"].present[corpus.rows(conversation.id)] for conversation in corpus.split("test")]
    )
    assert missing.any()
    np.testing.assert_allclose(weighed(outputs)[missing], [[1, 0]] * int(missing.sum()), atol=1e-6)


def test_modalities_that_are_not_shown_have_no_weight(corpus: Corpus) -> None:
    model, conversations = small_model(corpus), corpus.split("test")
    outputs = run_model(model, corpus, conversations, modalities=["text"])
    has_text = np.concatenate([corpus.modalities["text"].present[corpus.rows(c.id)] for c in conversations])
    np.testing.assert_allclose(weighed(outputs)[has_text], [[1, 0]] * int(has_text.sum()), atol=1e-6)
    everything = run_model(model, corpus, conversations)
    assert not np.allclose(outputs.probabilities["fused"], everything.probabilities["fused"])
    with pytest.raises(InputError, match="no modality 'txt'; did you mean 'text'"):
        run_model(model, corpus, conversations, modalities=["txt"])


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_mode_is_restored(corpus: Corpus, training: bool) -> None:
    model = small_model(corpus).train(training)
    first, second = (run_model(model, corpus, corpus.split("test")) for _ in range(2))
    np.testing.assert_array_equal(first.probabilities["fused"], second.probabilities["fused"])
    assert all(module.training is training for module in model.modules())


def test_no_conversations_give_empty_outputs(corpus: Corpus) -> None:
    outputs = run_model(small_model(corpus), corpus, [])
    assert outputs.probabilities["fused"].shape == (0, 3)
    assert outputs.utterance_keys == ()


def test_progress_counts_conversations(corpus: Corpus) -> None:
    seen: list[int] = []
    run_model(small_model(corpus), corpus, corpus.split("test"), batch_size=3, progress=seen.append)
    assert seen == [3, 1]


def test_a_model_that_computes_no_numbers(corpus: Corpus) -> None:
    model = small_model(corpus)
    with torch.no_grad():
        model.classifier.bias.fill_(float("nan"))
    with pytest.raises(InputError, match=r"conversation 'test0', utterance 'u0': .*'fused'"):
        run_model(model, corpus, corpus.split("test"))


def test_classes_are_identified_by_name(corpus: Corpus, tmp_path: Path) -> None:
    other_order = small_corpus(tmp_path / "other", labels=("glad", "calm", "cross"))
    outputs = run_model(small_model(corpus), other_order, other_order.split("test"))
    truth = [u.label for c in other_order.split("test") for u in c.utterances]
    assert [LABELS[number] if number >= 0 else None for number in outputs.label] == truth


def test_fit(corpus: Corpus, tmp_path: Path) -> None:
    model = small_model(corpus)
    assert check_compatibility(model.config, corpus) == []
    assert check_compatibility(small_model(corpus, ("audio",)).config, corpus) == []  # fewer modalities than the corpus

    text_only = small_corpus(tmp_path / "text_only", widths={"text": 5})
    with pytest.raises(InputError, match="no modality 'audio', which the model needs"):
        check_compatibility(model.config, text_only)
    wider = small_corpus(tmp_path / "wider", widths={"text": 6, "audio": 4})
    with pytest.raises(InputError, match=r"'text' has width 6 .*the model needs width 5 \(encoder 'text-encoder'\)"):
        check_compatibility(model.config, wider)
    foreign = small_corpus(tmp_path / "foreign", labels=("calm", "bored", "proud"))
    with pytest.raises(InputError, match=r"bored, proud"):
        run_model(model, foreign, foreign.split("test"))

    fewer = small_corpus(tmp_path / "fewer", labels=("glad", "calm"))
    assert check_compatibility(model.config, fewer) == []
    fewer.modalities["text"] = type(fewer.modalities["text"])("text", 5, "words:5", tmp_path)
    (note,) = check_compatibility(model.config, fewer)
    assert "'words:5'" in note
    assert "'text-encoder'" in note


def test_features_that_come_close_are_told_from_others(corpus: Corpus) -> None:
    config = small_model(corpus).config
    for own, of_corpus, remark in (
        ("voice8|z:conversation", "praat8|z:conversation", "these encoders are similar"),
        ("voice8|z:corpus", "praat8|z:conversation", "the scores are unreliable"),
        ("prosody|z:conversation", "praat8|z:conversation", "the scores are unreliable"),
    ):
        encoders = {**config.encoders, "audio": own}
        corpus.modalities["audio"] = replace(corpus.modalities["audio"], encoder=of_corpus)
        (note,) = check_compatibility(replace(config, encoders=encoders), corpus)
        assert f"'{of_corpus}'" in note
        assert f"'{own}'" in note
        assert remark in note


def test_predictions(corpus: Corpus, tmp_path: Path) -> None:
    model = small_model(corpus)
    conversations = corpus.split("test")
    outputs = run_model(model, corpus, conversations)
    said = list(outputs.predictions(model.config))
    assert [(p.conversation, p.utterance) for p in said] == list(outputs.utterance_keys)
    for row, prediction in enumerate(said):
        assert list(prediction.probabilities) == list(LABELS)
        assert prediction.emotion == max(prediction.probabilities, key=prediction.probabilities.__getitem__)
        branch, weights = prediction.branches["audio"], prediction.weights
        assert weights["text"] == pytest.approx(weighed(outputs)[row, 0])
        assert (branch is not None) == (weights["audio"] is not None) == outputs.present[row, 1]
        if branch is not None:
            assert branch["cross"] == pytest.approx(outputs.probabilities["audio"][row, 1])

    write_predictions(tmp_path / "deep" / "p.jsonl", said, conversations)
    lines = [json.loads(line) for line in (tmp_path / "deep" / "p.jsonl").read_text("utf-8").splitlines()]
    spoken = [u for c in conversations for u in c.utterances]
    assert [line.get("label") for line in lines] == [u.label for u in spoken]
    assert [line["speaker"] for line in lines] == [u.speaker for u in spoken]
    assert list(lines[1]) == [
        "conversation", "utterance", "speaker", "label", "emotion",
        "probability", "probabilities", "branches", "weights",
    ]  # fmt: skip
    for line, prediction in zip(lines, said, strict=True):
        assert line["emotion"] == prediction.emotion
        assert line["probability"] == pytest.approx(prediction.probability, rel=1e-5)
        assert set(line["branches"]) == set(line["weights"]) == {"text", "audio"}

    write_predictions(tmp_path / "p.jsonl", said)
    first = json.loads((tmp_path / "p.jsonl").read_text("utf-8").splitlines()[0])
    assert "speaker" not in first
    assert "label" not in first


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=4), st.booleans())
def test_nothing_is_said_for_what_is_not_there(corpus: Corpus, rows: list[tuple[bool, bool]], infer: bool) -> None:
    config, n = small_model(corpus).config, len(rows)
    present = np.array(rows)
    shares = np.full((n, len(LABELS)), 1 / len(LABELS), dtype=np.float32)
    weights = present / np.maximum(present.sum(axis=1, keepdims=True), 1)
    keys = [("c", str(row)) for row in range(n)]
    outputs = BatchPrediction(dict.fromkeys(("fused", "text", "audio"), shares), weights.astype(np.float32), present)
    for has, said in zip(rows, to_predictions(outputs, config, keys, infer_absent=infer), strict=True):
        for number, modality in enumerate(("text", "audio")):
            assert (said.branches[modality] is None) == (said.weights[modality] is None) == (not has[number])
        assert said.inferred == (infer and not any(has))
        assert (said.emotion is None) == (said.probability is None) == (not any(has) and not infer)
        assert len(said.probabilities) == (0 if said.emotion is None else len(LABELS))
        known = [weight for weight in said.weights.values() if weight is not None]
        assert sum(known) == pytest.approx(1 if any(has) else 0)
        line = json.loads(json.dumps(prediction_record(said)))
        assert line["emotion"] == said.emotion
        assert ("inferred" in line) == said.inferred
        assert {m for m, branch in line["branches"].items() if branch is None} == {
            m for m, there in zip(("text", "audio"), has, strict=True) if not there
        }


def test_evaluation_marks_what_it_infers_and_counts_it(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path / "corpus")
    model = small_model(corpus, ("audio",))  # every third utterance lacks its audio
    conversations = corpus.split("test")
    said = list(run_model(model, corpus, conversations).predictions(model.config))
    write_predictions(tmp_path / "p.jsonl", said, conversations)
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text("utf-8").splitlines()]
    inferred = [line for line in lines if line.get("inferred")]
    assert 0 < len(inferred) < len(lines)
    assert all(line["emotion"] in LABELS and line["weights"] == {"audio": None} for line in inferred)
    assert len(read_prediction_file(tmp_path / "p.jsonl").emotions) == len(lines)
