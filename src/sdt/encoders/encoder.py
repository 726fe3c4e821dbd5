"""The interface of feature encoders, and the table of their names.

A feature encoder turns each utterance, with the part of the recording that contains it, into a feature vector. Its name
and settings are stored in every corpus and model, so that new recordings are encoded in the same way.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation, Utterance
from sdt.encoders.text_context import TextContext, neighbours
from sdt.encoders.text_model import is_text_model_name
from sdt.errors import InputError, near_miss
from sdt.media.clip import Clip, FindClip, MediaProblem
from sdt.plugins import Registry

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (utterances done, total)."""


@dataclass(frozen=True, slots=True)
class Source:
    """The input of an encoder for one utterance."""

    conversation: str
    """The id of its conversation."""
    utterance: Utterance
    clip: Clip | None = None
    """None if there is no recording of this utterance."""
    before: tuple[Utterance, ...] = ()
    """The utterances before it, as many as the encoder reads; see `context_of`."""
    after: tuple[Utterance, ...] = ()
    """The utterances after it, as many as the encoder reads."""

    @property
    def location(self) -> str:
        """The name of the utterance in messages: `dia1/utt3`."""
        return f"{self.conversation}/{self.utterance.id}"


@dataclass(frozen=True)
class Encoded:
    """The features of one modality of n utterances."""

    features: Matrix
    """[n, D]; zero for missing utterances."""
    present: npt.NDArray[np.bool_]
    """[n]; False if the utterance lacks the modality."""
    problems: list[str]
    """The reason for each missing utterance: `dia1/utt3: no face in view`."""

    @classmethod
    def missing(cls, sources: Sequence[Source], width: int, reason: str) -> Encoded:
        """The result for utterances that all lack the modality for the same reason."""
        absent = np.zeros(len(sources), dtype=np.bool_)
        problems = [f"{source.location}: {reason}" for source in sources]
        return cls(np.zeros((len(sources), width), dtype=np.float32), absent, problems)


class FeatureEncoder(Protocol):
    """The interface of feature encoders."""

    @property
    def name(self) -> str:
        """The name with settings; `feature_encoder` makes an equal encoder from it."""

    @property
    def modality(self) -> str:
        """`text`, `audio` or `visual`: the usual name of its modality in a corpus."""

    @property
    def width(self) -> int:
        """D, the number of features."""

    @property
    def licence_note(self) -> str | None:
        """One line that commands print if the licence of the encoder restricts its use."""

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode n utterances; an utterance that cannot be encoded is marked as missing."""


@dataclass(frozen=True)
class EncoderEntry:
    """An entry of the table of encoders.

    A package registers its encoders in the entry point group `sdt.encoders`, under the first word of their names.
    """

    name: str
    """The name that users type; capital letters stand for settings: `opensmile:SET`."""
    modality: str
    factory: str | Callable[[str], FeatureEncoder]
    """Makes the encoder from the name with settings. `module:function` names a module of `sdt.encoders`, which is
    imported when the encoder is used."""
    summary: str


_BUILTIN = (
    EncoderEntry("minilm", "text", "encoder:TextFeatureEncoder", "the bundled MiniLM sentence encoder; offline"),
    EncoderEntry("words:D", "text", "encoder:TextFeatureEncoder", "D hashed words; no model required"),
    EncoderEntry("prosody", "audio", "audio_prosody:Prosody", "statistics of voice and spectrum; offline"),
    EncoderEntry("voice8", "audio", "audio_voice8:Voice8", "the eight measurements of MELD's tables; offline"),
    EncoderEntry("praat", "audio", "audio_voice8:Praat", "the same measurements by Praat"),
    EncoderEntry("opensmile:SET", "audio", "audio_opensmile:OpenSmile", "IS10, eGeMAPSv02 or ComParE_2016"),
    EncoderEntry("speech:MODEL", "audio", "audio_speech:Speech", "a Hugging Face speech encoder"),
    EncoderEntry("whisper:SIZE", "audio", "audio_whisper:Whisper", "the encoder of Whisper tiny.en or base; offline"),
    EncoderEntry("faces", "visual", "visual:Faces", "the speaker's face: edges, texture, motion; offline"),
    EncoderEntry("face-model:MODEL", "visual", "visual_model:FaceModel", "a Hugging Face image encoder of the face"),
)
ENCODERS = Registry("sdt.encoders", EncoderEntry, {entry.name.partition(":")[0]: entry for entry in _BUILTIN})
"""Every encoder by the first word of its name. The path of a model folder is the name of a text encoder, too."""
STAND_INS = {"praat8": "voice8"}
"""Encoders of published tables to the encoders of this program that make nearly the same features."""


def feature_encoder(name: str, base: Path | None = None, graph: Path | None = None) -> FeatureEncoder:
    """Make an encoder from its name.

    Args:
        name: A name of `ENCODERS` with its settings, such as `opensmile:IS10`, or the path of a Hugging Face text
            model.
        base: The folder in which the relative path of a text model is looked up first.
        graph: The ONNX graph of a text model, which then runs on onnxruntime; None for PyTorch.

    Raises:
        InputError: The name is unknown, or its settings are invalid.
        MissingDependencyError: The encoder needs a package that is not installed.

    Example:
        >>> feature_encoder("words:64").width
        64
    """
    kind = name.partition(":")[0]
    if kind not in ENCODERS.builtin and is_text_model_name(name, base):
        return TextFeatureEncoder(name, base, graph)
    if kind not in ENCODERS:
        raise InputError(
            f"unknown feature encoder {name!r}{near_miss(kind, ENCODERS)} (a text encoder can also be the path of a "
            "model folder)"
        )
    make = ENCODERS[kind].factory
    if isinstance(make, str):
        module, _, function = make.partition(":")
        make = getattr(importlib.import_module(f"sdt.encoders.{module}"), function)
    if graph is not None and make is TextFeatureEncoder:
        return TextFeatureEncoder(name, base, graph)
    encoder: FeatureEncoder = make(name)
    return encoder


def context_of(encoder: FeatureEncoder) -> TextContext | None:
    """The neighbouring utterances that an encoder reads; None if it has no attribute `context`."""
    context: TextContext | None = getattr(encoder, "context", None)
    return context


def make_sources(encoder: FeatureEncoder, conversations: Sequence[Conversation], clip: FindClip) -> list[Source]:
    """The inputs of an encoder for the utterances of conversations, in order; `clip` finds their recordings."""
    return [
        Source(
            conversation.id,
            utterance,
            None if encoder.modality == "text" else clip(conversation.id, utterance.id, encoder.modality),
            before,
            after,
        )
        for conversation in conversations
        for utterance, before, after in neighbours(conversation, context_of(encoder))
    ]


def concatenate(parts: Sequence[Encoded], width: int) -> Encoded:
    """Concatenate the results of several batches of utterances."""
    return Encoded(
        np.concatenate([np.zeros((0, width), dtype=np.float32), *(part.features for part in parts)]),
        np.concatenate([np.zeros(0, dtype=np.bool_), *(part.present for part in parts)]),
        [problem for part in parts for problem in part.problems],
    )


def encode_each(
    sources: Sequence[Source], width: int, describe: Callable[[Clip], Vector], progress: Progress | None = None
) -> Encoded:
    """Encode the clips of n utterances one by one, so that the features of each are independent of the others.

    Args:
        sources: The utterances.
        width: D, the number of features.
        describe: Computes the features [D] of a clip; raises `MediaProblem` if it has none.
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
            problems.append(f"{source.location}: {problem.reason}")
        if progress:
            progress(row + 1, len(sources))
    return Encoded(features, present, problems)


class TextFeatureEncoder:
    """A text encoder as a feature encoder: it encodes the text of an utterance."""

    modality = "text"
    licence_note = None

    def __init__(self, name: str, base: Path | None = None, graph: Path | None = None) -> None:
        from sdt.encoders.text import text_encoder

        self._encoder = text_encoder(name, base, graph)
        self.name: str = self._encoder.name
        self.width: int = self._encoder.width
        self.context: TextContext | None = self._encoder.context

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the text of n utterances; an utterance without text is missing."""
        from sdt.encoders.text import encode_turns

        turns = [(source.utterance, source.before, source.after) for source in sources]
        features, present = encode_turns(self._encoder, turns, progress)
        problems = [f"{source.location}: no text" for source, has in zip(sources, present, strict=True) if not has]
        return Encoded(features, present, problems)
