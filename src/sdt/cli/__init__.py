"""The command line: a table from command names to modules, one module a command.

A command module has `configure(parser)`, which declares its options, and `run(options)`, which does the work and may
return an exit code; its docstring is the command's description. Only the module of the command that runs is imported.
Modules import heavy packages (PyTorch above all) inside `run`, so that `--help` answers at once.

A command that several processes can run together under torchrun sets the parser default `by_several`.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Sequence
from typing import NoReturn

import sdt
from sdt.errors import InputError, near_miss
from sdt.training.processes import output_once, process_count

COMMANDS: dict[str, tuple[str, str]] = {
    "corpus import": ("sdt.cli.corpus_import", "create a corpus folder from feature files, annotations or tables"),
    "corpus join": ("sdt.cli.corpus_join", "join corpora: train on the conversations of several"),
    "corpus check": ("sdt.cli.corpus_check", "verify a corpus folder: SHA-256, sizes, values"),
    "corpus show": ("sdt.cli.corpus_show", "show a corpus: splits, labels, speakers, modalities, lengths"),
    "features extract": ("sdt.cli.features_extract", "run feature encoders over clips, transcripts or a corpus"),
    "features finetune-text": (
        "sdt.cli.features_finetune_text",
        "fine-tune the text encoder on single utterances of a corpus",
    ),
    "models": ("sdt.cli.models", "list the models that can be trained, and their settings"),
    "train": ("sdt.cli.train", "train SDT or another model by a recipe"),
    "experiment": ("sdt.cli.experiment", "train many models by a recipe: seeds, grids, the paper's tables"),
    "reproduce": ("sdt.cli.reproduce", "reproduce the published experiment from the published feature file"),
    "search": ("sdt.cli.search", "search settings with Optuna on dev; test is not read"),
    "evaluate": ("sdt.cli.evaluate", "score a model on a split of a corpus"),
    "summarise": ("sdt.cli.summarise", "mean and spread of the scores of runs with different seeds"),
    "compare": ("sdt.cli.compare", "compare systems: confidence intervals, p-values, tables"),
    "analyse": ("sdt.cli.analyse", "analyse errors: emotion shift, position, classes, context"),
    "agreement": ("sdt.cli.agreement", "compare the labels of several annotators: agreement, kappa, alpha"),
    "report": ("sdt.cli.report", "write a report of an experiment or runs: HTML, Markdown, LaTeX tables"),
    "robustness": (
        "sdt.cli.robustness",
        "score with missing modalities, noise, unknown speakers, word errors",
    ),
    "representations": ("sdt.cli.representations", "plot and measure the embeddings before and after fusion"),
    "predict": ("sdt.cli.predict", "predict the emotion of every utterance of a conversation"),
    "transcribe": ("sdt.cli.transcribe", "transcribe recordings: who says what when"),
    "convert": ("sdt.cli.convert", "convert conversations from one file format to another"),
    "formats": ("sdt.cli.formats", "list the file formats and what they hold"),
    "watch": ("sdt.cli.watch", "predict the emotion of every utterance as it is typed or piped in"),
    "explain": ("sdt.cli.explain", "explain a model's predictions for one conversation"),
    "serve": ("sdt.cli.serve", "answer requests for predictions over HTTP"),
    "export onnx": ("sdt.cli.export", "write a model as an ONNX file, checked against PyTorch"),
    "puppets": ("sdt.cli.puppets", "generate the files of the built-in corpus"),
}
"""Command name to (module, one line of help)."""

WITH_SETTINGS = ("train", "experiment", "reproduce", "search")
"""The commands whose options include the settings of recipes and models."""

GROUPS = {
    "corpus": "create, verify and show a corpus",
    "export": "write a model in another format",
    "features": "extract features from text, audio and video",
}


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of the command line.

    Args:
        command: The only command whose module is imported and whose options are declared; None for all commands.
    """
    parser = argparse.ArgumentParser(prog="sdt", description="Multimodal emotion recognition in conversations.")
    parser.add_argument("--version", action="version", version=f"sdt {sdt.__version__}")
    top = parser.add_subparsers(metavar="COMMAND", required=True)
    groups = {
        name: top.add_parser(name, help=text, description=text).add_subparsers(metavar="COMMAND", required=True)
        for name, text in GROUPS.items()
    }
    for name, (module_name, text) in COMMANDS.items():
        group, _, last = name.rpartition(" ")
        subparser = (groups[group] if group else top).add_parser(
            last, help=text, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if command in (None, name):
            module = importlib.import_module(module_name)
            subparser.description = module.__doc__
            module.configure(subparser)
            subparser.set_defaults(run=module.run, parser=subparser)
    return parser


def find_command(arguments: Sequence[str]) -> str:
    """The command that the arguments name; empty if they name none.

    Example:
        >>> find_command(["corpus", "show", "build/puppets"])
        'corpus show'
    """
    words = [argument for argument in arguments if not argument.startswith("-")]
    return next((name for name in (" ".join(words[:1]), " ".join(words[:2])) if name in COMMANDS), "")


def run(arguments: Sequence[str]) -> int:
    """Parse the arguments and run their command.

    Returns:
        The exit code; argparse itself exits with 2.

    Raises:
        InputError: An option is unknown (the message names a near miss), or the command raises it.
    """
    with output_once():
        options, unknown = _parsed(arguments)
        if unknown:
            _refuse(unknown, options.parser)
        if process_count() > 1 and not getattr(options, "by_several", False):
            raise InputError(f"'{options.parser.prog}' runs as one process; start it without torchrun")
    options.command_line = shlex.join(["sdt", *arguments])
    return options.run(options) or 0


def _parsed(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options, and the arguments that the command does not know."""
    command = find_command(arguments)
    parser = build_parser(command)
    if command not in WITH_SETTINGS:
        return parser.parse_known_args(arguments)
    from sdt.training.options import joined, take_settings_of_models

    options, unknown = parser.parse_known_args(joined(arguments))
    return options, take_settings_of_models(options, unknown)


def _refuse(unknown: list[str], parser: argparse.ArgumentParser) -> NoReturn:
    """Name the first argument that `parser` does not know, and the option that resembles it most."""
    option = next((argument for argument in unknown if argument.startswith("-")), None)
    if option is None:
        raise InputError(f"unexpected argument {unknown[0]!r} of '{parser.prog}'; see {parser.prog} --help")
    option = option.partition("=")[0]
    hint = near_miss(option, [name for action in parser._actions for name in action.option_strings])
    hint = hint if "did you mean" in hint else f"; see {parser.prog} --help"
    raise InputError(f"unknown option {option!r} of '{parser.prog}'{hint}")
