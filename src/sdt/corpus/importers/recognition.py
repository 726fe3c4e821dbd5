"""Which importer reads some files: told by what is in them, or by the user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sdt.corpus.checks import MODALITY_NAME
from sdt.corpus.importers.feature_tables import PICKLES, SUFFIXES
from sdt.errors import InputError, near_miss, quoted
from sdt.formats import csv_lines, parquet
from sdt.formats.csv_lines import read_header
from sdt.formats.tables import is_meld
from sdt.formats.utterance_table import (
    JSON_ARRAY,
    JSON_LINES,
    REQUIRED,
    is_utterance_table,
    nearly_utterance_table,
)

Importer = Literal["meld", "tables", "pickles"]
OWN_LAYOUTS: dict[str, Importer] = {"meld-csv": "meld", "table": "tables"}
"""Layout name to importer, beside the layouts of published pickles."""


@dataclass(frozen=True)
class Recognised:
    """Files, sorted by what they are."""

    importer: Importer
    layout: str
    annotations: tuple[Path, ...]
    """The files that say who spoke what; none for pickles, which hold everything."""
    others: tuple[Path, ...]
    remark: str
    """How the files were understood, for the user."""

    def by_stem(self) -> dict[str, list[Path]]:
        """Feature files whose modality is their name.

        Raises:
            InputError: A file's name cannot be that of a modality.
        """
        found: dict[str, list[Path]] = {}
        for path in self.others:
            if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
                raise InputError(
                    f"{path}: neither utterances nor features ({', '.join(SUFFIXES)}) as far as its name tells"
                )
            if self.importer == "meld" or not re.fullmatch(MODALITY_NAME, path.stem):
                raise InputError(f"{path}: which modality is it? Name it: --features NAME={path}")
            if path.stem in found:
                raise InputError(f"{path}: {found[path.stem][0]} is the modality {quoted(path.stem)} already")
            found[path.stem] = [path]
        return found


def recognise_files(files: Sequence[Path], layout: str | None, encoding: str | None = None) -> Recognised:
    """Tell the annotation from the features, and who reads them.

    Args:
        files: Files that exist.
        layout: The layout's name, if the user gave it.
        encoding: The encoding of annotation files, if the user gave it.

    Raises:
        InputError: The layout is unknown, or the files fit none or two.
    """
    if not files:
        raise InputError("no files given; name an annotation file or a pickle")
    if layout is not None and layout not in OWN_LAYOUTS:
        known = [*OWN_LAYOUTS, *_pickle_layouts()]
        if layout not in known:
            raise InputError(f"--layout {quoted(layout)} is unknown{near_miss(layout, known)}")
        return Recognised("pickles", layout, (), tuple(files), f"read as {layout}, as --layout says")
    kinds = {path: _kind(path, encoding) for path in files}
    importer: Importer
    if layout is not None:
        importer, said = OWN_LAYOUTS[layout], "as --layout says"
    elif "meld" in kinds.values():
        importer, said = "meld", "recognised by the columns Dialogue_ID and Utterance_ID"
    elif "tables" in kinds.values() or not any(path.suffix.lower() in PICKLES for path in files):
        importer, said = "tables", "recognised by its columns"
    else:
        # Its own importer says how the pickles were understood.
        return Recognised("pickles", "pickles", (), tuple(files), "read as published pickles")
    annotations = [path for path in files if kinds[path] == importer]
    if not annotations:
        # A table whose columns are misspelt: its reader says which.
        tables = [path for path in files if _has_columns(path)]
        annotations = [
            path for path in tables if layout is not None or nearly_utterance_table(_header(path, encoding))
        ][:1]
    if not annotations:
        raise InputError(
            f"{files[0]}: no file says who spoke what; name one too: CSV, JSON Lines or Parquet with "
            f"{', '.join(REQUIRED)}, or MELD's {{train,dev,test}}_sent_emo.csv"
        )
    if importer == "tables" and len(annotations) > 1:
        raise InputError(f"{annotations[1]}: {annotations[0]} holds the utterances already; give one such file")
    name = "MELD's annotation" if importer == "meld" else "a file of utterances"
    listed = ", ".join(str(path) for path in annotations)
    return Recognised(
        importer,
        "meld-csv" if importer == "meld" else "table",
        tuple(annotations),
        tuple(path for path in files if path not in annotations),
        f"{listed}: {name}, {said}",
    )


def _kind(path: Path, encoding: str | None) -> Importer | None:
    if path.suffix.lower() in (*JSON_LINES, JSON_ARRAY):
        return "tables"
    if not _has_columns(path):
        return None
    header = _header(path, encoding)
    if is_meld(header):
        return "meld"
    return "tables" if is_utterance_table(header) else None


def _has_columns(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in (*csv_lines.SUFFIXES, *parquet.SUFFIXES)


def _header(path: Path, encoding: str | None) -> list[str]:
    return parquet.read_names(path) if path.suffix.lower() in parquet.SUFFIXES else read_header(path, encoding)


def _pickle_layouts() -> list[str]:
    from sdt.corpus.importers.pickle_layouts import LAYOUTS

    return list(LAYOUTS)
