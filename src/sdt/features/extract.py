"""Run feature encoders over many utterances: in chunks, each kept in the cache as soon as it is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sdt.conversation import Conversation
from sdt.corpus.draft import Draft, FeatureTable
from sdt.corpus.store import Corpus
from sdt.corpus.streamed import StreamedTable
from sdt.features.cache import FeatureCache
from sdt.features.encoder import Encoded, FeatureEncoder, Progress, Source
from sdt.features.media import Clip
from sdt.features.problems import lacking
from sdt.features.workers import CRASHED, shared
from sdt.files import atomic_folder

CHUNK = {"text": 512, "audio": 64, "visual": 64}
"""Utterances that are encoded before the cache is written. Texts are sorted by length within a chunk."""

FindClip = Callable[[str, str, str], Clip | None]
"""From conversation id, utterance id and modality to the recording; None where there is none."""
Report = Callable[[str, int, int], None]
"""Called with (encoder, utterances done, utterances in all)."""


def encode_cached(
    encoder: FeatureEncoder,
    sources: Sequence[Source],
    cache: FeatureCache | None = None,
    report: Report | None = None,
) -> Encoded:
    """Encode n utterances, taking from the cache what is there.

    Args:
        encoder: Any.
        sources: The utterances.
        cache: Where features are looked for and kept.
        report: Told how far it is.

    Returns:
        As `FeatureEncoder.encode` would.
    """
    features = np.zeros((len(sources), encoder.width), dtype=np.float32)
    present = np.zeros(len(sources), dtype=np.bool_)
    problems: dict[int, str] = {}
    size = CHUNK.get(encoder.modality, 32)
    for first in range(0, len(sources), size):
        rows = range(first, min(first + size, len(sources)))
        keys = {row: cache.key(encoder, sources[row]) if cache else None for row in rows}
        todo = []
        for row, key in keys.items():
            found = cache.get(key, encoder.width) if cache and key else None
            if found is None:
                todo.append(row)
            elif isinstance(found, str):
                problems[row] = found
            else:
                features[row], present[row] = found, True
        if todo:
            told = _offset(report, encoder.name, rows.stop - len(todo), len(sources)) if report else None
            encoded = encoder.encode([sources[row] for row in todo], told)
            reasons = _reasons([sources[row] for row in todo], encoded)
            if cache:  # another time there may be more memory
                lasting = [keys[row] if why != CRASHED else None for row, why in zip(todo, reasons, strict=True)]
                cache.put(lasting, encoded, reasons)
            features[todo], present[todo] = encoded.features, encoded.present
            problems |= {row: reason for row, reason in zip(todo, reasons, strict=True) if reason}
        if report:
            report(encoder.name, rows.stop, len(sources))
    said = [f"{sources[row].place}: {problems[row]}" for row in sorted(problems)]
    return Encoded(features, present, said)


def _offset(report: Report, name: str, before: int, total: int) -> Progress:
    return lambda done, _: report(name, before + done, total)


def _reasons(sources: Sequence[Source], encoded: Encoded) -> list[str | None]:
    """Why each utterance is missing, without its name; None where it is not."""
    said = iter(encoded.problems)
    return [
        None if there else next(said, "missing").removeprefix(f"{source.place}: ")
        for source, there in zip(sources, encoded.present, strict=True)
    ]


def extract(
    conversations: Sequence[Conversation],
    encoders: Mapping[str, FeatureEncoder],
    clip: FindClip,
    cache: FeatureCache | None = None,
    report: Report | None = None,
    jobs: int = 1,
) -> tuple[dict[str, FeatureTable], dict[str, list[str]]]:
    """Make several modalities of some conversations.

    Args:
        conversations: N utterances in all.
        encoders: Modality to its encoder.
        clip: Where the recordings are.
        cache: See `encode_cached`.
        report: See `encode_cached`.
        jobs: How many utterances at a time, where the encoder lets itself be shared by processes; see `workers`.

    Returns:
        Modality to its features, rows in the order of the conversations; and modality to the problems, one for each
        utterance that lacks it.
    """
    tables, problems = {}, {}
    for modality, encoder in encoders.items():
        sources = [
            Source(
                conversation.id,
                utterance,
                None if encoder.modality == "text" else clip(conversation.id, utterance.id, encoder.modality),
            )
            for conversation in conversations
            for utterance in conversation.utterances
        ]
        with shared(encoder, jobs) as workers:
            encoded = encode_cached(workers, sources, cache, report)
        tables[modality] = FeatureTable(encoded.features, encoded.present, encoder.name, source=encoder.name)
        problems[modality] = encoded.problems
    return tables, problems


def summarise_problems(tables: Mapping[str, FeatureTable], problems: Mapping[str, Sequence[str]]) -> list[str]:
    """One line for each modality that some utterances lack."""
    return [lacking(modality, of, len(tables[modality].present)) for modality, of in problems.items() if of]


def write_tables(
    folder: Path,
    conversations: Sequence[Conversation],
    tables: Mapping[str, FeatureTable],
    problems: Mapping[str, Sequence[str]],
    *,
    overwrite: bool = False,
) -> None:
    """Write what `sdt corpus import` reads: `utterances.jsonl`, and a `.npz` per modality keyed by utterance.

    What is missing has no key. `problems.txt`, where there are any, says why, one line for each.
    """
    places = [
        f"{conversation.id}/{utterance.id}" for conversation in conversations for utterance in conversation.utterances
    ]
    with atomic_folder(folder, overwrite=overwrite) as aside:
        lines = [
            {
                "conversation": conversation.id,
                "utterance": utterance.id,
                "speaker": utterance.speaker,
                "label": utterance.label,
                "text": utterance.text,
                "start": utterance.start,
                "end": utterance.end,
            }
            for conversation in conversations
            for utterance in conversation.utterances
        ]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (aside / "utterances.jsonl").write_text(text, encoding="utf-8")
        for modality, table in tables.items():
            rows: dict[str, Any] = {
                place: table.features[row] for row, place in enumerate(places) if table.present[row]
            }
            np.savez(aside / f"{modality}.npz", **{"encoder": np.array(table.encoder), **rows})
        said = [f"{modality}: {problem}\n" for modality, of in problems.items() for problem in of]
        if said:
            (aside / "problems.txt").write_text("".join(said), encoding="utf-8")


def extended(corpus: Corpus, tables: Mapping[str, FeatureTable]) -> Draft:
    """A corpus with modalities added or replaced; what it keeps is read when it is written."""
    features = {
        name: StreamedTable(
            modality.rows, (corpus.size, modality.width), modality.present, modality.encoder, str(modality.path)
        )
        for name, modality in corpus.modalities.items()
        if name not in tables
    }
    return Draft(
        name=corpus.name,
        conversations=corpus.everything(),
        labels=corpus.labels,
        splits={split: list(ids) for split, ids in corpus.splits.items()},
        features={**features, **tables},
        speakers=corpus.speakers,
        licence=corpus.licence,
        provenance={
            **corpus.provenance,
            "extracted": {"modalities": sorted(tables), "from_corpus_sha256": corpus.fingerprint},
        },
    )
