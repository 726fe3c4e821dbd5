"""stub."""
from __future__ import annotations
from pathlib import Path
from collections.abc import Mapping, Sequence
from sdt.corpus.draft import Draft
from sdt.corpus.importers.options import ImportOptions
JSON_LINES = (".jsonl", ".ndjson")
def is_utterance_table(header: Sequence[str]) -> bool:
    return False
def read_tables(path: Path, features: Mapping[str, Sequence[Path]], options: ImportOptions) -> Draft:
    raise NotImplementedError
