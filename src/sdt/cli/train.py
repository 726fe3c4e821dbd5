"""Train SDT or another model by a recipe; the run folder contains settings, metrics, model, predictions and scores.

A recipe is a YAML file of settings, or the name of a shipped recipe (iemocap, meld, puppets, ...); every setting is
also an option. The same recipe, corpus, machine, versions and number of threads give bit-identical results, also for a
resumed run. Several processes train one model under torchrun: torchrun --nproc-per-node 2 -m sdt train RECIPE; see
docs/scaling.md.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.exit_codes import exit_code
from sdt.errors import InputError
from sdt.training.options import add_options, overrides
from sdt.training.processes import SINGLE_PROCESS, LostProcessError, Processes, process_count

if TYPE_CHECKING:
    from rich.console import Console

    from sdt.training.folder import RunFolder
    from sdt.training.settings import Recipe

LOST = 1
"""The exit code of a process after another one has died."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "recipe",
        type=Path,
        metavar="RECIPE",
        help="a YAML file of settings, or the name of a shipped recipe, such as puppets",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="resume the run in the run folder, if there is one")
    again.add_argument("--overwrite", action="store_true", help="replace the run in the run folder")
    add_tracker_option(parser)
    parser.add_argument(
        "--no-onnx",
        action="store_true",
        help="do not write the ONNX graphs with which sdt predict runs without PyTorch; see sdt export onnx",
    )
    add_options(parser)
    parser.set_defaults(by_several=True)


def add_tracker_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--log`."""
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        choices=("tensorboard", "mlflow", "wandb"),
        help="log the metrics there, besides metrics.jsonl; can be repeated",
    )


def run(options: argparse.Namespace) -> int | None:
    """Train and print the scores."""
    if process_count() == 1:
        return _run(options, SINGLE_PROCESS)
    from sdt.training.distributed import join_processes

    try:
        with join_processes() as processes:
            return _run(options, processes)
    except LostProcessError as error:
        if error.reports_error:
            print(f"sdt: {error}", file=sys.stderr)
        return LOST


def _run(options: argparse.Namespace, processes: Processes) -> int:
    """Train in one of the processes."""
    recipe = _recipe(options, processes)
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
        run_folder = train(
            recipe,
            folder,
            resume=options.resume,
            overwrite=options.overwrite,
            display=Display(console),
            command=command,
            callbacks=processes.run_on_first(lambda: [TRACKERS[name]() for name in options.log]) or (),
            processes=processes,
        )
    except KeyboardInterrupt as interrupt:
        if processes.first:
            print(f"sdt: {_stopped(RunFolder(folder), recipe.training.epochs, command, processes)}", file=sys.stderr)
        return exit_code(interrupt)
    except LostProcessError as error:
        stopped = _stopped(RunFolder(folder), recipe.training.epochs, command, processes)
        raise LostProcessError(f"{error}; {stopped}", reports_error=error.reports_error) from None
    except torch.cuda.OutOfMemoryError:
        raise InputError(
            "out of GPU memory: lower training.batch_conversations or model.width, or use --device cpu"
        ) from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder}: cannot be written ({error}); then resume with --resume") from None
    if not processes.first:
        return 0
    if was_finished:
        console.print(f"{folder}: this run is finished; its scores:", markup=False, highlight=False, soft_wrap=True)
    elif not options.no_onnx:
        for note in _write_graphs(run_folder.model):
            console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    _print_scores(run_folder, console)
    return 0


def _write_graphs(folder: Path) -> list[str]:
    """Write the ONNX graphs of a saved model, and return notes."""
    from sdt.models.base import Model
    from sdt.models.graphs import write_graphs

    return write_graphs(Model.from_pretrained(folder), folder)


def _recipe(options: argparse.Namespace, processes: Processes) -> Recipe:
    """The recipe of the first process; other machines may have another file."""
    from sdt.training.recipe import flat, load_recipe, unflat

    if processes.size == 1:
        return load_recipe(options.recipe, overrides(options))
    values = processes.run_on_first(lambda: flat(load_recipe(options.recipe, overrides(options))))
    return unflat(processes.broadcast(lambda: values))


def _print_scores(run_folder: RunFolder, console: Console) -> None:
    from sdt.evaluation.scores import caveat
    from sdt.evaluation.table import classifiers_table
    from sdt.training.test_monitor import TestSelection

    values, splits = run_folder.read_scores()
    note = caveat(values)
    for split, heads in splits.items():
        console.print(classifiers_table(heads, f"{split}: epoch {values['epoch']}" + (f", {note}" if note else "")))
    if "test_chosen" in values:
        gain = TestSelection.from_dict(values["test_chosen"]).describe_gain(splits["test"])
        console.print(gain, markup=False, highlight=False, soft_wrap=True)
    for remark in values.get("remarks", ()):
        console.print(f"note: {remark['text']}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"run folder: {run_folder.path}", markup=False, highlight=False, soft_wrap=True)


def _stopped(run_folder: RunFolder, epochs: int, command: list[str], processes: Processes) -> str:
    done = run_folder.epochs_done
    after = f"after epoch {done} of {epochs}" if done else "before the first epoch was saved"
    again = shlex.join([*command, "--resume"])
    if processes.size == 1:
        return f"stopped {after}; resume with: {again}"
    here = os.environ["LOCAL_WORLD_SIZE"]
    if int(here) == processes.size:
        return f"stopped {after}; resume with: torchrun --standalone --nproc-per-node {here} -m {again}"
    if not run_folder.path.is_dir():  # it is on the machine of the first process
        after = "here"
    return f"stopped {after}; resume with the same torchrun on every machine, and: {again}"
