"""The files of a search besides its trials: its settings and its results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sdt.errors import InputError
from sdt.evaluation.table import Grid, percent
from sdt.experiments.plan import option_text, spoken_seeds
from sdt.experiments.search import FILE, Search, Trial
from sdt.files import write_text
from sdt.training.recipe import dump_recipe, flat
from sdt.training.settings import Recipe

FORMAT = 1
_NOT_COMPARED = ("corpus", "output", "seed")
_SHOWN = 10


def begin_search(
    folder: Path, recipe: Recipe, space: Sequence[str], seeds: Sequence[int], more: Mapping[str, Any]
) -> None:
    """Write search.json, or check that the search in the folder is this one.

    Args:
        folder: The search's folder.
        recipe: What all trials have in common.
        space: As the command line has it.
        seeds: Of each trial's runs.
        more: What else search.json holds: command, environment.

    Raises:
        InputError: The folder holds another search.
    """
    asked = {
        "format": FORMAT,
        "question": f"Which {', '.join(text.partition('=')[0] for text in space)} has the best weighted F1 on dev?",
        "recipe": flat(recipe),
        "space": sorted(space),
        "seeds": list(seeds),
        **more,
    }
    path = folder / FILE
    if not path.is_file():
        write_text(path, json.dumps(asked, indent=1, ensure_ascii=False) + "\n")
        return
    asked = json.loads(json.dumps(asked))  # as it would be read back
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        pairs = [("space", there["space"], asked["space"]), ("seeds", there["seeds"], asked["seeds"])]
        pairs += [(k, there["recipe"][k], v) for k, v in asked["recipe"].items() if k not in _NOT_COMPARED]
        corpora = there["environment"]["corpus_sha256"], asked["environment"]["corpus_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); name another folder") from None
    for key, mine, wanted in (*pairs, ("the corpus with the fingerprint", *corpora)):
        if mine != wanted:
            raise InputError(
                f"{folder}: cannot resume with another search: it has {key} {json.dumps(mine)}, asked for is "
                f"{json.dumps(wanted)}; give the same, or name another folder with --output"
            )


def budget(trials: Sequence[Trial]) -> str:
    """What a search has cost, in words."""
    states = [trial.state for trial in trials]
    parts = [f"{states.count(state)} {state}" for state in ("complete", "pruned", "failed") if state in states]
    minutes, seconds = divmod(round(sum(trial.seconds for trial in trials)), 60)
    epochs = sum(trial.epochs for trial in trials)
    return f"{len(trials)} trials ({', '.join(parts)}), {epochs:,} epochs, {minutes} min {seconds} s of training"


def trials_table(search: Search, trials: Sequence[Trial]) -> Grid:
    """The best trials with their settings."""
    ranked = sorted((t for t in trials if t.score is not None), key=lambda t: (-(t.score or 0), t.number))
    keys = [dimension.key for dimension in search.space]
    return Grid(
        f"the best trials of {len(trials)}, by the weighted F1 on dev (seeds {spoken_seeds(search.seeds)})",
        ("trial", "dev", *(key.rpartition(".")[2] for key in keys)),
        [
            (str(trial.number), percent(trial.score or 0), *(_setting(trial.settings[key]) for key in keys))
            for trial in ranked[:_SHOWN]
        ],
    )


def write_search(search: Search, command: str) -> None:
    """Write results.json and, where a trial is complete, best.yaml."""
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
            f"# The best of a search, trial {best.number}: weighted F1 on dev {percent(best.score or 0)} (seeds "
            f"{spoken_seeds(search.seeds)}).\n"
            "# The score chose the settings, so it is too good; test was not read. What they are worth:\n"
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
