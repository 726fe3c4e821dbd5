"""Streaming: the cost of an utterance by its position in the conversation, and of a whole conversation.

The model has three modalities, width 256 and random parameters; features are random, and no encoder runs. `full`
recomputes the last utterances (`--history`); `past` and `window(k)` cache keys and values on PyTorch, and compute the
utterances that they depend on again on onnxruntime.

    python -m benchmarks.streaming
    python -m benchmarks.streaming --contexts "window(64)" --length 20000
    python -m benchmarks.streaming --engine onnxruntime --length 1000
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import report
from benchmarks.workers import Worker, peak_memory
from sdt.conversation import Conversation, Utterance
from sdt.evaluation.table import plain_table
from sdt.models.config import Architecture, SDTConfig
from sdt.models.onnx_export import export_onnx
from sdt.models.saved_graph import SDT_GRAPH
from sdt.models.sdt.model import SDT
from sdt.prediction import Pipeline, StreamingPredictor, StreamInput
from sdt.prediction.engine import EngineName, engine_of, load_engine
from sdt.speakers import Speakers

WIDTHS = {"text": 384, "audio": 300, "visual": 342}
TIMES = 20


class Stream:
    """A streaming predictor, in a separate process.

    Args:
        context: The value of `model.context`.
        history: See `StreamingPredictor`.
        repeats: Number of utterances timed at each position.
        seed: Random seed of parameters and features.
        engine: What runs the model.
    """

    def __init__(self, context: str, history: int, repeats: int, seed: int, engine: EngineName = "torch") -> None:
        self.repeats = repeats
        torch.manual_seed(seed)
        settings = Architecture(width=256, context=context)
        self.model = SDT(SDTConfig(WIDTHS, tuple("abcdefg"), Speakers("appearance", 9), settings)).eval()
        with tempfile.TemporaryDirectory() as place:
            if engine == "onnxruntime":
                self.model.save_pretrained(place)
                export_onnx(self.model, Path(place) / SDT_GRAPH, Path(place))
                self.engine = load_engine(Path(place), engine)
            else:
                self.engine = engine_of(self.model, "cpu")
        self.stream = StreamingPredictor(self.engine, history=history)
        self.random = np.random.default_rng(seed)

    def time_at(self, place: int) -> float:
        """The median milliseconds of processor time of an utterance at a position; adds the utterances before it."""
        first = self.stream.with_defaults(Utterance("", ""), "c").id
        if place > int(first):
            self.stream.add_all([self._random_input() for _ in range(place - int(first))])
        taken = []
        for item in [self._random_input() for _ in range(self.repeats)]:
            begun = time.process_time()
            self.stream.add_all([item])
            taken.append(time.process_time() - begun)
        return 1000 * float(np.median(taken))

    def time_whole(self, length: int) -> tuple[float, float]:
        """The seconds of processor time of a whole conversation, and the increase of the peak memory in MiB."""
        features = {name: (torch.randn(length, width), torch.rand(length) < 0.9) for name, width in WIDTHS.items()}
        conversation = Conversation("c", tuple(Utterance(str(i), "ab"[i % 2]) for i in range(length)))
        before, begun = peak_memory(torch.device("cpu")), time.process_time()
        Pipeline(self.engine).from_features([conversation], features)
        return time.process_time() - begun, (peak_memory(torch.device("cpu")) - before) / 2**20

    def _random_input(self) -> StreamInput:
        features = {name: self.random.normal(size=width) for name, width in WIDTHS.items()}
        return StreamInput(Utterance("", "ab"[int(self.random.integers(2))]), "c", features)


def measure(
    contexts: Sequence[str],
    places: Sequence[int],
    length: int,
    *,
    history: int,
    repeats: int,
    threads: int,
    seed: int,
    engine: EngineName = "torch",
) -> dict[str, dict[str, Any]]:
    """Measure `milliseconds` at each position, and `seconds` and `mebibytes` of a whole conversation, by context."""
    found = {}
    for context in contexts:
        with Worker(threads, Stream, context, history, repeats, seed, engine) as worker:
            milliseconds = [worker.call("time_at", place) for place in sorted(places)]
        with Worker(threads, Stream, context, history, repeats, seed, engine) as worker:
            seconds, mebibytes = worker.call("time_whole", length)
        found[context] = {"milliseconds": milliseconds, "seconds": seconds, "mebibytes": mebibytes}
    return found


def main() -> None:
    """Run the benchmark."""
    parser = report.parser(__doc__, repeats=TIMES)
    parser.add_argument("--contexts", nargs="+", default=["full", "past", "window(64)"], metavar="CONTEXT")
    parser.add_argument("--places", nargs="+", type=report.positive, default=[10, 100, 1000], metavar="N")
    parser.add_argument(
        "--length", type=report.positive, default=5000, help="of the whole conversation; default: %(default)s"
    )
    parser.add_argument("--history", type=report.positive, default=64, help="default: %(default)s")
    parser.add_argument("--engine", choices=("torch", "onnxruntime"), default="torch", help="default: %(default)s")
    options = parser.parse_args()
    where = report.machine(options.threads)
    places = sorted(options.places)
    found = measure(
        options.contexts,
        places,
        options.length,
        history=options.history,
        repeats=options.repeats,
        threads=options.threads,
        seed=options.seed,
        engine=options.engine,
    )
    table = plain_table("context", *(f"{n:,}th" for n in places), f"whole, {options.length:,}", "memory")
    for context, of in found.items():
        each = (f"{milliseconds:.1f} ms" for milliseconds in of["milliseconds"])
        table.add_row(context, *each, f"{of['seconds']:.1f} s", f"{of['mebibytes']:,.0f} MiB")
    console = report.console()
    console.print(table)
    console.print(f"processor time; {report.caption(where)}")
    path = options.output or report.FOLDER / "streaming.json"
    report.write_json(path, "streaming", where, {"places": places, "length": options.length, "contexts": found})
    console.print(f"written to {path}")


if __name__ == "__main__":
    report.run(main)
