"""Features of streamed utterances: computed and normalised as in training, or given.

Features that are normalised over a whole conversation (encoders whose name ends in `|z:conversation`) cannot be
computed while the conversation is running; they are missing unless they are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sdt.conversation import Utterance
from sdt.encoders.encoder import Encoded, Source
from sdt.errors import InputError, near_miss
from sdt.media.clip import Clip
from sdt.media.recordings import any_video
from sdt.models.config import ModelConfig
from sdt.prediction.extraction import ModalityMaker, unused_notes

Given = Mapping[str, npt.ArrayLike | None]
"""Modality to an utterance's features [D_m], normalised as in training; None if it lacks the modality."""


@dataclass(frozen=True)
class StreamInput:
    """A new utterance of a running conversation."""

    utterance: Utterance
    """An empty speaker stands for the last speaker, an empty id for the number of the utterance."""
    conversation: str = ""
    """The id of its conversation."""
    features: Given | None = None
    """Given features; other modalities are computed from the text and the clip."""
    clip: Path | None = None
    """A recording of this utterance alone."""

    @property
    def place(self) -> str:
        """How messages name it: `dia1/utt3`."""
        return f"{self.conversation}/{self.utterance.id}"


class StreamFeatures:
    """Computes the features of new utterances; loads each encoder when it is first needed.

    Args:
        config: The configuration of the model.
        name: The name of the model in messages.
        base: See `ModalityMaker`.
        makers: Modality to its feature maker, if it is loaded already.
    """

    def __init__(
        self,
        config: ModelConfig,
        name: str,
        base: Path | None,
        makers: Mapping[str, ModalityMaker] | None = None,
    ) -> None:
        self._config, self._name = config, name
        self._makers: dict[str, ModalityMaker] = {}
        self._impossible: dict[str, str] = {}
        """Modality to why its features cannot be made, whatever the input."""
        self._loaded: set[str] = set()
        self._known: list[ModalityMaker] = []
        """Those of all modalities, also of those whose features a stream cannot make."""
        self.notes: list[str] = []
        """Notes for the user, each once."""
        for modality in config.modalities:
            try:
                maker = (makers or {}).get(modality) or ModalityMaker(config, modality, base)
                self._known.append(maker)
                if maker.step == "z:conversation":
                    raise InputError(
                        f"{maker.name!r} is compared within the whole conversation, which a stream does not know; "
                        "give its features"
                    )
                self._makers[modality] = maker
            except InputError as error:
                self._impossible[modality] = str(error)

    def make(self, spoken: Sequence[StreamInput]) -> tuple[dict[str, tuple[Tensor, Tensor]], list[str]]:
        """All modalities of N utterances.

        Returns:
            Modality to (features [N, D_m] float32, present [N] bool), and why utterances lack modalities that they
            might have had, a line each.

        Raises:
            InputError: Features that are given do not fit, or nothing of an utterance can be read.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        for one in spoken:
            self._check_names(one)
        features, problems = {}, []
        for modality, width in self._config.modalities.items():
            x = np.zeros((len(spoken), width), dtype=np.float32)
            present = np.zeros(len(spoken), dtype=np.bool_)
            raw = []
            for row, one in enumerate(spoken):
                if one.features is None or modality not in one.features:
                    raw.append(row)
                elif (given := one.features[modality]) is not None:
                    x[row], present[row] = _vector(one, modality, given, width), True
            if raw:
                made = self._encoded(modality, [spoken[row] for row in raw])
                x[raw], present[raw] = made.features, made.present
                problems += made.problems
            features[modality] = (torch.from_numpy(x), torch.from_numpy(present))
        for one in spoken:
            self._check_possible(one)
        clips = [one.clip for one in spoken if one.clip]
        for note in unused_notes(self._known, recorded=bool(clips), filmed=any_video(clips)):
            self._note(note)
        return features, problems

    def reads(self, one: StreamInput) -> bool:
        """Whether any features of an utterance are made from its words."""
        return any(
            not maker.recorded and modality not in (one.features or {}) for modality, maker in self._makers.items()
        )

    def _encoded(self, modality: str, spoken: Sequence[StreamInput]) -> Encoded:
        """One modality of utterances of which it is not given."""
        maker, width = self._makers.get(modality), self._config.modalities[modality]
        sources = [
            Source(one.conversation, one.utterance, None if one.clip is None else Clip(one.clip)) for one in spoken
        ]
        if maker is not None and modality not in self._loaded:
            if maker.recorded and not any(source.clip for source in sources):
                self._note(f"{modality}: missing where no recording is given")
                return _nothing(len(sources), width)
            try:
                maker.load()
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
            self._note(f"{modality}: left out: {self._impossible[modality]}")
            return _nothing(len(sources), width)
        return maker.encode(sources)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _check_names(self, one: StreamInput) -> None:
        for modality in one.features or ():
            if modality not in self._config.modalities:
                raise InputError(
                    f"{one.place}: features of {modality!r}, but the model has no such modality"
                    f"{near_miss(modality, self._config.modalities)}"
                )

    def _check_possible(self, one: StreamInput) -> None:
        """Refuse an utterance of which the model could read nothing, whatever it says."""
        reasons = dict(self._impossible)
        for modality, maker in self._makers.items():
            if maker.recorded and one.clip is None:
                reasons[modality] = "no recording was given"
        if len(reasons) == len(self._config.modalities) and not one.features:
            why = "; ".join(f"{modality}: {reason}" for modality, reason in reasons.items())
            raise InputError(f"{one.place}: {self._name} cannot be used on this input: {why}")


def _nothing(size: int, width: int) -> Encoded:
    return Encoded(np.zeros((size, width), dtype=np.float32), np.zeros(size, dtype=np.bool_), [])


def _vector(one: StreamInput, modality: str, given: npt.ArrayLike, width: int) -> npt.NDArray[np.float32]:
    """Features [D_m] that were given."""
    where = f"{one.place}: features of {modality!r}"
    try:
        vector = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where} are no numbers; expected {width} of them") from None
    if vector.shape != (width,):
        raise InputError(f"{where} have the shape {list(vector.shape)}; expected [{width}]")
    if not np.isfinite(vector).all():
        raise InputError(f"{where} hold a value that is not finite; give None if they are missing")
    return vector
