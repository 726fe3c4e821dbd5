"""Corpora as their makers distribute them: folders of recordings and annotation, encoded while they are imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sdt.corpus.draft import Draft
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.recorded import encode, named_encoders
from sdt.corpus.importers.release_iemocap import is_iemocap, read_iemocap
from sdt.corpus.importers.release_meld import is_meld, read_meld_release
from sdt.errors import InputError, quoted
from sdt.features.cache import FeatureCache
from sdt.features.chunks import Report
from sdt.features.extract import FindClip

Found = tuple[Draft, FindClip, list[Path]]
"""A corpus without features; where its recordings are; the annotation files."""


@dataclass(frozen=True)
class Layout:
    """How a release is known and read."""

    recognise: Callable[[Path], bool]
    read: Callable[[Path, ImportOptions], Found]


RELEASES: Mapping[str, Layout] = {
    "iemocap-release": Layout(is_iemocap, read_iemocap),
    "meld-release": Layout(is_meld, read_meld_release),
}


def read_release(
    folder: Path,
    options: ImportOptions,
    cache: FeatureCache | None = None,
    report: Report | None = None,
    jobs: int = 1,
) -> tuple[str, Draft, list[Path]]:
    """Read a release and encode its words, sound and pictures with the encoders of the options.

    Args:
        folder: As distributed: IEMOCAP_full_release, or MELD.Raw with its archives unpacked.
        options: What the user decided.
        cache: Where features are looked for and kept.
        report: Called with (encoder, utterances done, utterances in all).
        jobs: How many utterances at a time.

    Returns:
        The layout's name, the corpus, and its annotation files.

    Raises:
        InputError: The folder is no release, its annotation is damaged, or an encoder's name is unknown.
    """
    layout = next((name for name, release in RELEASES.items() if release.recognise(folder)), None)
    if layout is None:
        raise InputError(
            f"{folder}: is a folder, but neither IEMOCAP (Session1/dialog/EmoEvaluation ...) nor MELD.Raw "
            "(train_sent_emo.csv, train_splits ...) as distributed; name files"
        )
    if options.layout not in (None, layout):
        raise InputError(f"--layout {options.layout}: {folder} is a folder of the layout {quoted(layout)}")
    encoders = named_encoders(options, ("text", "audio", "visual"))
    if not encoders:
        raise InputError(f"{folder}: say what to encode with: --text-encoder minilm --audio-encoder prosody, say")
    draft, clip, files = RELEASES[layout].read(folder, options)
    encode(draft, encoders, clip, cache, report, jobs)
    return layout, draft, files
