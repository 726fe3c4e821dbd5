"""The JSON that describes the service and its model; see `schemas`."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ModalityInfo(BaseModel):
    """One modality of the model."""

    width: int = Field(description="the number of features of an utterance")
    encoder: str = Field(description="the encoder of the features, and their normalisation")
    recorded: bool = Field(description="whether it is extracted from recordings")
    available: bool = Field(description="whether this service can extract it")


class ModelResponse(BaseModel):
    """The model of the service."""

    name: str
    version: str = Field(description="the version of sdt-erc")
    labels: list[str]
    modalities: dict[str, ModalityInfo]
    speakers: str = Field(description="how the model represents speakers: appearance or identity")
    provenance: dict[str, object]
    temperatures: dict[str, float]
    transcriber: str | None = Field(
        description="the recogniser of recordings without a transcript; null if there is none"
    )
    limits: dict[str, float]
    card: str = Field(description="the model card, in Markdown")


class StatusResponse(BaseModel):
    """The state of the service."""

    status: str
