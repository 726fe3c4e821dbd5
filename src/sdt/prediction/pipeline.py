"""From raw text, sound and pictures to emotions: a model with the encoders that its configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sdt.batch import pack
from sdt.conversation import Conversation, Prediction
from sdt.device import DeviceName, choose_device
from sdt.errors import InputError, quoted
from sdt.media.recordings import Recordings
from sdt.models.base import Model
from sdt.models.config import ModelConfig
from sdt.models.hub import find_model
from sdt.models.inference import infer, to_predictions
from sdt.models.saved import load
from sdt.prediction.extraction import Extractor, Missing
from sdt.prediction.inputs import Input, read_input, recordings_of
from sdt.prediction.predictions import Predictions
from sdt.prediction.readability import word_notes
from sdt.speakers import Speakers
from sdt.windows import Windows

UTTERANCES = 512
"""Utterances that are computed together, if they are of several conversations: features, and slots of attention."""

Progress = Callable[[int, int], None]
"""Called with (utterances done, utterances in all)."""


class Pipeline:
    """A model and its feature encoders.

    Args:
        model: Its configuration names the encoders.
        name: What to call it in messages.
        folder: Where it was loaded from: files that its encoders' names refer to are looked for there first.
        device: Where the model computes: `auto`, `cpu` or `cuda`.
        window: Utterances that the model reads together at most; a longer conversation is cut into windows of so many,
            each read as a conversation of its own. None for whole conversations.
        overlap: Utterances that two windows share; None for a quarter of the window.

    Raises:
        InputError: The overlap is not less than the window, or there is no window that it could be of.

    Example:
        >>> pipeline = Pipeline.from_pretrained("meld-text-audio-small")  # doctest: +SKIP
        >>> for infer in pipeline("dialogue.srt", media="dialogue.mp4"):  # doctest: +SKIP
        ...     print(infer.utterance, infer.emotion, f"{infer.probability:.0%}")
    """

    def __init__(
        self,
        model: Model,
        *,
        name: str = "the model",
        folder: Path | None = None,
        device: DeviceName = "auto",
        window: int | None = None,
        overlap: int | None = None,
    ) -> None:
        if not isinstance(model, Model):
            raise InputError(
                f"Pipeline({quoted(model)}): this is no model; load one by its name, and call it: "
                "Pipeline.from_pretrained(NAME)(conversations)"
            )
        self.windows = Windows.of(window, overlap)
        """How longer conversations are cut; None for not at all."""
        self.model = model.to(choose_device(device)).eval()
        self._extractor = Extractor(model.config, name, folder)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        device: DeviceName = "auto",
        window: int | None = None,
        overlap: int | None = None,
    ) -> Pipeline:
        """Load a model.

        Args:
            name: A model folder, a run folder, the name of a bundled model, or a hub id `owner/name`.
            revision: Of a model on the hub: a branch, tag or commit.
            device: Where the model computes: `auto`, `cpu` or `cuda`.
            window: See the class.
            overlap: See the class.

        Raises:
            InputError: The model does not exist, is damaged, or see the class.
        """
        Windows.of(window, overlap)  # before the work
        folder = find_model(name, revision)
        return cls(load(folder), name=str(name), folder=folder, device=device, window=window, overlap=overlap)

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self.model.config

    def __call__(
        self, conversations: Input, media: str | Path | None = None, *, progress: Progress | None = None
    ) -> Predictions:
        """Predict the emotion of every utterance.

        Conversations are computed in batches, each as a whole or, where it is longer, in windows.
        A modality that cannot be had for an utterance is missing there; what is missing is counted in the notes.

        Args:
            conversations: The path of a transcript, of a recording, or of a folder of either; conversations; or a list
                of utterances: texts, pairs (speaker, text), or dictionaries with the keys of JSON Lines.
            media: The recording of the conversation, or a folder of recordings; see `sdt.media.recordings`.
            progress: Called with (utterances done, utterances in all).

        Raises:
            InputError: The transcript or the recordings cannot be used; or the model cannot work on any modality of
                this input.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        transcript = read_input(conversations)
        chosen = transcript.conversations
        recordings = recordings_of(transcript, chosen, None if media is None else Path(media))
        begun = self.begin(recorded=bool(recordings.clips), filmed=recordings.filmed)
        notes = [*transcript.notes, *recordings.notes, *begun, *speaker_notes(self.config.speakers, chosen)]
        if self.reads:
            notes += word_notes(self.config.languages, chosen)
        missing = {modality: Missing() for modality in self.config.modalities}
        size, done = sum(map(len, chosen)), 0
        found: list[Prediction] = []
        for group in batches(chosen):
            part = self.predict_batch(group, recordings, _shifted(progress, done, size))
            found += part.predictions
            for modality, of in part.missing.items():
                missing[modality].add(of)
            done += len(part.predictions)
        notes += bare_notes(size, count_bare(found), {m: of.problems[0] for m, of in missing.items() if of.problems})
        return Predictions(chosen, found, notes, missing)

    def begin(self, *, recorded: bool, filmed: bool = False) -> list[str]:
        """Load the encoders that an input needs, before `predict_batch`; see `Extractor.begin`."""
        return self._extractor.begin(recorded=recorded, filmed=filmed)

    @property
    def reads(self) -> bool:
        """Whether it reads words, once it has begun."""
        return self._extractor.reads

    def predict_batch(
        self, conversations: Sequence[Conversation], recordings: Recordings, progress: Progress | None = None
    ) -> BatchResult:
        """Predict on one batch: features and model see these conversations together, and no others."""
        missing = {modality: Missing() for modality in self.config.modalities}
        features = self._extractor.make(conversations, recordings, missing, progress)
        return BatchResult(self.from_features(conversations, features), missing)

    def from_features(
        self, conversations: Sequence[Conversation], features: Mapping[str, tuple[Tensor, Tensor]]
    ) -> list[Prediction]:
        """Predict on features that are there already, in one batch.

        Args:
            conversations: N utterances in all.
            features: Every modality to (features [N, D_m] float32, normalised as in training, present [N] bool), rows
                in the order of the conversations.

        Raises:
            InputError: What comes out is not finite.
        """
        batch = pack(conversations, features, self.config.labels, self.config.speakers)
        utterances = [utterance for conversation in conversations for utterance in conversation.utterances]
        utterance_keys = [(c.id, utterance.id) for c in conversations for utterance in c.utterances]
        with torch.inference_mode():
            found = infer(self.model, batch, self.windows)
        found.check_finite(utterance_keys)
        predictions = to_predictions(found, self.config, utterance_keys)
        return [prediction.of(utterance) for prediction, utterance in zip(predictions, utterances, strict=True)]


@dataclass(frozen=True)
class BatchResult:
    """What came of one batch."""

    predictions: list[Prediction]
    """One for each utterance, in order."""
    missing: Mapping[str, Missing]
    """By modality."""


def batches(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    """Divide conversations into batches: attention pads all of a batch to its longest one."""
    group: list[Conversation] = []
    for conversation in conversations:
        slots = (len(group) + 1) * max(len(c) for c in [*group, conversation])
        if group and slots > UTTERANCES:
            yield group
            group = []
        group.append(conversation)
    if group:
        yield group


def _shifted(progress: Progress | None, done: int, size: int) -> Progress | None:
    """Progress over all batches from that within one; several modalities go over the same utterances."""
    return progress and (lambda within, _: progress(done + within, size))


def speaker_notes(speakers: Speakers, conversations: Sequence[Conversation]) -> list[str]:
    """What the user should know where a model tells its speakers by name."""
    names = {utterance.speaker for conversation in conversations for utterance in conversation.utterances}
    return stranger_notes(speakers, names)


def stranger_notes(speakers: Speakers, names: Set[str]) -> list[str]:
    """The same of the names of all who speak."""
    if speakers.mode != "identity":
        return []
    unknown = sorted(names - set(speakers.names))
    if not unknown:
        return []
    return [f"the model knows its speakers by name, and {len(unknown)} of {len(names)} here are strangers to it"]


def count_bare(predictions: Iterable[Prediction]) -> int:
    """How many utterances have no modality, and so no emotion."""
    return sum(prediction.emotion is None for prediction in predictions)


def bare_notes(utterances: int, bare: int, problems: Mapping[str, str]) -> list[str]:
    """What the user should know of utterances without any modality.

    Args:
        utterances: How many there are.
        bare: How many of them have none.
        problems: Modality to the first reason why it is missing.

    Raises:
        InputError: All of them.
    """
    if utterances and bare == utterances:
        why = "; ".join(f"{modality}: {problem}" for modality, problem in problems.items())
        raise InputError(
            f"no utterance has anything that the model can look at ({why}); give words, recordings, or both"
        )
    if not bare:
        return []
    return [f"{bare} of {utterances} utterances have nothing that the model can look at, and so no emotion"]
