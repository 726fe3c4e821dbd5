"""What a user may decide about an import; every importer reads the same options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from sdt.corpus.normalise import Normalisation
from sdt.errors import InputError, near_miss, quoted
from sdt.speakers import SpeakerMode
from sdt.splits import Dev


@dataclass(frozen=True)
class ImportOptions:
    """How files become a corpus. Everything has a default that suits the published files."""

    layout: str | None = None
    """The layout of the files; None recognises it by their structure."""
    name: str | None = None
    """The corpus' name; None takes the layout's."""
    dev: Dev | None = None
    """Which train conversations become dev. `usual`: MELD's by id, IEMOCAP's usual list; `session4`: IEMOCAP's
    Session 4, whose speakers are then not in train; `share`: a seeded share. None takes the dev split that the files
    bring, else `usual` where the corpus has one, else `share`."""
    dev_share: float = 0.1
    """The share of the train conversations that `share` takes."""
    seed: int = 0
    """What `share` draws with."""
    labels: tuple[str, ...] | None = None
    """The label names in the order of their numbers; None takes the layout's, or those found, sorted."""
    speakers: SpeakerMode | None = None
    """How speakers become numbers; None takes the layout's way."""
    text_encoder: str | None = None
    """Makes text features from the utterances' text with this encoder, `minilm` say."""
    audio_encoder: str | None = None
    """Makes audio features from the recordings with this encoder, `prosody` say."""
    visual_encoder: str | None = None
    """Makes visual features from the recordings with this encoder, `faces` say."""
    media: Path | None = None
    """The recording of a table's utterances, or a folder of them; None takes those that its column `media` names."""
    encoding: str | None = None
    """The encoding of the files that say who spoke what; None takes UTF-8, or what the files' bytes tell."""
    normalise: Mapping[str, Normalisation] = field(default_factory=dict)
    """Modality to what its features' mean and deviation are taken over: `conversation`, `corpus` (its train split), or
    `none`."""
    licence: str | None = None
    """The licence of the data; None takes the layout's, or `unknown`."""
    take: Mapping[str, Path] = field(default_factory=dict)
    """Modality to the file that it must come from, where several files hold it."""

    def __post_init__(self) -> None:
        for option, value, known in (("dev", self.dev, get_args(Dev)), ("speakers", self.speakers, _SPEAKERS)):
            if value is not None and value not in known:
                raise InputError(f"{option}: {quoted(value)} is unknown{near_miss(str(value), known)}")
        if not 0 < self.dev_share < 1:
            raise InputError(f"dev_share: {self.dev_share} is not between 0 and 1")
        if self.seed < 0:
            raise InputError(f"seed: {self.seed} is negative")
        for modality, over in self.normalise.items():
            if over not in get_args(Normalisation):
                hint = near_miss(str(over), get_args(Normalisation))
                raise InputError(f"normalise: {modality}={quoted(over)} is unknown{hint}")
        if self.labels is not None:
            self._check_labels(self.labels)
        for option in ("name", "text_encoder", "audio_encoder", "visual_encoder", "licence"):
            text = getattr(self, option)
            if text is not None and not text.strip():
                raise InputError(f"{option}: {quoted(text)} is empty")

    @staticmethod
    def _check_labels(labels: tuple[str, ...]) -> None:
        if len(labels) < 2:
            raise InputError(f"labels: {list(labels)} is fewer than two; a corpus needs at least two")
        for label in labels:
            if not label.strip():
                raise InputError(f"labels: {list(labels)} holds an empty name")
            if labels.count(label) > 1:
                raise InputError(f"labels: {quoted(label)} is named twice")


_SPEAKERS: tuple[str, ...] = get_args(SpeakerMode)
