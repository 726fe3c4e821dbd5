"""Prediction of batches of conversations with the model and its text encoder.

The features of recordings come from decoder processes (`decoder_pool`), and requests may contain features; text is
encoded here for all conversations of a batch. A batch of one conversation gives bit-identical results to `sdt predict`
on the same machine with the same versions and number of threads. In larger batches the order of summation differs,
which may change the last of the six digits of a response.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation, Prediction, Utterance
from sdt.device import DeviceName
from sdt.encoders.encoder import Encoded
from sdt.errors import InputError, MissingDependencyError
from sdt.media.recordings import Recordings
from sdt.models.config import ModelConfig
from sdt.models.hub import find_model, model_folder
from sdt.prediction.engine import Engine, EngineName
from sdt.prediction.extraction import Missing, ModalityExtractor, unused_notes
from sdt.prediction.pipeline import Pipeline, count_without_input, missing_input_notes, speaker_notes
from sdt.prediction.predictions import Predictions
from sdt.prediction.readability import doubt_foreign, readability_notes


@dataclass
class PreparedConversation:
    """A conversation whose recordings are encoded."""

    conversation: Conversation
    notes: list[str]
    """The notes of its reader."""
    has_recording: bool = False
    provided: dict[str, Encoded] = field(default_factory=dict)
    """Modality to the features that the request contains."""
    extracted: dict[str, Encoded] = field(default_factory=dict)
    """Modality to the features of its recordings."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Modality to why it cannot be extracted from recordings."""
    encoder_notes: list[str] = field(default_factory=list)
    """Notes on the encoders of recordings."""
    has_video: bool = False
    """Whether a recording is a video, by its name."""

    def __len__(self) -> int:
        return len(self.conversation)


class Predictor:
    """Predicts prepared conversations; not thread-safe.

    Args:
        model: A model folder, a run folder, the name of a bundled model, or a hub id.
        device: Device of the model.
        engine: What runs the model, see `sdt.prediction.engine`.
        window: See `Pipeline`; None for whole conversations.
        overlap: See `Pipeline`.

    Raises:
        InputError: The model is missing or damaged.
        MissingDependencyError: The encoder of its text is not installed.
    """

    def __init__(
        self,
        model: str,
        device: DeviceName = "auto",
        *,
        engine: EngineName = "auto",
        window: int | None = None,
        overlap: int | None = None,
    ) -> None:
        found = find_model(model)
        folder = model_folder(found)
        self.folder: Path = folder
        self.name = Path(model).name
        self._pipeline = Pipeline.from_pretrained(found, device=device, engine=engine, window=window, overlap=overlap)
        self.makers: dict[str, ModalityExtractor] = {}
        """The available extractors; those of recorded modalities are not loaded in this process."""
        self._unavailable: dict[str, str] = {}
        for modality in self.config.modalities:
            try:
                maker = ModalityExtractor(self.config, modality, folder, self.engine.graphs)
                if not maker.uses_recordings:
                    maker.load()
                self.makers[modality] = maker
            except MissingDependencyError:
                raise
            except InputError as error:
                self._unavailable[modality] = str(error)

    @property
    def engine(self) -> Engine:
        """Runs the model."""
        return self._pipeline.engine

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self._pipeline.config

    @property
    def recorded(self) -> list[str]:
        """The modalities that are extracted from recordings."""
        return [modality for modality, maker in self.makers.items() if maker.uses_recordings]

    @property
    def reads(self) -> set[str]:
        """The modalities that are extracted from text."""
        return {modality for modality, maker in self.makers.items() if not maker.uses_recordings}

    @property
    def card(self) -> str:
        """The model card."""
        path = self.folder / "README.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def warm_up(self) -> None:
        """Predict an utterance, since the first prediction loads libraries."""
        self.predict([PreparedConversation(Conversation("", (Utterance("", "", "Hello, how are you?"),)), [])])

    def predict(self, batch: Sequence[PreparedConversation]) -> list[Predictions | InputError]:
        """Predict a batch of conversations; returns the predictions, or the error, of each."""
        try:
            return self._predict_together(batch)
        except InputError as error:
            if len(batch) == 1:
                return [error]
        return [result for one in batch for result in self.predict([one])]

    def _predict_together(self, batch: Sequence[PreparedConversation]) -> list[Predictions | InputError]:
        features: dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]] = {}
        missing = [{modality: Missing() for modality in self.config.modalities} for _ in batch]
        for modality, width in self.config.modalities.items():
            parts = self._encoded(modality, width, batch, missing)
            features[modality] = (
                np.concatenate([part.features for part in parts]),
                np.concatenate([part.present for part in parts]),
            )
        found = self._pipeline.from_features([one.conversation for one in batch], features)
        results: list[Predictions | InputError] = []
        first = 0
        for one, lacks in zip(batch, missing, strict=True):
            rows = slice(first, first + len(one))
            first = rows.stop
            predictions: Sequence[Prediction] = found[rows]
            if self._reads_text(one):
                predictions = doubt_foreign(predictions, [one.conversation], self.config.languages)
            try:
                notes = self._notes(one, lacks, count_without_input(predictions))
                results.append(Predictions([one.conversation], predictions, notes, lacks))
            except InputError as error:
                results.append(error)
        return results

    def _encoded(
        self, modality: str, width: int, batch: Sequence[PreparedConversation], missing: Sequence[dict[str, Missing]]
    ) -> list[Encoded]:
        """Encode one modality of every conversation; records missing utterances unless the modality is omitted."""
        ready = {row: one.provided.get(modality) or one.extracted.get(modality) for row, one in enumerate(batch)}
        maker = self.makers.get(modality)
        todo = [row for row, encoded in ready.items() if encoded is None]
        if maker is not None and not maker.uses_recordings and todo:
            conversations = [batch[row].conversation for row in todo]
            encoded = maker.extract(conversations, Recordings())
            ready |= dict(zip(todo, _divided(encoded, conversations), strict=True))
        parts = []
        for row, one in enumerate(batch):
            part = ready[row]
            if part is None:
                parts.append(_nothing(len(one), width))
                continue
            lacks = missing[row][modality]
            lacks.utterances, lacks.problems = len(one), list(part.problems)
            parts.append(part)
        return parts

    def _notes(self, one: PreparedConversation, missing: dict[str, Missing], bare: int) -> list[str]:
        """Create the notes for the user, as in `sdt predict`.

        Raises:
            InputError: The conversation has none of the model's modalities.
        """
        reasons, remarks = dict(self._unavailable), []
        for modality, maker in self.makers.items():
            if modality in one.provided:
                continue
            if maker.uses_recordings and modality not in one.extracted:
                reasons[modality] = one.unavailable.get(modality, "no recording was given")
            elif maker.note and not maker.uses_recordings:
                remarks.append(f"{modality}: {maker.note}")
        reasons = {modality: why for modality, why in reasons.items() if modality not in one.provided}
        if len(reasons) == len(self.config.modalities):
            why = "; ".join(f"{modality}: {reason}" for modality, reason in reasons.items())
            raise InputError(f"{self.name}: the model cannot be used on this input: {why}")
        notes = one.notes + [f"{modality}: not used: {reason}" for modality, reason in reasons.items()]
        notes += remarks + one.encoder_notes
        notes += unused_notes(self.makers.values(), has_recordings=one.has_recording, has_video=one.has_video)
        notes += speaker_notes(self.config.speakers, [one.conversation])
        if self._reads_text(one):
            notes += readability_notes(self.config.languages, [one.conversation])
        notes += missing_input_notes(len(one), bare, {m: of.problems[0] for m, of in missing.items() if of.problems})
        return notes

    def _reads_text(self, one: PreparedConversation) -> bool:
        """Whether the text of a conversation is read, so that its language matters."""
        return bool(self.reads) and not one.provided.keys() & self.reads


def _nothing(size: int, width: int) -> Encoded:
    return Encoded(np.zeros((size, width), dtype=np.float32), np.zeros(size, dtype=np.bool_), [])


def _divided(encoded: Encoded, conversations: Sequence[Conversation]) -> list[Encoded]:
    """Split the features of several conversations by conversation."""
    parts, first, first_problem = [], 0, 0
    for conversation in conversations:
        rows = slice(first, first + len(conversation))
        present = encoded.present[rows]
        absent = int((~present).sum())
        parts.append(Encoded(encoded.features[rows], present, encoded.problems[first_problem : first_problem + absent]))
        first, first_problem = rows.stop, first_problem + absent
    return parts
