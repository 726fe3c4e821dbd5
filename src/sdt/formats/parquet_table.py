"""Parquet: an utterance a row, as `pandas.read_parquet` and the Hugging Face hub read them. Requires pyarrow."""

from __future__ import annotations

from pathlib import Path

from sdt.formats.arrow_records import read_table_records, table_records, to_table
from sdt.formats.format import Format, Holds
from sdt.formats.json_lines import RECORDS
from sdt.formats.parsing.parquet import SUFFIXES, read_columns
from sdt.formats.transcript import Transcript

ARROW = RECORDS | Holds.MEDIA | Holds.CONVERSATION_EXTRA | Holds.TIERS | Holds.POINTS
"""What tables of Arrow hold."""
_MAGIC = b"PAR1"


def matches(path: Path, head: bytes) -> bool:
    """Whether a file begins as Parquet files do, or has their suffix."""
    return head.startswith(_MAGIC) or path.suffix.lower() in SUFFIXES


def read(path: Path) -> Transcript:
    """Read a file.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        InputError: The file is damaged, or a column is missing, misspelt, or has an invalid value.
    """
    table = read_columns(path)
    return read_table_records(path, table, table_records(table))


def write(transcript: Transcript, path: Path) -> None:
    """Write a file.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    table = to_table(transcript, path)
    from pyarrow import parquet

    parquet.write_table(table, path)


PARQUET = Format(
    "parquet",
    SUFFIXES,
    title="Parquet",
    holds=ARROW,
    step=0.001,
    content="binary",
    matches_file=matches,
    read_file=read,
    write_file=write,
    primary=True,
)
