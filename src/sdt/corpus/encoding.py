"""Encoding of the features of conversations, and files of encoded features."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sdt.conversation import Conversation
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.store import Corpus
from sdt.encoders.cache import FeatureCache
from sdt.encoders.chunks import EncodeChunks, Report, encode_cached
from sdt.encoders.encoder import FeatureEncoder, make_sources
from sdt.encoders.workers import worker_pool
from sdt.feature_table import FeatureTable, StreamedTable
from sdt.files import atomic_folder
from sdt.media.clip import FindClip
from sdt.media.problems import summarise_missing


def extract_features(
    conversations: Sequence[Conversation],
    encoders: Mapping[str, FeatureEncoder],
    clip: FindClip,
    cache: FeatureCache | None = None,
    report: Report | None = None,
    jobs: int = 1,
    encode: EncodeChunks | None = None,
) -> tuple[dict[str, FeatureTable], dict[str, list[str]]]:
    """Encode several modalities of conversations.

    Args:
        conversations: Conversations with N utterances in total.
        encoders: Modality to its encoder.
        clip: Finds the recording of an utterance.
        cache: See `encode_cached`.
        report: See `encode_cached`.
        jobs: The number of processes, for encoders that support several; see `workers`.
        encode: See `encode_cached`; `jobs` is ignored then.

    Returns:
        Modality to its features, with rows in the order of the conversations; and modality to the problems, one per
        missing utterance.
    """
    tables, problems = {}, {}
    for modality, encoder in encoders.items():
        sources = make_sources(encoder, conversations, clip)
        if encode is not None:
            encoded = encode_cached(encoder, sources, cache, report, encode)
        else:
            with worker_pool(encoder, jobs) as workers:
                encoded = encode_cached(workers, sources, cache, report)
        tables[modality] = FeatureTable(encoded.features, encoded.present, encoder.name, source=encoder.name)
        problems[modality] = encoded.problems
    return tables, problems


def summarise_problems(tables: Mapping[str, FeatureTable], problems: Mapping[str, Sequence[str]]) -> list[str]:
    """One line for each modality with missing utterances."""
    return [summarise_missing(modality, of, len(tables[modality].present)) for modality, of in problems.items() if of]


def write_features(
    folder: Path,
    conversations: Sequence[Conversation],
    tables: Mapping[str, FeatureTable],
    problems: Mapping[str, Sequence[str]],
    *,
    overwrite: bool = False,
) -> None:
    """Write files that `sdt corpus import` reads: `utterances.jsonl`, and one `.npz` file per modality.

    The arrays are keyed by utterance. Missing utterances have no key; `problems.txt` lists the reasons.
    """
    keys = [
        f"{conversation.id}/{utterance.id}" for conversation in conversations for utterance in conversation.utterances
    ]
    with atomic_folder(folder, overwrite=overwrite) as temporary:
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
        (temporary / "utterances.jsonl").write_text(text, encoding="utf-8")
        for modality, table in tables.items():
            rows: dict[str, Any] = {key: table.features[row] for row, key in enumerate(keys) if table.present[row]}
            np.savez(temporary / f"{modality}.npz", **{"encoder": np.array(table.encoder), **rows})
        lines_of_problems = [f"{modality}: {problem}\n" for modality, of in problems.items() for problem in of]
        if lines_of_problems:
            (temporary / "problems.txt").write_text("".join(lines_of_problems), encoding="utf-8")


def with_features(corpus: Corpus, tables: Mapping[str, FeatureTable]) -> CorpusBuilder:
    """A copy of a corpus with modalities added or replaced; the other features are read when it is written."""
    features = {
        name: StreamedTable(
            modality.rows, (corpus.size, modality.width), modality.present, modality.encoder, str(modality.path)
        )
        for name, modality in corpus.modalities.items()
        if name not in tables
    }
    return CorpusBuilder(
        name=corpus.name,
        conversations=corpus.all_conversations(),
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
