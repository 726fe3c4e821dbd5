"""The JSON of requests and answers; the OpenAPI description and the checks are made from the same classes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, RootModel, model_validator
from pydantic.config import JsonDict

from sdt.conversation import Review

Name = Annotated[str, Field(min_length=1, max_length=200)]


def _as_text(value: object) -> object:
    """An integer as its digits; anything else as it is."""
    return str(value) if type(value) is int else value


Id = Annotated[Name, BeforeValidator(_as_text, json_schema_input_type=Name | int)]
"""A name that may be given as an integer."""
Seconds = Annotated[float, Field(ge=0, le=1e7)]
Probabilities = dict[str, float]

EXAMPLE: JsonDict = {
    "id": "kitchen",
    "utterances": [
        {"speaker": "Ann", "text": "I got the job!"},
        {"speaker": "Ben", "text": "You are kidding, that is wonderful!"},
    ],
}


class _Given(BaseModel):
    """What is asked: names are spelt as here, and numbers are numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class ClipGiven(_Given):
    """The recording of one utterance alone: `base64`, or `part`, the name of a file in the same multipart body."""

    base64: str | None = Field(None, description="the bytes of a media file, in base64, or as a data: URL of that")
    part: Name | None = Field(None, description="the name of a part of the multipart body that is a media file")
    _long: bytes = PrivateAttr(b"")

    @property
    def long(self) -> bytes:
        """The base64 as JSON has it, where it is too long to be parsed; `base64` is empty then."""
        return self._long

    @long.setter
    def long(self, written: bytes) -> None:
        self._long = written

    @model_validator(mode="after")
    def _one(self) -> ClipGiven:
        if (self.base64 is None) == (self.part is None):
            raise ValueError("give either base64 or part")
        return self


class UtteranceGiven(_Given):
    """One turn of one speaker."""

    id: Id | None = Field(None, description="unique in its conversation; default: its number in it, from 0")
    speaker: Id | None = Field(None, description="default: who spoke before")
    text: str | None = Field(None, description="what is said")
    start: Seconds | None = Field(None, description="seconds from the beginning of the recording")
    end: Seconds | None = Field(None, description="seconds from the beginning of the recording")
    label: Name | None = Field(None, description="the emotion that a person or an annotation gives; handed through")
    review: Review | None = Field(None, description="how a person who reviewed a prediction gave the label")
    clip: ClipGiven | None = Field(None, description="the recording of this utterance alone")
    features: dict[str, list[float] | None] | None = Field(
        None,
        description="modality to its features, as long as GET /v1/model says and normalised as in training; null "
        "where this utterance lacks it. A modality that any utterance of a conversation has here is not made anew.",
    )


class ConversationGiven(_Given):
    """Utterances in the order in which they were spoken."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: Id = Field("conversation", description="handed through")
    utterances: Annotated[list[UtteranceGiven], Field(min_length=1)]


class BatchGiven(_Given):
    """Several conversations; each is understood by itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"conversations": [EXAMPLE]}]})

    conversations: Annotated[list[ConversationGiven], Field(min_length=1)]


class Predicted(BaseModel):
    """What is said of one utterance: a line of the file that `sdt predict --output` writes."""

    conversation: str
    utterance: str
    speaker: str
    text: str | None
    start: float | None
    end: float | None
    label: str | None = Field(None, description="only where the request had one")
    review: Review | None = Field(None, description="only where the request had one")
    emotion: str | None = Field(
        description="the label with the highest probability; null where the utterance has no modality"
    )
    probability: float | None = Field(description="of the emotion; null where there is none")
    probabilities: Probabilities = Field(description="the probability of every label; empty without an emotion")
    branches: dict[str, Probabilities | None] | None = Field(
        None,
        description="modality to the prediction of its branch alone, null where the utterance lacks it; only of models "
        "that have branches",
    )
    weights: dict[str, float | None] | None = Field(
        None,
        description="modality to its weight, null where the utterance lacks it; only of models that weigh",
    )


class Answer(BaseModel):
    """The predictions for one conversation, in the order of its utterances."""

    predictions: list[Predicted]
    notes: list[str] = Field(description="what was assumed, left out, or is missing")
    missing: dict[str, list[str]] = Field(description="modality to why each utterance lacks it")


class TranscriptAnswer(BaseModel):
    """The conversations of a transcript."""

    conversations: list[ConversationGiven] = Field(description="each as /v1/predict takes it")
    notes: list[str] = Field(description="what was repaired or assumed")


class BatchAnswer(BaseModel):
    """One answer for each conversation, in the order of the request."""

    results: list[Answer]


class Progress(BaseModel):
    """How far a running request is."""

    stage: str = Field(
        description="receiving, waiting (for a process that decodes), decoding, predicting, or unknown: none is running"
    )
    modality: str | None = Field(None, description="which one is being made of the recordings, while decoding")
    done: int = Field(description="utterances of which it is made")
    total: int = Field(description="utterances of the conversation; 0 when nothing is decoded")
    seconds: float = Field(description="since the request came")


class StreamUtterance(UtteranceGiven):
    """The next utterance of a stream's conversation; clips are sent in base64."""

    type: Literal["utterance"]
    seq: Annotated[int, Field(ge=0)] | None = Field(
        None, description="its number in the conversation, from 0; one that was answered is answered again as it was"
    )


class StreamForget(_Given):
    """End the conversation: nothing of it is kept, and the next utterance begins another."""

    type: Literal["forget"]


class StreamSent(RootModel[Annotated[StreamUtterance | StreamForget, Field(discriminator="type")]]):
    """What a client says on a stream."""


class StreamReady(BaseModel):
    """The first message of a stream."""

    type: Literal["ready"] = "ready"
    conversation: str = Field(description="the id by which a client comes back to it")
    next: int = Field(description="how many utterances the service has of it")
    labels: list[str]
    modalities: list[str]
    notes: list[str] = Field(description="what a stream cannot know, or is left out")


class StreamPrediction(BaseModel):
    """The answer to an utterance."""

    type: Literal["prediction"] = "prediction"
    seq: int
    prediction: Predicted
    problems: list[str] = Field(
        description="why it lacks modalities that it might have had and, once in a conversation, what of its words "
        "the model cannot read; a line each"
    )


class StreamForgotten(BaseModel):
    """The answer to `forget`."""

    type: Literal["forgotten"] = "forgotten"


class Modality(BaseModel):
    """One modality of the model."""

    width: int = Field(description="how many features there are of an utterance")
    encoder: str = Field(description="what made them, and how they were normalised")
    recorded: bool = Field(description="whether it is made from recordings")
    available: bool = Field(description="whether it can be made here")


class ModelAnswer(BaseModel):
    """The model that answers."""

    name: str
    version: str = Field(description="of sdt-erc")
    labels: list[str]
    modalities: dict[str, Modality]
    speakers: str = Field(description="how speakers are told apart: by appearance or identity")
    provenance: dict[str, object]
    temperatures: dict[str, float]
    limits: dict[str, float]
    card: str = Field(description="the model card, Markdown")


class Limit(BaseModel):
    """The setting of the service that a request went beyond."""

    name: str
    value: float


class ErrorDetail(BaseModel):
    """One thing that is not valid."""

    place: str
    message: str


class ErrorBody(BaseModel):
    """Why there is no prediction."""

    code: str = Field(description="a word for programs")
    message: str = Field(description="a line for people")
    limit: Limit | None = None
    details: list[ErrorDetail] | None = None


class Error(BaseModel):
    """What every answer with a status of 400 or more holds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "limit_utterances",
                        "message": "conversation 'kitchen' has 1,204 utterances (limit utterances: 1,000)",
                        "limit": {"name": "utterances", "value": 1000},
                    }
                }
            ]
        }
    )

    error: ErrorBody


class StreamError(BaseModel):
    """Why a message of a stream has no other answer; the stream goes on."""

    type: Literal["error"] = "error"
    seq: int | None = Field(description="of the utterance; null where the message was none")
    error: ErrorBody


class Status(BaseModel):
    """How the service is."""

    status: str
