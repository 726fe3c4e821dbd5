"""Train a model, SDT or another, by a recipe and keep the run: settings, metrics by epoch, model, predictions, scores.

A recipe is a YAML file of settings; every setting is an option, too. Same recipe, corpus and machine give the same
numbers, bit for bit, also when the run was interrupted and resumed.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.errors import InputError
from sdt.training.options import add_options, overrides

if TYPE_CHECKING:
    from rich.console import Console

    from sdt.training.folder import RunFolder

INTERRUPTED = 130


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="a YAML file of settings, see recipes/")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with the run in the run folder, if there is one")
    again.add_argument("--overwrite", action="store_true", help="replace the run in the run folder")
    add_tracker_option(parser)
    add_options(parser)


def add_tracker_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--log`."""
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        choices=("tensorboard", "mlflow", "wandb"),
        help="send the metrics there, too (metrics.jsonl is always written); can be given several times",
    )


def run(options: argparse.Namespace) -> int | None:
    """Train, and print the scores."""
    from sdt.training.recipe import load_recipe

    recipe = load_recipe(options.recipe, overrides(options))
    folder = Path(recipe.output or f"runs/{options.recipe.stem}-seed{recipe.seed}")

    import torch
    from rich.console import Console
    from safetensors import SafetensorError

    from sdt.training.display import Display
    from sdt.training.folder import RunFolder
    from sdt.training.run import train
    from sdt.training.trackers import TRACKERS

    console = Console()
    command = ["sdt", "train", str(options.recipe), *overrides(options)]
    was_finished = options.resume and RunFolder(folder).finished
    try:
        with terminate_as_interrupt():
            run_folder = train(
                recipe,
                folder,
                resume=options.resume,
                overwrite=options.overwrite,
                display=Display(console),
                command=command,
                trackers=[TRACKERS[name]() for name in options.log],
            )
    except KeyboardInterrupt:
        print(_stopped(RunFolder(folder), recipe.training.epochs, command), file=sys.stderr)
        return INTERRUPTED
    except torch.cuda.OutOfMemoryError:
        raise InputError(
            "the GPU's memory is too small for this: lower training.batch_conversations or model.width, or give "
            "--device cpu"
        ) from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder}: cannot be written ({error}); then go on with --resume") from None
    if was_finished:
        console.print(f"{folder}: this run is finished; its scores:", markup=False, highlight=False, soft_wrap=True)
    _print_scores(run_folder, console)
    return 0


def _print_scores(run_folder: RunFolder, console: Console) -> None:
    from sdt.evaluation.scores import caveat
    from sdt.evaluation.table import heads_table
    from sdt.training.sealed import Unsealed

    values, splits = run_folder.read_scores()
    note = caveat(values)
    for split, heads in splits.items():
        console.print(heads_table(heads, f"{split}: epoch {values['epoch']}" + (f", {note}" if note else "")))
    if "test_chosen" in values:
        price = Unsealed.from_dict(values["test_chosen"]).price(splits["test"])
        console.print(price, markup=False, highlight=False, soft_wrap=True)
    console.print(f"run folder: {run_folder.path}", markup=False, highlight=False, soft_wrap=True)


def _stopped(run_folder: RunFolder, epochs: int, command: list[str]) -> str:
    done = run_folder.epochs_done
    after = f"after epoch {done} of {epochs}" if done else "before the first epoch was saved"
    return f"sdt: stopped {after}; go on with: {shlex.join(command)} --resume"


@contextlib.contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM, which schedulers send before they kill, stop a run like Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
