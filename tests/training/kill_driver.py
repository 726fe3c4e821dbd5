"""A program that trains and kills itself: python kill_driver.py CORPUS FOLDER MODEL MOMENT,MOMENT... MODEL ...

A process counts: just before and just after every rename of a file or folder, before every removal, and before every
step of the optimizer; when the count is MOMENT it kills itself with SIGKILL. For each MOMENT a run of the MODEL in
FOLDER/MODEL/MOMENT is killed there, resumed, killed again half as late if it lives that long, and resumed to its end.
FOLDER/MODEL/MOMENT.txt gets the number of kills. The processes are forks of this one, which has imported everything
but computed nothing.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

import sdt.models.sdt.model  # noqa: F401 - for the forks
from sdt.training.display import Display
from sdt.training.loop import Trainer
from sdt.training.recipe import changed
from sdt.training.run import train
from tests.training.conftest import make_recipe


def main(corpus: Path, folder: Path, model: str, moments: list[int]) -> None:
    folder.mkdir()
    for moment in moments:
        kills = sum(_dies(corpus, folder / str(moment), model, at) for at in (moment, moment // 2 + 1, None))
        (folder / f"{moment}.txt").write_text(str(kills))


def _dies(corpus: Path, folder: Path, model: str, moment: int | None) -> bool:
    child = os.fork()
    if child == 0:
        try:
            if moment is not None:
                _die_at(moment)
            recipe = changed(make_recipe(corpus, epochs=2), {"architecture": model})
            train(recipe, folder, resume=True, display=Display(Console(file=io.StringIO())))
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        sys.exit(f"killed at {moment}: the run failed")
    return os.WIFSIGNALED(status)


def _die_at(moment: int) -> None:
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def ticking(function: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            tick()
            result = function(*args, **options)
            if after:
                tick()
            return result

        return wrapped

    Path.replace = ticking(Path.replace, after=True)  # type: ignore[method-assign]
    Path.unlink = ticking(Path.unlink)  # type: ignore[method-assign]
    shutil.rmtree = ticking(shutil.rmtree)  # type: ignore[assignment]
    Trainer._step = ticking(Trainer._step)  # type: ignore[method-assign]


if __name__ == "__main__":
    torch.set_num_threads(1)  # a fork has only one thread
    torch.optim.Adam([torch.zeros(1)])  # imports a great deal when it is first used
    changed(make_recipe(Path(sys.argv[1])), {"training.epochs": 2})  # and so do recipes
    for model, moments in zip(sys.argv[3::2], sys.argv[4::2], strict=True):
        main(Path(sys.argv[1]), Path(sys.argv[2], model), model, [int(moment) for moment in moments.split(",")])
