"""The command line: one table from command names to modules; each module is one plain function and its options.

A command module has `configure(parser)`, which declares its options, and `run(options)`, which does the work and may
return an exit code. What several processes can do together sets the default `by_several`. Modules import what is heavy
(torch above all) inside `run`, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Sequence
from typing import NoReturn

import sdt
from sdt.errors import InputError, near_miss
from sdt.training.options import joined, take_settings_of_models
from sdt.training.processes import launched, output_once

COMMANDS: dict[str, tuple[str, str]] = {
    "corpus import": ("sdt.cli.corpus_import", "make a corpus folder from feature files, annotations or tables"),
    "corpus check": ("sdt.cli.corpus_check", "verify a corpus folder: SHA-256, sizes, values"),
    "corpus show": ("sdt.cli.corpus_show", "what is in a corpus: splits, labels, speakers, modalities, lengths"),
    "features extract": ("sdt.cli.features_extract", "run feature encoders over clips, transcripts or a corpus"),
    "features finetune-text": (
        "sdt.cli.features_finetune_text",
        "fine-tune the text encoder on single utterances of a corpus",
    ),
    "models": ("sdt.cli.list_models", "the models that can be trained, SDT and the baselines, and their settings"),
    "train": ("sdt.cli.train", "train SDT or another model by a recipe and keep the run"),
    "experiment": ("sdt.cli.experiment", "many runs by a recipe: seeds, grids, the paper's tables, in one folder"),
    "reproduce": ("sdt.cli.reproduce", "the published experiment again, from the published feature file"),
    "search": ("sdt.cli.search", "search for settings with Optuna; dev decides, test is never read"),
    "evaluate": ("sdt.cli.evaluate", "score a model on a split of a corpus"),
    "summarise": ("sdt.cli.summarise", "mean and spread of the scores of runs that differ in their seed"),
    "compare": ("sdt.cli.compare", "is one system better than another: intervals, p, tables, sentences"),
    "analyse": ("sdt.cli.analyse", "where a model is right and wrong: emotion shift, position, classes, context"),
    "report": ("sdt.cli.report", "a report of an experiment or runs: a page, Markdown, and LaTeX tables"),
    "robustness": ("sdt.cli.robustness", "scores with modalities missing, noise, unknown speakers, wrong words"),
    "representations": ("sdt.cli.representations", "how emotions lie in the spaces before and after fusion"),
    "predict": ("sdt.cli.predict", "the emotion of every utterance of a transcript and its recording"),
    "watch": ("sdt.cli.watch", "the emotion of every utterance as it is typed or comes through a pipe"),
    "explain": ("sdt.cli.explain", "why a model says what it says of one conversation"),
    "serve": ("sdt.cli.serve", "answer requests for predictions over HTTP"),
    "export onnx": ("sdt.cli.export", "write a model as an ONNX file, checked against PyTorch"),
    "puppets": ("sdt.cli.puppets", "generate the built-in corpus' files"),
}
"""Command name to (module, one line of help)."""

GROUPS = {
    "corpus": "make, verify and look at a corpus",
    "export": "write a model in another form",
    "features": "make features from words, sound and picture",
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = argparse.ArgumentParser(prog="sdt", description="Multimodal emotion recognition in conversations.")
    parser.add_argument("--version", action="version", version=f"sdt {sdt.__version__}")
    top = parser.add_subparsers(metavar="COMMAND", required=True)
    groups = {
        name: top.add_parser(name, help=text, description=text).add_subparsers(metavar="COMMAND", required=True)
        for name, text in GROUPS.items()
    }
    for name, (module_name, text) in COMMANDS.items():
        group, _, last = name.rpartition(" ")
        module = importlib.import_module(module_name)
        command = (groups[group] if group else top).add_parser(
            last,
            help=text,
            description=module.__doc__,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.configure(command)
        command.set_defaults(run=module.run, parser=command)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Parse the arguments and run their command; returns the exit code (argparse itself exits with 2).

    Raises:
        InputError: An option is unknown (named with its near miss), or what the command raises.
    """
    with output_once():
        options, unknown = build_parser().parse_known_args(joined(arguments))
        unknown = take_settings_of_models(options, unknown)
        if unknown:
            _refuse(unknown, options.parser)
        if launched() > 1 and not getattr(options, "by_several", False):
            raise InputError(f"'{options.parser.prog}' is done by one process; start it without torchrun")
    options.command_line = shlex.join(["sdt", *arguments])
    return options.run(options) or 0


def _refuse(unknown: list[str], parser: argparse.ArgumentParser) -> NoReturn:
    """Name the first argument that `parser` does not know; argparse alone would not say what is like it."""
    option = next((argument for argument in unknown if argument.startswith("-")), unknown[0]).partition("=")[0]
    known = [name for action in parser._actions for name in action.option_strings]
    hint = near_miss(option, known) if option.startswith("-") else ""
    hint = hint if "did you mean" in hint else f"; see {parser.prog} --help"
    raise InputError(f"{option!r} is no argument of '{parser.prog}'{hint}")
