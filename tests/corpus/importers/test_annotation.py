"""Import of datasets and of files of annotation tools as corpora."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.conversation import Conversation, Utterance
from sdt.corpus.store import Corpus
from sdt.formats import Transcript, write_transcript

pytest.importorskip("pyarrow")
pytest.importorskip("openpyxl")
PATHS = {"xlsx": "a.xlsx", "datasets": "a", "convokit": "a", "audformat": "a", "labelstudio": "a.json"}


def talks(*splits: str | None) -> Transcript:
    """A conversation for each split, with a label and a split for each utterance."""
    return Transcript(
        [
            Conversation(
                f"talk{number}",
                tuple(
                    Utterance(
                        str(n), speaker, "Hi!", label, 2.0 * n, 2.0 * n + 1, extra={"split": split} if split else {}
                    )
                    for n, (speaker, label) in enumerate((("Ann", "joy"), ("Ben", "anger"), ("Ann", None)))
                ),
            )
            for number, split in enumerate(splits)
        ]
    )


def imported(tmp_path: Path, source: Path) -> dict[str, list[Conversation]]:
    """The conversations of each split of the imported corpus."""
    folder = tmp_path / "corpus"
    assert main(["corpus", "import", str(source), "--text-encoder", "words:16", "--output", str(folder)]) == 0
    corpus = Corpus.open(folder)
    return {name: list(corpus.split(name)) for name in ("train", "dev", "test")}


@pytest.mark.parametrize("format", PATHS)
def test_a_dataset_with_splits(tmp_path: Path, format: str) -> None:
    source = tmp_path / PATHS[format]
    write_transcript(source, talks("train", "validation", "test", "train"), format)
    found = imported(tmp_path, source)
    splits = {name: [of.id for of in conversations] for name, conversations in found.items()}
    assert splits == {"train": ["talk0", "talk3"], "dev": ["talk1"], "test": ["talk2"]}
    said = [(one.speaker, one.label) for one in found["dev"][0].utterances]
    assert said == [("Ann", "joy"), ("Ben", "anger"), ("Ann", None)]


@pytest.mark.parametrize("missing", [None, "unknown"])
def test_a_dataset_without_splits(tmp_path: Path, missing: str | None) -> None:
    source = tmp_path / "a"
    write_transcript(source, talks("train", missing, "test", "train"), "convokit")
    found = imported(tmp_path, source)
    assert sorted(of.id for conversations in found.values() for of in conversations) == [f"talk{n}" for n in range(4)]
    assert len(found["test"]) == len(found["dev"]) == 1
