"""From other people's files to a corpus: annotation and features as they are.

What the files do not hold, features of words, sound and pictures, is encoded afterwards; see `sdt.corpus.build`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.feature_tables import feature_files
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.recognition import Recognised, recognise_files
from sdt.corpus.importers.release_iemocap import is_iemocap, read_iemocap
from sdt.corpus.importers.release_meld import is_meld, read_meld_release
from sdt.errors import InputError, quoted
from sdt.media.clip import FindClip

__all__ = ["RELEASES", "ImportOptions", "Imported", "read", "recognise"]


@dataclass(frozen=True)
class Imported:
    """What files hold."""

    layout: str
    """The name of their layout."""
    builder: CorpusBuilder
    sources: Sequence[Path]
    """The files that were read."""
    annotation: Path
    """The file, or folder, that says who spoke what."""
    recordings: Mapping[tuple[str, str], Path] | None = None
    """(Conversation id, utterance id) to the recording that the files name; None where they can name none."""
    clip: FindClip | None = None
    """Where the recordings are, if that is known."""


@dataclass(frozen=True)
class Release:
    """How a corpus is known and read that is a folder of recordings and annotation, as its makers distribute it."""

    recognise: Callable[[Path], bool]
    read: Callable[[Path, ImportOptions], tuple[CorpusBuilder, FindClip, list[Path]]]
    """Gives the corpus without features; where its recordings are; the annotation files."""


RELEASES: Mapping[str, Release] = {
    "iemocap-release": Release(is_iemocap, read_iemocap),
    "meld-release": Release(is_meld, read_meld_release),
}
"""Layout name to release."""


def recognise(
    files: Sequence[Path], options: ImportOptions, features: Mapping[str, Sequence[Path]]
) -> Recognised | str:
    """Tell who reads some files.

    Args:
        files: Annotation files, feature files, pickles; or one folder: an original release of IEMOCAP or MELD.
        options: What the user decided.
        features: Modality to its files, for those whose modality their names do not tell.

    Returns:
        How the files are understood; of a release the name of its layout.

    Raises:
        InputError: A file is missing, or they fit no layout.
    """
    if len(files) == 1 and files[0].is_dir():
        return _release(files[0], options, features)
    for path in (*files, *(path for paths in features.values() for path in paths), *options.take.values()):
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if path.is_dir() and not feature_files(path):
            raise InputError(f"{path}: is a folder without .npy files; name files, or one folder of a release alone")
    return recognise_files(files, options.layout, options.encoding)


def _release(folder: Path, options: ImportOptions, features: Mapping[str, Sequence[Path]]) -> str:
    if features or options.take or options.media:
        raise InputError(f"{folder}: is a folder, which takes no --features, --take or --media; name files")
    layout = next((name for name, release in RELEASES.items() if release.recognise(folder)), None)
    if layout is None:
        raise InputError(
            f"{folder}: is a folder, but neither IEMOCAP (Session1/dialog/EmoEvaluation ...) nor MELD.Raw "
            "(train_sent_emo.csv, train_splits ...) as distributed; name files"
        )
    if options.layout not in (None, layout):
        raise InputError(f"--layout {options.layout}: {folder} is a folder of the layout {quoted(layout)}")
    return layout


def read(
    files: Sequence[Path],
    options: ImportOptions,
    recognised: Recognised | str,
    features: Mapping[str, Sequence[Path]],
) -> Imported:
    """Read files as they were recognised; the arguments are those of `recognise`.

    Raises:
        InputError: In one line, what is wrong with which file.
    """
    if isinstance(recognised, str):
        builder, clip, annotations = RELEASES[recognised].read(files[0], options)
        return Imported(recognised, builder, annotations, files[0], clip=clip)
    builder, recordings = _read_files(recognised, features, options)
    builder.notes.insert(0, recognised.remark)
    sources = [*files, *(path for paths in features.values() for path in paths), *options.take.values()]
    annotation = recognised.annotations[0] if recognised.annotations else files[0]
    return Imported(recognised.layout, builder, sources, annotation, recordings)


def _read_files(
    recognised: Recognised, features: Mapping[str, Sequence[Path]], options: ImportOptions
) -> tuple[CorpusBuilder, Mapping[tuple[str, str], Path] | None]:
    """The corpus, and the recordings that its files name."""
    if options.take and recognised.importer != "pickles":
        raise InputError(f"--take {next(iter(options.take))}=...: only pickles hold several modalities; use --features")
    if recognised.importer == "meld":
        from sdt.corpus.importers.meld import read_meld

        return read_meld(recognised.annotations, _join(recognised.by_stem(), features), options), None
    if recognised.importer == "tables":
        from sdt.corpus.importers.tables import read_tables

        return read_tables(recognised.annotations[0], _join(recognised.by_stem(), features), options)
    from sdt.corpus.importers.pickles import read_pickles

    if features:
        raise InputError(
            f"--features {next(iter(features))}=...: pickles name their modalities themselves; where two of them hold "
            "the same modality, choose with --take MODALITY=FILE"
        )
    return read_pickles(list(recognised.others), options), None


def _join(first: Mapping[str, Sequence[Path]], second: Mapping[str, Sequence[Path]]) -> dict[str, Sequence[Path]]:
    return {name: [*first.get(name, ()), *second.get(name, ())] for name in {**first, **second}}
