from __future__ import annotations

from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.corpus.store import Corpus
from sdt.puppets.emotions import EMOTIONS


def test_generate_and_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "files"
    assert main(["puppets", str(out), "--conversations", "12"]) == 0
    assert "12 conversations" in capsys.readouterr().out

    files = [str(out / name) for name in ("utterances.jsonl", "audio.npy", "visual.npy")]
    corpus_folder = tmp_path / "corpus"
    assert main(["corpus", "import", *files, "--text-encoder", "words:256", "--output", str(corpus_folder)]) == 0
    corpus = Corpus.open(corpus_folder)
    corpus.verify()
    assert set(corpus.labels) <= set(EMOTIONS)
    assert {name: modality.width for name, modality in corpus.modalities.items()} == {
        "text": 256,
        "audio": 24,
        "visual": 16,
    }
    assert {name: len(conversations) for name, conversations in corpus.splits.items()} == {
        "train": 8,
        "dev": 2,
        "test": 2,
    }
    assert not all(modality.present.all() for modality in corpus.modalities.values())


def test_a_folder_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["puppets", str(tmp_path / "files"), "--conversations", "3"]
    assert main(command) == 0
    assert main(command) == 2
    assert capsys.readouterr().err.endswith("give another folder, or --overwrite to replace it\n")
    assert main([*command, "--overwrite", "--seed", "1"]) == 0


@pytest.mark.parametrize("option", [["--conversations", "2"], ["--seed", "-1"]])
def test_bad_numbers_are_one_line(option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["puppets", str(tmp_path / "files"), *option]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sdt: {option[0]}: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "files").exists()
