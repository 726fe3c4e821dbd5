"""Explain a model's predictions for one conversation.

Shows the fusion weights of the modalities, the prediction of each modality's classifier, the attention between
utterances for every pair of modalities, and the change of each prediction without a modality or without another
utterance. The conversation is one of a corpus, or a transcript with its recording. A short table is printed; --output
writes everything as explanation.json with figures.

  sdt explain runs/puppets --list
  sdt explain runs/puppets --conversation scene0002 --output build/scene0002
  sdt explain runs/puppets/model --corpus build/puppets --conversation scene0002
  sdt explain english-text-audio-small --transcript chat.txt --output build/chat
  sdt explain runs/mine --transcript talk.srt --media talk.mp4 --output build/talk
  sdt explain runs/mine --code my_model.py:MyModel --conversation scene0002
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_code_option, add_device_option, add_encoding_option, import_code
from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.analysis.explanation.source import PackedConversation
    from sdt.models.config import ModelConfig


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", help="a run, a model folder, a bundled model, or a hub id")
    parser.add_argument(
        "--conversation", metavar="ID", help="the conversation's id; not needed if the input has only one conversation"
    )
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="the corpus; default: the corpus of the run")
    parser.add_argument(
        "--transcript", type=Path, metavar="FILE", help="a transcript instead of a corpus, as in sdt predict"
    )
    parser.add_argument(
        "--media", type=Path, metavar="FILE_OR_FOLDER", help="the transcript's recording, or a folder of recordings"
    )
    add_encoding_option(parser)
    parser.add_argument("--list", action="store_true", help="list the conversations and exit")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write explanation.json and the figures there")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier explanation in --output")
    add_code_option(parser)
    add_device_option(parser)


def run(options: argparse.Namespace) -> int | None:
    """Read, explain, write and print."""
    _check(options)
    import_code(options)
    if options.list:
        _list(options)
        return None

    from sdt.analysis.explanation.explain import explain
    from sdt.analysis.explanation.occlusion import count_forward_passes
    from sdt.analysis.explanation.pictures import check_output, write_explanation
    from sdt.cli.paths import model_path
    from sdt.cli.progress import bar
    from sdt.device import choose_device
    from sdt.models.base import Model

    if options.output:  # report errors before the work
        check_output(options.output, overwrite=options.overwrite)
    folder, device = model_path(options.model), choose_device(options.device)
    model = Model.from_pretrained(folder)
    subject = _subject(model.config, folder, options)
    with bar("forward passes", count_forward_passes(subject.batch)) as progress:
        explanation = explain(
            model, subject.batch, subject.conversation, device=device, notes=subject.notes, progress=progress
        )
    files = write_explanation(explanation, options.output, overwrite=options.overwrite) if options.output else []

    from rich.console import Console

    from sdt.analysis.explanation.table import explanation_table, sentences

    console = Console(highlight=False, markup=False)
    console.print(explanation_table(explanation))
    for line in sentences(explanation):
        console.print(line, soft_wrap=True)
    if files:
        console.print(f"written to {options.output}: {', '.join(files)}", soft_wrap=True)
    return None


def _check(options: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if options.transcript and options.corpus:
        raise InputError("--transcript and --corpus contradict each other; give one of them")
    if options.media and not options.transcript:
        raise InputError("--media: requires a transcript; give it with --transcript FILE")
    if options.encoding and not options.transcript:
        raise InputError("--encoding: requires a transcript; give it with --transcript FILE")
    if not (options.transcript or options.conversation or options.list):
        raise InputError("name a conversation with --conversation ID; --list shows all of them")


def _subject(config: ModelConfig, folder: Path, options: argparse.Namespace) -> PackedConversation:
    from sdt.analysis.explanation.source import from_corpus, from_transcript
    from sdt.cli.paths import open_corpus

    if options.transcript:
        return from_transcript(
            config, options.transcript, options.media, options.conversation, model=folder, encoding=options.encoding
        )
    corpus = open_corpus(options.model, options.corpus, ", or a transcript with --transcript FILE")
    return from_corpus(config, corpus, options.conversation)


def _list(options: argparse.Namespace) -> None:
    """List the conversations."""
    from rich.console import Console

    from sdt.analysis.explanation.table import conversations_table
    from sdt.cli.paths import open_corpus
    from sdt.prediction.inputs import read_input

    if options.transcript:
        table = conversations_table(read_input(options.transcript, encoding=options.encoding).conversations, {})
    else:
        corpus = open_corpus(options.model, options.corpus, ", or a transcript with --transcript FILE")
        table = conversations_table(list(corpus.conversations.values()), corpus.splits)
    Console(highlight=False, markup=False, emoji=False).print(table)
