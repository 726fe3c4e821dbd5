"""Reproduction of the published experiment, from the feature file to the table of the paper.

OUTPUT/corpus/                    the feature file as a corpus
OUTPUT/runs/                      an experiment with the rows `validation` and `published`
OUTPUT/reproduction.md            comparison with the published table
"""

from __future__ import annotations

from pathlib import Path

from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.importers import ImportOptions
from sdt.corpus.importing import import_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.metrics import measure
from sdt.evaluation.table import Grid
from sdt.experiments.plan import ExperimentRows, Row
from sdt.experiments.published import Published
from sdt.experiments.results import Results
from sdt.experiments.tables import score_text
from sdt.files import sha256

ROWS = ExperimentRows(
    "Are the published scores reproduced, and what are the scores if the epoch is not selected on test?",
    (Row("validation", {"training.protocol": "validation"}), Row("published", {"training.protocol": "published"})),
    "validation",
)


def published_corpus(published: Published, place: Path, folder: Path) -> Corpus:
    """Import the corpus of a published feature file, or open it if it was imported before.

    Args:
        published: The expected content of the file.
        place: The file, or its folder.
        folder: The corpus folder.

    Raises:
        InputError: The file does not exist, is damaged or has other content, or the folder contains another corpus.
    """
    path = published.find(place)
    if (folder / "corpus.json").is_file():
        corpus = Corpus.open(folder)
        made_from = [entry.get("sha256") for entry in corpus.provenance.get("files", ())]
        if made_from != [sha256(path)]:
            raise InputError(f"{folder}: imported from another file than {path}; name another folder with --output")
        return corpus
    builder = import_corpus([path], ImportOptions())
    _check(published, builder, path)
    return write_corpus(builder, folder)


def _check(published: Published, builder: CorpusBuilder, path: Path) -> None:
    differences = list(published.differences(builder))
    if differences:
        listed = "\n  ".join(differences)
        raise InputError(
            f"{path}: not the features of the published experiment:\n  {listed}\n"
            "To train on these features: sdt corpus import, then sdt experiment"
        )


def comparison(published: Published, results: Results) -> Grid | None:
    """Create a table that compares the results with those of the paper; None without a finished run.

    Returns:
        A row per measure and class; columns: epoch selected on dev, the same runs with the epoch selected on test, the
        published protocol, as published. Percent, mean ± standard deviation.
    """
    rows = {row.name: row for row in results.rows}
    validation, as_published = rows.get("validation"), rows.get("published")
    columns = (
        ("epoch selected on dev", validation, validation.measured("test") if validation else None),
        ("the same runs, on test", validation, validation.chosen_on_test if validation else None),
        ("published protocol", as_published, as_published.measured("test") if as_published else None),
    )
    if not any(measured for _, _, measured in columns):
        return None
    lines = [
        (
            measure(name).title,
            *(score_text(row, measured[name], name=name) if row and measured else "-" for _, row, measured in columns),
            f"{score:.2f}",
        )
        for name, score in published.scores.items()
    ]
    title = (
        "Test scores, mean ± standard deviation over runs; in the last three columns, the epoch is selected on test. "
        f"An independent re-run of the published program has a weighted F1 of {published.rerun:.2f}."
    )
    return Grid(title, ("", *(title for title, _, _ in columns), "as published"), lines)
