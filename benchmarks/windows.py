"""What windows with overlap change: a long conversation predicted as a whole and in windows.

Scenes of generated puppets, joined to one conversation and predicted from their words by the bundled model, or by
--model. Of every window and overlap: the largest and the mean difference of the fused logits from those of the whole
conversation, the share of the utterances whose emotion is another, seconds (median), and by how much the peak of memory
rose.

    python -m benchmarks.windows
    python -m benchmarks.windows --without-positions
    python -m benchmarks.windows --length 5000 --windows 64:16 512:0 512:128
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks import report
from benchmarks.workers import Worker, peak_memory, seconds
from sdt.batch import Batch, pack
from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.evaluation.table import plain_table
from sdt.media.recordings import Recordings
from sdt.models.config import FUSED
from sdt.models.hub import DEFAULT, find_model
from sdt.models.inference import forward_windows, infer
from sdt.models.saved import load
from sdt.models.sdt.model import SDT
from sdt.prediction.extraction import FeatureExtractor, Missing
from sdt.puppets.generate import LONGEST, generate
from sdt.windows import Windows

WINDOWS = ("32:0", "32:8", "128:0", "128:32", "128:64", "512:0", "512:128", "512:256")
CPU = torch.device("cpu")


def joined(length: int, seed: int) -> Conversation:
    """Scenes one after the other, as one conversation of so many utterances."""
    lines: list[Utterance] = []
    count = 2 * length // LONGEST + 8
    while len(lines) < length:
        lines = [line for scene in generate(seed, count) for line in scene.conversation.utterances]
        count *= 2
    return Conversation("joined", tuple(Utterance(str(i), u.speaker, u.text) for i, u in enumerate(lines[:length])))


Features = dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]
"""Modality to features [N, D_m] and presence [N]."""


def made(model: str, conversation: Conversation) -> Features:
    """What a model reads of a conversation: its words."""
    folder = find_model(model)
    config = load(folder).config
    extractor = FeatureExtractor(config, model, folder)
    extractor.prepare(has_recordings=False)
    features = extractor.extract([conversation], Recordings(), {name: Missing() for name in config.modalities})
    return {name: (x.numpy(), present.numpy()) for name, (x, present) in features.items()}


class Long:
    """A model and a long conversation; in a process of its own, in which no encoder of words has run."""

    def __init__(self, model: str, conversation: Conversation, features: Features, *, positions: bool = True) -> None:
        self.model = loaded = load(find_model(model)).eval()
        if isinstance(loaded, SDT) and not positions:
            loaded.positions = None
        config = self.model.config
        tensors = {name: (torch.from_numpy(x), torch.from_numpy(present)) for name, (x, present) in features.items()}
        self.batch: Batch = pack([conversation], tensors, config.labels, config.speakers)
        with torch.inference_mode():
            infer(self.model, self.batch.excerpts([(0, min(len(conversation), 64))]))  # what runs first loads things

    def logits(self, windows: Windows | None, repeats: int) -> tuple[npt.NDArray[np.float32], list[float], int]:
        """The fused logits [N, C], seconds of each turn, and by how many bytes the peak of memory rose."""
        before = peak_memory(CPU)
        with torch.inference_mode():
            taken = [seconds(lambda: infer(self.model, self.batch, windows), CPU) for _ in range(repeats)]
            rose = peak_memory(CPU) - before
            found = torch.empty(len(self.batch), len(self.model.config.labels))
            for rows, output in forward_windows(self.model, self.batch, windows):
                found[torch.as_tensor(_numbers(rows, len(found)))] = output.logits[FUSED]
        return found.numpy(), taken, rose


def _numbers(rows: slice | npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    return np.arange(size)[rows]


def measure(
    model: str,
    length: int,
    windows: Sequence[Windows],
    *,
    repeats: int,
    threads: int,
    seed: int,
    positions: bool = True,
) -> dict[str, dict[str, Any]]:
    """What came out by windows, `whole` first; each in a process of its own."""
    conversation = joined(length, seed)
    features = made(model, conversation)
    found: dict[str, dict[str, Any]] = {}
    whole: npt.NDArray[np.float32] | None = None
    turns: list[Windows | None] = [None, *windows]
    for number in report.turns(len(turns), "windows"):
        of = turns[number]
        with Worker(threads, partial(Long, positions=positions), model, conversation, features) as worker:
            logits, taken, rose = worker.ask("logits", of, repeats)
        whole = logits if whole is None else whole
        name = "whole" if of is None else f"{of.size}:{of.overlap}"
        found[name] = {**differences(whole, logits), "seconds": taken, "mebibytes": rose / 2**20}
    return found


def differences(whole: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> dict[str, float]:
    """Of logits [N, C]: the `largest`, the `mean`, and the share `changed` of other predictions."""
    apart = np.abs(found - whole)
    return {
        "largest": float(apart.max()),
        "mean": float(apart.mean()),
        "changed": float((found.argmax(axis=1) != whole.argmax(axis=1)).mean()),
    }


def windows_of(text: str) -> Windows:
    """An option `WINDOW:OVERLAP`."""
    try:
        size, overlap = map(int, text.split(":"))
        return Windows(size, overlap)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not WINDOW:OVERLAP, as in 512:128") from None


def main() -> None:
    """Measure, print, write."""
    parser = report.parser(__doc__, repeats=3)
    parser.add_argument("--model", default=DEFAULT, help="a model of words; default: %(default)s")
    parser.add_argument("--length", type=report.positive, default=2000, help="utterances; default: %(default)s")
    parser.add_argument(
        "--windows", nargs="+", type=windows_of, default=[*map(windows_of, WINDOWS)], metavar="WINDOW:OVERLAP"
    )
    parser.add_argument(
        "--without-positions", action="store_true", help="as if SDT knew no positions: what is left is the context's"
    )
    options = parser.parse_args()
    where = report.machine(options.threads)
    found = measure(
        options.model,
        options.length,
        options.windows,
        repeats=options.repeats,
        threads=options.threads,
        seed=options.seed,
        positions=not options.without_positions,
    )
    table = plain_table("window:overlap", "largest", "mean", "emotion changes", "seconds", "memory, MiB")
    for name, of in found.items():
        numbers = (f"{of['largest']:.3f}", f"{of['mean']:.4f}", f"{of['changed']:.1%}")
        table.add_row(name, *numbers, f"{statistics.median(of['seconds']):.2f}", f"{of['mebibytes']:,.0f}")
    console = report.console()
    console.print(table)
    console.print(f"{options.model} on {options.length:,} utterances; difference of the fused logits from those of the")
    console.print(f"whole conversation; {report.caption(where)}")
    path = options.output or report.PLACE / "windows.json"
    report.write_json(
        path,
        "windows",
        where,
        {
            "model": options.model,
            "length": options.length,
            "positions": not options.without_positions,
            "windows": found,
        },
    )
    console.print(f"written to {path}")


if __name__ == "__main__":
    report.run(main)
