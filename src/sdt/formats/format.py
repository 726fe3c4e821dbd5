"""The entry of the table of formats: how a file is recognised, what it can hold, how it is read and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Flag, auto
from pathlib import Path
from typing import Literal

from sdt.formats.parsing.decoding import Decoded
from sdt.formats.transcript import Transcript, Turn


class Holds(Flag):
    """What the files of a format can hold. The name of a member, in lower case, is the name of a loss."""

    NOTHING = 0
    SPEAKERS = auto()
    SPACES = auto()
    """White space in the names of speakers and conversations; others write `_`."""
    TEXT = auto()
    TIMES = auto()
    """Start and end of utterances."""
    STARTS = auto()
    """The start of utterances; a format without `TIMES` has no ends."""
    UNTIMED = auto()
    """Utterances without times, next to others. A format with `TIMES` but without this one refuses them."""
    OPEN_ENDS = auto()
    """Utterances with a start and no end; others get `DEFAULT_SECONDS`."""
    INSTANTS = auto()
    """Utterances that end when they start; others get the shortest duration."""
    OVERLAPS = auto()
    """Utterances of the same speaker that overlap in time."""
    ORDER = auto()
    """The order of the utterances, if it is not that of their starts."""
    TIES = auto()
    """The order of utterances of several speakers that start at the same time."""
    IDS = auto()
    """The ids of utterances; others number them from 0."""
    SEVERAL = auto()
    """Several conversations in one file, with their ids. Others have one, which gets the name of the file, and several
    are written to a folder."""
    LABELS = auto()
    REVIEWS = auto()
    ANNOTATORS = auto()
    """The labels of several annotators (`Utterance.annotations`)."""
    CONFIDENCES = auto()
    """The confidences of annotators."""
    WORDS = auto()
    """Words with their times."""
    WORD_CONFIDENCES = auto()
    """How sure the recogniser is of a word, and whether another speaker overlaps it."""
    PREDICTIONS = auto()
    """The predicted emotion with its probability."""
    PREDICTED_LABELS = auto()
    """The predicted emotion of an utterance that has a label, too."""
    PROBABILITIES = auto()
    """The probabilities of all emotions."""
    BRANCHES = auto()
    """The probabilities by single modalities, and the fusion weights."""
    CLIPS = auto()
    """A media file for each utterance."""
    MEDIA = auto()
    """The name of the recording of a conversation."""
    EXTRA = auto()
    """Other fields of an utterance (`Utterance.extra`)."""
    VALUE_TYPES = auto()
    """Numbers, true and false in fields; others hold fields as text."""
    CONVERSATION_EXTRA = auto()
    """Other fields of a conversation (`Conversation.extra`)."""
    TIERS = auto()
    """Layers of annotation besides the utterances (`Conversation.tiers`)."""
    POINTS = auto()
    """Layers of points in time; others write intervals of the shortest duration."""

    @property
    def title(self) -> str:
        """The name for users."""
        return (self.name or "nothing").lower().replace("_", " ")


Content = Literal["text", "binary", "folder"]
DEFAULT_SECONDS = 3.0
"""The duration of an utterance without an end in a format that requires ends."""


@dataclass(frozen=True)
class Format:
    """A format of files of conversations, an entry of the table `FORMATS`.

    A package registers its formats in the entry point group `sdt.formats`, under their names. A format of text gives
    `matches` and `read`; a binary one, and a folder, give `matches_file` and `read_file`. One that cannot be written
    has neither `write` nor `write_file`.
    """

    name: str
    suffixes: tuple[str, ...]
    """The suffixes of its files, in lower case; the first one is that of new files, see `suffix`."""
    matches: Callable[[Decoded], bool] | None = None
    """Whether a text has this format, judged by its first lines."""
    certain: bool = False
    """Whether `matches` takes precedence over the suffix of the file."""
    read: Callable[[Path, Decoded], Transcript | tuple[list[Turn], list[str]]] | None = None
    """Reads a text: a whole transcript, or turns, of which `assemble` makes one, and notes for the user."""
    title: str = ""
    """The name for users, without its suffix."""
    holds: Holds = Holds.NOTHING
    write: Callable[[Transcript, Path | None], Iterator[str]] | None = None
    """The parts of the text of a new file, UTF-8; the path is None on the standard output. Raises `InputError` for a
    transcript that the format cannot hold, such as one without times."""
    content: Content = "text"
    matches_file: Callable[[Path, bytes], bool] | None = None
    """Whether a binary file or a folder has this format, by its name and first bytes (empty for a folder)."""
    read_file: Callable[[Path], Transcript] | None = None
    """Reads a binary file or a folder."""
    write_file: Callable[[Transcript, Path], None] | None = None
    """Writes a binary file, or into an empty folder; the caller moves it to its place."""
    update: Callable[[bytes, Transcript, str | None], bytes] | None = None
    """The content of a file of this format in an encoding, None if it is to be detected, with the predictions of a
    transcript that was read from it; everything else stays as it is."""
    step: float = 0.0
    """The seconds to whose multiples times are rounded; 0 if they are exact."""
    exclusive: bool = False
    """Whether `matches` is so specific that it precedes all others, and formats that are not supported."""
    primary: bool = False
    """Whether its files in a folder are transcripts. Files of other formats are only read if there are none of these,
    since annotation often lies beside transcripts."""
    whole: bool = False
    """Whether the text is one value, such as JSON or XML, whose lines can have any length."""

    new_suffix: str = ""
    """The suffix of new files, if it has capitals."""

    @property
    def suffix(self) -> str:
        """The suffix of new files; empty for folders."""
        return self.new_suffix or next(iter(self.suffixes), "")

    @property
    def readable(self) -> bool:
        """Whether there is a reader."""
        return self.read is not None or self.read_file is not None

    @property
    def writable(self) -> bool:
        """Whether there is a writer."""
        return self.write is not None or self.write_file is not None
