"""The settings and results files of a search."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sdt.errors import InputError
from sdt.evaluation.table import Grid, percent
from sdt.experiments.plan import format_seeds, option_text
from sdt.experiments.search import FILE, Search, Trial
from sdt.files import write_text
from sdt.training.recipe import dump_recipe, flat, unflat
from sdt.training.settings import Recipe

FORMAT = 1
_NOT_COMPARED = ("corpus", "output", "seed")
_SHOWN = 10


def begin_search(
    folder: Path, recipe: Recipe, space: Sequence[str], seeds: Sequence[int], more: Mapping[str, Any]
) -> None:
    """Write search.json, or check that the folder contains this search.

    Args:
        folder: The search folder.
        recipe: The common recipe of all trials.
        space: The search space as on the command line.
        seeds: Seeds of the runs of each trial.
        more: Additional values of search.json: command, environment.

    Raises:
        InputError: The folder contains another search.
    """
    values = {
        "format": FORMAT,
        "question": f"Which {', '.join(text.partition('=')[0] for text in space)} has the best weighted F1 on dev?",
        "recipe": flat(recipe),
        "space": sorted(space),
        "seeds": list(seeds),
        **more,
    }
    path = folder / FILE
    if not path.is_file():
        write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
        return
    values = json.loads(json.dumps(values))  # the same types as those read from the file
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        pairs = [("space", saved["space"], values["space"]), ("seeds", saved["seeds"], values["seeds"])]
        # An earlier version did not store settings that have been added since; they have their defaults.
        before = json.loads(json.dumps(flat(unflat(saved["recipe"]))))
        pairs += [(k, before[k], v) for k, v in values["recipe"].items() if k not in _NOT_COMPARED]
        corpora = saved["environment"]["corpus_sha256"], values["environment"]["corpus_sha256"]
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); name another folder") from None
    for key, old, new in (*pairs, ("the fingerprint of the corpus", *corpora)):
        if old != new:
            raise InputError(
                f"{folder}: cannot resume another search: {key} is {json.dumps(old)} in the folder, but "
                f"{json.dumps(new)} now; use the settings of the search, or name another folder with --output"
            )


def budget(trials: Sequence[Trial]) -> str:
    """Describe the cost of a search."""
    states = [trial.state for trial in trials]
    parts = [f"{states.count(state)} {state}" for state in ("complete", "pruned", "failed") if state in states]
    minutes, seconds = divmod(round(sum(trial.seconds for trial in trials)), 60)
    epochs = sum(trial.epochs for trial in trials)
    return f"{len(trials)} trials ({', '.join(parts)}), {epochs:,} epochs, {minutes} min {seconds} s of training"


def trials_table(search: Search, trials: Sequence[Trial]) -> Grid:
    """Create a table of the best trials and their settings."""
    ranked = sorted((t for t in trials if t.score is not None), key=lambda t: (-(t.score or 0), t.number))
    keys = [dimension.key for dimension in search.space]
    return Grid(
        f"best of {len(trials)} trials by weighted F1 on dev (seeds {format_seeds(search.seeds)})",
        ("trial", "dev", *(key.rpartition(".")[2] for key in keys)),
        [
            (str(trial.number), percent(trial.score or 0), *(_setting(trial.settings[key]) for key in keys))
            for trial in ranked[:_SHOWN]
        ],
    )


def write_search(search: Search, command: str) -> None:
    """Write results.json and, if a trial is complete, best.yaml."""
    trials, best = search.ended, search.best
    values = {
        "budget": {
            "trials": len(trials),
            **{state: sum(t.state == state for t in trials) for state in ("complete", "pruned", "failed")},
            "epochs": sum(trial.epochs for trial in trials),
            "seconds": sum(trial.seconds for trial in trials),
        },
        "best": best.number if best else None,
        "trials": [_values(trial) for trial in trials],
    }
    write_text(search.folder / "results.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    if best:
        head = (
            f"# Best trial of a search, number {best.number}: weighted F1 on dev {percent(best.score or 0)} (seeds "
            f"{format_seeds(search.seeds)}).\n"
            "# The settings were selected by this score, which is therefore biased. To evaluate them:\n"
            f"#   sdt experiment {search.folder / 'best.yaml'} --seeds 0-9\n"
            f"# Budget: {budget(trials)}.\n"
            f"# Command: {command}\n\n"
        )
        write_text(search.folder / "best.yaml", head + dump_recipe(search.settings(best)))


def _values(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "dev_weighted_f1": trial.score,
        "settings": dict(trial.settings),
        "epochs": trial.epochs,
        "seconds": trial.seconds,
        **({"error": trial.error} if trial.error else {}),
    }


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else option_text(value)
