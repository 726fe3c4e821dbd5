"""The model and the encoders of words, for conversations that run together.

Features of recordings are made elsewhere (`decoding`), features that a request brings are taken as they are; what is
left, words, is encoded here for all conversations at once. A conversation that runs alone is computed as `sdt predict`
computes it, to the last bit, on the same machine with the same versions and number of threads; together with others
the sums are added up in another order, which shows, if at all, in the last of the six digits of an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdt.conversation import Conversation, Utterance
from sdt.device import DeviceName
from sdt.encoders.encoder import Encoded
from sdt.errors import InputError, MissingDependencyError
from sdt.media.recordings import Recordings
from sdt.models.base import Model
from sdt.models.config import ModelConfig
from sdt.models.hub import find_model, model_folder
from sdt.prediction.extraction import Missing, ModalityMaker, unused_notes
from sdt.prediction.pipeline import Pipeline, bare_notes, count_bare, speaker_notes
from sdt.prediction.predictions import Predictions
from sdt.prediction.readability import word_notes


@dataclass
class Prepared:
    """A conversation that is ready for the model."""

    conversation: Conversation
    notes: list[str]
    """What its reader assumed."""
    recorded: bool = False
    """Whether there are recordings of it."""
    given: dict[str, Encoded] = field(default_factory=dict)
    """Modality to the features that the request brought."""
    made: dict[str, Encoded] = field(default_factory=dict)
    """Modality to the features of its recordings."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Modality to why nothing could be made of its recordings."""
    remarks: list[str] = field(default_factory=list)
    """What the user should know of the encoders of recordings."""
    filmed: bool = False
    """Whether any recording is a film, by its name."""

    def __len__(self) -> int:
        return len(self.conversation)


class Predictor:
    """Predicts prepared conversations; used by one thread at a time.

    Args:
        model: A model folder, a run folder, the name of a model in the box, or a hub id.
        device: Where the model computes.
        window: See `Pipeline`; None for whole conversations.
        overlap: See `Pipeline`.

    Raises:
        InputError: There is no such model, it is damaged, or the encoder of its words cannot be loaded.
    """

    def __init__(
        self, model: str, device: DeviceName = "auto", *, window: int | None = None, overlap: int | None = None
    ) -> None:
        found = find_model(model)
        folder = model_folder(found)
        self.folder: Path = folder
        self.name = Path(model).name
        self._pipeline = Pipeline.from_pretrained(found, device=device, window=window, overlap=overlap)
        self.makers: dict[str, ModalityMaker] = {}
        """Those that can be had at all; of recorded modalities they only know what was done to the features."""
        self._impossible: dict[str, str] = {}
        for modality in self.config.modalities:
            try:
                maker = ModalityMaker(self.config, modality, folder)
                if not maker.recorded:
                    maker.load()
                self.makers[modality] = maker
            except MissingDependencyError:
                raise
            except InputError as error:
                self._impossible[modality] = str(error)

    @property
    def model(self) -> Model:
        """The model, on its device."""
        return self._pipeline.model

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self._pipeline.config

    @property
    def recorded(self) -> list[str]:
        """The modalities that are made from recordings."""
        return [modality for modality, maker in self.makers.items() if maker.recorded]

    @property
    def reads(self) -> set[str]:
        """The modalities that are made from words."""
        return {modality for modality, maker in self.makers.items() if not maker.recorded}

    @property
    def card(self) -> str:
        """The model card."""
        path = self.folder / "README.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def warm_up(self) -> None:
        """Predict something, since whatever runs first loads what it needs."""
        self.predict([Prepared(Conversation("", (Utterance("", "", "Hello."),)), [])])

    def predict(self, group: Sequence[Prepared]) -> list[Predictions | InputError]:
        """Predict conversations together; of each its predictions, or why there are none."""
        try:
            return self._together(group)
        except InputError as error:
            if len(group) == 1:
                return [error]
        return [answer for one in group for answer in self.predict([one])]

    def _together(self, group: Sequence[Prepared]) -> list[Predictions | InputError]:
        features: dict[str, tuple[Tensor, Tensor]] = {}
        missing = [{modality: Missing() for modality in self.config.modalities} for _ in group]
        for modality, width in self.config.modalities.items():
            parts = self._encoded(modality, width, group, missing)
            features[modality] = (
                torch.from_numpy(np.concatenate([part.features for part in parts])),
                torch.from_numpy(np.concatenate([part.present for part in parts])),
            )
        found = self._pipeline.from_features([one.conversation for one in group], features)
        answers: list[Predictions | InputError] = []
        first = 0
        for one, lacks in zip(group, missing, strict=True):
            rows = slice(first, first + len(one))
            first = rows.stop
            try:
                notes = self._notes(one, lacks, count_bare(found[rows]))
                answers.append(Predictions([one.conversation], found[rows], notes, lacks))
            except InputError as error:
                answers.append(error)
        return answers

    def _encoded(
        self, modality: str, width: int, group: Sequence[Prepared], missing: Sequence[dict[str, Missing]]
    ) -> list[Encoded]:
        """One modality of every conversation; what it lacks is noted, unless the modality is left out altogether."""
        ready = {row: one.given.get(modality) or one.made.get(modality) for row, one in enumerate(group)}
        maker = self.makers.get(modality)
        todo = [row for row, there in ready.items() if there is None]
        if maker is not None and not maker.recorded and todo:
            said = [group[row].conversation for row in todo]
            ready |= dict(zip(todo, _divided(maker.make(said, Recordings()), said), strict=True))
        parts = []
        for row, one in enumerate(group):
            part = ready[row]
            if part is None:
                parts.append(_nothing(len(one), width))
                continue
            lacks = missing[row][modality]
            lacks.utterances, lacks.problems = len(one), list(part.problems)
            parts.append(part)
        return parts

    def _notes(self, one: Prepared, missing: dict[str, Missing], bare: int) -> list[str]:
        """What the user should know, as `sdt predict` says it.

        Raises:
            InputError: There is nothing that the model could look at.
        """
        reasons, remarks = dict(self._impossible), []
        for modality, maker in self.makers.items():
            if modality in one.given:
                continue
            if maker.recorded and modality not in one.made:
                reasons[modality] = one.reasons.get(modality, "no recording was given")
            elif maker.note and not maker.recorded:
                remarks.append(f"{modality}: {maker.note}")
        reasons = {modality: why for modality, why in reasons.items() if modality not in one.given}
        if len(reasons) == len(self.config.modalities):
            why = "; ".join(f"{modality}: {reason}" for modality, reason in reasons.items())
            raise InputError(f"{self.name}: the model cannot be used on this input: {why}")
        notes = one.notes + [f"{modality}: left out: {reason}" for modality, reason in reasons.items()]
        notes += remarks + one.remarks
        notes += unused_notes(self.makers.values(), recorded=one.recorded, filmed=one.filmed)
        notes += speaker_notes(self.config.speakers, [one.conversation])
        if self.reads and not one.given.keys() & self.reads:
            notes += word_notes(self.config.languages, [one.conversation])
        notes += bare_notes(len(one), bare, {m: of.problems[0] for m, of in missing.items() if of.problems})
        return notes


def _nothing(size: int, width: int) -> Encoded:
    return Encoded(np.zeros((size, width), dtype=np.float32), np.zeros(size, dtype=np.bool_), [])


def _divided(encoded: Encoded, conversations: Sequence[Conversation]) -> list[Encoded]:
    """What was encoded together, by conversation."""
    parts, first, told = [], 0, 0
    for conversation in conversations:
        rows = slice(first, first + len(conversation))
        present = encoded.present[rows]
        absent = int((~present).sum())
        parts.append(Encoded(encoded.features[rows], present, encoded.problems[told : told + absent]))
        first, told = rows.stop, told + absent
    return parts
