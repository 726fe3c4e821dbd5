"""Sections on what the scores come from: the corpora, the settings, the environment and the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sdt.corpus.store import Corpus
from sdt.corpus.summary import summarise
from sdt.errors import InputError
from sdt.experiments.plan import format_seeds, option_text
from sdt.experiments.report.document import Block, Code, Note, Paragraph, Section, Table
from sdt.experiments.report.study import PlannedRun, Source, Study
from sdt.models.config import FUSED
from sdt.models.registry import find_imported
from sdt.training.recipe import flat

_SETTINGS_OF_TERMS = {"hard": ("hard",), "soft": ("soft", "temperature", "detach_teacher", "tau_squared")}
"""Settings of the objective that only a model with such a term uses."""
_CONTRASTIVE = tuple(f"objective.contrastive_{name}" for name in ("temperature", "queue", "focal", "minorities"))
"""Settings that only a run with the contrastive term uses."""
_NOT_SHOWN = ("corpus", "output", "seed")
"""Settings that do not affect scores, or that differ in every run."""
_ENVIRONMENT = {
    "hardware": "hardware",
    "device": "device",
    "processes": "training processes",
    "platform": "platform",
    "python": "Python",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "sdt": "sdt",
    "commit": "git commit of sdt",
}


def data(study: Study) -> Section:
    """The corpora, with one part for each if there are several."""
    parts = [_corpus_blocks(study, sha, name, n) for n, (sha, name) in enumerate(study.corpora.items(), start=1)]
    if not parts:
        return Section("Data", [Note("The runs do not record their corpus.")])
    if len(parts) == 1:
        return Section("Data", parts[0])
    names = [f"{name} ({sha[:12]})" for sha, name in study.corpora.items()]
    return Section("Data", [], [Section(name, part) for name, part in zip(names, parts, strict=True)])


def _corpus_of(study: Study, sha: str) -> Corpus:
    """The corpus with a fingerprint, in the folder where the runs found it.

    Raises:
        InputError: It was moved or changed.
    """
    for row in study.finished:
        if row.result and row.result.group.values["corpus_sha256"] == sha:
            return row.result.group.corpus()
    place = next(s.environment.get("corpus") for s in study.sources if s.environment.get("corpus_sha256") == sha)
    corpus = Corpus.open(str(place))
    if corpus.fingerprint != sha:
        raise InputError(f"{place}: the corpus has changed since the runs")
    return corpus


def _corpus_blocks(study: Study, sha: str, name: str, number: int) -> list[Block]:
    suffix = "" if number == 1 else f"-{number}"
    try:
        corpus = _corpus_of(study, sha)
        found = summarise(corpus)
    except InputError as error:
        return [
            Paragraph(f"Corpus {name}, SHA-256 of its corpus.json {sha}."),
            Note(f"The corpus cannot be read, so its description is incomplete: {error}."),
            *_labels_in_scores(study, sha, suffix),
        ]
    speakers, lengths = found["speakers"], found["lengths"]
    modes = {
        "appearance": f"numbered in order of appearance, at most {speakers['count']} in a conversation",
        "identity": f"identified by name ({speakers['count']})",
    }
    return [
        Paragraph(
            f"Corpus {name}: {found['utterances']:,} utterances in {found['conversations']:,} conversations of "
            f"{lengths['min']:,} to {lengths['max']:,} utterances (median {lengths['median']:g}). Speakers are "
            f"{modes.get(speakers['mode'], speakers['mode'])}. Licence: {found['licence']}."
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
        "Number of utterances with each label.",
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
        "The feature encoder, the number of features per utterance, and the share of utterances without the modality.",
    )


def _provenance(corpus: Corpus, suffix: str) -> Table:
    return Table(
        f"provenance{suffix}",
        "Provenance of the corpus",
        (("what", "text"), ("value or SHA-256", "code")),
        (
            ("fingerprint (corpus.json)", corpus.fingerprint),
            *((name, sha) for name, sha in corpus.sha256.items()),
            *_origin(corpus.provenance),
        ),
        "The fingerprint covers every file of the corpus; the source files of the import are listed last.",
        paper=False,
    )


def _origin(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How the corpus was imported; importers differ in what they record."""
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


def _labels_in_scores(study: Study, sha: str, suffix: str) -> Iterator[Table]:
    """The labels that the recorded scores name, without the corpus."""
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
            "Number of annotated utterances with each label.",
        )


def settings(study: Study) -> Section:
    """The changes of each row, and the recipes."""
    blocks: list[Block] = [_rows(study)] if len(study.planned) > 1 else []
    for source in study.sources:
        seeds = sorted({run.seed for row in study.planned if row.source is source for run in row.runs})
        recipe = f"the recipe {source.recipe_file}" if source.recipe_file else "its recipe"
        many = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {format_seeds(seeds)}"
        blocks.append(Paragraph(f"{source.name}: {recipe}, {many}."))
    return Section("Settings", [*blocks, _recipe(study)])


def _rows(study: Study) -> Table:
    return Table(
        "rows",
        "Settings of each row",
        (("row", "text"), ("settings that differ from the recipe", "code"), ("runs", "number")),
        tuple(
            (
                row.name + (" (reference)" if row.name == study.reference_name else ""),
                ", ".join(f"{key}: {option_text(value)}" for key, value in row.changes.items()) or "–",
                f"{row.result.group.size if row.result else 0} of {len(row.runs)}",
            )
            for row in study.planned
        ),
        "Runs: finished and planned.",
    )


def _recipe(study: Study) -> Table:
    values = [flat(source.recipe) for source in study.sources]
    hidden = {*_NOT_SHOWN, *_unused(study)}
    every = dict.fromkeys(key for of in values for key in of)  # models have settings of their own
    keys = [key for key in every if key not in hidden and any(of.get(key, {}) != {} for of in values)]
    rows = [(key, *(_shown(of[key]) if key in of else "–" for of in values)) for key in keys]
    several = len(values) > 1
    return Table(
        "recipe",
        "Recipes" if several else "Recipe",
        (("setting", "code"), *((s.name if several else "value", "code") for s in study.sources)),
        tuple(rows),
        "Settings that differ between the folders are highlighted."
        if several
        else "All settings; the rows change some of them.",
        best=frozenset(n for n, (_, *of) in enumerate(rows) if len(set(of)) > 1),
        paper=False,
    )


def _unused(study: Study) -> list[str]:
    """Settings of terms of the objective that no row has."""
    terms: set[str] = set()
    for row in study.planned:
        kind = find_imported(str(row.changes.get("architecture", row.source.recipe.architecture)))
        terms |= set(row.result.group.terms if row.result and not kind else kind.terms if kind else _SETTINGS_OF_TERMS)
    key = "objective.contrastive"
    contrastive = any(row.changes.get(key, row.source.recipe.objective.contrastive) for row in study.planned)
    unused = [f"objective.{key}" for term, keys in _SETTINGS_OF_TERMS.items() if term not in terms for key in keys]
    return [*unused, *(() if contrastive else _CONTRASTIVE)]


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def environment(study: Study, command: str) -> Section:
    """The environment of the runs, and the commands.

    Args:
        study: What the report is about.
        command: The command that wrote the report.
    """
    blocks: list[Block] = [_environment_table(study)]
    resumed = sorted({name for name, values in _environments(study) if values.get("resumed")})
    if resumed:
        blocks.append(Note(f"Interrupted and resumed, possibly on another machine: {', '.join(resumed)}."))
    commands = [source.command for source in study.sources if source.command]
    blocks.append(Paragraph("To reproduce the runs and the report, run these commands in the original folder:"))
    blocks.append(Code("\n".join([*dict.fromkeys(commands), command])))
    return Section("Environment and commands", blocks)


def _environment_table(study: Study) -> Table:
    lines = []
    for source in study.sources:
        found = [values for _, values in _environments(study, source)] or [dict(source.environment)]
        dates = sorted(str(values["started"])[:10] for values in found if values.get("started"))
        days = "–" if not dates else dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        lines.append((days, *("; ".join(_values(found, key)) or "not recorded" for key in _ENVIRONMENT)))
    several = len(study.sources) > 1
    names = ("trained", *_ENVIRONMENT.values())
    return Table(
        "environment",
        "Environment of the runs",
        (("what", "text"), *((source.name if several else "value", "text") for source in study.sources)),
        tuple((name, *(line[number] for line in lines)) for number, name in enumerate(names)),
        "If runs differ, all values are listed. The last bits of sums depend on the number of threads.",
        paper=False,
    )


def _values(found: list[dict[str, Any]], key: str) -> Iterator[str]:
    yield from dict.fromkeys(str(values[key]) for values in found if values.get(key))


def _environments(study: Study, source: Source | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the environment of every started run."""
    for row in study.planned:
        for run in row.runs:
            if source in (None, row.source) and (values := _read_environment(run)):
                yield f"{row.name}, seed {run.seed}", values


def _read_environment(run: PlannedRun) -> dict[str, Any]:
    try:
        values = json.loads((run.folder.path / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
