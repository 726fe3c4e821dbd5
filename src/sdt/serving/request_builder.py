"""Builds a request for predictions from the utterances of its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from starlette.datastructures import UploadFile

from sdt.conversation import Word
from sdt.encoders.encoder import Encoded
from sdt.errors import InputError, near_miss, quoted
from sdt.formats.transcript import Turn, assemble, tidy
from sdt.models.config import ModelConfig
from sdt.serving.config import ServingConfig
from sdt.serving.errors import invalid_request
from sdt.serving.limits import RequestUsage
from sdt.serving.predict_request import PredictRequest, Upload, check_text
from sdt.serving.schemas import ClipInput, UtteranceInput


class RequestBuilder:
    """Builds a request utterance by utterance; `files` are those of the same multipart body."""

    def __init__(
        self,
        id: str,
        size: int,
        model: ModelConfig,
        config: ServingConfig,
        files: Mapping[str, UploadFile],
        usage: RequestUsage,
        first: int = 0,
    ) -> None:
        self._id, self._size, self._first = id, size, first
        self._widths, self._config, self._files, self._usage = model.modalities, config, files, usage
        self._turns: list[Turn] = []
        self._words: list[tuple[Word, ...]] = []
        self._features: dict[str, Encoded] = {}
        self._uploads: list[Upload] = []

    def add(self, given: UtteranceInput) -> None:
        """Add an utterance with its features and its clip.

        Raises:
            APIError: They cannot be used, or exceed a limit.
        """
        row = len(self._turns)
        id_ = str(row) if given.id is None else given.id
        check_text(self._config, self._id, id_, given.text)
        self._turns.append(_turn(self._id, self._first + row + 1, given))
        self._words.append(tuple(Word(**word.model_dump()) for word in given.words or ()))
        for modality, values in (given.features or {}).items():
            self._add_features(row, modality, values, f"utterance {quoted(id_)}: features of {quoted(modality)}")
        if given.clip is not None:
            self._uploads.append(self._clip(given.clip, id_))

    def request(self) -> PredictRequest:
        """The finished request.

        Raises:
            APIError: Its utterances contradict each other.
        """
        try:
            transcript = assemble(Path("conversation"), self._turns, [])
        except InputError as error:
            raise invalid_request(str(error).replace(", line ", ", utterance in place ")) from None
        (conversation,) = transcript.conversations
        if any(self._words):
            told = zip(conversation.utterances, self._words, strict=True)
            conversation = replace(conversation, utterances=tuple(replace(one, words=words) for one, words in told))
        for encoded in self._features.values():
            encoded.problems.extend(
                f"{conversation.id}/{utterance.id}: no features were given"
                for utterance, present in zip(conversation.utterances, encoded.present, strict=True)
                if not present
            )
        return PredictRequest(conversation, list(transcript.notes), self._features, self._uploads)

    def close(self) -> None:
        """Close the uploads."""
        for upload in self._uploads:
            upload.close()

    def _add_features(self, row: int, modality: str, values: list[float] | None, where: str) -> None:
        if modality not in self._widths:
            raise invalid_request(f"{where}: unknown modality{near_miss(modality[:80], self._widths)}")
        width = self._widths[modality]
        if modality not in self._features:
            self._usage.add(4 * self._size * width)
            empty = np.zeros((self._size, width), dtype=np.float32)
            self._features[modality] = Encoded(empty, np.zeros(self._size, dtype=np.bool_), [])
        if values is None:
            return
        if len(values) != width:
            raise invalid_request(f"{where}: has {len(values)} values; the model expects {width}")
        with np.errstate(over="ignore"):  # values beyond float32 are refused below
            vector = np.array(values, dtype=np.float32)
        if not np.isfinite(vector).all():
            raise invalid_request(f"{where}: values are too large for float32")
        encoded = self._features[modality]
        encoded.features[row], encoded.present[row] = vector, True

    def _clip(self, clip: ClipInput, utterance: str) -> Upload:
        number = self._usage.add_file()
        if clip.base64 is not None:
            return Upload.from_base64(clip.unparsed or clip.base64.encode(), f"{number}.clip", utterance)
        file = self._files.get(clip.part or "")
        if file is None:
            raise invalid_request(
                f"utterance {quoted(utterance)}: the body has no file {quoted(clip.part)} for its clip"
            )
        suffix = (file.filename or "").rpartition(".")[2][:5]
        return Upload(file.file, f"{number}.{suffix or 'clip'}", utterance)


def _turn(conversation: str, number: int, given: UtteranceInput) -> Turn:
    """An utterance as a transcript's reader returns it."""
    return Turn(
        line=number,
        text=tidy(given.text or "") or None,
        speaker=tidy(given.speaker or "") or None,
        start=None if given.start is None else round(given.start, 6),
        end=None if given.end is None else round(given.end, 6),
        id=given.id,
        label=given.label,
        conversation=conversation,
        review=given.review if given.label else None,
    )
