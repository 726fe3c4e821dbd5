"""The interface of importers: their entry in the table, their input and their result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.checks import MODALITY_NAME
from sdt.corpus.importers.feature_tables import SUFFIXES
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError, quoted
from sdt.formats.parsing import csv_lines, parquet
from sdt.formats.parsing.utterance_table import REQUIRED, resembles_utterance_table
from sdt.media.clip import FindClip

Recordings = Literal["none", "named", "included"]


@dataclass(frozen=True)
class Importer:
    """An entry of the table of importers: how files are recognised, and how they are read.

    A package registers its importers in the entry point group `sdt.importers`, under the names that `--layout` accepts.
    """

    name: str
    summary: str
    """One line for the help."""
    recognises: Callable[[Path, str | None], bool]
    """Whether a file, or a folder, is the annotation of this layout; called with the encoding that the user gave."""
    read: Callable[[ImportFiles, ImportOptions], Imported]
    layouts: tuple[str, ...] = ()
    """The values of `--layout` that select this importer; empty stands for its name."""
    folder: bool = False
    """Whether it reads one folder instead of files."""
    recordings: Recordings = "none"
    """Whether its files have no recordings, name them, or include them. A layout that includes recordings has no
    features, so that the user must name encoders."""
    containers: bool = False
    """Whether a file contains several modalities. `--take` chooses between such files, and `--features` does not
    apply."""


@dataclass(frozen=True)
class ImportFiles:
    """The files of an import, by their role."""

    importer: Importer
    paths: tuple[Path, ...]
    """All files that the user named without a modality; or the one folder."""
    annotations: tuple[Path, ...]
    """The files that the importer recognises."""
    features: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    """Modality to the files that the user named for it."""

    def with_annotations(self, options: ImportOptions) -> ImportFiles:
        """The same files with at least one annotation file: a table with misspelt columns, if none is recognised.

        Raises:
            InputError: No file can be the annotation.
        """
        if self.annotations:
            return self
        tables = [path for path in self.paths if has_columns(path)]
        for path in tables:
            if options.layout is not None or resembles_utterance_table(read_columns(path, options.encoding)):
                return replace(self, annotations=(path,))
        raise InputError(
            f"{self.paths[0]}: no table of utterances found; add a CSV, JSON Lines or Parquet file with the columns "
            f"{', '.join(REQUIRED)}, or MELD's {{train,dev,test}}_sent_emo.csv"
        )

    def by_modality(self, *, names: bool = True) -> dict[str, Sequence[Path]]:
        """The feature files of each modality.

        Args:
            names: Whether the name of a feature file is its modality, if the user did not give one.

        Raises:
            InputError: The modality of a file is unknown, or two files have the same name.
        """
        found: dict[str, Sequence[Path]] = {}
        for path in self.paths:
            if path in self.annotations:
                continue
            if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
                raise InputError(
                    f"{path}: unknown suffix of a file of utterances or features; known are: {', '.join(SUFFIXES)}"
                )
            if not names or not re.fullmatch(MODALITY_NAME, path.stem):
                raise InputError(f"{path}: unknown modality; name it: --features NAME={path}")
            if path.stem in found:
                raise InputError(f"{path}: second file of modality {quoted(path.stem)}, after {found[path.stem][0]}")
            found[path.stem] = [path]
        return {
            name: [*found.get(name, ()), *self.features.get(name, ())]
            for name in dict.fromkeys([*found, *self.features])
        }


@dataclass(frozen=True)
class Imported:
    """The result of an importer."""

    layout: str
    builder: CorpusBuilder
    annotation: Path
    """The file or folder of the annotation, for error messages."""
    sources: Sequence[Path] = ()
    """The files that were read, for the provenance; empty stands for all files of the import."""
    recordings: Mapping[tuple[str, str], Path] | None = None
    """(conversation id, utterance id) to the recording that the annotation names; None if it cannot name any."""
    clip: FindClip | None = None
    """Finds the recording of an utterance, for a layout that includes recordings."""


def has_columns(path: Path) -> bool:
    """Whether a file is a table with named columns, by its suffix."""
    return path.is_file() and path.suffix.lower() in (*csv_lines.SUFFIXES, *parquet.SUFFIXES)


def read_columns(path: Path, encoding: str | None) -> list[str]:
    """The names of the columns of a table."""
    if path.suffix.lower() in parquet.SUFFIXES:
        return parquet.read_names(path)
    return csv_lines.read_header(path, encoding)
