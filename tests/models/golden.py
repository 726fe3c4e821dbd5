"""The golden files: numbers computed once by the published program at toy size."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from sdt.batch import Batch
from tests.shared import ROOT

HERE = ROOT / "tests" / "data" / "golden"
NAMED = os.environ.get("SDT_GOLDEN")
FOLDER = Path(NAMED) if NAMED else ROOT.parent / "shared" / "golden"
"""Files of larger widths, where there are any."""
FILES = [*{path.name: path for folder in (FOLDER, HERE) for path in sorted(folder.glob("*.safetensors"))}.values()]


@dataclass(frozen=True)
class Golden:
    settings: dict[str, Any]
    tensors: dict[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> Golden:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no dict
            return cls(json.loads(file.metadata()["sdt"]), tensors)

    def part(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): x for name, x in self.tensors.items() if name.startswith(prefix)}

    def valid(self, padded: Tensor) -> Tensor:
        """The rows of [B, T, ...] that are utterances, packed: [N, ...]."""
        return padded[self.tensors["input/mask"].bool()]

    def batch(self) -> Batch:
        """The golden input as a packed batch."""
        lengths = self.tensors["input/lengths"]
        features = {name: self.valid(self.tensors[f"input/{name}"]) for name in ("text", "audio", "visual")}
        return Batch(
            features=features,
            present={name: torch.ones(len(x), dtype=torch.bool) for name, x in features.items()},
            position=torch.cat([torch.arange(int(n)) for n in lengths]),
            speaker=self.valid(self.tensors["input/speaker"]),
            label=self.valid(self.tensors["input/label"]),
            lengths=lengths,
            longest=int(lengths.max()),
            conversations=tuple(str(number) for number in range(len(lengths))),
        )
