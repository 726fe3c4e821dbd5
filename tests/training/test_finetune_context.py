"""Fine-tuning on utterances in their context: it learns what only the context tells, and the encoder reads it again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.encoding import extract_features
from sdt.corpus.store import Corpus
from sdt.encoders.encoder import FeatureEncoder, feature_encoder
from sdt.encoders.text import encode_conversations, text_encoder
from sdt.encoders.text_context import TextContext
from sdt.errors import InputError
from sdt.feature_table import FeatureTable
from sdt.models.config import Architecture
from sdt.models.sdt.model import SDT
from sdt.prediction import Pipeline, StreamingPredictor, StreamInput
from sdt.training.display import Display
from sdt.training.finetune import finetune
from sdt.training.finetune_settings import FineTuning
from tests.encoders.test_text_context import write_contextual
from tests.encoders.tiny_bert import TELLING, make_spoken, write_bert
from tests.prediction.models import tiny_model
from tests.training.test_finetune import Stop, weights


def causal_model(encoder: FeatureEncoder) -> SDT:
    """An untrained causal model of the features of a text encoder."""
    model = tiny_model({"text": encoder.name}, architecture=Architecture(width=16, heads=2, context="past"))
    return SDT(replace(model.config, modalities={"text": encoder.width})).eval()


def make_answers() -> CorpusBuilder:
    """Conversations in which the utterance before tells the label of an answer, whose own words tell nothing."""
    random = np.random.default_rng(0)
    splits: dict[str, list[str]] = {}
    conversations = []
    for split, count in {"train": 60, "dev": 12}.items():
        for index in range(count):
            turns = []
            for place in range(0, 6, 2):
                label = list(TELLING)[random.integers(3)]
                turns.append(Utterance(str(place), "A", f"oh {TELLING[label]} !"))
                turns.append(Utterance(str(place + 1), "B", "oh !", label))
            conversations.append(Conversation(f"{split}{index}", tuple(turns)))
            splits.setdefault(split, []).append(f"{split}{index}")
    n = sum(map(len, conversations))
    table = FeatureTable(np.ones((n, 2), np.float32), np.ones(n, np.bool_), "made")
    return CorpusBuilder("answers", conversations, tuple(TELLING), splits, {"voice": table}, make_spoken().speakers)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), positions=32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(make_answers(), tmp_path_factory.mktemp("corpora") / "answers")


@pytest.fixture(scope="module")
def settings(bert: Path) -> FineTuning:
    context = TextContext(1, speaker_names=True)
    name = f"{bert}:mean"
    shape = FineTuning(name, epochs=12, batch=8, dropout=0.0, tokens=24, context=context)
    return replace(shape, learning_rate=1e-2, head_learning_rate=3e-2)


@pytest.fixture(scope="module")
def tuned(corpus: Corpus, settings: FineTuning, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "encoder"
    finetune(corpus, folder, settings)
    return folder


def test_it_learns_what_only_the_context_tells(
    tuned: Path, corpus: Corpus, settings: FineTuning, tmp_path: Path
) -> None:
    record = json.loads((tuned / "finetune.json").read_text())
    assert record["settings"]["context"] == {"before": 1, "after": 0, "speaker_names": True, "window": 0}
    assert record["scores"]["dev"]["weighted_f1"] > 0.9
    alone = finetune(corpus, tmp_path / "alone", replace(settings, context=None, epochs=1))
    assert alone["scores"]["dev"]["weighted_f1"] < 0.6
    assert alone["settings"]["context"] is None
    assert text_encoder(str(tmp_path / "alone")).context is None


def test_the_encoder_tells_the_labels_apart(tuned: Path) -> None:
    """The features of answers with the same words depend on the utterances before them."""
    builder = make_answers()
    table = encode_conversations(text_encoder(str(tuned)), builder.conversations)
    utterances = [utterance for conversation in builder.conversations for utterance in conversation.utterances]
    centre = {label: table.features[[u.label == label for u in utterances]].mean(axis=0) for label in TELLING}
    near = [
        min(centre, key=lambda label: float(np.linalg.norm(row - centre[label]))) == utterance.label
        for row, utterance in zip(table.features, utterances, strict=True)
        if utterance.label
    ]
    assert np.mean(near) > 0.9


def test_windows_learn_the_same_in_fewer_passes(
    corpus: Corpus, bert: Path, settings: FineTuning, tmp_path: Path
) -> None:
    windows = replace(settings, context=TextContext.in_windows(4, speaker_names=True), tokens=30, epochs=40)
    steps: list[int] = []

    class Count(Display):
        def start_epoch(self, batches: int) -> None:
            steps.append(batches)

    record = finetune(corpus, tmp_path / "windows", windows, display=Count())
    assert record["scores"]["dev"]["weighted_f1"] > 0.6  # alone: a third
    assert max(steps) < 180 / 8  # fewer than batches of eight utterances that are read alone
    assert text_encoder(str(tmp_path / "windows")).context == windows.context
    with pytest.raises(InputError, match="mean"):
        finetune(corpus, tmp_path / "first", replace(windows, encoder=f"{bert}:first"))


def test_bfloat16_learns_the_same(corpus: Corpus, settings: FineTuning, tmp_path: Path) -> None:
    record = finetune(corpus, tmp_path / "e", replace(settings, precision="bfloat16"))
    assert record["scores"]["dev"]["weighted_f1"] > 0.9
    assert record["settings"]["precision"] == "bfloat16"


@pytest.mark.parametrize("lora", [False, True])
def test_a_resumed_run_is_bit_identical(
    tuned: Path, corpus: Corpus, settings: FineTuning, bert: Path, tmp_path: Path, lora: bool
) -> None:
    chosen = replace(settings, lora=lora, epochs=2) if lora else settings
    whole = tuned
    if lora:
        whole = tmp_path / "whole"
        finetune(corpus, whole, chosen)
    for after in (3, 30):
        with pytest.raises(KeyboardInterrupt):
            finetune(corpus, tmp_path / "e", chosen, resume=True, display=Stop(after))
    with pytest.raises(InputError, match="other settings: the run has context"):
        finetune(corpus, tmp_path / "e", replace(chosen, context=TextContext(2)), resume=True)
    finetune(corpus, tmp_path / "e", chosen, resume=True)
    assert weights(tmp_path / "e") == weights(whole)
    name = f"{bert}+{tmp_path / 'e'}" if lora else str(tmp_path / "e")
    assert text_encoder(name).context == settings.context


def test_import_prediction_and_streams_read_the_same_context(tuned: Path) -> None:
    talks = [talk for talk in make_answers().conversations if talk.id.startswith("dev")][:3]
    expected = encode_conversations(text_encoder(str(tuned)), talks)
    encoder = feature_encoder(str(tuned))
    tables, problems = extract_features(talks, {"text": encoder}, lambda *_: None)
    np.testing.assert_allclose(tables["text"].features, expected.features, atol=1e-5)
    assert problems == {"text": []}

    model = causal_model(encoder)
    said = Pipeline(model, device="cpu")(talks)
    stream, together = StreamingPredictor(model, device="cpu"), StreamingPredictor(model, device="cpu")
    live = [stream.add(utterance, talk.id) for talk in talks for utterance in talk.utterances]
    at_once = together.add_all(StreamInput(utterance, talk.id) for talk in talks for utterance in talk.utterances)
    for one, two, three in zip(said, live, at_once, strict=True):
        assert one.probabilities == pytest.approx(two.probabilities, abs=1e-5)
        assert one.probabilities == pytest.approx(three.probabilities, abs=1e-5)


def test_a_stream_remembers_utterances_whose_features_were_given(tuned: Path) -> None:
    talk = make_answers().conversations[0]
    encoder = feature_encoder(str(tuned))
    rows = encode_conversations(text_encoder(str(tuned)), [talk]).features
    expected = Pipeline(causal_model(encoder), device="cpu")([talk])
    stream = StreamingPredictor(causal_model(encoder), device="cpu")
    given = [stream.add(utterance, features={"text": rows[row]}) for row, utterance in enumerate(talk.utterances[:3])]
    given.append(stream.add(talk.utterances[3]))  # the first one that loads the encoder
    for one, other in zip(expected, given, strict=False):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_a_stream_refuses_an_encoder_that_reads_later_utterances(tmp_path: Path) -> None:
    encoder = feature_encoder(str(write_contextual(tmp_path, TextContext(1, 2))))
    model, talk = causal_model(encoder), make_answers().conversations[0]
    assert all(one.emotion for one in Pipeline(model, device="cpu")([talk]))
    stream = StreamingPredictor(model, device="cpu")
    with pytest.raises(InputError, match="the next 2 utterances") as caught:
        stream.add(talk.utterances[0])
    assert "\n" not in str(caught.value)
    assert stream.conversations == ()
    assert stream.add(talk.utterances[0], features={"text": [0.5] * encoder.width}).emotion
