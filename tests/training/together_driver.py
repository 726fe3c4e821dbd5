"""A program for torchrun: together_driver.py CORPUS FOLDER MISTAKEN PORT KILLED PORT

It makes the runs of `recipes` with all processes of torchrun, then `STOPPED`, which process 1 asks to stop in the
second epoch. Then it runs two commands of `sdt`: MISTAKEN, whose exit code each process writes to a file, and KILLED,
in whose third epoch process 1 kills itself with SIGKILL. All in one go, as the processes take seconds to start; at the
ports the processes meet again.
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from sdt.__main__ import main
from sdt.training.display import Display
from sdt.training.distributed import join_processes
from sdt.training.loop import Trainer
from sdt.training.recipe import changed
from sdt.training.run import train
from sdt.training.settings import Recipe
from tests.training.conftest import make_recipe

STOPPED = "stopped"
BATCHES = 4
"""Of an epoch of the recipe of `make_recipe`, with the corpus of the test."""


def recipes(corpus: Path) -> dict[str, Recipe]:
    """By name, what is trained by one process and by two; without dropout both have to come to the same."""
    plain = changed(make_recipe(corpus, epochs=3, learning_rate=1e-3), {"model.dropout": 0.0})
    weights = [1.0, 3.0, 0.5]
    changes: dict[str, dict[str, object]] = {
        "adam": {},
        "clipped": {
            "training.clip": 0.5, "training.optimizer": "adamw", "training.class_weights": "inverse",
            "training.batch_conversations": 3, "training.schedule": "linear",
        },
        # The second process never has a conversation.
        "one by one": {"training.batch_conversations": 1, "training.class_weights": weights, "training.epochs": 2},
        "modalities": {"training.modality_dropout": 0.5, "training.class_weights": weights, "objective.temperature": 8},
        "utterances": {"training.batch_utterances": 9, "objective.hard": 0, "objective.soft": 0},
        # Small steps, since Adam makes steps of one size also out of gradients that are nothing but rounding.
        "terms": {
            "objective.shift": 0.5, "objective.balance": "logit_adjustment(1)", "training.averaging": "ema(0.5)",
            "training.batch_conversations": 3, "training.learning_rate": 1e-4,
        },
        # The last batch has three conversations, fewer than the four parts of two processes.
        "accumulated": {
            "training.accumulation": 2, "training.batch_conversations": 5, "training.class_weights": "inverse",
            "training.selection": "macro_f1", "training.keep_best": 2, "training.schedule": "plateau(0.5,0)",
        },
        "baseline": {"architecture": "dialogue_gcn", "dialogue_gcn.dropout": 0.0},
        "left out": {
            "architecture": f"{Path(__file__).with_name('left_out.py')}:LeftOut", "training.batch_conversations": 2,
            "training.weight_decay": 0.1,
        },
        STOPPED: {},
    }  # fmt: skip
    return {name: changed(plain, of) for name, of in changes.items()}


def quiet() -> Display:
    return Display(Console(file=io.StringIO()))


def at_step(number: int, act: Callable[[], object]) -> None:
    """Let this process do something before its nth step."""
    step, steps = Trainer._step, []

    def counted(self: Trainer, share: object, rate: float) -> object:
        steps.append(rate)
        if len(steps) == number:
            act()
        return step(self, share, rate)  # type: ignore[arg-type]

    Trainer._step = counted  # type: ignore[method-assign, assignment]


def runs(corpus: Path, folder: Path) -> None:
    with join_processes() as processes:
        for name, recipe in recipes(corpus).items():
            if name != STOPPED:
                train(recipe, folder / name, display=quiet(), processes=processes)
        train(with_dropout(corpus), folder / "dropout", display=quiet(), processes=processes)
        if not processes.first:
            at_step(BATCHES + 2, lambda: signal.raise_signal(signal.SIGTERM))
        try:
            train(recipes(corpus)[STOPPED], folder / STOPPED, display=quiet(), processes=processes)
        except KeyboardInterrupt:
            (folder / f"stopped-{processes.rank}").touch()


def with_dropout(corpus: Path) -> Recipe:
    """What is killed; the same in every place where it is trained."""
    switches = {"objective.shift": 0.5, "training.averaging": "ema(0.5)"}
    return changed(make_recipe(corpus, epochs=5), {"seed": 3, **switches})


if __name__ == "__main__":
    corpus, folder, mistaken, port, killed, other_port = sys.argv[1:]
    runs(Path(corpus), Path(folder))
    os.environ.update(TORCHELASTIC_USE_AGENT_STORE="False", MASTER_PORT=port)
    rank = os.environ["RANK"]
    Path(folder, f"mistaken-{rank}").write_text(str(main(shlex.split(mistaken))))
    for stream in (sys.stdout, sys.stderr):  # what the next command says
        print("---", file=stream, flush=True)
    if rank == "1":
        at_step(2 * BATCHES + 2, lambda: os.kill(os.getpid(), signal.SIGKILL))
    os.environ["MASTER_PORT"] = other_port
    sys.exit(main(shlex.split(killed)))
