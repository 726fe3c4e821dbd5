"""Show a corpus: splits, label counts, speakers, modalities with the share of missing utterances, lengths."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdt.errors import printable, shorten

if TYPE_CHECKING:
    from sdt.corpus.store import Corpus


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the corpus folder")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int | None:
    """Open the corpus and print its summary."""
    from sdt.corpus.store import Corpus
    from sdt.corpus.summary import summarise

    corpus = Corpus.open(options.folder)
    if options.json:
        print(json.dumps(summarise(corpus), indent=1, ensure_ascii=False))
    else:
        show(corpus)
    return None


def show(corpus: Corpus) -> None:
    """Print the summary of a corpus as tables."""
    from rich.console import Console

    from sdt.corpus.summary import summarise

    # No markup: names and labels are arbitrary text.
    console = Console(markup=False, highlight=False, emoji=False)
    summary = summarise(corpus)
    console.print(
        f"{summary['name']}: {summary['conversations']} conversations, {summary['utterances']} utterances", style="bold"
    )
    console.print(_split_table(summary))
    console.print(_modality_table(summary))
    lengths, speakers = summary["lengths"], summary["speakers"]
    console.print(f"lengths      {lengths['min']} to {lengths['max']} utterances, median {lengths['median']:g}")
    console.print(f"speakers     {speakers['count']}, numbered by {speakers['mode']}")
    console.print(f"licence      {printable(summary['licence'])}")
    for line in _provenance(summary["provenance"]):
        console.print(printable(line))


def _table(*columns: str, title: str, numbers: int) -> Any:  # noqa: ANN401 - rich is imported late
    """An empty table whose last `numbers` columns are right-aligned."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        table.add_column(
            column, justify="right" if index >= len(columns) - numbers else "left", overflow="fold", no_wrap=False
        )
    return table


def _split_table(summary: dict[str, Any]) -> Any:  # noqa: ANN401 - rich is imported late
    splits = summary["splits"]
    table = _table("", *splits, title="splits and labels", numbers=len(splits))
    table.add_row("conversations", *(str(split["conversations"]) for split in splits.values()))
    table.add_row("utterances", *(str(split["utterances"]) for split in splits.values()), end_section=True)
    for label in summary["labels"]:
        table.add_row(
            shorten(label), *(_share(split["labels"][label], split["utterances"]) for split in splits.values())
        )
    if any(split["unlabelled"] for split in splits.values()):
        unlabelled = (_share(split["unlabelled"], split["utterances"]) for split in splits.values())
        table.add_row("(unlabelled)", *unlabelled)
    return table


def _modality_table(summary: dict[str, Any]) -> Any:  # noqa: ANN401 - rich is imported late
    splits = summary["splits"]
    table = _table(
        "modality",
        "encoder",
        "width",
        *splits,
        title="modalities and their missing share",
        numbers=1 + len(splits),
    )
    for name, modality in summary["modalities"].items():
        missing = (f"{share:.1%}" for share in modality["missing_by_split"].values())
        table.add_row(name, modality["encoder"], str(modality["width"]), *missing)
    return table


def _share(count: int, total: int) -> str:
    return f"{count} {count / max(1, total):6.1%}"


def _provenance(provenance: dict[str, Any]) -> list[str]:
    """A line for the importer and for each file; other programs may have recorded other fields."""
    files = provenance.get("files")
    names = [file.get("name") for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    lines = [f"importer     {provenance['importer']}"] if "importer" in provenance else []
    return lines + [f"made from    {name}" for name in names]
