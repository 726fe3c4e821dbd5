"""The processes that `benchmarks.large` measures; each prints its results as JSON.

python -m benchmarks.large_steps train|evaluate CORPUS ...
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from sdt.batch import Batch
from sdt.corpus.batches import split_batches
from sdt.corpus.store import Corpus
from sdt.evaluation.evaluate import evaluate
from sdt.models.config import Architecture
from sdt.training.display import Display
from sdt.training.epochs import TrainingRun
from sdt.training.folder import RunFolder
from sdt.training.loop import Step
from sdt.training.settings import Recipe, Training

WARM_UP = 10
"""Number of warm-up steps."""


def train(folder: str, steps: str) -> dict[str, Any]:
    """Train like `sdt train`, including class weights, for so many steps, over as many epochs as needed."""
    begun = time.perf_counter()
    run = _run(folder)
    done: list[tuple[float, float, int]] = []
    run.trainer.epoch(1, itertools.islice(_batches(run), int(steps)), 0, _record(done))
    utterances = sum(n for *_, n in done[WARM_UP:])
    return {
        "seconds_to_first_step": done[0][0] - begun,
        "utterances_per_second": utterances / (done[-1][0] - done[WARM_UP - 1][0]),
        "utterances_per_processor_second": utterances / (done[-1][1] - done[WARM_UP - 1][1]),
        "steps": len(done),
    }


def score(folder: str) -> dict[str, Any]:
    """Evaluate an untrained model on dev."""
    run, begun = _run(folder), time.perf_counter()
    found = evaluate(run.model, run.corpus, "dev", name="untrained")
    return {"seconds": time.perf_counter() - begun, "utterances": found.scores["fused"].utterances}


def _run(folder: str) -> TrainingRun:
    corpus = Corpus.open(folder)
    corpus.verify(lines=False)
    training = Training(learning_rate=1e-3, class_weights="inverse", device="cpu")
    recipe = Recipe(corpus=folder, model=Architecture(width=64, heads=4), training=training)
    place = RunFolder(Path(tempfile.gettempdir()) / "unused")
    return TrainingRun(recipe, corpus, torch.device("cpu"), place, Display(Console(quiet=True)))


def _batches(run: TrainingRun) -> Iterator[Batch]:
    """Iterate over the batches of all epochs."""
    for epoch in itertools.count():
        yield from split_batches(
            run.corpus,
            run.protocol.train,
            run.recipe.training.batch_conversations,
            modalities=tuple(run.model.config.modalities),
            labels=run.corpus.labels,
            speakers=run.corpus.speakers,
            generator=torch.Generator().manual_seed(epoch),
        )


def _record(done: list[tuple[float, float, int]]) -> Callable[[Step], None]:
    return lambda step: done.append((time.perf_counter(), time.process_time(), step.utterances))


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    steps: dict[str, Callable[..., dict[str, Any]]] = {"train": train, "evaluate": score}
    print(json.dumps(steps[what](*arguments)))
