"""Mean and standard deviation over runs that differ in nothing but their seed.

sdt summarise runs/meld-seed1 runs/meld-seed2 runs/meld-seed3
sdt summarise runs/meld-seed* --split dev --markdown
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.training.folder import RunFolder

SAME = ("protocol", "corpus", "corpus_sha256")
"""What has to be the same in all runs, besides the recipe."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of finished runs")
    parser.add_argument("--split", default="test", metavar="NAME", help="dev or test; default: test")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of tables for a terminal")


def run(options: argparse.Namespace) -> int | None:
    """Read the runs' scores, compare their settings, print."""
    from rich.console import Console

    from sdt.evaluation.scores import caveat
    from sdt.evaluation.seeds import Summary, markdown, rich_tables
    from sdt.training.folder import RunFolder

    folders = [RunFolder(path) for path in options.runs]
    found = [folder.read_scores() for folder in folders]
    for folder, (values, scores) in zip(folders, found, strict=True):
        if options.split not in scores:
            raise InputError(f"{folder.path}: no scores of the split {options.split!r}; there are: {', '.join(scores)}")
        for key in SAME:
            if values[key] != found[0][0][key]:
                raise InputError(
                    f"{folder.path}: its {key} is {values[key]}, that of {folders[0].path} is "
                    f"{found[0][0][key]}; only runs that differ in nothing but the seed have a mean"
                )
    _check_recipes(folders)
    seeds = [values["seed"] for values, _ in found]
    if len(set(seeds)) < len(seeds):
        raise InputError(f"the seeds are {seeds}: a run that is counted twice says nothing about the spread")
    summary = Summary.of([scores[options.split] for _, scores in found])
    first = found[0][0]
    title = (
        f"{first['corpus']}, split {options.split}: mean ± standard deviation over {len(folders)} runs "
        f"(seeds {', '.join(map(str, seeds))})"
    )
    if note := caveat(first):
        title += f"; {note}"
    if options.markdown:
        print(f"{title}\n\n{markdown(summary)}", end="")
        return None
    console = Console(highlight=False, markup=False)
    console.print(title, style="bold")
    for table in rich_tables(summary):
        console.print(table)
    return None


def _check_recipes(folders: list[RunFolder]) -> None:
    """All runs have the same settings but for the seed and the places of files."""
    from sdt.training.recipe import flat, load_recipe

    recipes = [flat(load_recipe(folder.path / "recipe.yaml")) for folder in folders]
    for folder, recipe in zip(folders, recipes, strict=True):
        for key, value in recipe.items():
            if key not in ("seed", "corpus", "output") and value != recipes[0][key]:
                raise InputError(
                    f"{folder.path}: its {key} is {value!r}, that of {folders[0].path} is "
                    f"{recipes[0][key]!r}; only runs that differ in nothing but the seed have a mean"
                )
