"""From raw conversations to emotions: what the model is given, what is missing, what cannot be done."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sdt.batch import pack
from sdt.conversation import Conversation, Utterance, Word
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.normalise import normalise
from sdt.encoders.encoder import FeatureEncoder, Source, feature_encoder
from sdt.encoders.text import text_encoder
from sdt.errors import InputError, MissingDependencyError
from sdt.evaluation.outputs import run_model
from sdt.feature_table import FeatureTable
from sdt.formats import Transcript, read_transcript
from sdt.media.clip import Clip
from sdt.media.recordings import Recordings
from sdt.models.config import SDTConfig
from sdt.models.sdt.model import SDT
from sdt.prediction import Pipeline, Predictions
from sdt.prediction import pipeline as module
from sdt.prediction.extraction import Missing
from sdt.speakers import Speakers
from tests.encoders.clips import noise, write_clip
from tests.encoders.voices import syllables
from tests.prediction.models import LABELS, TEXT_AUDIO, chat, tiny_model
from tests.shared import SHARED_DATA


def test_load_predict_look(tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path / "model")
    (tmp_path / "chat.txt").write_text("Ann: Hello!\nBob: Go away.\nAnn: Why?\n", encoding="utf-8")
    pipeline = Pipeline.from_pretrained(tmp_path / "model")
    found = pipeline(tmp_path / "chat.txt")
    assert [(p.conversation, p.utterance) for p in found] == [("chat", "0"), ("chat", "1"), ("chat", "2")]
    assert found.notes == []
    frame = found.to_pandas()
    assert list(frame["text"]) == ["Hello!", "Go away.", "Why?"]
    assert list(frame["emotion"]) == [p.emotion for p in found]
    assert frame["p_joy"][1] == pytest.approx(found[1].probabilities["joy"], rel=1e-5)
    assert (frame["text_weight"] == 1).all()


@pytest.mark.parametrize("how", ["conversation", "corpus"])
def test_features_are_made_and_normalised_as_those_of_the_corpus(tmp_path: Path, how: str) -> None:
    """Import, and prediction from raw text, give the model the same numbers, bit for bit."""
    conversations = [chat(f"c{n}", length) for n, length in enumerate((3, 5, 1, 4))]
    texts = [u.text or "" for c in conversations for u in c.utterances]
    rows = text_encoder("words:16").encode(texts)
    table = FeatureTable(rows, np.ones(len(rows), dtype=bool), "words:16")
    splits = {"train": ["c0", "c1"], "test": ["c2", "c3"]}
    builder = CorpusBuilder("made", conversations, LABELS, splits, {"text": table}, Speakers("appearance", 3))
    normalise(builder, {"text": how})  # type: ignore[dict-item]
    corpus = write_corpus(builder, tmp_path / "corpus")
    config = SDTConfig.for_corpus(corpus, tiny_model().config.architecture)
    assert config.encoders == {"text": f"words:16|z:{how}"}
    assert config.normalisation.keys() == ({"text"} if how == "corpus" else set())
    torch.manual_seed(1)
    SDT(config).save_pretrained(tmp_path / "model")
    found = Pipeline.from_pretrained(tmp_path / "model")(corpus.split("test"))
    expected = list(
        run_model(SDT.from_pretrained(tmp_path / "model"), corpus, corpus.split("test")).predictions(config)
    )
    for one, other in zip(found, expected, strict=True):
        if how == "conversation" and one.conversation == "c2":  # one utterance, compared with nothing
            assert one.emotion is None
        else:
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
    extracted = Pipeline.from_pretrained(tmp_path / "model")
    extracted._extractor.prepare(has_recordings=False)
    made = extracted._extractor.extract(corpus.split("test"), Recordings(), {"text": Missing()})["text"][0]
    wanted = np.concatenate([corpus.modalities["text"].rows(corpus.rows(name)) for name in ("c2", "c3")])
    np.testing.assert_array_equal(made, wanted)


def test_the_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    conversations = [chat(f"c{n}", 1 + (5 * n) % 7) for n in range(9)]
    pipeline = Pipeline(tiny_model())
    seen: list[tuple[int, int]] = []
    together = pipeline(conversations, progress=lambda done, size: seen.append((done, size)))
    monkeypatch.setattr(module, "UTTERANCES", 8)
    apart = pipeline(conversations)
    for one, other in zip(together, apart, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
    assert seen[-1] == (len(together), sum(map(len, conversations)))
    assert [len(of) for of in together.by_conversation.values()] == [len(c) for c in conversations]
    assert list(together.by_conversation) == [c.id for c in conversations]


def test_probabilities_are_calibrated_and_the_emotion_stays() -> None:
    model = tiny_model()
    plain = Pipeline(model)([chat()])
    model.config = replace(model.config, temperatures={"fused": 0.1, "text": 3.0})
    sharp = Pipeline(model)([chat()])
    for one, other in zip(plain, sharp, strict=True):
        assert one.emotion == other.emotion
        assert other.probability is not None
        assert one.probability is not None
        assert other.probability > one.probability
        flat, usual = other.branches["text"], one.branches["text"]
        assert flat is not None
        assert usual is not None
        assert max(flat.values()) < max(usual.values())


def test_without_a_recording_the_transcript_alone_is_read() -> None:
    found = Pipeline(tiny_model(TEXT_AUDIO))(chat())
    assert found.notes == ["audio: not used: no recording was given"]
    assert all(prediction.weights == {"text": 1.0, "audio": None} for prediction in found)
    assert all(prediction.branches["audio"] is None for prediction in found)


def test_a_recording_is_cut_by_the_times_and_what_is_missing_is_counted_once(tmp_path: Path) -> None:
    file = write_clip(tmp_path / "talk.wav", noise(2.0))
    said = chat(length=6, timed=True)
    model = tiny_model(TEXT_AUDIO)
    found = Pipeline(model)(said, file)
    # The sound ends after two seconds, that is after four of the six utterances.
    assert [prediction.weights["audio"] is not None for prediction in found] == [True] * 4 + [False] * 2
    (note,) = found.notes
    assert note.startswith("audio: missing for 2 of 6 utterances: ends before ")
    assert [problem.partition(":")[0] for problem in found.missing["audio"]] == ["chat/4", "chat/5"]

    encoder = feature_encoder("prosody")
    raw = encoder.encode([Source("chat", u, Clip(file, u.start, u.end)) for u in said.utterances])
    heard = raw.features[:4].astype(np.float64)
    deviation = heard.std(axis=0)
    z = np.divide(heard - heard.mean(axis=0), deviation, out=np.zeros_like(heard), where=deviation > 1e-9)
    audio = np.concatenate([z, np.zeros((2, encoder.width))]).astype(np.float32)
    text = text_encoder("words:16").encode([u.text or "" for u in said.utterances])
    features = {
        "text": (torch.from_numpy(text), torch.ones(6, dtype=torch.bool)),
        "audio": (torch.from_numpy(audio), torch.from_numpy(raw.present)),
    }
    with torch.no_grad():
        logits = model(pack([said], features, LABELS, model.config.speakers)).logits["fused"]
    got = np.array([list(prediction.probabilities.values()) for prediction in found])
    np.testing.assert_allclose(got, logits.softmax(-1), atol=2e-3)


def test_a_model_of_tables_listens_with_the_encoder_that_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that names the tables' `praat8` hears what one of `voice8` hears, and says that it is not the same."""
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    voice = np.concatenate([syllables(3, hertz=(pitch,)) for pitch in (120, 160, 200, 240)])
    file = write_clip(tmp_path / "talk.wav", voice[None])
    said = Conversation(
        "c", tuple(Utterance(str(k), "Ann", "Hm.", start=0.75 * k, end=0.75 * (k + 1)) for k in range(4))
    )
    of_tables, ours = (
        Pipeline(tiny_model({"text": "words:16", "audio": f"{name}|z:conversation"}))(said, file)
        for name in ("praat8", "voice8")
    )
    assert all(prediction.weights["audio"] for prediction in of_tables)
    assert [prediction.probabilities for prediction in of_tables] == [prediction.probabilities for prediction in ours]
    assert ours.notes == []
    assert of_tables.notes == [
        "audio: the model was trained on tables of 'praat8'; the features of 'voice8', which are "
        "used instead, are similar but not equal"
    ]
    with pytest.raises(MissingDependencyError, match=r"pip install 'sdt-erc\[praat\]'"):
        Pipeline(tiny_model({"text": "words:16", "audio": "praat"}))(said, file)


def test_a_recording_for_a_model_of_words(tmp_path: Path) -> None:
    file = write_clip(tmp_path / "talk.wav", noise(0.5))
    assert Pipeline(tiny_model())(chat(length=1), file).notes == [
        "the recording is not used: the model has no audio or visual modality"
    ]


def test_parts_of_encoders_are_looked_for_in_the_models_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def look(name: str, base: Path | None, graph: Path | None) -> FeatureEncoder:
        asked.append((name, base))
        return feature_encoder("words:16")

    monkeypatch.setattr("sdt.prediction.extraction.feature_encoder", look)
    tiny_model({"text": "minilm+adapter@01234567|z:conversation"}).save_pretrained(tmp_path / "run" / "model")
    pipeline = Pipeline.from_pretrained(tmp_path / "run")
    assert len(pipeline(chat())) == len(pipeline(chat())) == 4
    assert asked == [("minilm+adapter@01234567", tmp_path / "run" / "model")]


def test_a_recording_alone_is_transcribed(tmp_path: Path) -> None:
    file = write_clip(tmp_path / "cry.wav", noise(1.0))

    def transcribe(path: Path) -> Transcript:
        said = Utterance("0", "SPEAKER_00", "Ow!", start=0.0, end=1.0, words=(Word("Ow!", 0.2, 0.8, 0.9),))
        return Transcript([Conversation(path.stem, (said,))], {(path.stem, "0"): path}, ["by a fake"])

    found = Pipeline(tiny_model({"text": "words:16", "audio": "prosody"}))(file, transcribe=transcribe)
    assert [(one.conversation, one.utterance, one.text, one.end) for one in found] == [("cry", "0", "Ow!", 1.0)]
    assert found[0].branches["text"] is not None
    assert found[0].branches["audio"] is not None
    assert "by a fake" in found.notes


@pytest.mark.slow
def test_a_recording_without_speech_is_refused(tmp_path: Path) -> None:
    file = write_clip(tmp_path / "silence.wav", 0 * noise(1.0))
    with pytest.raises(InputError, match=f"{re.escape(str(file))}: no speech"):
        Pipeline(tiny_model({"text": "words:16"}))(file)


def test_what_is_compared_with_nothing_is_missing(tmp_path: Path) -> None:
    """As z-scores within the conversation, any sound of one utterance would be zeros."""
    model = tiny_model(TEXT_AUDIO)
    one = write_clip(tmp_path / "talk.wav", noise(1.0))
    alone = Conversation("cry", (Utterance("0", "Ann"),))
    with pytest.raises(InputError, match="audio: cry/0: no other utterance in its conversation to normalise with"):
        Pipeline(model)(alone, shutil.copy(one, tmp_path / "cry.wav"))
    words = chat("talk", 1)
    (heard,), (read,) = Pipeline(model)(words, one), Pipeline(model)(words)
    assert heard.weights == {"text": 1.0, "audio": None}
    assert heard.probabilities == read.probabilities
    same = Conversation("c", tuple(Utterance(str(n), "Ann", "Hm.") for n in range(2)))
    clips = {("c", "0"): one, ("c", "1"): tmp_path / "cry.wav"}
    assert {prediction.weights["audio"] for prediction in Pipeline(model)(Transcript([same], clips, []))} == {None}


@pytest.mark.slow
def test_nothing_to_look_at(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF0000WAVE nothing more")
    wordless = Conversation("c", (Utterance("0", "Ann"),))
    with pytest.raises(InputError, match="no utterance has a modality of the model") as error:
        Pipeline(tiny_model(TEXT_AUDIO))(wordless, broken)
    assert "corrupt" in str(error.value)
    with pytest.raises(InputError, match="corrupt"):
        Pipeline(tiny_model(TEXT_AUDIO))(broken)
    with pytest.raises(InputError, match="no recording was given"):
        Pipeline(tiny_model({"audio": "prosody"}))(chat())
    silent = Conversation("c", (Utterance("0", "Ann", "hi"), Utterance("1", "Bob")))
    found = Pipeline(tiny_model())(silent)
    assert any(note.startswith("1 of 2 utterances have no modality") for note in found.notes)
    assert [(prediction.emotion is None, prediction.probabilities == {}) for prediction in found] == [
        (False, False),
        (True, True),
    ]


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [
        ("unknown", "does not record the encoder"),
        ("roberta-large (fine-tuned on MELD)", "roberta-large"),
        ("words:8", "has 8 features, but the model was trained on 16"),
        ("words:16|z:corpus", "lacks the statistics of 'words:16'"),
        ("words:16|pca:3", "unknown normalisation 'pca:3'"),
    ],
)
def test_features_that_cannot_be_made(encoder: str, reason: str) -> None:
    alone = Pipeline(tiny_model({"text": encoder}), name="runs/x")
    with pytest.raises(InputError, match=r"runs/x: the model cannot be used on this input: text: ") as error:
        alone(chat())
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    with_another = Pipeline(tiny_model({"other": encoder, "text": "words:16"}))(chat())
    (note,) = with_another.notes
    assert note.startswith("other: not used: ")
    assert reason in note
    assert all(prediction.weights == {"other": None, "text": 1.0} for prediction in with_another)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise MissingDependencyError("pip install 'sdt-erc[x]'")

    monkeypatch.setattr("sdt.prediction.extraction.feature_encoder", refuse)
    with pytest.raises(MissingDependencyError, match="sdt-erc"):
        Pipeline(tiny_model())(chat())


def test_no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Pipeline(tiny_model())(chat())
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match="pip install pandas"):
        found.to_pandas()


def test_strangers_to_a_model_that_knows_its_speakers() -> None:
    pipeline = Pipeline(tiny_model(speakers=Speakers("identity", 2, ("Ann", "Cy"))))
    assert pipeline(chat()).notes == ["1 of 2 speakers were not seen in training"]


def test_a_model_whose_numbers_are_not_finite() -> None:
    model = tiny_model()
    with torch.no_grad():
        model.classifier.bias.fill_(float("nan"))
    with pytest.raises(
        InputError, match="conversation 'chat', utterance '0': the output of classifier 'fused' is not finite"
    ):
        Pipeline(model)(chat())


@pytest.mark.parametrize(
    ("conversations", "message"),
    [
        ([chat("a"), chat("a")], "two conversations have the id 'a'"),
        ([Conversation("a", ())], "'a' has no utterances"),
        ([Conversation("a", (Utterance("0", "x", "y"),) * 2)], "two utterances '0'"),
        ("absent.txt", "absent.txt: file or folder not found"),
        ("absent.mp4", "absent.mp4: file or folder not found"),
    ],
)
def test_conversations_that_cannot_be_used(conversations: list[Conversation], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Pipeline(tiny_model())(conversations)


def test_no_conversations() -> None:
    found = Pipeline(tiny_model())([])
    assert isinstance(found, Predictions)
    assert (len(found), found.by_conversation) == (0, {})


@pytest.mark.slow
@pytest.mark.skipif(
    SHARED_DATA is None or not (SHARED_DATA / "media").is_dir(),
    reason="needs the real clips: set SDT_SHARED_DATA to the folder that holds media/ and meld/",
)
def test_the_real_dialogue(tmp_path: Path) -> None:
    """Dialogue 1 of MELD: words and sound of seven utterances, and the picture of the first."""
    assert SHARED_DATA
    head, *lines = (SHARED_DATA / "meld" / "train_sent_emo.csv").read_text(encoding="utf-8").splitlines()
    transcript = tmp_path / "dialogue.csv"
    transcript.write_text("\n".join([head, *(line for line in lines[:60] if ",1," in line)]), encoding="utf-8")
    said = read_transcript(transcript)
    said = replace(said, conversations=[c for c in said.conversations if c.id == "1"])
    pipeline = Pipeline(tiny_model({"text": "words:16", "audio": "prosody|z:conversation", "visual": "faces"}))
    found = pipeline(said, SHARED_DATA / "media")
    assert [prediction.utterance for prediction in found] == ["0", "1", "2", "3", "4", "5", "8"]
    assert all(prediction.weights["audio"] for prediction in found)
    assert [bool(prediction.weights["visual"]) for prediction in found] == [True] + [False] * 6
    assert found.notes[-1].startswith("visual: missing for 6 of 7 utterances: no video track (1/1, ")
    for name, lacking in (("no_face.mp4", "no face in view"), ("noise_no_audio.mp4", "no audio track")):
        with_words = Conversation("c", (Utterance("0", "Ann", "Look!"),))
        notes = pipeline(with_words, SHARED_DATA / "media" / name).notes
        assert any(lacking in note for note in notes)
