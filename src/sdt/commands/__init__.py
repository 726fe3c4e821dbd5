"""The command line: one table from command names to modules; each module is one plain function and its options.

A command module has `configure(parser)`, which declares its options, and `run(options)`, which does the work and may
return an exit code. Modules import what is heavy (torch above all) inside `run`, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

import sdt

COMMANDS: dict[str, tuple[str, str]] = {
    "corpus import": ("sdt.commands.corpus_import", "make a corpus folder from feature files, annotations or tables"),
    "corpus check": ("sdt.commands.corpus_check", "verify a corpus folder: SHA-256, sizes, values"),
    "corpus show": ("sdt.commands.corpus_show", "what is in a corpus: splits, labels, speakers, modalities, lengths"),
    "train": ("sdt.commands.train", "train SDT by a recipe and keep the run"),
    "evaluate": ("sdt.commands.evaluate", "score a model on a split of a corpus"),
    "puppets": ("sdt.commands.puppets", "generate the built-in corpus' files"),
}
"""Command name to (module, one line of help)."""

GROUPS = {"corpus": "make, verify and look at a corpus"}


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
            last, help=text, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.configure(command)
        command.set_defaults(run=module.run)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Parse the arguments and run their command; returns the exit code (argparse itself exits with 2)."""
    options = build_parser().parse_args(arguments)
    return options.run(options) or 0
