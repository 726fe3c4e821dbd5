"""Pipeline: predicts emotions from text, audio and video with a model and the encoders of its configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.conversation import Conversation, Prediction
from sdt.device import DeviceName
from sdt.errors import InputError
from sdt.feature_batch import FeaturesLike, pack_features
from sdt.media.recordings import Recordings
from sdt.models.batch_prediction import to_predictions
from sdt.models.config import ModelConfig
from sdt.models.hub import DEFAULT, find_model
from sdt.prediction.engine import Engine, EngineName, engine_of, infer, load_engine
from sdt.prediction.extraction import FeatureExtractor, Missing
from sdt.prediction.inputs import Input, TranscribeRecording, read_input, recordings_of
from sdt.prediction.predictions import Predictions
from sdt.prediction.readability import doubt_foreign, readability_notes
from sdt.speakers import Speakers
from sdt.windows import Windows

if TYPE_CHECKING:
    from sdt.models.base import Model

UTTERANCES = 512
"""Maximum size of a batch of several conversations, in utterances after padding."""

Progress = Callable[[int, int], None]
"""Called with (utterances done, total)."""


class Pipeline:
    """A model and its feature encoders.

    Args:
        model: A model or an engine that runs one. Its configuration names the encoders.
        name: Its name in messages.
        folder: The folder of the model; files of its encoders are looked up there first.
        device: Device of a model: `auto`, `cpu` or `cuda`.
        window: Maximum number of utterances per forward pass; longer conversations are cut into windows of this size,
            and the model runs on each window as on a conversation. None for whole conversations.
        overlap: Number of utterances that two windows share; None for a quarter of the window.

    Raises:
        InputError: The overlap is not less than the window, or is given without a window; or the model is neither.

    Example:
        >>> pipeline = Pipeline.from_pretrained("english-text-audio-small")  # doctest: +SKIP
        >>> for one in pipeline("dialogue.srt", media="dialogue.mp4"):  # doctest: +SKIP
        ...     print(one.utterance, one.emotion, f"{one.probability:.0%}")
    """

    def __init__(
        self,
        model: Model | Engine,
        *,
        name: str = "the model",
        folder: Path | None = None,
        device: DeviceName = "auto",
        window: int | None = None,
        overlap: int | None = None,
    ) -> None:
        self.engine = engine_of(model, device)
        """Runs the model."""
        self.windows = Windows.from_options(window, overlap)
        """How long conversations are cut into windows; None for whole conversations."""
        self._extractor = FeatureExtractor(self.config, name, folder, self.engine.graphs)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path = DEFAULT,
        *,
        revision: str | None = None,
        device: DeviceName = "auto",
        engine: EngineName = "auto",
        window: int | None = None,
        overlap: int | None = None,
    ) -> Pipeline:
        """Load a model.

        Args:
            name: A model folder, a run folder, the name of a bundled model, or a hub id `owner/name`.
            revision: A branch, tag or commit of a model on the hub.
            device: Device of the model: `auto`, `cpu` or `cuda`.
            engine: What runs the model, see `sdt.prediction.engine`: `onnxruntime`, `torch`, or `auto` for onnxruntime
                where the model has graphs and no GPU is asked for.
            window: See the class.
            overlap: See the class.

        Raises:
            InputError: The model does not exist, is damaged, or see the class.
            MissingDependencyError: The model needs PyTorch, which is not installed.
        """
        Windows.from_options(window, overlap)  # raises errors before the model is loaded
        folder = find_model(name, revision)
        runs = load_engine(folder, engine, device)
        return cls(runs, name=str(name), folder=folder, window=window, overlap=overlap)

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self.engine.config

    def __call__(
        self,
        conversations: Input,
        media: str | Path | None = None,
        *,
        progress: Progress | None = None,
        transcribe: TranscribeRecording | None = None,
    ) -> Predictions:
        """Predict the emotion of every utterance.

        Conversations are computed in batches, and in windows if they are longer than `window`. A modality that cannot
        be extracted for an utterance is missing; the notes count missing modalities.

        Args:
            conversations: The path of a transcript, of a recording, which is transcribed first, or of a folder of
                either; `Conversation` objects; or a list of utterances: texts, pairs (speaker, text), or dictionaries
                with the keys of JSON Lines.
            media: The recording of the conversation, or a folder of recordings; see `sdt.media.recordings`.
            progress: Called with (utterances done, total number of utterances).
            transcribe: Transcribes a recording, such as `RecordingTranscriber(SpeechOptions(speakers=...))`; None for
                one with default options, which needs the extra `speech`.

        Raises:
            InputError: The transcript or the recordings cannot be used, or the input has no modality of the model.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        transcript = read_input(conversations, transcribe=transcribe)
        chosen = transcript.conversations
        recordings = recordings_of(transcript, chosen, None if media is None else Path(media))
        encoder_notes = self.prepare(has_recordings=bool(recordings.clips), has_video=recordings.has_video)
        notes = [*transcript.notes, *recordings.notes, *encoder_notes, *speaker_notes(self.config.speakers, chosen)]
        if self.reads_text:
            notes += readability_notes(self.config.languages, chosen)
        missing = {modality: Missing() for modality in self.config.modalities}
        size, done = sum(map(len, chosen)), 0
        found: list[Prediction] = []
        for group in batches(chosen):
            part = self.predict_batch(group, recordings, _shifted(progress, done, size))
            found += part.predictions
            for modality, of in part.missing.items():
                missing[modality].add(of)
            done += len(part.predictions)
        notes += missing_input_notes(
            size, count_without_input(found), {m: of.problems[0] for m, of in missing.items() if of.problems}
        )
        return Predictions(chosen, found, notes, missing)

    def prepare(self, *, has_recordings: bool, has_video: bool = False) -> list[str]:
        """Load the encoders that an input needs, before `predict_batch`; see `FeatureExtractor.prepare`."""
        return self._extractor.prepare(has_recordings=has_recordings, has_video=has_video)

    @property
    def reads_text(self) -> bool:
        """Whether the model reads text; known after `prepare`."""
        return self._extractor.reads_text

    def predict_batch(
        self, conversations: Sequence[Conversation], recordings: Recordings, progress: Progress | None = None
    ) -> BatchResult:
        """Predict one batch; features and predictions do not depend on other batches."""
        missing = {modality: Missing() for modality in self.config.modalities}
        features = self._extractor.extract(conversations, recordings, missing, progress)
        found = self.from_features(conversations, features)
        if self.reads_text:
            found = doubt_foreign(found, conversations, self.config.languages)
        return BatchResult(found, missing)

    def from_features(self, conversations: Sequence[Conversation], features: FeaturesLike) -> list[Prediction]:
        """Predict from given features, in one batch.

        Args:
            conversations: Conversations with N utterances in total.
            features: Each modality to (features [N, D_m] float32, normalised as in training, present [N] bool), rows
                in the order of the conversations.

        Raises:
            InputError: The output is not finite.
        """
        batch = pack_features(conversations, features, self.config.speakers)
        utterances = [utterance for conversation in conversations for utterance in conversation.utterances]
        utterance_keys = [(c.id, utterance.id) for c in conversations for utterance in c.utterances]
        found = infer(self.engine, batch, self.windows)
        found.check_finite(utterance_keys)
        predictions = to_predictions(found, self.config, utterance_keys)
        return [
            prediction.with_utterance(utterance) for prediction, utterance in zip(predictions, utterances, strict=True)
        ]


@dataclass(frozen=True)
class BatchResult:
    """The predictions of one batch."""

    predictions: list[Prediction]
    """One prediction for each utterance, in order."""
    missing: Mapping[str, Missing]
    """Modality to its missing utterances."""


def batches(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    """Divide conversations into batches: attention pads the conversations of a batch to the longest."""
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
    """Progress over all batches from the progress within one."""
    return progress and (lambda within, _: progress(done + within, size))


def speaker_notes(speakers: Speakers, conversations: Sequence[Conversation]) -> list[str]:
    """Notes about speakers that a model with speaker identities was not trained on."""
    names = {utterance.speaker for conversation in conversations for utterance in conversation.utterances}
    return unknown_speaker_notes(speakers, names)


def unknown_speaker_notes(speakers: Speakers, names: Set[str]) -> list[str]:
    """As `speaker_notes`, from the names of the speakers."""
    if speakers.mode != "identity":
        return []
    unknown = sorted(names - set(speakers.names))
    if not unknown:
        return []
    return [f"{len(unknown)} of {len(names)} speakers were not seen in training"]


def count_without_input(predictions: Iterable[Prediction]) -> int:
    """The number of utterances without any modality, which have no emotion."""
    return sum(prediction.emotion is None for prediction in predictions)


def missing_input_notes(utterances: int, without: int, problems: Mapping[str, str]) -> list[str]:
    """Notes about utterances without any modality.

    Args:
        utterances: Number of utterances.
        without: Number of utterances without any modality.
        problems: Modality to the first reason why it is missing.

    Raises:
        InputError: No utterance has a modality.
    """
    if utterances and without == utterances:
        why = "; ".join(f"{modality}: {problem}" for modality, problem in problems.items())
        raise InputError(
            f"no utterance has a modality of the model ({why}); give text (in a table: a column 'text'), recordings, "
            "or both"
        )
    if not without:
        return []
    return [f"{without} of {utterances} utterances have no modality of the model, and therefore no emotion"]
