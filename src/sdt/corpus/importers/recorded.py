"""Features made from recordings while a corpus is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sdt.corpus.draft import Draft
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError, quoted
from sdt.features.cache import FeatureCache
from sdt.features.chunks import Report
from sdt.features.encoder import FeatureEncoder, feature_encoder
from sdt.features.extract import FindClip, extract, summarise_problems


def named_encoders(options: ImportOptions, modalities: Sequence[str]) -> dict[str, FeatureEncoder]:
    """The encoders that the options name for some of `text`, `audio` and `visual`.

    Raises:
        InputError: A name is unknown, or is that of an encoder of another modality.
    """
    encoders: dict[str, FeatureEncoder] = {}
    for modality in modalities:
        name = getattr(options, f"{modality}_encoder")
        if name is not None:
            encoders[modality] = feature_encoder(name)
            if encoders[modality].modality != modality:
                raise InputError(f"--{modality}-encoder {name}: encodes {encoders[modality].modality}, not {modality}")
    return encoders


def encode(
    draft: Draft,
    encoders: Mapping[str, FeatureEncoder],
    clip: FindClip,
    cache: FeatureCache | None = None,
    report: Report | None = None,
    jobs: int = 1,
) -> None:
    """Give a draft the modalities of some encoders, beside or instead of those that it has.

    Args:
        draft: Its notes say afterwards what is missing.
        encoders: Modality to encoder.
        clip: Where the recordings are.
        cache: Where features are looked for and kept.
        report: Called with (encoder, utterances done, utterances in all).
        jobs: How many utterances at a time.

    Raises:
        InputError: A modality could not be encoded in any utterance.
    """
    draft.notes += [encoder.licence_note for encoder in encoders.values() if encoder.licence_note]
    for modality in encoders:
        if modality in draft.features:
            draft.notes.append(
                f"{modality}: the features of the files give way to those of the encoder "
                f"{quoted(encoders[modality].name)}"
            )
    tables, problems = extract(draft.conversations, encoders, clip, cache, report, jobs)
    for modality, table in tables.items():
        if not table.present.any():
            raise InputError(f"{draft.name}: {modality} could not be encoded in any utterance: {problems[modality][0]}")
    draft.features |= tables
    draft.notes += summarise_problems(tables, problems)
