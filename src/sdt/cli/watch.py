"""Predict the emotion of every utterance as it is typed, or as it arrives through a pipe.

Each line is an utterance: "Speaker: text", or a JSON object with the keys of transcripts (text, speaker, conversation,
utterance, start, end, media). A line without a speaker has the speaker of the previous one; among plain lines, three
dashes start a new conversation. A terminal shows a line for each utterance; otherwise each prediction is written at
once as a JSON object in the format of sdt predict --format jsonl. Ctrl-D or Ctrl-C ends it. See docs/streaming.md.

  sdt watch
  tail -f chat.txt | sdt watch
  tail -f chat.txt | sdt watch --model runs/mine > emotions.jsonl
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sdt.cli.exit_codes import exit_code
from sdt.cli.options import (
    add_code_option,
    add_device_option,
    add_encoding_option,
    add_engine_option,
    add_model_option,
    import_code,
    positive_int,
)
from sdt.errors import InputError, printable

if TYPE_CHECKING:
    from sdt.conversation import Prediction, Utterance
    from sdt.formats.transcript import Turn
    from sdt.prediction.streaming import StreamingPredictor

SOURCE = "standard input"
LONGEST = 1 << 20
"""Bytes of a line; longer ones are refused."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model_option(parser)
    parser.add_argument(
        "--format", choices=("lines", "json"), help="the format of lines; default: detected by the first line"
    )
    parser.add_argument(
        "--history",
        type=positive_int,
        metavar="N",
        help="utterances that a model that is not causal reads for each prediction, the new one included; default: 64",
    )
    add_encoding_option(parser, "piped lines")
    add_code_option(parser)
    add_device_option(parser)
    add_engine_option(parser)


def run(options: argparse.Namespace) -> int | None:
    """Read lines and predict their emotions until the input ends."""
    from sdt.formats.live import LiveTranscript

    import_code(options)
    if isinstance(sys.stdout, io.TextIOWrapper):  # not if output is captured
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="replace")  # terminals without a character show a question mark
        else:
            sys.stdout.reconfigure(encoding="utf-8")
    typed = sys.stdin.isatty()
    watch = Watch(options)
    transcript = LiveTranscript(SOURCE, options.format, options.encoding)
    try:
        if typed:
            watch.get_ready()
        for raw in _typed() if typed else _piped():
            try:
                turn, plain = transcript.turn(raw), transcript.form == "lines"
                if turn is not None and plain and not turn.text:
                    print(f"note: {transcript.location}: no text, skipped", file=sys.stderr, flush=True)
                elif turn is not None:
                    watch.add(turn, transcript.location, divided=plain)
            except InputError as error:
                if not typed:
                    raise
                print(f"sdt: {error}", file=sys.stderr)
        watch.load()  # a model that does not exist is an error even if no line came
    except KeyboardInterrupt as stopped:
        return exit_code(stopped)
    return None


class Watch:
    """Predicts utterances and prints them; loads the model on first use."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._stream: StreamingPredictor | None = None
        self._notes_shown = 0
        """How many notes have been printed."""
        self._last: str | None = None
        """The conversation of the last utterance."""

    @property
    def stream(self) -> StreamingPredictor:
        """The model and its encoders."""
        if self._stream is None:
            from sdt.models.hub import DEFAULT
            from sdt.prediction import StreamingPredictor
            from sdt.prediction.streaming import HISTORY

            options = self._options
            self._stream = StreamingPredictor.from_pretrained(
                options.model or DEFAULT,
                device=options.device,
                engine=options.engine,
                history=options.history or HISTORY,
            )
        return self._stream

    def load(self) -> None:
        """Load the model if it has not been used."""
        assert self.stream

    def get_ready(self) -> None:
        """Load everything, so that the first prediction is as fast as the others."""
        from rich.console import Console

        from sdt.conversation import Utterance

        with Console(stderr=True).status("loading the model"):
            self.stream.add(Utterance("", "", "Hello, how are you?"))
            self.stream.reset()
        self._note([])
        print("type utterances as Speaker: text; --- starts a new conversation; Ctrl-D ends", file=sys.stderr)

    def add(self, turn: Turn, place: str, *, divided: bool) -> None:
        """Predict an utterance and print it.

        Args:
            turn: The utterance.
            place: Its line, for messages.
            divided: Whether a conversation ends when another one starts.
        """
        from sdt.conversation import Utterance

        conversation, stream = turn.conversation or "", self.stream
        if divided and self._last not in (None, conversation):
            stream.forget(self._last or "")
        self._last = conversation
        utterance = Utterance(
            turn.id or "", turn.speaker or "", turn.text, turn.label, turn.start, turn.end, turn.review
        )
        try:
            utterance = stream.with_defaults(utterance, conversation)
            prediction = stream.add(utterance, conversation, clip=turn.clip)
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
        _show(utterance, prediction)
        self._note(stream.problems)

    def _note(self, problems: list[str]) -> None:
        notes = self.stream.notes
        for note in (*notes[self._notes_shown :], *problems):
            print(f"note: {printable(note)}", file=sys.stderr, flush=True)
        self._notes_shown = len(notes)


def _show(utterance: Utterance, prediction: Prediction) -> None:
    if sys.stdout.isatty():
        from rich.console import Console

        from sdt.prediction.display import utterance_line

        Console(highlight=False, markup=False).print(utterance_line(utterance, prediction))
        return
    from sdt.formats.records import utterance_record

    print(json.dumps(utterance_record(prediction, utterance), ensure_ascii=False), flush=True)


def _typed() -> Iterator[bytes]:
    """Typed lines, with line editing if this Python supports it."""
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - input() uses it
    while True:
        try:
            yield input("> " if sys.stdout.isatty() else "").encode("utf-8", "surrogateescape")
        except EOFError:
            print(file=sys.stderr)
            return


def _piped() -> Iterator[bytes]:
    """Lines from a pipe or a file, each as soon as it arrives."""
    while raw := sys.stdin.buffer.readline(LONGEST):
        yield raw
