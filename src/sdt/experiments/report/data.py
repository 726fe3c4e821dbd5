"""Section on the corpora that the runs were trained and tested on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sdt.corpus.store import Corpus
from sdt.corpus.summary import summarise
from sdt.errors import InputError
from sdt.experiments.report.document import Block, Note, Paragraph, Section, Table
from sdt.experiments.report.study import Study
from sdt.models.config import FUSED


def data(study: Study) -> Section:
    """One part for every corpus."""
    parts = [_part(study, sha, name, number) for number, (sha, name) in enumerate(study.corpora.items(), start=1)]
    if not parts:
        return Section("Data", [Note("No file says which corpus it is.")])
    if len(parts) == 1:
        return Section("Data", parts[0])
    names = [f"{name} ({sha[:12]})" for sha, name in study.corpora.items()]
    return Section("Data", [], [Section(name, part) for name, part in zip(names, parts, strict=True)])


def corpus_of(study: Study, sha: str) -> Corpus:
    """The corpus of a fingerprint, where the runs found it.

    Raises:
        InputError: It is not there any more, or is another by now.
    """
    for row in study.finished:
        if row.result and row.result.group.values["corpus_sha256"] == sha:
            return row.result.group.corpus()
    place = next(s.environment.get("corpus") for s in study.sources if s.environment.get("corpus_sha256") == sha)
    corpus = Corpus.open(str(place))
    if corpus.fingerprint != sha:
        raise InputError(f"{place}: is another corpus by now")
    return corpus


def _part(study: Study, sha: str, name: str, number: int) -> list[Block]:
    suffix = "" if number == 1 else f"-{number}"
    try:
        corpus = corpus_of(study, sha)
        found = summarise(corpus)
    except InputError as error:
        return [
            Paragraph(f"Corpus {name}, SHA-256 of its corpus.json {sha}."),
            Note(f"The corpus cannot be read, so that this is all there is to say of it: {error}."),
            *_test_alone(study, sha, suffix),
        ]
    speakers, lengths = found["speakers"], found["lengths"]
    known = {
        "appearance": f"numbered by their order of appearance, at most {speakers['count']} in a conversation",
        "identity": f"known by name, {speakers['count']} of them",
    }
    return [
        Paragraph(
            f"Corpus {name}: {found['utterances']:,} utterances in {found['conversations']:,} conversations of "
            f"{lengths['min']:,} to {lengths['max']:,} utterances (median {lengths['median']:g}). Speakers are "
            f"{known.get(speakers['mode'], speakers['mode'])}. Licence: {found['licence']}."
        ),
        _labels(found, suffix),
        _modalities(found, suffix),
        _provenance(corpus, suffix),
    ]


def _labels(found: Mapping[str, Any], suffix: str) -> Table:
    splits = found["splits"]
    rows = [(label, *(f"{of['labels'][label]:,}" for of in splits.values())) for label in found["labels"]]
    if any(of["unlabelled"] for of in splits.values()):
        rows.append(("(no label)", *(f"{of['unlabelled']:,}" for of in splits.values())))
    rows.append(("utterances", *(f"{of['utterances']:,}" for of in splits.values())))
    rows.append(("conversations", *(f"{of['conversations']:,}" for of in splits.values())))
    return Table(
        f"labels{suffix}",
        "Splits and labels",
        (("label", "text"), *((split, "number") for split in splits)),
        tuple(rows),
        "How many utterances have each label.",
    )


def _modalities(found: Mapping[str, Any], suffix: str) -> Table:
    splits = list(found["splits"])
    return Table(
        f"modalities{suffix}",
        "Modalities",
        (
            ("modality", "text"),
            ("encoder", "code"),
            ("width", "number"),
            *((f"missing in {split}", "number") for split in splits),
        ),
        tuple(
            (
                name,
                of["encoder"],
                f"{of['width']:,}",
                *(f"{100 * of['missing_by_split'][split]:.1f} %" for split in splits),
            )
            for name, of in found["modalities"].items()
        ),
        "The feature encoder, the number of features of an utterance, and the share of utterances that lack the "
        "modality.",
    )


def _provenance(corpus: Corpus, suffix: str) -> Table:
    return Table(
        f"provenance{suffix}",
        "Where the corpus comes from",
        (("what", "text"), ("value or SHA-256", "code")),
        (
            ("fingerprint (corpus.json)", corpus.fingerprint),
            *((name, sha) for name, sha in corpus.sha256.items()),
            *_origin(corpus.provenance),
        ),
        "The fingerprint covers every file of the corpus; below them the source files from which it was made.",
        paper=False,
    )


def _origin(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How it was made; only what is there, since importers differ in what they keep."""
    if importer := provenance.get("importer"):
        yield "importer", str(importer)
    options = provenance.get("options")
    for key, value in options.items() if isinstance(options, dict) else ():
        if value not in (None, {}, []):
            yield f"option {key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    sources = provenance.get("files")
    for of in sources if isinstance(sources, list) else ():
        if isinstance(of, dict) and "sha256" in of:
            yield f"source {of.get('name')}", str(of["sha256"])


def _test_alone(study: Study, sha: str, suffix: str) -> Iterator[Table]:
    """What the scores know of the labels."""
    row = next((row for row in study.rows if row.group.values["corpus_sha256"] == sha), None)
    if row is not None:
        scores = row.group.runs[0].read_scores()[1]
        counts = {split: heads[FUSED].classes for split, heads in scores.items()}
        labels = list(next(iter(counts.values())))
        yield Table(
            f"labels{suffix}",
            "Labels",
            (("label", "text"), *((split, "number") for split in counts)),
            tuple((label, *(f"{of[label].support:,}" for of in counts.values())) for label in labels),
            "How many annotated utterances have each label.",
        )
