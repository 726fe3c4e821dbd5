"""Features of streamed utterances: extracted and normalised as in training, or given by the caller.

Features that are normalised over a whole conversation (encoders whose name ends in `|z:conversation`) cannot be
computed before the conversation ends; they are missing unless the caller gives them. The same holds for text encoders
that read later utterances; those that read earlier ones only get the earlier utterances of the stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.conversation import Utterance
from sdt.encoders.encoder import Encoded, Matrix, Source
from sdt.encoders.text_context import MAX_CONTEXT
from sdt.errors import InputError, near_miss
from sdt.feature_batch import Features
from sdt.media.clip import Clip
from sdt.media.recordings import any_video
from sdt.models.config import ModelConfig
from sdt.prediction.extraction import NO_RECORDING, ModalityExtractor, unused_notes

GivenFeatures = Mapping[str, npt.ArrayLike | None]
"""Modality to the features of an utterance [D_m], normalised as in training; None if it lacks the modality."""


@dataclass(frozen=True)
class StreamInput:
    """A new utterance of a running conversation."""

    utterance: Utterance
    """An empty speaker stands for the previous speaker, an empty id for the number of the utterance."""
    conversation: str = ""
    """The id of its conversation."""
    features: GivenFeatures | None = None
    """Given features; other modalities are extracted from the text and the clip."""
    clip: Path | None = None
    """A recording of this utterance alone."""
    before: tuple[Utterance, ...] = ()
    """The utterances before it, which `StreamingPredictor` fills in."""

    @property
    def location(self) -> str:
        """The name of the utterance in messages: `dia1/utt3`."""
        return f"{self.conversation}/{self.utterance.id}"


class StreamFeatures:
    """Extracts the features of new utterances; loads each encoder when it is first needed.

    Args:
        config: The configuration of the model.
        name: The name of the model in messages.
        base: See `ModalityExtractor`.
        makers: Modality to its extractor, to share extractors that are already loaded.
        graphs: See `ModalityExtractor`.
    """

    def __init__(
        self,
        config: ModelConfig,
        name: str,
        base: Path | None,
        makers: Mapping[str, ModalityExtractor] | None = None,
        graphs: Path | None = None,
    ) -> None:
        self._config, self._name = config, name
        self._makers: dict[str, ModalityExtractor] = {}
        self._impossible: dict[str, str] = {}
        """Modality to the reason why its features cannot be extracted from any input."""
        self._loaded: set[str] = set()
        self._known: list[ModalityExtractor] = []
        """The extractors of all modalities, including those that a stream cannot use."""
        self.notes: list[str] = []
        """Notes for the user, without repetitions."""
        for modality in config.modalities:
            try:
                maker = (makers or {}).get(modality) or ModalityExtractor(config, modality, base, graphs)
                self._known.append(maker)
                if maker.step == "z:conversation":
                    raise InputError(
                        f"{maker.name!r} is normalised over the whole conversation, which a stream does not know; give "
                        "its features"
                    )
                self._makers[modality] = maker
            except InputError as error:
                self._impossible[modality] = str(error)

    def extract(self, inputs: Sequence[StreamInput]) -> tuple[Features, list[str]]:
        """Extract all modalities of N utterances.

        Returns:
            Modality to (features [N, D_m] float32, present [N] bool); and the reasons for missing modalities, one line
            each.

        Raises:
            InputError: Given features are invalid, or no modality of an utterance can be extracted.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        for one in inputs:
            self._check_names(one)
        features: dict[str, tuple[Matrix, npt.NDArray[np.bool_]]] = {}
        problems: list[str] = []
        for modality, width in self._config.modalities.items():
            x = np.zeros((len(inputs), width), dtype=np.float32)
            present = np.zeros(len(inputs), dtype=np.bool_)
            raw = []
            for row, one in enumerate(inputs):
                if one.features is None or modality not in one.features:
                    raw.append(row)
                elif (given := one.features[modality]) is not None:
                    x[row], present[row] = _vector(one, modality, given, width), True
            if raw:
                encoded = self._encode(modality, [inputs[row] for row in raw])
                x[raw], present[raw] = encoded.features, encoded.present
                problems += encoded.problems
            features[modality] = x, present
        for one in inputs:
            self._check_possible(one)
        clips = [one.clip for one in inputs if one.clip]
        for note in unused_notes(self._known, has_recordings=bool(clips), has_video=any_video(clips)):
            self._note(note)
        return features, problems

    @property
    def history(self) -> int:
        """The number of earlier utterances that the encoders need; until a text encoder is loaded, the largest one."""
        needed = 0
        for modality, maker in self._makers.items():
            if modality in self._loaded:
                needed = max(needed, maker.context.before if maker.context else 0)
            elif not maker.uses_recordings:
                needed = MAX_CONTEXT
        return needed

    def reads_text(self, one: StreamInput) -> bool:
        """Whether any features of an utterance are extracted from its text."""
        return any(
            not maker.uses_recordings and modality not in (one.features or {})
            for modality, maker in self._makers.items()
        )

    def _encode(self, modality: str, inputs: Sequence[StreamInput]) -> Encoded:
        """Encode one modality of utterances without given features of it."""
        maker, width = self._makers.get(modality), self._config.modalities[modality]
        sources = [
            Source(one.conversation, one.utterance, None if one.clip is None else Clip(one.clip), one.before)
            for one in inputs
        ]
        if maker is not None and modality not in self._loaded:
            if maker.uses_recordings and not any(source.clip for source in sources):
                self._note(f"{modality}: missing for utterances without a recording")
                return _all_missing(len(sources), width)
            try:
                maker.load()
                if maker.context and maker.context.after:
                    raise InputError(
                        f"{maker.name!r} also reads the next {maker.context.after} utterances, which a stream does not "
                        "know; give its features, or use an encoder that was fine-tuned with --context K alone"
                    )
                self._loaded.add(modality)
                if maker.note:
                    self._note(f"{modality}: {maker.note}")
            except InputError as error:
                if isinstance(error, ImportError):
                    raise
                self._impossible[modality] = str(error)
                del self._makers[modality]
                maker = None
        if maker is None:
            self._note(f"{modality}: not used: {self._impossible[modality]}")
            return _all_missing(len(sources), width)
        return maker.encode(sources)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _check_names(self, one: StreamInput) -> None:
        for modality in one.features or ():
            if modality not in self._config.modalities:
                raise InputError(
                    f"{one.location}: features of unknown modality {modality!r}"
                    f"{near_miss(modality, self._config.modalities)}"
                )

    def _check_possible(self, one: StreamInput) -> None:
        """Refuse an utterance of which no modality can be extracted."""
        reasons = dict(self._impossible)
        for modality, maker in self._makers.items():
            if maker.uses_recordings and one.clip is None:
                reasons[modality] = NO_RECORDING
        if len(reasons) == len(self._config.modalities) and not one.features:
            why = "; ".join(f"{modality}: {reason}" for modality, reason in reasons.items())
            raise InputError(f"{one.location}: {self._name} cannot be used on this input: {why}")


def _all_missing(size: int, width: int) -> Encoded:
    return Encoded(np.zeros((size, width), dtype=np.float32), np.zeros(size, dtype=np.bool_), [])


def _vector(one: StreamInput, modality: str, given: npt.ArrayLike, width: int) -> npt.NDArray[np.float32]:
    """Check given features [D_m]."""
    where = f"{one.location}: features of {modality!r}"
    try:
        vector = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where} are not numbers; expected {width} numbers") from None
    if vector.shape != (width,):
        raise InputError(f"{where} have shape {list(vector.shape)}; expected [{width}]")
    if not np.isfinite(vector).all():
        raise InputError(f"{where} contain NaN or infinite values; give None if the modality is missing")
    return vector
