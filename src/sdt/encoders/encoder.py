"""The one protocol of all feature encoders, and the table of their names.

An encoder turns utterances, with the stretch of media they were cut from, into one row of numbers each. Its name, with
its settings, is written into every corpus and model, so that the same numbers can be made again from new recordings.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sdt.conversation import Utterance
from sdt.encoders.text_model import names_text_model
from sdt.errors import InputError, near_miss
from sdt.media.clip import Clip, MediaProblem
from sdt.text import is_blank

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (utterances done, utterances in all)."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an encoder may look at for one utterance."""

    conversation: str
    """The id of its conversation."""
    utterance: Utterance
    clip: Clip | None = None
    """None: there is no recording of this utterance."""

    @property
    def place(self) -> str:
        """How messages name it: `dia1/utt3`."""
        return f"{self.conversation}/{self.utterance.id}"


@dataclass(frozen=True)
class Encoded:
    """One modality of n utterances."""

    features: Matrix
    """[n, D]; zero where missing."""
    present: npt.NDArray[np.bool_]
    """[n]; False where the utterance lacks the modality."""
    problems: list[str]
    """Why, one short phrase for each missing one: `dia1/utt3: no face in view`."""

    @classmethod
    def missing(cls, sources: Sequence[Source], width: int, reason: str) -> Encoded:
        """Utterances that all lack the modality for one reason."""
        absent = np.zeros(len(sources), dtype=np.bool_)
        problems = [f"{source.place}: {reason}" for source in sources]
        return cls(np.zeros((len(sources), width), dtype=np.float32), absent, problems)


class FeatureEncoder(Protocol):
    """What every feature encoder offers."""

    @property
    def name(self) -> str:
        """The name, with its settings, that `feature_encoder` makes this encoder from."""

    @property
    def modality(self) -> str:
        """`text`, `audio` or `visual`: what its features are usually called in a corpus."""

    @property
    def width(self) -> int:
        """D, the number of features."""

    @property
    def licence_note(self) -> str | None:
        """One line that commands print where this encoder is chosen, if its licence asks for care."""

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode n utterances; one that cannot be encoded is missing, never an exception."""


@dataclass(frozen=True)
class Entry:
    """One line of the table of encoders."""

    name: str
    """As it is typed; capital letters stand for settings."""
    modality: str
    factory: str
    """`module:function`, the function of the whole name; imported only when the encoder is asked for."""
    summary: str


TABLE = (
    Entry("minilm", "text", f"{__name__}:TextSource", "the packaged MiniLM sentence encoder; offline"),
    Entry("words:D", "text", f"{__name__}:TextSource", "hashed words, D wide; needs no model"),
    Entry("prosody", "audio", "sdt.encoders.audio_prosody:Prosody", "statistics of voice and spectrum; offline"),
    Entry("voice8", "audio", "sdt.encoders.audio_voice8:Voice8", "the eight measurements of MELD's tables; offline"),
    Entry("praat", "audio", "sdt.encoders.audio_praat:Praat", "the same by Praat itself"),
    Entry("opensmile:SET", "audio", "sdt.encoders.audio_opensmile:OpenSmile", "IS10, eGeMAPSv02 or ComParE_2016"),
    Entry("speech:MODEL", "audio", "sdt.encoders.audio_speech:Speech", "a Hugging Face speech encoder"),
    Entry("faces", "visual", "sdt.encoders.visual:Faces", "the speaker's face: edges, texture, motion; offline"),
    Entry("face-model:MODEL", "visual", "sdt.encoders.visual_model:FaceModel", "a Hugging Face model looks at it"),
)
"""Every encoder. A path is the name of a text encoder too: of that model folder."""
ENCODERS = {entry.name.partition(":")[0]: entry for entry in TABLE}
"""The table by the first word of the names."""
STAND_INS = {"praat8": "voice8"}
"""Encoders of tables that others made, to those of this program that make nearly the same features."""


def feature_encoder(name: str, base: Path | None = None) -> FeatureEncoder:
    """Make the encoder of a name.

    Args:
        name: A name of `ENCODERS` with its settings, as in `opensmile:IS10`, or the path of a Hugging Face text model.
        base: Where a text model's relative path is looked for first.

    Raises:
        InputError: No encoder has this name, or its settings cannot be used.
        MissingDependencyError: The encoder needs a package that is not installed.

    Example:
        >>> feature_encoder("words:64").width
        64
    """
    kind = name.partition(":")[0]
    if kind in ENCODERS:
        module, _, factory = ENCODERS[kind].factory.partition(":")
        make: Callable[[str], FeatureEncoder] = getattr(importlib.import_module(module), factory)
        return make(name)
    if names_text_model(name, base):
        return TextSource(name, base)
    raise InputError(
        f"feature encoder {name!r}: there is none of this name{near_miss(kind, ENCODERS)} "
        "(a text encoder may also be the path of a model folder)"
    )


def joined(parts: Sequence[Encoded], width: int) -> Encoded:
    """What was encoded in parts, in their order."""
    return Encoded(
        np.concatenate([np.zeros((0, width), dtype=np.float32), *(part.features for part in parts)]),
        np.concatenate([np.zeros(0, dtype=np.bool_), *(part.present for part in parts)]),
        [problem for part in parts for problem in part.problems],
    )


def encode_each(
    sources: Sequence[Source], width: int, describe: Callable[[Clip], Vector], progress: Progress | None = None
) -> Encoded:
    """Encode the clips of n utterances one after the other, so that none can change another's values.

    Args:
        sources: The utterances.
        width: D.
        describe: A clip's features [D]; raises `MediaProblem` where it has none.
        progress: Called after each utterance.
    """
    features = np.zeros((len(sources), width), dtype=np.float32)
    present = np.zeros(len(sources), dtype=np.bool_)
    problems = []
    for row, source in enumerate(sources):
        try:
            if source.clip is None:
                raise MediaProblem("no recording")
            vector = describe(source.clip)
            if not np.isfinite(vector).all():
                raise MediaProblem("a feature is not a number")
            features[row], present[row] = vector, True
        except MediaProblem as problem:
            problems.append(f"{source.place}: {problem.reason}")
        if progress:
            progress(row + 1, len(sources))
    return Encoded(features, present, problems)


class TextSource:
    """A text encoder as a feature encoder: of an utterance it looks at the words only."""

    modality = "text"
    licence_note = None

    def __init__(self, name: str, base: Path | None = None) -> None:
        from sdt.encoders.text import text_encoder

        self._encoder = text_encoder(name, base)
        self.name: str = self._encoder.name
        self.width: int = self._encoder.width

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the words of n utterances; one without words is missing."""
        texts = [source.utterance.text or "" for source in sources]
        present = np.array([not is_blank(text) for text in texts], dtype=np.bool_)
        features = np.zeros((len(texts), self.width), dtype=np.float32)
        if present.any():
            features[present] = self._encoder.encode([texts[row] for row in np.flatnonzero(present)], progress)
        problems = [f"{source.place}: no words" for source, there in zip(sources, present, strict=True) if not there]
        return Encoded(features, present, problems)
