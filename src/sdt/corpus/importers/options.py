"""The options of an import, common to all importers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from sdt.corpus.normalise import Normalisation
from sdt.errors import InputError, near_miss, quoted
from sdt.speakers import SpeakerMode
from sdt.splits import DevRule


@dataclass(frozen=True)
class ImportOptions:
    """The options of an import; the defaults suit published files."""

    layout: str | None = None
    """The layout of the files; None detects it by their structure."""
    name: str | None = None
    """The name of the corpus; None takes that of the layout."""
    dev: DevRule | None = None
    """The train conversations that become dev. `usual`: MELD's by id, IEMOCAP's usual list; `session4`: IEMOCAP's
    Session 4, whose speakers are then not in train; `share`: a random share. None takes the dev split of the files, or
    else `usual` if the corpus has one, or else `share`; CMU-MOSI then has no dev split."""
    dev_share: float = 0.1
    """The fraction of the train conversations that `share` takes."""
    seed: int = 0
    """The random seed of `share`."""
    labels: tuple[str, ...] | None = None
    """The label names in the order of their numbers; None takes those of the layout, or the found ones, sorted."""
    speakers: SpeakerMode | None = None
    """The numbering of speakers; None takes that of the layout."""
    text_encoder: str | None = None
    """Encodes the text of the utterances with this encoder, such as `minilm`."""
    audio_encoder: str | None = None
    """Encodes the sound of the recordings with this encoder, such as `prosody`."""
    visual_encoder: str | None = None
    """Encodes the pictures of the recordings with this encoder, such as `faces`."""
    media: Path | None = None
    """The recording of a table of utterances, or a folder of recordings; None takes those of the column `media`."""
    encoding: str | None = None
    """The encoding of annotation files; None detects it."""
    normalise: Mapping[str, Normalisation] = field(default_factory=dict)
    """Modality to its normalisation: z-scores over each `conversation` or the `corpus` (its train split), or `none`."""
    keep: tuple[str, ...] = ()
    """Further columns of a table of utterances to keep, such as the recording session; for cross-validation."""
    licence: str | None = None
    """The licence of the data; None takes that of the layout, or `unknown`."""
    take: Mapping[str, Path] = field(default_factory=dict)
    """Modality to the file to take it from, if several files contain it."""

    def __post_init__(self) -> None:
        for option, value, known in (("dev", self.dev, get_args(DevRule)), ("speakers", self.speakers, _SPEAKERS)):
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
            raise InputError(f"labels: {list(labels)}; a corpus requires at least two")
        for label in labels:
            if not label.strip():
                raise InputError(f"labels: {list(labels)} contains an empty name")
            if labels.count(label) > 1:
                raise InputError(f"labels: {quoted(label)} occurs twice")


_SPEAKERS: tuple[str, ...] = get_args(SpeakerMode)
