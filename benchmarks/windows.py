"""The effect of overlapping windows: a long conversation predicted as a whole and in windows.

The conversation consists of scenes of the built-in corpus; the bundled model, or --model, predicts it from its text.
For every window and overlap: the maximum and the mean difference of the fused logits from those of the whole
conversation, the fraction of utterances with another emotion, the median seconds, and the increase of the peak memory.

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


def join_scenes(length: int, seed: int) -> Conversation:
    """Concatenate generated scenes to one conversation of so many utterances."""
    lines: list[Utterance] = []
    count = 2 * length // LONGEST + 8
    while len(lines) < length:
        lines = [line for scene in generate(seed, count) for line in scene.conversation.utterances]
        count *= 2
    return Conversation("joined", tuple(Utterance(str(i), u.speaker, u.text) for i, u in enumerate(lines[:length])))


Features = dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]
"""Modality to features [N, D_m] and presence [N]."""


def extract(model: str, conversation: Conversation) -> Features:
    """Extract the features of the text of a conversation."""
    folder = find_model(model)
    config = load(folder).config
    extractor = FeatureExtractor(config, model, folder)
    extractor.prepare(has_recordings=False)
    features = extractor.extract([conversation], Recordings(), {name: Missing() for name in config.modalities})
    return dict(features)


class LongConversation:
    """A model and a long conversation, in a separate process in which no encoder has run."""

    def __init__(self, model: str, conversation: Conversation, features: Features, *, positions: bool = True) -> None:
        self.model = loaded = load(find_model(model)).eval()
        if isinstance(loaded, SDT) and not positions:
            loaded.positions = None
        config = self.model.config
        tensors = {name: (torch.from_numpy(x), torch.from_numpy(present)) for name, (x, present) in features.items()}
        self.batch: Batch = pack([conversation], tensors, config.labels, config.speakers)
        with torch.inference_mode():
            infer(self.model, self.batch.excerpts([(0, min(len(conversation), 64))]))  # the first call loads libraries

    def logits(self, windows: Windows | None, repeats: int) -> tuple[npt.NDArray[np.float32], list[float], int]:
        """Return the fused logits [N, C], the seconds of each round, and the increase of the peak memory in bytes."""
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
    """Measure every window, `whole` first, each in a separate process."""
    conversation = join_scenes(length, seed)
    features = extract(model, conversation)
    found: dict[str, dict[str, Any]] = {}
    whole: npt.NDArray[np.float32] | None = None
    cases: list[Windows | None] = [None, *windows]
    for number in report.rounds(len(cases), "windows"):
        of = cases[number]
        with Worker(threads, partial(LongConversation, positions=positions), model, conversation, features) as worker:
            logits, taken, rose = worker.call("logits", of, repeats)
        whole = logits if whole is None else whole
        name = "whole" if of is None else f"{of.size}:{of.overlap}"
        found[name] = {**differences(whole, logits), "seconds": taken, "mebibytes": rose / 2**20}
    return found


def differences(whole: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> dict[str, float]:
    """Compare logits [N, C]: the `largest` and `mean` difference, and the fraction `changed` of the predictions."""
    apart = np.abs(found - whole)
    return {
        "largest": float(apart.max()),
        "mean": float(apart.mean()),
        "changed": float((found.argmax(axis=1) != whole.argmax(axis=1)).mean()),
    }


def parse_windows(text: str) -> Windows:
    """Parse an option `WINDOW:OVERLAP`."""
    try:
        size, overlap = map(int, text.split(":"))
        return Windows(size, overlap)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not WINDOW:OVERLAP, such as 512:128") from None


def main() -> None:
    """Run the benchmark."""
    parser = report.parser(__doc__, repeats=3)
    parser.add_argument("--model", default=DEFAULT, help="a text model; default: %(default)s")
    parser.add_argument("--length", type=report.positive, default=2000, help="in utterances; default: %(default)s")
    parser.add_argument(
        "--windows", nargs="+", type=parse_windows, default=[*map(parse_windows, WINDOWS)], metavar="WINDOW:OVERLAP"
    )
    parser.add_argument(
        "--without-positions",
        action="store_true",
        help="remove the positions of SDT, to measure the effect of the context alone",
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
    table = plain_table("window:overlap", "largest", "mean", "changed emotions", "seconds", "memory, MiB")
    for name, of in found.items():
        numbers = (f"{of['largest']:.3f}", f"{of['mean']:.4f}", f"{of['changed']:.1%}")
        table.add_row(name, *numbers, f"{statistics.median(of['seconds']):.2f}", f"{of['mebibytes']:,.0f}")
    console = report.console()
    console.print(table)
    console.print(f"{options.model} on {options.length:,} utterances; difference of the fused logits from those of the")
    console.print(f"whole conversation; {report.caption(where)}")
    path = options.output or report.FOLDER / "windows.json"
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
