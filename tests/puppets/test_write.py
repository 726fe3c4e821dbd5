from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sdt.errors import InputError
from sdt.files import sha256
from sdt.puppets.generate import Puppets, generate
from sdt.puppets.write import write

KEYS = ["conversation", "utterance", "order", "speaker", "label", "split", "text", "start", "end"]


@pytest.fixture(scope="module")
def puppets() -> Puppets:
    return generate(0, 6)


def test_a_row_of_features_for_every_line(puppets: Puppets, tmp_path: Path) -> None:
    write(puppets, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["audio.npy", "utterances.jsonl", "visual.npy"]
    lines = [json.loads(line) for line in (tmp_path / "out" / "utterances.jsonl").read_text().splitlines()]
    assert all(list(line) == KEYS for line in lines)
    for name, features in puppets.features.items():
        stored = np.load(tmp_path / "out" / f"{name}.npy")
        assert stored.dtype == np.float32
        assert len(stored) == len(lines)
        np.testing.assert_array_equal(stored, features)
    assert [line["order"] for line in lines[: len(puppets.conversations[0])]] == [
        int(utterance.id) for utterance in puppets.conversations[0].utterances
    ]


def test_bytes_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    found = []
    for hash_seed in ("1", "2"):
        folder = tmp_path / hash_seed
        command = [sys.executable, "-m", "sdt", "puppets", str(folder), "--seed", "5", "--conversations", "6"]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": hash_seed}, check=True, capture_output=True)
        found.append({path.name: sha256(path) for path in folder.iterdir()})
    assert found[0] == found[1]


def test_a_folder_in_use_is_refused_and_kept(puppets: Puppets, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match="exists already"):
        write(puppets, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_overwrite_replaces(puppets: Puppets, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old.npy").write_bytes(b"")
    write(puppets, out, overwrite=True)
    assert not (out / "old.npy").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
