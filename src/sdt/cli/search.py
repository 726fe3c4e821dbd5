"""Search settings with Optuna by the score on dev; test is not read.

  sdt search recipes/puppets.yaml --space training.learning_rate=1e-4..1e-2:log model.width=32,64,128 --trials 30
  sdt train runs/puppets-search/best.yaml

The objective is the best weighted F1 on dev, averaged over --seeds. Trials below the median of the others at the same
epoch are stopped. The same command resumes a stopped search; a higher --trials adds trials. Needs the extra [search].
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.exit_codes import exit_code
from sdt.cli.options import positive_int
from sdt.errors import InputError
from sdt.training.options import add_options, overrides

if TYPE_CHECKING:
    from rich.console import Console

    from sdt.experiments.search import Search, Trial
    from sdt.training.display import Display


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="the settings that all trials share")
    parser.add_argument(
        "--space",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=SPACE",
        help="LOW..HIGH, LOW..HIGH:log or VALUE,VALUE",
    )
    parser.add_argument("--trials", type=positive_int, default=20, metavar="N", help="trials in total; default: 20")
    parser.add_argument("--seconds", type=positive_int, metavar="S", help="start no trial after S seconds")
    parser.add_argument("--seeds", default="0", metavar="SEEDS", help="runs of each trial, such as 0-2; default: 0")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: runs/RECIPE-search")
    add_options(parser, without=("seed", "output", "training.test"))


def run(options: argparse.Namespace) -> int | None:
    """Run the remaining trials, and print the best ones."""
    from sdt.experiments.plan import parse_seeds
    from sdt.experiments.space import parse_space
    from sdt.training.recipe import load_recipe, resolved

    seeds, recipe = parse_seeds(options.seeds), resolved(load_recipe(options.recipe, overrides(options)))
    space = parse_space(options.space)
    folder = options.output or Path(f"runs/{options.recipe.stem}-search")

    from rich.console import Console

    from sdt.corpus.store import Corpus
    from sdt.device import choose_device
    from sdt.experiments.run import lock_folder
    from sdt.experiments.search import FILE, Search
    from sdt.experiments.search_folder import begin_search
    from sdt.training.environment import environment
    from sdt.training.models import model_for

    search = Search(folder, recipe, space, seeds)
    if recipe.corpus is None:
        raise InputError("the recipe names no corpus: give --corpus FOLDER")
    corpus, console = Corpus.open(recipe.corpus), Console()
    corpus.verify()  # once, rather than in every trial
    model_for(recipe, corpus)
    surroundings = environment(corpus, choose_device(recipe.training.device), shlex.split(options.command_line))
    with lock_folder(folder, FILE):
        more = {"command": options.command_line, "environment": surroundings}
        begin_search(folder, recipe, options.space, seeds, more)
        try:
            _search(search, options, console)
        except KeyboardInterrupt as stopped:
            print(f"sdt: stopped; resume with: {options.command_line}", file=sys.stderr)
            return exit_code(stopped)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written ({error}); then run the same command again") from None
        finally:
            search.close()
    return 0


def _search(search: Search, options: argparse.Namespace, console: Console) -> None:
    from sdt.experiments.search_folder import budget, trials_table, write_search

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    ended, began = search.ended, time.perf_counter()
    say(f"{search.folder}: {len(ended)} of {options.trials} trials are done")
    before = len(ended)
    while len(ended) < options.trials:
        gone = time.perf_counter() - began
        if options.seconds and gone >= options.seconds:
            say(f"time limit reached (--seconds {options.seconds})")
            break
        trial = search.trial(_display(console))
        ended = search.ended
        write_search(search, options.command_line)
        per_trial = (time.perf_counter() - began) / (len(ended) - before)
        say(_line(search, trial, options.trials, per_trial * (options.trials - len(ended))))
    if search.best is None:
        say("no trial is complete")
        return
    console.print(trials_table(search, ended).rich())
    say(f"budget: {budget(ended)}")
    say("the settings were selected on dev, so their dev score is optimistic; test was not read")
    say(f"best settings: {search.folder}/best.yaml")


def _line(search: Search, trial: Trial, trials: int, left: float) -> str:
    """The line of a finished trial."""
    from sdt.evaluation.table import percent
    from sdt.experiments.display import time_left

    settings = ", ".join(f"{key.rpartition('.')[2]} {_short(value)}" for key, value in trial.settings.items())
    how = {
        "complete": f"dev {percent(trial.score or 0)}",
        "pruned": f"pruned after {trial.epochs} epochs",
        "failed": f"failed ({trial.error})",
    }[trial.state]
    best = search.best
    so_far = f"best {percent(best.score or 0)} (trial {best.number})" if best else "none complete yet"
    return f"{trial.number + 1}/{trials}  {how}: {settings}; {so_far}, {time_left(left)}"


def _short(value: object) -> str:
    from sdt.experiments.plan import option_text

    return f"{value:.3g}" if isinstance(value, float) else option_text(value)


def _display(console: Console) -> Display:
    """Progress bars on a terminal; elsewhere the lines of the trials suffice."""
    from sdt.training.display import Display

    class Bars(Display):
        def say(self, text: str) -> None:
            del text

    return Bars(console)
