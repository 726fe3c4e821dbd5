"""Extraction of the features of new conversations, normalised as in training.

The configuration of a model names the encoder of every modality and its normalisation: `voice8|z:conversation` is the
encoder `voice8` with z-scores within each conversation (see `sdt.corpus.normalise`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.encoders.encoder import (
    ENCODERS,
    STAND_INS,
    Encoded,
    FeatureEncoder,
    Matrix,
    Progress,
    Source,
    context_of,
    feature_encoder,
    make_sources,
)
from sdt.encoders.text_context import TextContext
from sdt.errors import InputError, MissingDependencyError
from sdt.feature_batch import Features
from sdt.media.recordings import Recordings
from sdt.models.config import ModelConfig
from sdt.models.saved_graph import graph_of_encoder
from sdt.z_scores import moments, z_scores

ALONE = "no other utterance in its conversation to normalise with"
"""The reason why an utterance with a recording lacks a modality that is normalised within the conversation."""


NO_RECORDING = "no recording was given"
"""The reason why a modality of recordings is not used."""


@dataclass
class Missing:
    """The utterances that lack one modality."""

    utterances: int = 0
    """The number of all utterances."""
    problems: list[str] = field(default_factory=list)
    """The reason for each utterance that lacks the modality: `dia1/3: no audio track`."""

    def add(self, other: Missing) -> None:
        """Add those of other conversations."""
        self.utterances += other.utterances
        self.problems += other.problems


class ModalityExtractor:
    """Extracts the features of one modality.

    Args:
        config: The configuration of the model.
        modality: A modality of the model.
        base: The folder of the model, in which files of the encoder are looked up first.
        graphs: The folder with the graphs of text encoders, for onnxruntime; None for PyTorch.

    Raises:
        InputError: The features cannot be extracted; the message says why.
    """

    def __init__(
        self, config: ModelConfig, modality: str, base: Path | None = None, graphs: Path | None = None
    ) -> None:
        self.name, *steps = config.encoders.get(modality, "unknown").split("|")
        self.statistics = config.normalisation.get(modality)
        if self.name == "unknown":
            raise InputError("the model does not record the encoder of the features that it was trained on")
        self.step = _step(self.name, steps, has_statistics=self.statistics is not None)
        self._base, self._width = base, config.modalities[modality]
        graph = graph_of_encoder(graphs, modality) if graphs else None
        self._graph = graph if graph and graph.is_file() else None
        self._encoder: FeatureEncoder | None = None

    @property
    def kind(self) -> str:
        """The input of the encoder: `text`, `audio` or `visual`."""
        entry = ENCODERS.get(STAND_INS.get(self.name, self.name).partition(":")[0])
        return entry.modality if entry else "text"

    @property
    def uses_recordings(self) -> bool:
        """Whether the input of the encoder is recordings instead of text."""
        return self.kind != "text"

    @property
    def uses_video(self) -> bool:
        """Whether the input of the encoder is video."""
        return self.kind == "visual"

    @property
    def note(self) -> str | None:
        """A note for the user about these features, if any."""
        if self.name in STAND_INS:
            return (
                f"the model was trained on tables of {self.name!r}; the features of {STAND_INS[self.name]!r}, which "
                "are used instead, are similar but not equal"
            )
        return self._encoder.licence_note if self._encoder else None

    @property
    def context(self) -> TextContext | None:
        """The neighbouring utterances that the encoder reads; None if it reads none, or is not loaded."""
        return context_of(self._encoder) if self._encoder else None

    def load(self) -> None:
        """Load the encoder, unless it is loaded.

        Raises:
            InputError: The encoder is unknown, or its features have another width.
            MissingDependencyError: The encoder needs a package that is not installed.
        """
        if self._encoder is not None:
            return
        encoder = feature_encoder(STAND_INS.get(self.name, self.name), self._base, self._graph)
        if encoder.width != self._width:
            raise InputError(
                f"the encoder {self.name!r} has {encoder.width} features, but the model was trained on {self._width}"
            )
        self._encoder = encoder

    def extract(
        self, conversations: Sequence[Conversation], recordings: Recordings, progress: Progress | None = None
    ) -> Encoded:
        """Extract the features of N utterances, with rows in the order of the conversations.

        If features are normalised within the conversation, and all of a conversation are equal, its utterances lack the
        modality: their z-scores would be 0 for any recording.
        """
        assert self._encoder is not None
        sources = make_sources(self._encoder, conversations, recordings.clip)
        encoded = self.encode(sources, progress)
        return self._within(encoded, conversations, sources) if self.step == "z:conversation" else encoded

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode N utterances, with rows in their order; without normalisation within conversations."""
        assert self._encoder is not None
        encoded = self._encoder.encode(sources, progress)
        if self.step == "z:corpus":
            assert self.statistics is not None
            mean, deviation = (np.array(self.statistics[key], dtype=np.float64) for key in ("mean", "deviation"))
            x, present = encoded.features, encoded.present
            x[present] = z_scores(x[present], mean, deviation)
        return encoded

    def _within(self, encoded: Encoded, conversations: Sequence[Conversation], sources: Sequence[Source]) -> Encoded:
        """Normalise within each conversation, in place; if all features of one are equal, they are missing."""
        x, present, first = encoded.features, encoded.present.copy(), 0
        for conversation in conversations:
            rows = np.arange(first, first + len(conversation))
            first += len(conversation)
            chosen = rows[encoded.present[rows]]
            if not len(chosen):
                continue
            if (x[chosen] == x[chosen[0]]).all():
                present[chosen] = False
                x[chosen] = 0
            else:
                x[chosen] = z_scores(x[chosen], *moments(x[chosen]))
        known = iter(encoded.problems)
        problems = [
            f"{source.location}: {ALONE}" if had else next(known)
            for source, had, has in zip(sources, encoded.present, present, strict=True)
            if not has
        ]
        return Encoded(x, present, problems)


def _step(name: str, steps: Sequence[str], *, has_statistics: bool) -> str | None:
    """The normalisation of the encoder's features."""
    step = steps[0] if steps else None
    if len(steps) > 1 or step not in (None, "z:conversation", "z:corpus"):
        raise InputError(f"unknown normalisation {'|'.join(steps)!r} of the features of {name!r}")
    if step == "z:corpus" and not has_statistics:
        raise InputError(f"the model lacks the statistics of {name!r}, whose features are z-scores over a corpus")
    return step


def unused_notes(makers: Iterable[ModalityExtractor], *, has_recordings: bool, has_video: bool) -> list[str]:
    """Notes about recordings that a model does not use, or of which it uses only the sound.

    Args:
        makers: The extractors of the modalities of the model.
        has_recordings: Whether there are recordings.
        has_video: Whether any recording has video.
    """
    makers = list(makers)
    if has_recordings and not any(maker.uses_recordings for maker in makers):
        return ["the recording is not used: the model has no audio or visual modality"]
    if has_video and not any(maker.uses_video for maker in makers):
        return ["video is not used: the model has no visual modality"]
    return []


class FeatureExtractor:
    """Extracts the features of all modalities of a model that can be extracted.

    Args:
        config: The configuration of the model.
        name: The name of the model in messages.
        base: See `ModalityExtractor`.
        graphs: See `ModalityExtractor`.
    """

    def __init__(self, config: ModelConfig, name: str, base: Path | None = None, graphs: Path | None = None) -> None:
        self._config, self._name = config, name
        self._makers: dict[str, ModalityExtractor] = {}
        self._impossible: dict[str, str] = {}
        """Modality to the reason why its features cannot be extracted from any input."""
        for modality in config.modalities:
            try:
                self._makers[modality] = ModalityExtractor(config, modality, base, graphs)
            except InputError as error:
                self._impossible[modality] = str(error)
        self._loaded: set[str] = set()
        self._active: list[str] = []

    @property
    def reads_text(self) -> bool:
        """Whether any encoder in use encodes text."""
        return any(not self._makers[modality].uses_recordings for modality in self._active)

    def prepare(self, *, has_recordings: bool, has_video: bool = False) -> list[str]:
        """Load the encoders that the input needs.

        Args:
            has_recordings: Whether there are recordings.
            has_video: Whether any recording has video.

        Returns:
            Notes for the user, one line each: modalities that are not used, with the reason, and recordings that the
            model does not use.

        Raises:
            InputError: No modality can be extracted.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        reasons = dict(self._impossible)
        notes = []
        for modality, maker in self._makers.items():
            if maker.uses_recordings and not has_recordings:
                reasons[modality] = NO_RECORDING
                continue
            try:
                if modality not in self._loaded:
                    maker.load()
                    self._loaded.add(modality)
            except MissingDependencyError:
                raise
            except InputError as error:
                reasons[modality] = str(error)
            if maker.note and modality not in reasons:
                notes.append(f"{modality}: {maker.note}")
        if len(reasons) == len(self._config.modalities):
            why = "; ".join(f"{modality}: {reason}" for modality, reason in reasons.items())
            raise InputError(f"{self._name}: the model cannot be used on this input: {why}")
        notes += unused_notes(self._makers.values(), has_recordings=has_recordings, has_video=has_video)
        self._active = [modality for modality in self._makers if modality not in reasons]
        return [f"{modality}: not used: {reason}" for modality, reason in reasons.items()] + notes

    def extract(
        self,
        conversations: Sequence[Conversation],
        recordings: Recordings,
        missing: Mapping[str, Missing],
        progress: Progress | None = None,
    ) -> Features:
        """Extract all modalities of N utterances; a modality that is not used is missing in all of them.

        Args:
            conversations: The conversations.
            recordings: Their recordings.
            missing: Modality to its missing utterances, to which this method adds.
            progress: Called with (utterances done, total) for each modality, from 0.

        Returns:
            Modality to (features [N, D_m] float32, present [N] bool).
        """
        size = sum(map(len, conversations))
        features: dict[str, tuple[Matrix, npt.NDArray[np.bool_]]] = {}
        for modality, width in self._config.modalities.items():
            if modality not in self._active:
                features[modality] = np.zeros((size, width), dtype=np.float32), np.zeros(size, dtype=np.bool_)
                continue
            encoded = self._makers[modality].extract(conversations, recordings, progress)
            missing[modality].utterances += size
            missing[modality].problems += encoded.problems
            features[modality] = encoded.features, encoded.present
        return features
