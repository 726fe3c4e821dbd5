"""Analyse the errors of models: emotion shift, position, utterance length, speakers, missing modalities, classes.

Scores are computed for subgroups of utterances, such as those where the speaker's emotion changes, from the predictions
of finished runs, with confidence intervals by the bootstrap over conversations. Rare classes and confused classes are
listed. With --context the models are run again with a limited number of previous utterances as context.

  sdt analyse runs/full
  sdt analyse runs/full no-speakers=runs/ablation --output build/analysis
  sdt analyse 'runs/meld-*' --context 0,1,2,5,10,all
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_bootstrap_options, add_code_option, add_device_option, import_code, resampling_of
from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.analysis.subgroups.report import Analysis
    from sdt.corpus.store import Corpus
    from sdt.training.systems import NamedSystem

FILES = ("analysis.json", "analysis.md", "analysis.tex", "parts.png", "context.png")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "systems", nargs="+", metavar="[NAME=]SYSTEM", help="runs, groups of runs or files of predictions"
    )
    parser.add_argument(
        "--split", default="test", metavar="NAME", help="the split of the runs: dev or test; default: test"
    )
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="the corpus; default: the corpus of the runs")
    parser.add_argument(
        "--context",
        type=_lengths,
        metavar="K,...",
        help="also limit the context to K previous utterances: 0,1,2,5,10,all",
    )
    add_bootstrap_options(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write the tables as JSON, Markdown and LaTeX, and the figures"
    )
    add_code_option(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier analysis in --output")
    add_device_option(parser, "for --context; ")


def run(options: argparse.Namespace) -> int | None:
    """Read the predictions, analyse, print, write."""
    from sdt.analysis.subgroups.report import analyse
    from sdt.corpus.store import Corpus
    from sdt.files import check_folder
    from sdt.training.systems import resolve_systems

    import_code(options)
    if options.output:
        check_folder(options.output, FILES.__contains__, "an analysis", overwrite=options.overwrite)
    given = Corpus.open(options.corpus) if options.corpus else None
    found = resolve_systems(options.systems, options.split, given)
    corpora = [_corpus(of, given) for of in found]
    analyses = analyse([of.system for of in found], corpora, resampling_of(options))
    if options.context:
        analyses = _with_context(analyses, found, corpora, options)
    if options.output:  # before printing, since the reader of a pipe may stop
        _write(analyses, options)
    _print(analyses)
    if options.output:
        files = ", ".join(path.name for path in sorted(options.output.iterdir()))
        print(f"written to {options.output}: {files}")
    return None


def _corpus(found: NamedSystem, given: Corpus | None) -> Corpus:
    if found.group is not None:
        return found.group.check_corpus(given) if given else found.group.corpus()
    if given is None:
        raise InputError(f"{found.system.name}: a file of predictions names no corpus; name it with --corpus FOLDER")
    return given


def _with_context(
    analyses: Sequence[Analysis], found: Sequence[NamedSystem], corpora: Sequence[Corpus], options: argparse.Namespace
) -> list[Analysis]:
    """Run the models with each length of context."""
    from sdt.analysis.subgroups.context import limit_context, name
    from sdt.analysis.subgroups.report import with_context
    from sdt.cli.progress import bar
    from sdt.device import choose_device

    for of in found:
        if of.group is None:
            raise InputError(
                f"{of.system.name}: --context runs the models again, and a file of predictions has no model"
            )
    runs = sum(of.group.size for of in found if of.group)
    device, names = choose_device(options.device), [name(before) for before in options.context]
    made = []
    with bar("utterances", len(found[0].system.utterance_keys) * runs * len(names)) as progress:
        for analysis, of, corpus in zip(analyses, found, corpora, strict=True):
            assert of.group is not None
            systems = limit_context(
                analysis.system, of.group, corpus, options.context, device=device, progress=progress
            )
            made.append(with_context(analysis, dict(zip(names, systems, strict=True)), resampling_of(options)))
    return made


def _print(analyses: Sequence[Analysis]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for analysis in analyses:
        for grid in analysis.grids():
            console.print(grid.rich())
        for line in analysis.sentences():
            console.print(line, soft_wrap=True)


def _write(analyses: Sequence[Analysis], options: argparse.Namespace) -> None:
    from sdt.analysis.subgroups.figure import write_context, write_parts
    from sdt.escaping import latex_comment, markdown_command, markdown_paragraph
    from sdt.files import atomic_folder, write_text

    first = analyses[0].system
    title = f"split {options.split}, {len(first.utterance_keys):,} utterances of {first.conversations:,} conversations"
    settings = {name: getattr(options, name) for name in ("split", "draws", "seed", "level")}
    values = {"command": options.command_line, **settings, "systems": [analysis.to_dict() for analysis in analyses]}
    grids = [grid for analysis in analyses for grid in analysis.grids()]
    page = [markdown_command(options.command_line), f"\n{title[0].upper()}{title[1:]}.\n"]
    page += [grid.markdown() for grid in grids]
    page += [markdown_paragraph(line) + "\n" for analysis in analyses for line in analysis.sentences()]
    paper = [latex_comment(options.command_line) + "\n", *(grid.latex() for grid in grids)]
    with atomic_folder(options.output, overwrite=options.overwrite) as folder:
        write_text(folder / "analysis.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
        write_text(folder / "analysis.md", "\n".join(page))
        write_text(folder / "analysis.tex", "\n".join(paper))
        write_parts(folder / "parts.png", analyses, f"{title}: weighted F1 by part, with its interval")
        if analyses[0].context:
            write_context(folder / "context.png", analyses, title)


def _lengths(text: str) -> list[int | None]:
    found: list[int | None] = []
    for part in text.split(","):
        if part != "all" and not part.isdecimal():
            raise argparse.ArgumentTypeError(f"{part!r} is neither a number of utterances nor 'all'")
        found.append(None if part == "all" else int(part))
    return list(dict.fromkeys(found))
