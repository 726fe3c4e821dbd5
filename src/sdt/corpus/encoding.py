"""Run feature encoders over conversations, and write what they made."""

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
from sdt.encoders.encoder import FeatureEncoder, Source
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
    """Make several modalities of some conversations.

    Args:
        conversations: N utterances in all.
        encoders: Modality to its encoder.
        clip: Where the recordings are.
        cache: See `encode_cached`.
        report: See `encode_cached`.
        jobs: How many utterances at a time, where the encoder lets itself be shared by processes; see `workers`.
        encode: See `encode_cached`; `jobs` is not looked at then.

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
        if encode is not None:
            encoded = encode_cached(encoder, sources, cache, report, encode)
        else:
            with worker_pool(encoder, jobs) as workers:
                encoded = encode_cached(workers, sources, cache, report)
        tables[modality] = FeatureTable(encoded.features, encoded.present, encoder.name, source=encoder.name)
        problems[modality] = encoded.problems
    return tables, problems


def summarise_problems(tables: Mapping[str, FeatureTable], problems: Mapping[str, Sequence[str]]) -> list[str]:
    """One line for each modality that some utterances lack."""
    return [summarise_missing(modality, of, len(tables[modality].present)) for modality, of in problems.items() if of]


def write_features(
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


def with_features(corpus: Corpus, tables: Mapping[str, FeatureTable]) -> CorpusBuilder:
    """A corpus with modalities added or replaced; what it keeps is read when it is written."""
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
