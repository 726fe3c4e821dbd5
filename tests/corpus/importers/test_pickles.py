"""One published file at a time: every layout is recognised and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.pickle_layouts import LAYOUTS, recognise_layout
from sdt.corpus.importers.pickles import read_pickles
from sdt.errors import InputError
from tests.corpus.importers import layouts

IEMOCAP_LABELS = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
MELD_LABELS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
ROBERTA = "roberta-large (fine-tuned, last layer, first token)"
LAYOUT_NAMES = list(layouts.BUILDERS)


def _read(folder: Path, content: object, **options: Any) -> CorpusBuilder:
    builder = read_pickles([layouts.write(folder / "file.pkl", content)], ImportOptions(**options))
    builder.check()
    return builder


def _refused(folder: Path, content: object, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        _read(folder, content, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def _changed(content: layouts.Content, place: int, value: object) -> layouts.Content:
    return (*content[:place], value, *content[place + 1 :])


def test_every_layout_has_a_builder() -> None:
    assert [*LAYOUT_NAMES, "multiemo"] == list(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUT_NAMES)
@pytest.mark.parametrize("write", [layouts.write, layouts.write_python2])
def test_a_layout(tmp_path: Path, name: str, write: Callable[[Path, object], Path]) -> None:
    content = layouts.BUILDERS[name]()
    path = write(tmp_path / "features.pkl", content)
    builder = read_pickles([path], ImportOptions())
    corpus = write_corpus(builder, tmp_path / "corpus")

    iemocap = name.endswith("iemocap")
    lengths = layouts.IEMOCAP_LENGTHS if iemocap else layouts.MELD_LENGTHS
    assert corpus.name == ("iemocap" if iemocap else "meld")
    assert corpus.labels == (IEMOCAP_LABELS if iemocap else MELD_LABELS)
    assert {c: len(conversation) for c, conversation in corpus.conversations.items()} == {
        str(c): n for c, n in lengths.items()
    }
    size = sum(lengths.values())
    assert (
        f"{path}: layout {name!r} ({len(content)} items): {len(lengths)} conversations, {size} utterances"
        in builder.notes[0]
    )
    assert ("trailing item is ignored" in builder.notes[0]) == (name in ("sdt-meld", "mmgcn-meld", "graphsmile-meld"))

    # Text is RoBERTa's last layer, the first of the four.
    text = 4 if name.startswith("mmgcn") else 1
    seeds = {"text": text} if name.startswith("cosmic") else {"text": text, "audio": 2, "visual": 3}
    assert list(corpus.modalities) == list(seeds)
    for modality, seed in seeds.items():
        width = 4 if seed == 4 else layouts.WIDTHS[modality]
        expected = np.concatenate([np.stack(rows) for rows in layouts.features(lengths, width, seed).values()])
        assert np.array_equal(corpus.modalities[modality].rows(slice(0, size)), expected)
        assert corpus.modalities[modality].present.all()
    assert corpus.modalities["text"].encoder == ("textcnn" if name.startswith("mmgcn") else ROBERTA)
    if "audio" in seeds:
        assert corpus.modalities["audio"].encoder == ("opensmile:IS10" if iemocap else "is10-selection-300")
        assert corpus.modalities["visual"].encoder == "densenet-ferplus"

    first = next(iter(corpus.conversations.values()))
    one, two, three = first.utterances[:3]
    assert one.text == f"Sentence 0 of {first.id}, isn’t it?"
    assert [u.label for u in first.utterances] == [
        corpus.labels[(place + 3) % len(corpus.labels)] for place in range(3)
    ]
    if iemocap:
        assert (one.speaker, two.speaker) == ("F", "M")
        assert corpus.speakers.mode == "identity"
        assert corpus.speakers.names == ("M", "F")
        assert corpus.speakers.numbers(first) == [1, 0, 1]
        assert two.id == ("1" if name.startswith("cosmic") else "Ses01F_impro01_M001")
    else:
        assert (one.speaker, two.speaker, three.speaker) == ("speaker0", "speaker1", "speaker0")
        assert corpus.speakers.mode == "appearance"
        assert corpus.speakers.count == 9
        assert two.id == "1"

    dev = {"cosmic-iemocap": ("Ses02M_impro03",)}.get(name, ("Ses01M_impro01",) if iemocap else ("1039",))
    assert corpus.splits["dev"] == dev
    train = layouts.IEMOCAP_TRAIN if iemocap else layouts.MELD_TRAIN
    assert corpus.splits["train"] == tuple(str(c) for c in train if str(c) not in dev)
    assert corpus.splits["test"] == tuple(str(c) for c in (layouts.IEMOCAP_TEST if iemocap else layouts.MELD_TEST))
    assert corpus.provenance["layouts"] == {"features.pkl": name}


@pytest.mark.parametrize("name", LAYOUT_NAMES)
def test_recognition_is_by_structure_and_unambiguous(name: str) -> None:
    content = layouts.BUILDERS[name]()
    assert [layout.name for layout in LAYOUTS.values() if layout.mismatch(content) is None] == [name]
    found = recognise_layout(list(content))
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "value", [None, 3, "text", [], {}, (), {"a": 1}, {"a": []}, {"3_4": np.zeros(5)}, ({},) * 9, (1,) * 12]
)
def test_what_is_no_layout(value: object) -> None:
    assert recognise_layout(value) is None


@pytest.mark.parametrize(
    "rows",
    [
        lambda rows: rows,
        lambda rows: np.stack(rows),
        lambda rows: np.stack(rows).astype(np.float64),
        lambda rows: np.asfortranarray(np.stack(rows)),
        lambda rows: [row.tolist() for row in rows],
        lambda rows: tuple(tuple(row.tolist()) for row in rows),
        lambda rows: [row[None, :] for row in rows],
        lambda rows: np.stack(rows).astype(object),
        lambda rows: [row.astype(object) for row in rows],
    ],
)
def test_forms_of_features(tmp_path: Path, rows: Callable[[Any], Any]) -> None:
    content = layouts.mmgcn_iemocap()
    builder = _read(tmp_path, _changed(content, 4, {c: rows(value) for c, value in content[4].items()}))
    expected = np.concatenate([np.stack(value) for value in content[4].values()])
    assert builder.features["audio"].features.dtype == np.float32
    assert type(builder.features["audio"].features) is np.ndarray
    assert np.array_equal(builder.features["audio"].features, expected)


@pytest.mark.parametrize("form", [list, tuple, set, frozenset, np.array, lambda ids: [str(i).encode() for i in ids]])
def test_forms_of_split_lists_and_ids(tmp_path: Path, form: Callable[[Any], Any]) -> None:
    content = layouts.mmgcn_meld()
    builder = _read(tmp_path, (*content[:7], form(content[7]), form([str(c) for c in content[8]]), None))
    assert builder.splits == {"train": ["0", "1", "2"], "dev": ["1039"], "test": ["1153", "1432"]}


def test_forms_of_labels_and_bytes(tmp_path: Path) -> None:
    content = layouts.mmgcn_iemocap()
    content = _changed(content, 2, {c: np.array(value, dtype=np.int32) for c, value in content[2].items()})
    content = _changed(content, 1, {c: [letter.encode() for letter in value] for c, value in content[1].items()})
    builder = _read(tmp_path, content)
    assert builder.conversations[0].utterances[0].label == "angry"
    assert builder.conversations[0].utterances[0].speaker == "F"


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("empty", [True, False])
def test_meld_without_dialogue_60(tmp_path: Path, listed: bool, empty: bool) -> None:
    content = list(layouts.sdt_meld())
    if empty:
        content[:10] = [{**item, 60: []} for item in content[:10]]
    if listed:
        content[10] = [*content[10], 60]
    builder = _read(tmp_path, tuple(content))
    assert "60" not in builder.splits["train"]
    assert "60" not in {conversation.id for conversation in builder.conversations}
    assert any("conversation 60 ignored" in note for note in builder.notes) == listed


def test_dev_options(tmp_path: Path) -> None:
    content = layouts.sdt_iemocap()
    session4 = _read(tmp_path, content, dev="session4")
    assert session4.splits["dev"] == ["Ses04F_script01_1"]
    assert "dev (Session 4)" in session4.notes[-1]
    share = _read(tmp_path, content, dev="share", dev_share=0.5, seed=3)
    assert len(share.splits["dev"]) == 2
    assert share.splits == _read(tmp_path, content, dev="share", dev_share=0.5, seed=3).splits
    assert "a random 0.5 of train, seed 3" in share.notes[-1]
    # COSMIC's own list is put back into train where a rule is asked for.
    assert _read(tmp_path, layouts.cosmic_iemocap(), dev="usual").splits["dev"] == ["Ses01M_impro01"]
    assert "dev 'session4'" in _refused(tmp_path, layouts.sdt_meld(), dev="session4")


def test_without_usual_dev_conversations_a_share_is_drawn(tmp_path: Path) -> None:
    lengths = dict.fromkeys(range(20), 1) | {1153: 2}
    content = list(layouts.mmgcn_meld(lengths))
    content[7:9] = list(range(20)), [1153]
    builder = _read(tmp_path, tuple(content))
    assert len(builder.splits["dev"]) == 2
    assert "a random 0.1" in builder.notes[-1]


def test_other_options(tmp_path: Path) -> None:
    names = ("a", "b", "c", "d", "e", "f")
    builder = _read(tmp_path, layouts.sdt_iemocap(), name="mine", licence="ours", labels=names, speakers="appearance")
    assert (builder.name, builder.licence, builder.labels) == ("mine", "ours", names)
    assert builder.speakers.mode == "appearance"
    assert builder.speakers.count == 2
    assert "research" in _read(tmp_path, layouts.sdt_iemocap()).licence
    assert _read(tmp_path, layouts.sdt_meld(), speakers="identity").speakers.names[:2] == ("speaker0", "speaker1")


def test_one_hots_that_are_not_numbered_by_appearance_keep_their_numbers(tmp_path: Path) -> None:
    content = layouts.sdt_meld()
    speakers = {c: [row[::-1] for row in rows] for c, rows in content[1].items()}
    builder = _read(tmp_path, _changed(content, 1, speakers))
    assert builder.speakers.mode == "identity"
    assert builder.speakers.numbers(builder.conversations[0]) == [8, 7, 8]
    assert any("not numbered by appearance in 6 conversations" in note and "'0'" in note for note in builder.notes)


def test_the_layout_can_be_named(tmp_path: Path) -> None:
    assert _read(tmp_path, layouts.sdt_iemocap(), layout="sdt-iemocap").name == "iemocap"
    message = _refused(tmp_path, layouts.sdt_iemocap(), layout="sdt-meld")
    assert "not of layout 'sdt-meld': a tuple of 12, not a tuple of 13 items" in message
    assert "did you mean 'cosmic-meld'" in _refused(tmp_path, layouts.cosmic_meld(), layout="cosmic_meld")


CASES: list[tuple[str, Callable[[], object], str]] = [
    ("count", lambda: layouts.sdt_iemocap()[:8], "a tuple of 8 .*sdt-iemocap, "),
    ("other things", lambda: {"a": 1}, "a dictionary of 1 whose first value is .*'int'"),
    (
        "item",
        lambda: _changed(layouts.sdt_iemocap(), 3, [1, 2]),
        "12 items as in layout 'sdt-iemocap', but item 4 .*text features.*a list of 2",
    ),
    (
        "speakers",
        lambda: _changed(layouts.mmgcn_iemocap(), 1, layouts.one_hots(layouts.IEMOCAP_LENGTHS)),
        "item 2 .*'M' or 'F'",
    ),
    (
        "split",
        lambda: _changed(layouts.mmgcn_iemocap(), 8, {"a": 1}),
        "item 9 .*test conversations.*a dictionary",
    ),
    (
        "label range",
        lambda: _labelled([3, 9, 5]),
        "labels, conversation 'Ses01F_impro01', utterance 1 \\(from 0\\): label 9 is outside 0 to 5 \\(happy, ",
    ),
    ("negative label", lambda: _labelled([3, -1, 5]), "label -1 is outside 0 to 5"),
    ("fraction", lambda: _labelled([3, 1.5, 5]), "utterance 1 \\(from 0\\): label 1.5 "),
    ("nan label", lambda: _labelled([3, float("nan"), 5]), "label nan "),
    ("huge label", lambda: _labelled([3, 10**100, 5]), "label is too large"),
    ("huge id", lambda: _changed(layouts.mmgcn_meld(), 2, {10**5000: [1]}), "an integer of 2077 bytes"),
    ("text label", lambda: _labelled([3, "sad", 5]), "utterance 1 .*label.*is text"),
    ("no list", lambda: _second(2, 5), "labels, conversation 'Ses01M_impro01': .*a list"),
    (
        "too few labels",
        lambda: _labelled([3, 4]),
        "speakers|ids|sentences.*conversation 'Ses01F_impro01': 3 .*2 labels",
    ),
    (
        "too few rows",
        lambda: _second(4, [np.zeros(7)]),
        "audio, conversation 'Ses01M_impro01': features of 1 utterances, .*2 labels",
    ),
    (
        "widths inside",
        lambda: _second(4, [np.zeros(7), np.zeros(6)]),
        "audio, conversation 'Ses01M_impro01': utterance 1 \\(from 0\\) has 6 features, but utterance 0 has 7",
    ),
    (
        "widths between",
        lambda: _second(4, np.zeros((2, 6))),
        "audio, conversation 'Ses01M_impro01': 6 features.*7 in conversation 'Ses01F_impro01'",
    ),
    ("words", lambda: _second(4, [["x"] * 7] * 2), "utterance 0 \\(from 0\\) .*text"),
    ("huge", lambda: _second(4, [[10**400] * 7] * 2), "an integer that is too large"),
    ("no vector", lambda: _second(4, [None, None]), "a vector of features, .*nothing"),
    (
        "no speaker",
        lambda: _second(1, ["M", "X"]),
        "speakers, conversation 'Ses01M_impro01': .*'X'.* M, F",
    ),
    ("no text", lambda: _second(6, ["a", 3]), "sentences, conversation 'Ses01M_impro01': utterance 1 .*text"),
    ("missing", lambda: _without(5), "visual: .*'Ses01M_impro01'"),
    ("missing text", lambda: _without(6), "sentences: .*'Ses01M_impro01'"),
    (
        "unknown in split",
        lambda: _changed(layouts.mmgcn_iemocap(), 7, ["Ses01F_impro01", "Ses03F_impro09"]),
        "the train list names conversation 'Ses03F_impro09'",
    ),
    (
        "two splits",
        lambda: _changed(layouts.mmgcn_iemocap(), 8, ["Ses05F_impro04", "Ses01F_impro01"]),
        "conversation 'Ses01F_impro01' is in the train and test lists",
    ),
    (
        "not one hot",
        lambda: _changed(layouts.mmgcn_meld(), 1, {**layouts.mmgcn_meld()[1], 1: [[1, 1, 0]]}),
        "speakers, conversation '1': utterance 0 \\(from 0\\): the speaker \\[1.0, 1.0, 0.0\\] is not a one-hot",
    ),
    (
        "id forms",
        lambda: _changed(layouts.mmgcn_meld(), 2, {**layouts.mmgcn_meld()[2], "0": [1]}),
        "labels: conversation '0' occurs twice",
    ),
    (
        "id kinds",
        lambda: _changed(layouts.mmgcn_meld(), 2, {(1, 2): [1]}),
        "ids must be strings or integers, not a tuple",
    ),
]


def _second(place: int, value: object) -> layouts.Content:
    """The file with another value for its second conversation, which no recognition looks at."""
    content = layouts.mmgcn_iemocap()
    return _changed(content, place, {**content[place], "Ses01M_impro01": value})


def _labelled(labels: list[object]) -> layouts.Content:
    content = layouts.mmgcn_iemocap()
    return _changed(content, 2, {**content[2], "Ses01F_impro01": labels})


def _without(place: int) -> layouts.Content:
    content = layouts.mmgcn_iemocap()
    return _changed(content, place, {c: value for c, value in content[place].items() if c != "Ses01M_impro01"})


@pytest.mark.parametrize(("content", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_damaged_file_gets_one_clear_line(tmp_path: Path, content: Callable[[], object], expected: str) -> None:
    path = layouts.write(tmp_path / "file.pkl", content())
    with pytest.raises(InputError, match=expected) as caught:
        read_pickles([path], ImportOptions())
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message


def test_values_that_are_not_finite_are_left_to_the_corpus_builder(tmp_path: Path) -> None:
    content = _second(4, np.array([[1e300] + [0.0] * 6, [np.nan] * 7]))
    path = layouts.write(tmp_path / "file.pkl", content)
    builder = read_pickles([path], ImportOptions())
    with pytest.raises(InputError, match=f"{path}: modality 'audio': 8 NaN or infinite values in 2 utterances"):
        builder.check()
    builder = read_pickles([path], ImportOptions())
    builder.check(treat_as_missing=True)
    assert builder.features["audio"].present.tolist().count(False) == 2
