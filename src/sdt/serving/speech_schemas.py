"""The JSON of `/v1/transcribe` and `/v1/listen`; see `schemas`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from sdt.serving.schemas import ConversationInput, ErrorBody, Input, Name, StreamForget


class TranscribeLine(BaseModel):
    """A line of the response of /v1/transcribe: the progress, or at last the conversation or the error."""

    stage: str | None = Field(None, description="receiving, waiting (for another recording), speakers, or words")
    done: float | None = Field(None, description="seconds of the recording that this stage has reached")
    seconds: float | None = Field(None, description="the duration of the recording; 0 if it is unknown")
    conversation: ConversationInput | None = None
    notes: list[str] | None = Field(None, description="with the conversation: the models, and what is uncertain")
    error: ErrorBody | None = None


class ListenSpeech(BaseModel):
    """Live speech has begun, or ended in a pause; times in seconds of sound since the connection was opened."""

    type: Literal["speech"] = "speech"
    start: float
    end: float | None = Field(None, description="null as long as the utterance goes on")


class ListenSpeaker(Input):
    """Who speaks from now on."""

    type: Literal["speaker"]
    name: Name


class ListenEnd(Input):
    """The sound ends; the current utterance ends, too."""

    type: Literal["end"]


class ListenEnded(BaseModel):
    """The answer to `end`: every utterance before it is predicted."""

    type: Literal["ended"] = "ended"


class ListenMessage(
    RootModel[Annotated[ListenSpeaker | ListenEnd | StreamForget, Field(discriminator="type")]],
):
    """A text message of a client that sends live speech."""
