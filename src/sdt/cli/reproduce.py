"""Reproduce the published experiment from the published feature file, under both protocols.

  sdt reproduce iemocap FOLDER --seeds 0-9     FOLDER contains iemocap_multimodal_features.pkl
  sdt reproduce meld FOLDER --seeds 0-9        FOLDER contains meld_multimodal_features.pkl
  sdt reproduce meld FOLDER --check            check the feature file only

Conversations, utterances, labels and widths are checked before training. Every seed is trained twice: with the epoch
selected on dev, and by the published protocol, which trains on train and dev and selects the epoch on test. The same
command resumes a stopped one. docs/reproduce.md lists the expected scores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sdt.cli.experiment import add_run_options, carry_out, threads_of_a_run
from sdt.errors import InputError
from sdt.training.options import add_options, overrides

CORPORA = ("iemocap", "meld")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("published", choices=CORPORA, metavar="CORPUS", help=f"{' or '.join(CORPORA)}")
    parser.add_argument("features", type=Path, metavar="FOLDER", help="the feature file, or its folder")
    parser.add_argument("--seeds", default="0-9", metavar="SEEDS", help="such as 0-9 or 1,2,5; default: 0-9")
    parser.add_argument("--check", action="store_true", help="check the feature file without training")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: runs/reproduce-CORPUS")
    add_run_options(parser)
    add_options(parser, without=("seed", "output", "corpus", "modalities", "training.protocol"))


def run(options: argparse.Namespace) -> int | None:
    """Check, import, train, and print the scores next to the published ones."""
    from rich.console import Console

    from sdt.experiments.plan import Plan, parse_seeds
    from sdt.experiments.published import PUBLISHED
    from sdt.experiments.reproduction import ROWS, comparison, published_corpus
    from sdt.experiments.results import Results
    from sdt.files import check_writable, write_text
    from sdt.training.recipe import load_recipe
    from sdt.training.recipe_file import shipped_recipe

    published = PUBLISHED[options.published]
    output: Path = options.output or Path(f"runs/reproduce-{options.published}")
    seeds = parse_seeds(options.seeds)
    folder, file = output / "runs", shipped_recipe(published.recipe)
    given = ["--corpus", str(output / "corpus"), *overrides(options)]
    recipe = load_recipe(file, given)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder with --output")
    check_writable(output)
    corpus = published_corpus(published, options.features, output / "corpus")
    counts = ", ".join(f"{split} {of[0]} with {of[1]}" for split, of in published.splits.items())
    print(f"{options.features}: the published features, as expected: conversations with utterances: {counts}")
    if options.check:
        return None
    plan = Plan(
        question=ROWS.question,
        recipe=recipe,
        rows=ROWS.rows,
        seeds=tuple(seeds),
        threads=threads_of_a_run(options, folder),
        reference=ROWS.reference,
        recipe_file=str(file),
        options=tuple(given),
    )
    code = carry_out(plan, corpus, folder, options)
    table = comparison(published, Results(folder)) if (folder / "experiment.json").is_file() else None
    if table:
        Console().print(table.rich())
        from sdt.escaping import markdown_command

        page = [f"# {ROWS.question}", markdown_command(options.command_line), table.markdown()]
        write_text(output / "reproduction.md", "\n\n".join(page))
        print(f"written to {output}: reproduction.md; the runs are in {folder}")
    return code
