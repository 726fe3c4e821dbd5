"""The index beside the lines: what it says, and what happens where it is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sdt.conversation import Conversation, Utterance
from sdt.corpus import conversations as reading
from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.corpus.summary import summarise
from sdt.errors import InputError
from sdt.files import sha256
from tests.corpus.test_store import small_builder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_corpus(small_builder(), tmp_path / "corpus")
    return tmp_path / "corpus"


def change(folder: Path, **arrays: Any) -> None:
    """Change arrays of the index, and its SHA-256 with them."""
    path = folder / "index.safetensors"
    save_file({**load_file(path), **arrays}, path)
    rehash(folder)


def rehash(folder: Path, changes: dict[str, Any] | None = None) -> None:
    header = {**json.loads((folder / "corpus.json").read_text()), **(changes or {})}
    header["sha256"] = {name: sha256(folder / name) for name in header["sha256"]}
    (folder / "corpus.json").write_text(json.dumps(header))


def as_format_1(folder: Path) -> None:
    """Make of a corpus what version 1 of the format would have been."""
    corpus = Corpus.open(folder)
    header = json.loads((folder / "corpus.json").read_text())
    header |= {"format": 1, "splits": {split: list(ids) for split, ids in corpus.splits.items()}}
    del header["sha256"]["index.safetensors"]
    (folder / "index.safetensors").unlink()
    (folder / "corpus.json").write_text(json.dumps(header))


def test_the_index_says_what_the_lines_say(folder: Path) -> None:
    index, text = Corpus.open(folder).index, (folder / "utterances.jsonl").read_bytes()
    lines = [json.loads(line) for line in text.decode().splitlines()]
    assert [index.id(number) for number in range(len(index))] == ["a", "b", "c"]
    for number in range(len(index)):
        part = text[index.byte[number] : index.byte[number + 1]].decode()
        assert [json.loads(line) for line in part.splitlines()] == lines[index.rows(number)]
        assert {line["conversation"] for line in lines[index.rows(number)]} == {index.id(number)}
    assert index.label.tolist() == [{"calm": 0, "glad": 1, None: -1}[line.get("label")] for line in lines]
    assert index.speaker.tolist() == [0, 1, 0, 0, 1, 0]
    assert {split: numbers.tolist() for split, numbers in index.splits.items()} == {"train": [0, 2], "test": [1]}
    assert index.rows_of(np.array([2, 0])).tolist() == [3, 4, 5, 0, 1]
    assert [index.conversation_of(row) for row in range(6)] == [0, 0, 1, 2, 2, 2]


def test_conversations_are_found_by_any_id(tmp_path: Path) -> None:
    ids = ["z", "a", "ä", "aa", "Z", "0", "十", ""]
    builder = small_builder()
    builder.conversations = [Conversation(id, (Utterance("0", "Ann", label="calm"),)) for id in ids]
    builder.features, builder.splits = {}, {"dev": ids[::-2]}
    corpus = write_corpus(builder, tmp_path / "many")
    assert list(corpus.conversations) == ids
    assert [corpus.rows(id) for id in ids] == [slice(row, row + 1) for row in range(8)]
    assert [corpus.conversations[id].id for id in ids] == ids
    for unknown in ("zz", "b", "\ud800", 3):
        assert unknown not in corpus.conversations
    with pytest.raises(KeyError):
        corpus.conversations["b"]
    assert corpus.splits == {"dev": ids[::-2]}
    assert ids[-1] in corpus.splits["dev"]
    assert ids[0] not in corpus.splits["dev"]


def test_few_conversations_stay_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CACHE_SIZE", 3)
    conversations = Corpus.open(folder).conversations
    assert conversations["c"] is conversations["c"]
    first = conversations["c"]
    assert conversations["b"] is conversations["b"]  # 1 + 3 utterances are more than 3
    assert conversations["c"] is not first
    assert conversations["c"] == first


def test_a_corpus_of_format_1_opens_and_is_the_same(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    as_format_1(old)
    new, corpus = Corpus.open(folder), Corpus.open(old)
    corpus.verify()
    assert dict(corpus.conversations) == dict(new.conversations)
    assert corpus.splits == new.splits
    for name, array in new.index.tensors().items():
        np.testing.assert_array_equal(array, corpus.index.tensors()[name])
    assert summarise(corpus) == {**summarise(new), "folder": str(old)}


@pytest.mark.parametrize(
    ("splits", "lines", "message"),
    [
        ({"train": ["a", "z"]}, None, "split 'train' names conversation 'z', which is not in utterances.jsonl"),
        ({"train": ["a"], "test": ["a"]}, None, "conversation 'a' is in two splits"),
        ({"train": 1}, None, "'train' is not a list"),
        (None, [0, 2, 1, 3, 4, 5], "line 3: the lines of conversation 'a'"),
        (None, [], "split 'train' names conversation 'a', which is not in utterances.jsonl"),
    ],
)
def test_a_damaged_corpus_of_format_1(
    folder: Path, splits: dict[str, Any] | None, lines: list[int] | None, message: str
) -> None:
    as_format_1(folder)
    if lines is not None:
        path = folder / "utterances.jsonl"
        text = path.read_text().splitlines(keepends=True)
        path.write_text("".join(text[line] for line in lines))
    rehash(folder, {"splits": splits} if splits else None)
    with pytest.raises(InputError, match=message):
        Corpus.open(folder)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"row": [0, 2, 3, 7]}, "'row' ends at 7 instead of 6"),
        ({"row": [0, 3, 2, 6]}, "'row' does not rise"),
        ({"row": [0, 2, 6]}, "'row' does not rise from 0 over 3 conversations"),
        ({"byte": [0, 50, 40, 461]}, "'byte' does not rise"),
        ({"byte": [0, 50, 60, 70]}, "70 bytes of utterances.jsonl"),
        ({"id_byte": [0, 1, 2, 9]}, "'id_byte' ends at 9"),
        ({"by_id": [0, 1, 3]}, "'by_id' names a conversation outside"),
        ({"by_id": np.empty(0, np.int64)}, "it has no conversations"),
        ({"split.train": [0, 3]}, "'split.train' names a conversation outside"),
        ({"split.train": [0]}, "its splits .* are not those of corpus.json"),
        ({"split.tain": [0]}, "it contains .*split.tain"),
        ({"label": np.zeros(6)}, "'label' has type float64"),
        ({"speaker": np.zeros(5, np.int32)}, "5 speakers of 6 utterances"),
    ],
)
def test_an_index_that_cannot_be_is_refused_at_once(folder: Path, arrays: dict[str, Any], message: str) -> None:
    change(folder, **{name: np.asarray(array) for name, array in arrays.items()})
    with pytest.raises(InputError, match=f"index.safetensors: .*{message}") as caught:
        Corpus.open(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"label": [1, -1, 0, 0, 0, 2]}, "a number in 'label' is outside of -1 to 1"),
        ({"label": [1, -1, 0, 0, 0, 1]}, "utterances.jsonl, line 4: other labels in 'c'"),
        ({"speaker": [0, 1, 0, 0, 1, 3]}, "a number in 'speaker' is outside of 0 to 2"),
        ({"speaker": [0, 1, 0, 0, 1, 1]}, "utterances.jsonl, line 4: other speakers in 'c'"),
        ({"row": [0, 1, 3, 6]}, r"utterances.jsonl, line 1: 2 utterances of 'a'"),
        ({"ids": np.frombuffer(b"abd", np.uint8)}, "line 4: conversation 'c' instead of 'd'"),
        ({"ids": np.frombuffer(b"ab\xff", np.uint8)}, "the id of conversation 2: .*utf-8"),
        ({"by_id": [1, 0, 2]}, "the ids are out of order"),
        ({"split.train": [0, 0]}, "a conversation is in two splits, or twice in one"),
        ({"split.train": [0, 1]}, "a conversation is in two splits, or twice in one"),
    ],
)
def test_an_index_that_does_not_fit_is_found(folder: Path, arrays: dict[str, Any], message: str) -> None:
    before = load_file(folder / "index.safetensors")
    change(folder, **{name: np.asarray(array, before[name].dtype) for name, array in arrays.items()})
    with pytest.raises(InputError, match=message):
        Corpus.open(folder).verify()


@pytest.mark.parametrize(
    ("line", "old", "new", "message"),
    [
        (5, '"speaker"', '"speakre"', r"line 5: damaged \(TypeError"),
        (5, "T1", '\\", "', r"line 5: damaged \(JSONDecodeError"),
        (1, '"Ann"', "7", r"line 1: damaged \(TypeError: speaker is 7"),
        (1, "0.0", '"x"', r"line 1: damaged \(TypeError: start is 'x'"),
        (4, "calm", "clam", "line 4: conversation 'c', utterance '0' has the label 'clam', which corpus.json does not"),
        (5, '"utterance": "1"', '"utterance": "0"', "line 4: two utterances of conversation 'c' have the same id"),
        (6, '"c"', '"b"', "line 6: conversation 'b' instead of 'c'"),
    ],
)
def test_a_line_that_is_damaged_is_named_when_it_is_read(
    folder: Path, line: int, old: str, new: str, message: str
) -> None:
    path = folder / "utterances.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("".join(lines))
    sizes = np.cumsum([0, *(len("".join(lines[a:b]).encode()) for a, b in ((0, 2), (2, 3), (3, 6)))])
    change(folder, byte=sizes.astype(np.int64))
    corpus = Corpus.open(folder)
    with pytest.raises(InputError, match=message):
        corpus.verify()
    corpus.verify(lines=False)  # looks at the hashes alone


def test_labels_outside_of_the_corpus_do_not_get_into_a_batch(folder: Path) -> None:
    change(folder, label=np.array([1, -1, 0, 0, 0, 9], np.int32))
    corpus = Corpus.open(folder)
    with pytest.raises(InputError, match="a number in 'label'"):
        corpus.split("train").label_counts  # noqa: B018 - reading it is what is tested


def test_a_missing_index_is_named(folder: Path) -> None:
    (folder / "index.safetensors").unlink()
    with pytest.raises(InputError, match=r"index\.safetensors: missing"):
        Corpus.open(folder)
