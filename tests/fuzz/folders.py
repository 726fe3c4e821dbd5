"""Folders that this program wrote and somebody changed: models, corpora and checkpoints."""

from __future__ import annotations

import functools
import json
import random
import tempfile
from pathlib import Path

import torch

from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.models import saved
from sdt.training.checkpoint import TrainingState, copy_parameters, load_checkpoint, save_checkpoint
from tests.fuzz.mutations import json_bytes, mutate_bytes, mutate_json
from tests.models.build import random_batch, small_model
from tests.training.conftest import make_builder


@functools.cache
def _seeds() -> dict[str, dict[str, bytes]]:
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        model = small_model()
        saved.save(model, folder / "model", "card")
        write_corpus(make_builder(3, 1, 1), folder / "corpus")
        optimizer = torch.optim.Adam(model.parameters())
        model(random_batch([2])).logits["fused"].sum().backward()
        optimizer.step()
        save_checkpoint(
            folder / "checkpoint", TrainingState([{"epoch": 1}], 1, 0.5, copy_parameters(model)), model, optimizer
        )
        return {
            of.name: {str(path.relative_to(of)): path.read_bytes() for path in sorted(of.rglob("*")) if path.is_file()}
            for of in folder.iterdir()
        }


def make(draw: random.Random) -> dict[str, bytes]:
    """A folder with a file or two changed."""
    kind = draw.choice(sorted(_seeds()))
    files = dict(_seeds()[kind])
    names = [name for name in files if not name.endswith(".md")]
    likely = [name for name in names if name.endswith(".json")]
    for _ in range(draw.choice((0, 1, 1, 1, 2))):
        name = draw.choice(likely if likely and draw.random() < 0.5 else names)
        files[name] = _changed(draw, name, files[name])
    if draw.random() < 0.03:
        del files[draw.choice(names)]
    return {f"{kind}/{name}": data for name, data in files.items()}


def _changed(draw: random.Random, name: str, data: bytes) -> bytes:
    try:
        if name.endswith(".json") and draw.random() < 0.85:
            return json_bytes(draw, mutate_json(draw, json.loads(data)))
        if name.endswith(".jsonl") and draw.random() < 0.7:
            lines = data.splitlines()
            line = draw.randrange(len(lines))
            lines[line] = json_bytes(draw, mutate_json(draw, json.loads(lines[line])))
            return b"\n".join(lines) + b"\n"
        if name.endswith(".safetensors") and draw.random() < 0.7:
            size = int.from_bytes(data[:8], "little")
            header = json_bytes(draw, mutate_json(draw, json.loads(data[8 : 8 + size])))
            length = len(header) if draw.random() < 0.9 else draw.choice((0, 2**63, 2**64 - 1, len(data)))
            return length.to_bytes(8, "little") + header + data[8 + size :]
    except (ValueError, RecursionError):  # changed before
        pass
    return mutate_bytes(draw, data, [b"{", b"}", b"[", b"null", b"1e999", b"-1", b"\x00" * 8, b"\xff" * 8])


def check(folder: Path) -> None:
    """Load and use what is in it."""
    (path,) = folder.iterdir()
    if path.name == "model":
        model = saved.load(path)
        if sum(model.config.modalities.values()) < 1000:
            with torch.inference_mode():
                model(random_batch([2, 1], model.config.modalities))
    elif path.name == "corpus":
        corpus = Corpus.open(path)
        for conversation in corpus.conversations.values():
            f"{conversation}".encode()
        corpus.verify()
    else:
        model = small_model()
        load_checkpoint(path, model, torch.optim.Adam(model.parameters()))
