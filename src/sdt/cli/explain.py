"""Why a model says what it says of one conversation.

What each modality weighed in the fusion; what each modality's branch says by itself; who attends to whom, in every pair
of modalities; and what becomes of the prediction without a modality, or without another utterance. The conversation is
one of a corpus, or a transcript with its recording. A short table is printed; --output writes everything as
explanation.json, and pictures of it.

  sdt explain runs/puppets --list
  sdt explain runs/puppets --conversation scene0002 --output build/scene0002
  sdt explain runs/puppets/model --corpus build/puppets --conversation scene0002
  sdt explain meld-text-audio-small --transcript chat.txt --output build/chat
  sdt explain runs/mine --transcript talk.srt --media talk.mp4 --output build/talk
  sdt explain runs/mine --code my_model.py:MyModel --conversation scene0002
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_code_option, add_encoding_option, use_code
from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.analysis.explanation.source import PackedConversation
    from sdt.models.config import ModelConfig


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", help="a run, a model folder, a model in the box, or a hub id")
    parser.add_argument("--conversation", metavar="ID", help="which one; not needed where there is one alone")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="where it is; default: the corpus the run used")
    parser.add_argument(
        "--transcript", type=Path, metavar="FILE", help="a transcript instead of a corpus, as of sdt predict"
    )
    parser.add_argument(
        "--media", type=Path, metavar="FILE_OR_FOLDER", help="the transcript's recording, or a folder of recordings"
    )
    add_encoding_option(parser)
    parser.add_argument("--list", action="store_true", help="list the conversations that there are, and end")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write explanation.json and the pictures there")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier explanation in --output")
    add_code_option(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")


def run(options: argparse.Namespace) -> int | None:
    """Read, explain, write, print."""
    _check(options)
    use_code(options)
    if options.list:
        _list(options)
        return None

    from sdt.analysis.explanation.explain import explain
    from sdt.analysis.explanation.occlusion import readings
    from sdt.analysis.explanation.pictures import check_output, write_explanation
    from sdt.cli.models import finished_model
    from sdt.cli.progress import bar
    from sdt.device import choose_device
    from sdt.models.base import Model

    if options.output:  # before the work rather than after it
        check_output(options.output, overwrite=options.overwrite)
    folder, device = finished_model(options.model), choose_device(options.device)
    model = Model.from_pretrained(folder)
    subject = _subject(model.config, folder, options)
    with bar("readings", readings(subject.batch)) as progress:
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
        raise InputError("--transcript and --corpus contradict each other; the conversation is in one of them")
    if options.media and not options.transcript:
        raise InputError("--media is the recording of a transcript; give it with --transcript FILE")
    if options.encoding and not options.transcript:
        raise InputError("--encoding is that of a transcript; give it with --transcript FILE")
    if not (options.transcript or options.conversation or options.list):
        raise InputError("which conversation? Say --conversation ID; --list shows those that there are")


def _subject(config: ModelConfig, folder: Path, options: argparse.Namespace) -> PackedConversation:
    from sdt.analysis.explanation.source import from_corpus, from_transcript
    from sdt.cli.models import corpus_for

    if options.transcript:
        return from_transcript(
            config, options.transcript, options.media, options.conversation, model=folder, encoding=options.encoding
        )
    corpus = corpus_for(options.model, options.corpus, ", or a transcript with --transcript FILE")
    return from_corpus(config, corpus, options.conversation)


def _list(options: argparse.Namespace) -> None:
    """Print which conversations there are."""
    from rich.console import Console

    from sdt.analysis.explanation.table import conversations_table
    from sdt.cli.models import corpus_for
    from sdt.prediction.inputs import read_input

    if options.transcript:
        table = conversations_table(read_input(options.transcript, encoding=options.encoding).conversations, {})
    else:
        corpus = corpus_for(options.model, options.corpus, ", or a transcript with --transcript FILE")
        table = conversations_table(list(corpus.conversations.values()), corpus.splits)
    Console(highlight=False, markup=False, emoji=False).print(table)
