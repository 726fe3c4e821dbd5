from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from sdt.corpus.tensors import TensorChunks, map_tensors, write_tensors
from sdt.errors import InputError
from sdt.files import sha256

RANDOM = np.random.default_rng(0)
TENSORS: dict[str, Any] = {
    "features": RANDOM.standard_normal((7, 3)).astype(np.float32),
    "present": RANDOM.random(7) > 0.5,
    "byte": np.arange(8, dtype=np.int64),
    "label": np.arange(-1, 6, dtype=np.int32),
    "ids": np.frombuffer(b"abc", dtype=np.uint8),
    "half": np.ones((2, 1), np.float16),
    "wide": np.ones((1, 2), np.float64),
    "none": np.empty(0, dtype=np.int64),
}


def test_the_bytes_are_those_of_the_library(tmp_path: Path) -> None:
    written = write_tensors(tmp_path / "x.safetensors", TENSORS)
    assert (tmp_path / "x.safetensors").read_bytes() == save(TENSORS)
    assert written == sha256(tmp_path / "x.safetensors")


def test_what_is_written_in_pieces_is_the_same(tmp_path: Path) -> None:
    x = TENSORS["features"]
    parts = {
        **TENSORS,
        "features": TensorChunks(np.float32, x.shape, (x[first : first + 2] for first in range(0, 7, 2))),
    }
    write_tensors(tmp_path / "x.safetensors", parts)
    assert (tmp_path / "x.safetensors").read_bytes() == save(TENSORS)


@pytest.mark.parametrize("piece", [np.zeros((6, 3), np.float32), np.zeros((7, 4), np.float32)])
def test_pieces_that_are_not_of_the_shape(tmp_path: Path, piece: Any) -> None:
    with pytest.raises(ValueError, match="tensor 'x'"):
        write_tensors(tmp_path / "x.safetensors", {"x": TensorChunks(np.float32, (7, 3), [piece])})


def test_tensors_are_mapped(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, TENSORS)
    found, expected = map_tensors(path), load_file(path)
    assert found.keys() == expected.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name])
        assert array.dtype == expected[name].dtype
        assert not array.flags.writeable
        assert not array.flags.owndata


def crafted(entry: dict[str, Any]) -> bytes:
    header = json.dumps({"x": entry}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(16)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 100,
        save({"x": np.zeros(4)})[:-1],
        crafted({"dtype": "F64", "shape": [3], "data_offsets": [0, 16]}),
        crafted({"dtype": "BF16", "shape": [8], "data_offsets": [0, 16]}),
        crafted({"dtype": "F64", "shape": [2], "data_offsets": [8, 24]}),
    ],
)
def test_files_that_are_no_tensors(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(data)
    with pytest.raises(InputError, match=r"x\.safetensors: cannot be read") as caught:
        map_tensors(tmp_path / "x.safetensors")
    assert "\n" not in str(caught.value)
