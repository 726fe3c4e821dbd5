"""From JSON to a conversation, its features and its clips."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError, near_miss
from sdt.features.encoder import Encoded
from sdt.model.config import ModelConfig
from sdt.serving.asked import Asked, check, close
from sdt.serving.refusals import Refusal, beyond, invalid
from sdt.serving.schemas import ConversationGiven, UtteranceGiven
from sdt.serving.settings import Settings
from sdt.serving.uploads import Upload
from sdt.transcripts.transcript import Turn, assemble, tidy

Given = TypeVar("Given", bound=BaseModel)
DETAILS = 20
"""What is not valid is listed up to so many times."""


class FromJson:
    """Makes conversations of checked JSON.

    Args:
        config: The model's; features must fit it.
        settings: The limits.
    """

    def __init__(self, config: ModelConfig, settings: Settings) -> None:
        self._config, self._settings = config, settings

    def conversation(self, given: ConversationGiven, files: Mapping[str, UploadFile], first: int = 1) -> Asked:
        """A conversation of JSON as a conversation of a transcript would be read.

        Args:
            given: The JSON.
            files: Name to file, of those that came beside it.
            first: The place of its first utterance.

        Raises:
            Refusal: It cannot be used, or is beyond a limit.
        """
        if len(given.utterances) > self._settings.utterances:  # before anything is made of them
            raise beyond(
                self._settings, "utterances", f"conversation {given.id!r} has {len(given.utterances):,} utterances"
            )
        turns = [_turn(given.id, number, utterance) for number, utterance in enumerate(given.utterances, first)]
        try:
            transcript = assemble(Path("conversation"), turns, [])
        except InputError as error:
            raise invalid(str(error).replace(", line ", ", utterance in place ")) from None
        (conversation,) = transcript.conversations
        check(conversation, self._settings)
        asked = Asked(conversation, list(transcript.notes), self._features(given, conversation))
        try:
            for said, utterance in zip(given.utterances, conversation.utterances, strict=True):
                if said.clip is not None:
                    asked.uploads.append(self._clip(said, utterance, files, len(asked.uploads)))
        except BaseException:
            close([asked])
            raise
        return asked

    def _clip(self, said: UtteranceGiven, utterance: Utterance, files: Mapping[str, UploadFile], number: int) -> Upload:
        assert said.clip is not None
        if number >= self._settings.files:
            raise beyond(self._settings, "files", "too many recordings in the request")
        if said.clip.base64 is not None:
            try:
                content = base64.b64decode(said.clip.base64, validate=True)
            except (binascii.Error, ValueError):
                raise invalid(f"utterance {utterance.id!r}: its clip is not base64") from None
            return Upload.of_bytes(content, f"{number}.clip", utterance.id)
        file = files.get(said.clip.part or "")
        if file is None:
            raise invalid(f"utterance {utterance.id!r}: the body has no file {said.clip.part!r} for its clip")
        suffix = (file.filename or "").rpartition(".")[2][:5]
        return Upload(file.file, f"{number}.{suffix or 'clip'}", utterance.id)

    def _features(self, given: ConversationGiven, conversation: Conversation) -> dict[str, Encoded]:
        """The features that come with a conversation, by modality."""
        widths = self._config.modalities
        found: dict[str, Encoded] = {}
        said = [(row, utterance.features) for row, utterance in enumerate(given.utterances) if utterance.features]
        for row, features in said:
            for modality, values in features.items():
                where = f"utterance {conversation.utterances[row].id!r}: features of {modality[:100]!r}"
                if modality not in widths:
                    raise invalid(f"{where}: the model has no such modality{near_miss(modality[:100], widths)}")
                if modality not in found:
                    found[modality] = _empty(len(conversation), widths[modality])
                if values is None:
                    continue
                if len(values) != widths[modality]:
                    raise invalid(f"{where}: are {len(values)}, and the model wants {widths[modality]}")
                with np.errstate(over="ignore"):  # what is too large for float32 is said below
                    vector = np.array(values, dtype=np.float32)
                if not np.isfinite(vector).all():
                    raise invalid(f"{where}: are too large")
                found[modality].features[row], found[modality].present[row] = vector, True
        for encoded in found.values():
            encoded.problems.extend(
                f"{conversation.id}/{utterance.id}: no features were given"
                for utterance, there in zip(conversation.utterances, encoded.present, strict=True)
                if not there
            )
        return found


def parsed(model: type[Given], body: bytes | str) -> Given:
    """JSON as an object of the schema.

    Raises:
        Refusal: It is no JSON, or not of the schema.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise Refusal(400, "malformed", f"not JSON: {found[0]['msg']}") from None
        details = [
            {"place": ".".join(str(part)[:100] for part in one["loc"]), "message": one["msg"]}
            for one in found[:DETAILS]
        ]
        first = details[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise invalid(f"{first['place'] or 'body'}: {first['message']}{more}", details) from None


def _turn(conversation: str, number: int, said: UtteranceGiven) -> Turn:
    """An utterance as a transcript's reader would give it."""
    return Turn(
        line=number,
        text=tidy(said.text or "") or None,
        speaker=tidy(said.speaker or "") or None,
        start=None if said.start is None else round(said.start, 6),
        end=None if said.end is None else round(said.end, 6),
        id=said.id,
        label=said.label,
        conversation=conversation,
        review=said.review if said.label else None,
    )


def _empty(size: int, width: int) -> Encoded:
    return Encoded(np.zeros((size, width), dtype=np.float32), np.zeros(size, dtype=np.bool_), [])
