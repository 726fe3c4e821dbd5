"""The emotion of every utterance as it is typed, or as it comes through a pipe.

A line is an utterance: "Speaker: words", or a JSON object with the keys of transcripts (text, speaker, conversation,
utterance, start, end, media). A line without a speaker is of who spoke before; in plain lines, a line of three dashes
begins another conversation. To a terminal a line is shown for each, anywhere else a JSON object is written at once, of
the form that sdt predict --format jsonl has. Ctrl-D or Ctrl-C ends it. See docs/streaming.md.

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

from sdt.cli.options import add_code_option, add_encoding_option, count, use_code
from sdt.cli.stopping import exit_code
from sdt.errors import InputError, printable

if TYPE_CHECKING:
    from sdt.conversation import Prediction, Utterance
    from sdt.formats.transcript import Turn
    from sdt.prediction.streaming import StreamingPredictor

SOURCE = "standard input"
LONGEST = 1 << 20
"""Bytes of a line that are read at once; a longer one is refused anyway."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a model folder, a run, a hub id, or a model in the box; default: meld-text-audio-small",
    )
    parser.add_argument(
        "--format", choices=("lines", "json"), help="what a line is; default: told by the first one, which may be {...}"
    )
    parser.add_argument(
        "--history",
        type=count,
        metavar="N",
        help="utterances that a model reads which is not causal, the newest included; default: 64",
    )
    add_encoding_option(parser, "lines from a pipe")
    add_code_option(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")


def run(options: argparse.Namespace) -> int | None:
    """Read lines and say their emotions until there are no more."""
    from sdt.formats.live import LiveTranscript

    use_code(options)
    if isinstance(sys.stdout, io.TextIOWrapper):  # not so where it is captured
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character shows a question mark
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
                    print(f"note: {transcript.place}: no words, left out", file=sys.stderr, flush=True)
                elif turn is not None:
                    watch.say(turn, transcript.place, divided=plain)
            except InputError as error:
                if not typed:
                    raise
                print(f"sdt: {error}", file=sys.stderr)
    except KeyboardInterrupt as stopped:
        return exit_code(stopped)
    return None


class Watch:
    """Predicts and shows; loads the model when it is needed."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._stream: StreamingPredictor | None = None
        self._told = 0
        """Notes that have been shown."""
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
                options.model or DEFAULT, device=options.device, history=options.history or HISTORY
            )
        return self._stream

    def get_ready(self) -> None:
        """Load everything, so that the first answer comes as fast as the others."""
        from rich.console import Console

        from sdt.conversation import Utterance

        with Console(stderr=True).status("loading the model"):
            self.stream.add(Utterance("", "", "Hello."))
            self.stream.reset()
        self._note([])
        print("type utterances as Speaker: words; --- begins another conversation; Ctrl-D ends", file=sys.stderr)

    def say(self, turn: Turn, place: str, *, divided: bool) -> None:
        """Predict an utterance and show it.

        Args:
            turn: The utterance.
            place: Its line, for messages.
            divided: Whether a conversation is over when another begins.
        """
        from sdt.conversation import Utterance

        conversation, stream = turn.conversation or "", self.stream
        if divided and self._last not in (None, conversation):
            stream.forget(self._last or "")
        self._last = conversation
        said = Utterance(turn.id or "", turn.speaker or "", turn.text, turn.label, turn.start, turn.end, turn.review)
        try:
            said = stream.filled_in(said, conversation)
            prediction = stream.add(said, conversation, clip=turn.clip)
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
        _show(said, prediction)
        self._note(stream.problems)

    def _note(self, problems: list[str]) -> None:
        notes = self.stream.notes
        for note in (*notes[self._told :], *problems):
            print(f"note: {printable(note)}", file=sys.stderr, flush=True)
        self._told = len(notes)


def _show(said: Utterance, prediction: Prediction) -> None:
    if sys.stdout.isatty():
        from rich.console import Console

        from sdt.prediction.live_display import said_line

        Console(highlight=False, markup=False).print(said_line(said, prediction))
        return
    from sdt.formats.records import utterance_record

    print(json.dumps(utterance_record(prediction, said), ensure_ascii=False), flush=True)


def _typed() -> Iterator[bytes]:
    """Lines that somebody types, with the keys that edit them where this Python has them."""
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
    """Lines from a pipe or a file, each as soon as it is there."""
    while raw := sys.stdin.buffer.readline(LONGEST):
        yield raw
