"""Optional section on embeddings before and after fusion; it runs the model.

See `sdt.analysis.explanation.embeddings`.
"""

from __future__ import annotations

from sdt.analysis.explanation.embeddings import Embeddings, embed
from sdt.analysis.explanation.representations import figure, grid
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.experiments.report.document import Figure, Note, Section, Table
from sdt.experiments.report.study import Row, Study
from sdt.experiments.report.svg import render, style
from sdt.models.base import Model

_AT_MOST = 1000
"""Utterances in the picture: every one is a mark in each space, and the page has to stay small."""


def spaces(study: Study) -> Section | None:
    """Of the first run of each leading row; None if no row has one."""
    title = "Before and after fusion"
    parts = [_part(row, f"-{n}" if n > 1 else "") for n, row in enumerate(study.leading, start=1) if row.result]
    if not parts:
        return None
    return Section(title, parts[0].blocks) if len(parts) == 1 else Section(title, [], parts)


def _part(row: Row, suffix: str) -> Section:
    assert row.result is not None
    run = row.result.group.runs[0]
    try:
        corpus = row.result.group.corpus()
        found = _points(Model.from_pretrained(run.path), corpus)
    except InputError as error:
        return Section(row.name, [Note(f"The model cannot be run: {error}.")])
    with style():
        svg = render(figure(found), f"spaces{suffix}")
    drawn = f"{len(found.utterance_keys):,} annotated utterances of test"
    return Section(
        row.name,
        [
            Figure(
                f"spaces{suffix}",
                f"{row.name}: representations before and after fusion, run {run.path.name}",
                f"{drawn} by t-SNE, in the colours of their emotions: for each modality the features and what the "
                "model has gathered before fusion, and the fused representation. Distances in such a picture mean "
                "little; the numbers are measured in the spaces themselves.",
                "A panel for each space; what can be read off them stands in the table.",
                svg,
            ),
            Table.of(
                f"spaces-in-numbers{suffix}", grid(found, f"{row.name}: how far emotions lie apart:"), paper=False
            ),
        ],
    )


def _points(model: Model, corpus: Corpus) -> Embeddings:
    return embed(model, corpus, corpus.split("test"), at_most=_AT_MOST)
