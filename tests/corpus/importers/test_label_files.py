"""Annotation files of published corpora, each rebuilt in our own words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from sdt.conversation import Annotation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.importers import ImportOptions
from sdt.corpus.importing import import_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.formats import read_transcript
from tests.corpus.importers.test_meld import table
from tests.encoders.clips import write_clip
from tests.encoders.voices import syllables
from tests.fuzz.mutations import json_bytes, mutate_json, mutate_lines

WORDS = ImportOptions(text_encoder="words:8")


def written(folder: Path, files: dict[str, str]) -> list[Path]:
    paths = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", errors="replace")
        paths.append(path)
    return paths


def imported(paths: list[Path], options: ImportOptions = WORDS) -> CorpusBuilder:
    builder = import_corpus(paths, options)
    builder.check()
    return builder


def everything(builder: CorpusBuilder) -> list[tuple[str, str, str, str | None, str | None]]:
    return [(c.id, u.id, u.speaker, u.text, u.label) for c in builder.conversations for u in c.utterances]


def by_id(builder: CorpusBuilder) -> dict[str, Utterance]:
    return {utterance.id: utterance for conversation in builder.conversations for utterance in conversation.utterances}


TEXTS = "I lost it . __eou__ Oh no ! __eou__\nHow are you ? __eou__ Fine . __eou__ Good . __eou__\n"
EMOTIONS = "5 6 \n0 0 4 \n"
ACTS = "1 1\n2 1 1\n"


def test_dailydialog(tmp_path: Path) -> None:
    files = {"dialogues_text.txt": TEXTS * 2, "dialogues_emotion.txt": EMOTIONS * 2, "dialogues_act.txt": ACTS * 2}
    files["dialogues_topic.txt"] = "1\n10\n1\n10\n"
    builder = imported(written(tmp_path, files))
    assert everything(builder)[:3] == [
        ("1", "0", "A", "I lost it .", "sadness"),
        ("1", "1", "B", "Oh no !", "surprise"),
        ("2", "0", "A", "How are you ?", "no emotion"),
    ]
    assert by_id(builder)["2"].extra == {"act": "inform", "topic": "finance"}
    assert {split: len(ids) for split, ids in builder.splits.items()} == {"train": 2, "dev": 1, "test": 1}
    assert builder.labels[0] == "no emotion"


def dailydialog() -> dict[str, str]:
    """The files of each split."""
    files: dict[str, str] = {}
    for name in ("train", "validation", "test"):
        files |= {f"{name}/dialogues_{name}.txt": TEXTS, f"{name}/dialogues_emotion_{name}.txt": EMOTIONS}
    return files


def test_splits_of_dailydialog(tmp_path: Path) -> None:
    builder = imported(written(tmp_path, dailydialog()))
    assert builder.splits == {"train": ["train_1", "train_2"], "dev": ["dev_1", "dev_2"], "test": ["test_1", "test_2"]}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"dialogues_text.txt": TEXTS}, "emotions are missing"),
        ({"dialogues_emotion.txt": EMOTIONS}, "file of the texts is missing"),
        ({"dialogues_text.txt": TEXTS, "dialogues_emotion.txt": "5 6\n"}, "1 dialogues, but"),
        ({"dialogues_text.txt": TEXTS, "dialogues_emotion.txt": "5 6\n0 9 0\n"}, "line 2: '9' is not a number from 0"),
        ({"dialogues_text.txt": TEXTS, "a/dialogues_text.txt": TEXTS}, "second file of text"),
    ],
)
def test_damaged_dailydialog(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_corpus(written(tmp_path, files), WORDS)


def test_dialogues_of_dailydialog_with_other_numbers_are_left_out(tmp_path: Path) -> None:
    files = {"dialogues_text.txt": TEXTS * 2, "dialogues_emotion.txt": EMOTIONS + "5 6 0\n0 0 4\n"}
    builder = imported(written(tmp_path, files))
    assert [c.id for c in builder.conversations] == ["1", "2", "4"]
    assert any("first in line 3" in note for note in builder.notes)


GO = "My favourite food is soup.\t27\teebbqej\nHow odd, I love it!\t26,18\ted00q6i\n"


def test_goemotions(tmp_path: Path) -> None:
    paths = written(tmp_path, {"train.tsv": GO, "dev.tsv": GO, "test.tsv": GO})
    builder = imported(paths)
    assert (builder.labels[0], builder.labels[18], builder.labels[26:]) == (
        "admiration",
        "love",
        ("surprise", "neutral"),
    )
    assert {split: list(ids) for split, ids in builder.splits.items()} == {
        split: [f"{split}_1", f"{split}_2"] for split in ("train", "dev", "test")
    }
    first, second = (one.utterances[0] for one in builder.conversations[:2])
    assert (first.speaker, first.text, first.label, first.annotations) == (
        *("eebbqej", "My favourite food is soup.", "neutral"),
        (),
    )
    assert (second.label, [one.label for one in second.annotations]) == ("surprise", ["surprise", "love"])
    ekman = imported(paths, replace(WORDS, layout="goemotions-ekman"))
    assert ekman.labels == ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
    assert [of.label for of in ekman.conversations[1].utterances[0].annotations] == ["surprise", "joy"]
    with pytest.raises(InputError, match="line 2: expected text, numbers"):
        imported(written(tmp_path, {"train.tsv": GO.replace("26,18", "26,28")}))
    written(tmp_path, {"labels.txt": "bad\ngood"})
    assert imported(written(tmp_path, {"train.tsv": "So nice.\t0,1\ted00q6i\n" * 20})).labels == ("bad", "good")
    with pytest.raises(InputError, match="'bad' is not an emotion"):
        imported(written(tmp_path, {"train.tsv": "So nice.\t1\ted00q6i\n"}), replace(WORDS, layout="goemotions-ekman"))


XED = {
    "en-annotated.tsv": "Go away!\t1, 8\nTrust me.\t8\nHow nice.\t5\nHow nice.\t4\n",
    "neu_en.txt": "".join(f"9\tLine {number} is plain.\n" for number in range(20)),
}


def test_xed(tmp_path: Path) -> None:
    builder = imported(written(tmp_path, XED))
    assert (builder.labels[1], len(builder.labels), len(builder.conversations)) == ("anticipation", 9, 23)
    assert [one.utterances[0].label for one in builder.conversations[:4]] == ["anger", "trust", "joy", "neutral"]
    assert [one.label for one in builder.conversations[0].utterances[0].annotations] == ["anger", "trust"]
    ekman = imported(written(tmp_path, XED), replace(WORDS, layout="xed-ekman"))
    assert len(ekman.labels) == 7
    assert [(one.utterances[0].label, one.utterances[0].annotations) for one in ekman.conversations[:2]] == [
        ("anger", ()),
        ("joy", ()),
    ]
    with pytest.raises(InputError, match="line 1: expected text and numbers"):
        imported(written(tmp_path, {"en-annotated.tsv": "Go away!\t0\n"}), replace(WORDS, layout="xed"))


def emory(episode: str, *emotions: Any) -> dict[str, Any]:
    utterances = [
        {"utterance_id": f"{episode}_c01_u{n:03}", "speakers": ["Ann Lee"], "transcript": f"Words {n}.", "emotion": one}
        for n, one in enumerate(emotions, start=1)
    ]
    utterances.append({"utterance_id": f"{episode}_c01_u099", "speakers": [], "transcript": "", "tokens": []})
    return {"episode_id": episode, "scenes": [{"scene_id": f"{episode}_c01", "utterances": utterances}]}


def test_emorynlp_json(tmp_path: Path) -> None:
    files = {
        f"emotion-detection-{name}.json": json.dumps({"season_id": name, "episodes": [emory(episode, "Joyful", "Mad")]})
        for name, episode in (("trn", "s01_e02"), ("dev", "s01_e15"), ("tst", "s01_e01"))
    }
    builder = imported(written(tmp_path, files))
    assert builder.provenance["importer"] == "emorynlp-json"
    assert builder.splits == {"train": ["s01_e02_c01"], "dev": ["s01_e15_c01"], "test": ["s01_e01_c01"]}
    assert everything(builder)[0] == ("s01_e02_c01", "1", "Ann Lee", "Words 1.", "joyful")
    assert len(builder.conversations[0]) == 2
    features = table(tmp_path / "a.csv", {"s01_e02_c01/1": [1, 2]})
    builder = import_corpus([tmp_path / "emotion-detection-trn.json"], ImportOptions(), features={"audio": [features]})
    assert builder.features["audio"].present.tolist() == [True, False]


def test_a_season_of_emorynlp_has_annotators_and_the_official_splits(tmp_path: Path) -> None:
    episodes = [
        emory("s01_e01", ["Sad", "Sad", "Mad"]),
        emory("s01_e03", ["Mad", ["Mad", "Sad"]]),
        emory("s01_e15", ["Sad"]),
    ]
    value = {"season_id": "s01", "episodes": [*episodes, {"episode_id": "s01_e04", "scenes": []}]}
    builder = imported(written(tmp_path, {"friends_season_01.json": json.dumps(value)}))
    assert builder.splits == {"train": ["s01_e03_c01"], "dev": ["s01_e15_c01"], "test": ["s01_e01_c01"]}
    first = builder.conversations[0].utterances[0]
    assert first.annotations == (Annotation("annotator 1", "sad"), Annotation("annotator 2", "mad"))
    episodes[1]["scenes"][0]["utterances"][0]["utterance_id"] = "x"
    with pytest.raises(InputError, match=r"episodes\[1\].scenes\[0\].utterances\[0\].utterance_id"):
        import_corpus(written(tmp_path, {"friends_season_01.json": json.dumps(value)}), WORDS)


def m3ed(*series: str) -> dict[str, Any]:
    def utterance(name: str, speaker: str, start: str, *labels: Any) -> dict[str, Any]:
        emotions = {f"EmoAnnotator{n}": label for n, label in enumerate(labels, start=1)}
        emotions |= {"final_mul_emo": "Happy,Surprise", "final_main_emo": "Happy"}
        return {"StartTime": start, "EndTime": "0:00:09", "Text": "你好", "Speaker": speaker, "EmoAnnotation": emotions}

    return {
        name: {
            f"{name}_1": {
                "SpeakerInfo": {"A": {"Name": "安", "Age": "mid"}, "B": {}},
                "Dialog": {
                    f"{name}_1_1": utterance(name, "A", "00:00:01:12", "Happy", "Surprise", ["Happy", "Sad"]),
                    f"{name}_1_2": utterance(name, "B", "0:00:02.5", "Happy"),
                },
            }
        }
        for name in series
    }


def test_m3ed(tmp_path: Path) -> None:
    files = {"M3ED_annotation.json": json.dumps(m3ed("one", "two", "three"), ensure_ascii=False)}
    files |= {"movie_list_train.txt": "one\n", "movie_list_val.txt": "two\n", "movie_list_test.txt": "three\n"}
    builder = imported(written(tmp_path, files))
    assert builder.splits == {"train": ["one_1"], "dev": ["two_1"], "test": ["three_1"]}
    first, second = builder.conversations[0].utterances
    assert (first.id, first.speaker, first.text, first.label) == ("A_one_1_1", "安", "你好", "happy")
    assert (first.start, second.start, second.speaker) == (1, 2.5, "B")
    assert first.annotations == (
        Annotation("EmoAnnotator1", "happy"),
        Annotation("EmoAnnotator2", "surprise"),
        Annotation("EmoAnnotator3", "happy,sad"),
    )
    assert first.extra == {"final_mul_emo": "happy,surprise"}
    corpus = write_corpus(builder, tmp_path / "corpus")
    assert Corpus.open(tmp_path / "corpus").conversations["one_1"].utterances[0] == first
    transcript = read_transcript(tmp_path / "corpus" / "utterances.jsonl")
    assert transcript.conversations[0].utterances[0] == first
    assert corpus.fingerprint == Corpus.open(tmp_path / "corpus").fingerprint


def test_damaged_m3ed(tmp_path: Path) -> None:
    value = m3ed("one")
    del value["one"]["one_1"]["Dialog"]["one_1_2"]["Speaker"]
    with pytest.raises(InputError, match=r"one.one_1.Dialog.one_1_2.Speaker: expected a speaker"):
        import_corpus(written(tmp_path, {"a.json": json.dumps(value)}), WORDS)
    with pytest.raises(InputError, match="annotation is missing"):
        import_corpus(written(tmp_path, {"movie_list_train.txt": "one\n"}), WORDS)


MMSA = """video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode
v1,0001,Hi,-0.8,-0.6,-1.0,,Negative,train
v1,0002,Ho,0.0,0.0,0.0,0.0,Neutral,train
v2,0001,So,0.4,0.4,0.2,0.6,Positive,valid
v3,0001,No,-0.4,,,,Negative,test
"""


def test_mmsa(tmp_path: Path) -> None:
    builder = imported(written(tmp_path, {"label.csv": MMSA}))
    assert builder.labels == ("negative", "neutral", "positive")
    assert builder.splits == {"train": ["v1"], "dev": ["v2"], "test": ["v3"]}
    assert everything(builder)[0] == ("v1", "0001", "v1", "Hi", "negative")
    assert builder.conversations[0].utterances[0].extra == {
        "sentiment": -0.8, "sentiment_T": -0.6, "sentiment_A": -1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("annotation", "class", "column 'annotation' is missing"),
        ("-0.8", "bad", "line 2: label 'bad' is not a number"),
        ("v1,0002", "v1,0001", "line 3: clip '0001' of video 'v1' occurs twice"),
        ("Neutral,train", "Neutral,test", "line 3: video 'v1' is in test here, but in train above"),
        ("valid", "eval", "line 4: split 'eval' is unknown"),
        ("v1,0001", ",0001", "line 2: video_id is empty"),
    ],
)
def test_damaged_mmsa(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_corpus(written(tmp_path, {"label.csv": MMSA.replace(old, new, 1)}), WORDS)


def labels(folder: Path, **parts: object) -> Path:
    path = folder / "label.npz"
    arrays: dict[str, Any] = {f"{name}_corpus": np.array(value, dtype=object) for name, value in parts.items()}
    np.savez_compressed(path, **arrays)
    return path


def test_merbench(tmp_path: Path) -> None:
    path = labels(
        tmp_path,
        train={f"sample_{n}": {"emo": emo, "val": 0.5} for n, emo in enumerate(("happy", "sad", "worried"))},
        test1={"sample_9": {"emo": "sad", "val": -10}},
    )
    texts = "name,chinese\nsample_0,你好\nsample_9,不\nsample_1,好\nsample_2,没有\n"
    builder = imported([path, *written(tmp_path, {"transcription.csv": texts})])
    assert builder.labels == ("happy", "sad", "worried")
    assert everything(builder)[0] == ("sample_0", "sample_0", "sample_0", "你好", "happy")
    assert [c.utterances[0].extra for c in builder.conversations] == [{"valence": 0.5}] * 3 + [{}]
    assert builder.splits["test"] == ["sample_9"]
    assert len(builder.splits["dev"]) == 1


def test_tables_of_merbench(tmp_path: Path) -> None:
    rows = "name,discrete,valence\na_1,happy,0.5\na_2,sad,\na_3,sad,-1\n"
    files = {"train-label.csv": rows, "test1-label.csv": "name,discrete\na_4,sad\n"}
    files["transcription.csv"] = "name,sentence\na_1,hi\n"
    builder = imported(written(tmp_path, files))
    assert [one.extra for one in by_id(builder).values()] == [{"valence": 0.5}, {}, {"valence": -1.0}, {}]
    assert (builder.splits["test"], everything(builder)[0][3:]) == (["a_4"], ("hi", "happy"))
    for old, message in (("a_2", "line 3: clip 'a_1' occurs twice"), ("0.5", "line 2: valence 'a_1' is not a number")):
        with pytest.raises(InputError, match=message):
            import_corpus(written(tmp_path, {"train-label.csv": rows.replace(old, "a_1")}), WORDS)


def test_merbench_of_meld_has_dialogues(tmp_path: Path) -> None:
    path = labels(
        tmp_path,
        train={"train_dia0_utt10": {"emo": 0, "val": -10}, "train_dia0_utt9": {"emo": 3, "val": -10}},
        val={"val_dia0_utt0": {"emo": 1, "val": -10}},
        test={"test_dia5_utt0": {"emo": 6, "val": -10}},
    )
    texts = "name,english\n" + "".join(f"{name},hi\n" for name in ("train_dia0_utt9", "test_dia5_utt0"))
    builder = imported([path, *written(tmp_path, {"transcription.csv": texts})])
    assert everything(builder)[:2] == [
        ("train_dia0", "train_dia0_utt9", "unknown", "hi", "neutral"),
        ("train_dia0", "train_dia0_utt10", "unknown", None, "anger"),
    ]
    assert builder.splits == {"train": ["train_dia0"], "dev": ["val_dia0"], "test": ["test_dia5"]}


def test_numbers_in_merbench_need_names(tmp_path: Path) -> None:
    clips = [{f"Ses0{n}F_impro01_{who}000": {"emo": at, "val": -10} for at, who in enumerate("FM")} for n in (1, 5)]
    path = labels(tmp_path, whole=clips)
    texts = "name,english\nSes01F_impro01_F000,hi\n"
    files = [path, *written(tmp_path, {"transcription.csv": texts})]
    with pytest.raises(InputError, match="--labels"):
        import_corpus(files, WORDS)
    builder = imported(files, ImportOptions(text_encoder="words:8", labels=("angry", "happy")))
    assert everything(builder)[:2] == [
        ("Ses01F_impro01", "Ses01F_impro01_F000", "F", "hi", "angry"),
        ("Ses01F_impro01", "Ses01F_impro01_M000", "M", None, "happy"),
    ]
    assert builder.splits["test"] == ["Ses05F_impro01"]


def test_damaged_merbench(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no emotion"):
        import_corpus([labels(tmp_path, train={"a_1": {"val": 2.2}})], WORDS)
    with pytest.raises(InputError, match="expected a dictionary of clips"):
        import_corpus([labels(tmp_path, train=[1, 2])], WORDS)
    path = labels(tmp_path, train={"a": {"emo": "sad"}})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"label.npz"):
        import_corpus([path], WORDS)


EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSES_F000\tneu\t[2.5000, 2.5000, 2.0000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral; Frustration;\t()
C-F1:\tHappiness;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[5.0000 - 6.0000]\tSES_M000\txxx\t[2.0000, 3.0000, 2.0000]
C-E2:\tAnger;\t()
C-E3:\tOther;\t(tired)
"""
TRANSCRIPTION = "SES_F000 [006.2901-008.2357]: Excuse me.\nSES_M000 [005.0000-006.0000]: Yes?\n"
DIALOGS = ("Ses01F_impro01", "Ses02F_impro02", "Ses05M_script01_1")


def iemocap() -> dict[str, str]:
    files = {}
    for name in DIALOGS:
        files[f"EmoEvaluation/{name}.txt"] = EVALUATION.replace("SES", name)
        files[f"transcriptions/{name}.txt"] = TRANSCRIPTION.replace("SES", name)
    return files


def test_files_of_iemocap(tmp_path: Path) -> None:
    builder = imported(written(tmp_path, iemocap()))
    assert builder.provenance["importer"] == "iemocap-files"
    second, first = builder.conversations[0].utterances[1], builder.conversations[0].utterances[0]
    assert (first.id, first.speaker, first.text, first.label) == ("Ses01F_impro01_M000", "M", "Yes?", None)
    assert (second.text, second.label, second.start) == ("Excuse me.", "neutral", 6.2901)
    assert second.annotations == (
        Annotation("E2", "neutral"),
        Annotation("E3", "neutral, frustrated"),
        Annotation("F1", "happy"),
    )
    assert first.annotations == (Annotation("E2", "angry"), Annotation("E3", "other"))
    assert second.extra == {"valence": 2.5, "activation": 2.5, "dominance": 2.0}
    assert builder.splits == {"train": [DIALOGS[0]], "dev": [DIALOGS[1]], "test": [DIALOGS[2]]}


def test_a_folder_of_iemocap(tmp_path: Path) -> None:
    written(tmp_path / "dialog", iemocap())
    builder = imported([tmp_path / "dialog"])
    assert builder.provenance["importer"] == "iemocap-folder"
    assert [c.id for c in builder.conversations] == list(DIALOGS)
    files = builder.provenance["files"]
    assert isinstance(files, list)
    assert len(files) == 6


def test_files_of_iemocap_without_emotions(tmp_path: Path) -> None:
    files = {name: content for name, content in iemocap().items() if "transcriptions" in name}
    with pytest.raises(InputError, match="add the files of EmoEvaluation"):
        import_corpus(written(tmp_path, files), WORDS)


DYADIC = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Old_Dialogue_ID,Old_Utterance_ID,Season\n"


def test_dyadic_meld_takes_the_features_of_meld(tmp_path: Path) -> None:
    rows = "1,Hi,Ann,joy,positive,0,0,7,4,1\n2,Ho,Ben,anger,negative,0,1,7,5,1\n"
    (path,) = written(tmp_path, {"train_sent_emo_dya.csv": DYADIC + rows})
    audio = table(tmp_path / "train_audio.csv", {"dia7_utt5.mp4": [1, 2], "dia0_utt0.mp4": [3, 4]})
    builder = import_corpus([path], ImportOptions(), features={"audio": [audio]})
    builder.check()
    assert [c.id for c in builder.conversations] == ["train_0"]
    assert builder.features["audio"].present.tolist() == [False, True]
    assert builder.conversations[0].utterances[1].extra == {"Old_Dialogue_ID": 7, "Old_Utterance_ID": 5}


def test_recordings_are_found_by_their_names(tmp_path: Path) -> None:
    for name in ("raw/v1/0001.wav", "raw/A_one_1_1.wav", "raw/sample_1.wav", f"raw/{DIALOGS[0]}_F000.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_clip(tmp_path / name, syllables(2)[None])
    options = ImportOptions(audio_encoder="prosody", media=tmp_path / "raw")
    layouts = {
        "mmsa": ({"label.csv": MMSA}, [True, False, False, False]),
        "m3ed": ({"a.json": json.dumps(m3ed("one", "two"))}, [True, False, False, False]),
        "iemocap-files": (iemocap(), [False, True, False, False, False, False]),
    }
    for layout, (files, present) in layouts.items():
        builder = import_corpus(written(tmp_path / layout, files), options)
        assert builder.features["audio"].present.tolist() == present
    path = labels(tmp_path, train={f"sample_{n}": {"emo": emo} for n, emo in enumerate(("sad", "happy"))})
    assert import_corpus([path], options).features["audio"].present.tolist() == [False, True]


@pytest.mark.parametrize("name", ["emorynlp", "m3ed", "merbench", "iemocap", "dailydialog", "mmsa"])
def test_damaged_annotation_is_read_or_refused_with_one_line(tmp_path: Path, name: str) -> None:
    draw = Random(name)
    for _ in range(60):
        files: dict[str, str] = {}
        path = tmp_path / "label.npz"
        if name == "merbench":
            value = mutate_json(draw, {"a_1": {"emo": "sad", "val": 1.0}, "train_dia0_utt1": {"emo": 3, "val": 0}})
            path = labels(tmp_path, train=value)
        elif name == "iemocap":
            files = {
                file: mutate_lines(draw, text, ["[1.0 - 0.5]", "C-E2:", "9" * 400]) for file, text in iemocap().items()
            }
        elif name == "dailydialog":
            files = {"dialogues_text.txt": mutate_lines(draw, TEXTS, ["__eou__"]), "dialogues_emotion.txt": EMOTIONS}
        elif name == "mmsa":
            files = {"label.csv": mutate_lines(draw, MMSA, ["v1,0001", '"', "nan", "inf"])}
        else:
            value = m3ed("one", "two") if name == "m3ed" else {"episodes": [emory("s01_e02", "Sad", ["Mad", ["Sad"]])]}
            files = {"a.json": json_bytes(draw, mutate_json(draw, value)).decode("utf-8", "replace")}
        try:
            imported([path] if name == "merbench" else written(tmp_path, files))
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
