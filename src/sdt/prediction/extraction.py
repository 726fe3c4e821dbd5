"""Features of new conversations, computed and normalised as in training.

A model's configuration names the encoder of every modality, with what was done to its features afterwards:
`voice8|z:conversation` are eight measurements of the voice as z-scores within each conversation (see
`sdt.corpus.normalise`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdt.conversation import Conversation
from sdt.encoders.encoder import ENCODERS, STAND_INS, Encoded, FeatureEncoder, Progress, Source, feature_encoder
from sdt.errors import InputError, MissingDependencyError
from sdt.media.recordings import Recordings
from sdt.models.config import ModelConfig

ALONE = "nothing in its conversation to compare it with"
"""Why an utterance lacks a modality that is normalised within the conversation, though it has a recording."""


@dataclass
class Missing:
    """What new conversations lack of one modality."""

    utterances: int = 0
    """How many were looked at."""
    problems: list[str] = field(default_factory=list)
    """One for each that lacks it: `dia1/3: no audio track`."""

    def add(self, other: Missing) -> None:
        """Add what further conversations lack."""
        self.utterances += other.utterances
        self.problems += other.problems


class ModalityMaker:
    """Makes one modality's features.

    Args:
        config: The model's.
        modality: Of the model.
        base: The folder of the model, where files that an encoder's name refers to are looked for first.

    Raises:
        InputError: These features cannot be made here; says why.
    """

    def __init__(self, config: ModelConfig, modality: str, base: Path | None) -> None:
        self.name, *steps = config.encoders.get(modality, "unknown").split("|")
        self.statistics = config.normalisation.get(modality)
        if self.name == "unknown":
            raise InputError("the model does not say which encoder made the features that it was trained on")
        self.step = _step(self.name, steps, has_statistics=self.statistics is not None)
        self._base, self._width = base, config.modalities[modality]
        self._encoder: FeatureEncoder | None = None

    @property
    def kind(self) -> str:
        """What the encoder looks at: `text`, `audio` or `visual`."""
        entry = ENCODERS.get(STAND_INS.get(self.name, self.name).partition(":")[0])
        return entry.modality if entry else "text"

    @property
    def recorded(self) -> bool:
        """Whether the encoder looks at recordings, not at words."""
        return self.kind != "text"

    @property
    def looks(self) -> bool:
        """Whether the encoder looks at pictures."""
        return self.kind == "visual"

    @property
    def note(self) -> str | None:
        """What the user should know of these features."""
        if self.name in STAND_INS:
            return (
                f"the model was trained on tables of {self.name!r}; those that {STAND_INS[self.name]!r} makes here "
                "come close, but are not the same"
            )
        return self._encoder.licence_note if self._encoder else None

    def load(self) -> None:
        """Load the encoder, unless it is there.

        Raises:
            InputError: The encoder is unknown, or its features have another width.
            MissingDependencyError: It needs a package that is not installed.
        """
        if self._encoder is not None:
            return
        encoder = feature_encoder(STAND_INS.get(self.name, self.name), self._base)
        if encoder.width != self._width:
            raise InputError(
                f"the encoder {self.name!r} makes {encoder.width} features, but the model was trained on {self._width}"
            )
        self._encoder = encoder

    def make(
        self, conversations: Sequence[Conversation], recordings: Recordings, progress: Progress | None = None
    ) -> Encoded:
        """Features of N utterances, rows in the order of the conversations.

        Where features are normalised within the conversation, an utterance that has nothing there to differ from lacks
        the modality: whatever its recording holds, its z-scores would be 0.
        """
        sources = [
            Source(
                conversation.id,
                utterance,
                recordings.clip(conversation.id, utterance.id, self.kind) if self.recorded else None,
            )
            for conversation in conversations
            for utterance in conversation.utterances
        ]
        encoded = self.encode(sources, progress)
        return self._within(encoded, conversations, sources) if self.step == "z:conversation" else encoded

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Features of N utterances, rows in their order; not yet normalised within their conversations."""
        assert self._encoder is not None
        encoded = self._encoder.encode(sources, progress)
        if self.step == "z:corpus":
            from sdt.corpus.normalise import z_scores

            assert self.statistics is not None
            mean, deviation = (np.array(self.statistics[key], dtype=np.float64) for key in ("mean", "deviation"))
            x, present = encoded.features, encoded.present
            x[present] = z_scores(x[present], mean, deviation)
        return encoded

    def _within(self, encoded: Encoded, conversations: Sequence[Conversation], sources: Sequence[Source]) -> Encoded:
        """Rows normalised within each conversation, in place; where all of one are equal, they are missing."""
        from sdt.corpus.normalise import moments, z_scores

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
            f"{source.place}: {ALONE}" if had else next(known)
            for source, had, has in zip(sources, encoded.present, present, strict=True)
            if not has
        ]
        return Encoded(x, present, problems)


def _step(name: str, steps: Sequence[str], *, has_statistics: bool) -> str | None:
    """What is done to the encoder's features."""
    step = steps[0] if steps else None
    if len(steps) > 1 or step not in (None, "z:conversation", "z:corpus"):
        raise InputError(f"the features of {name!r} were then changed by {'|'.join(steps)!r}, which is unknown here")
    if step == "z:corpus" and not has_statistics:
        raise InputError(f"the features of {name!r} are z-scores over a corpus, of which the model has no statistics")
    return step


def unused_notes(makers: Iterable[ModalityMaker], *, recorded: bool, filmed: bool) -> list[str]:
    """What the user should know of recordings that a model does not use, or of which it uses the sound alone.

    Args:
        makers: Of the model's modalities.
        recorded: Whether there are recordings.
        filmed: Whether any of them is a film.
    """
    makers = list(makers)
    if recorded and not any(maker.recorded for maker in makers):
        return ["the recording is not used: the model looks at words alone"]
    if filmed and not any(maker.looks for maker in makers):
        return ["pictures are not used: the model does not look at them"]
    return []


class Extractor:
    """Makes all features that a model needs, as far as they can be made.

    Args:
        config: The model's.
        name: What the user calls the model.
        base: See `ModalityMaker`.
    """

    def __init__(self, config: ModelConfig, name: str, base: Path | None = None) -> None:
        self._config, self._name = config, name
        self._makers: dict[str, ModalityMaker] = {}
        self._impossible: dict[str, str] = {}
        """Modality to why its features cannot be made, whatever the input."""
        for modality in config.modalities:
            try:
                self._makers[modality] = ModalityMaker(config, modality, base)
            except InputError as error:
                self._impossible[modality] = str(error)
        self._loaded: set[str] = set()
        self._active: list[str] = []

    @property
    def reads(self) -> bool:
        """Whether any encoder in use reads words."""
        return any(not self._makers[modality].recorded for modality in self._active)

    def begin(self, *, recorded: bool, filmed: bool = False) -> list[str]:
        """Load the encoders that the input needs.

        Args:
            recorded: Whether there are recordings at all.
            filmed: Whether any of them is a film.

        Returns:
            Notes for the user, one line each: which modalities are left out, and why, and what of the
            recordings the model does not use.

        Raises:
            InputError: Not one modality can be made.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        reasons = dict(self._impossible)
        notes = []
        for modality, maker in self._makers.items():
            if maker.recorded and not recorded:
                reasons[modality] = "no recording was given"
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
        notes += unused_notes(self._makers.values(), recorded=recorded, filmed=filmed)
        self._active = [modality for modality in self._makers if modality not in reasons]
        return [f"{modality}: left out: {reason}" for modality, reason in reasons.items()] + notes

    def make(
        self,
        conversations: Sequence[Conversation],
        recordings: Recordings,
        missing: Mapping[str, Missing],
        progress: Progress | None = None,
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """All modalities of N utterances; a modality that was left out is missing everywhere.

        Args:
            conversations: What was said.
            recordings: Where.
            missing: Modality to what it lacks; added to.
            progress: Called with (utterances done, utterances in all), in each modality from the beginning.

        Returns:
            Modality to (features [N, D_m] float32, present [N] bool).
        """
        size = sum(map(len, conversations))
        made = {}
        for modality, width in self._config.modalities.items():
            if modality not in self._active:
                made[modality] = (torch.zeros(size, width), torch.zeros(size, dtype=torch.bool))
                continue
            encoded = self._makers[modality].make(conversations, recordings, progress)
            missing[modality].utterances += size
            missing[modality].problems += encoded.problems
            made[modality] = (torch.from_numpy(encoded.features), torch.from_numpy(encoded.present))
        return made
