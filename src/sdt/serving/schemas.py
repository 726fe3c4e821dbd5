"""The JSON of requests and responses; the OpenAPI document and the validation use the same classes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, RootModel, model_validator
from pydantic.config import JsonDict

from sdt.conversation import Review

Name = Annotated[str, Field(min_length=1, max_length=200)]


def _as_text(value: object) -> object:
    """Convert an integer to its digits; other values are not changed."""
    return str(value) if type(value) is int else value


Id = Annotated[Name, BeforeValidator(_as_text, json_schema_input_type=Name | int)]
"""A name, or an integer, which is converted to its digits."""
Seconds = Annotated[float, Field(ge=0, le=1e7)]
Probabilities = dict[str, float]

EXAMPLE: JsonDict = {
    "id": "kitchen",
    "utterances": [
        {"speaker": "Ann", "text": "I got the job!"},
        {"speaker": "Ben", "text": "You are kidding, that is wonderful!"},
    ],
}


class Input(BaseModel):
    """The base of requests: unknown fields and conversions between types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class ClipInput(Input):
    """The recording of one utterance: `base64`, or `part`, the name of a file in the same multipart body."""

    base64: str | None = Field(None, description="a media file in base64, or a data: URL with base64")
    part: Name | None = Field(None, description="the name of the part of the multipart body that is the media file")
    _unparsed: bytes = PrivateAttr(b"")

    @property
    def unparsed(self) -> bytes:
        """The base64 as JSON contains it, if it is too long to be parsed; `base64` is empty then."""
        return self._unparsed

    @unparsed.setter
    def unparsed(self, written: bytes) -> None:
        self._unparsed = written

    @model_validator(mode="after")
    def _one(self) -> ClipInput:
        if (self.base64 is None) == (self.part is None):
            raise ValueError("set either base64 or part")
        return self


MOST_WORDS = 150
"""Words of an utterance whose times a request may state."""


class WordInput(Input):
    """A recognised word; all times in seconds since the start of the recording."""

    text: Annotated[str, Field(min_length=1, max_length=200)]
    start: Seconds
    end: Seconds
    probability: Annotated[float, Field(ge=0, le=1)] | None = Field(None, description="how sure the recogniser is")
    overlapped: bool = Field(False, description="whether another speaker speaks at the same time")


class UtteranceInput(Input):
    """One turn of one speaker."""

    id: Id | None = Field(None, description="unique within the conversation; default: its number in it, from 0")
    speaker: Id | None = Field(None, description="default: the speaker of the previous utterance")
    text: str | None = Field(None, description="the text of the utterance")
    start: Seconds | None = Field(None, description="seconds since the start of the recording")
    end: Seconds | None = Field(None, description="seconds since the start of the recording")
    label: Name | None = Field(None, description="the annotated emotion; copied to the response")
    review: Review | None = Field(None, description="how a person reviewed a prediction to set the label")
    words: Annotated[list[WordInput], Field(max_length=MOST_WORDS)] | None = Field(
        None, description="the words of the text with their times; copied to the response"
    )
    clip: ClipInput | None = Field(None, description="the recording of this utterance")
    features: dict[str, list[float] | None] | None = Field(
        None,
        description="modality to its features, of the width in GET /v1/model and normalised as in training; null if "
        "the utterance lacks it. Modalities that are given for any utterance of the conversation are not extracted.",
    )


class ConversationInput(Input):
    """Utterances in the order in which they were spoken."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: Id = Field("conversation", description="copied to the response")
    utterances: Annotated[list[UtteranceInput], Field(min_length=1)]


class BatchInput(Input):
    """Several independent conversations."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"conversations": [EXAMPLE]}]})

    conversations: Annotated[list[ConversationInput], Field(min_length=1)]


class UtterancePrediction(BaseModel):
    """The prediction for one utterance: a line of the file that `sdt predict --output` writes."""

    conversation: str
    utterance: str
    speaker: str
    text: str | None
    start: float | None
    end: float | None
    label: str | None = Field(None, description="only if the request had one")
    review: Review | None = Field(None, description="only if the request had one")
    words: list[WordInput] | None = Field(
        None, description="only if the recording was transcribed, or the request had them"
    )
    features: dict[str, list[float] | None] | None = Field(
        None, description="only with features=true: modality to the features of the recording, null if it is missing"
    )
    emotion: str | None = Field(
        description="the label with the highest probability; null if the utterance has no modality"
    )
    probability: float | None = Field(description="the probability of the emotion; null without an emotion")
    probabilities: Probabilities = Field(description="the probability of every label; empty without an emotion")
    branches: dict[str, Probabilities | None] | None = Field(
        None,
        description="modality to the prediction of its branch, null if the utterance lacks it; only for some models",
    )
    weights: dict[str, float | None] | None = Field(
        None,
        description="modality to its fusion weight, null if the utterance lacks it; only for some models",
    )


class PredictionResponse(BaseModel):
    """The predictions for one conversation, in the order of its utterances."""

    predictions: list[UtterancePrediction]
    notes: list[str] = Field(description="assumptions, omitted modalities and missing input")
    missing: dict[str, list[str]] = Field(description="modality to the reasons why utterances lack it, one line each")


class TranscriptResponse(BaseModel):
    """The conversations of a transcript."""

    conversations: list[ConversationInput] = Field(description="in the format of /v1/predict")
    notes: list[str] = Field(description="repairs and assumptions")


class FormatDescription(BaseModel):
    """A format of text files."""

    name: str
    title: str
    suffixes: list[str]
    read: bool
    write: bool
    predictions: bool = Field(description="whether it holds predicted emotions")
    several: bool = Field(description="whether a file holds several conversations")
    untimed: bool = Field(description="whether it holds utterances without times")
    holds: list[str]


class FormatsResponse(BaseModel):
    """The formats of text files."""

    formats: list[FormatDescription]


class LossDescription(BaseModel):
    """Content that a file cannot hold."""

    name: str
    count: int = Field(description="the utterances, tiers or conversations that lose it")
    first: str = Field(description="the first of them")


class ConvertResponse(BaseModel):
    """A file in another format."""

    format: str
    suffix: str
    content: str = Field(description="the text of the file, to be saved as UTF-8")
    losses: list[LossDescription]
    notes: list[str] = Field(description="repairs and assumptions")


class BatchResponse(BaseModel):
    """One response for each conversation, in the order of the request."""

    results: list[PredictionResponse]


class ProgressResponse(BaseModel):
    """The progress of a running request."""

    stage: str = Field(
        description="receiving, waiting (for a process that reads recordings), speakers and words (a recording without "
        "a transcript), decoding, predicting, or unknown (not running)"
    )
    modality: str | None = Field(None, description="while decoding: the modality that is being extracted")
    done: int = Field(description="utterances that are decoded; seconds of the recording in stages speakers and words")
    total: int = Field(description="all of them; 0 if unknown and in other stages")
    seconds: float = Field(description="seconds since the request arrived")


class StreamUtterance(UtteranceInput):
    """The next utterance of a stream; clips are sent in base64."""

    type: Literal["utterance"]
    seq: Annotated[int, Field(ge=0)] | None = Field(
        None, description="its number in the conversation, from 0; for an answered utterance, the answer is sent again"
    )


class StreamForget(Input):
    """Delete the conversation; the next utterance starts a new one."""

    type: Literal["forget"]


class StreamMessage(RootModel[Annotated[StreamUtterance | StreamForget, Field(discriminator="type")]]):
    """A message of a client on a stream."""


class StreamReady(BaseModel):
    """The first message of a stream."""

    type: Literal["ready"] = "ready"
    conversation: str = Field(description="the id by which a client reconnects")
    next: int = Field(description="the number of the next utterance")
    labels: list[str]
    modalities: list[str]
    notes: list[str] = Field(description="features that streams do not support")


class StreamPrediction(BaseModel):
    """The answer to an utterance."""

    type: Literal["prediction"] = "prediction"
    seq: int
    prediction: UtterancePrediction
    problems: list[str] = Field(
        description="reasons for missing modalities and, once per conversation, for text that the model cannot read; "
        "one line each"
    )


class StreamForgotten(BaseModel):
    """The answer to `forget`."""

    type: Literal["forgotten"] = "forgotten"


class LimitExceeded(BaseModel):
    """The limit that a request exceeded."""

    name: str
    value: float


class ErrorDetail(BaseModel):
    """One invalid place of a request."""

    place: str
    message: str


class ErrorBody(BaseModel):
    """An error."""

    code: str = Field(description="machine-readable")
    message: str = Field(description="one line for people")
    limit: LimitExceeded | None = None
    details: list[ErrorDetail] | None = None


class ErrorResponse(BaseModel):
    """The body of every response with a status of 400 or more."""

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
    """The answer to a message that cannot be used; the stream continues."""

    type: Literal["error"] = "error"
    seq: int | None = Field(description="the number of the utterance; null if the message was not an utterance")
    error: ErrorBody
