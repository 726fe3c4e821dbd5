"""The conversation to explain: from a corpus, or from a transcript and its recording."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from sdt.analysis.explanation.explain import check_length
from sdt.batch import Batch, pack
from sdt.conversation import Conversation
from sdt.corpus.batches import corpus_batch
from sdt.corpus.store import Corpus
from sdt.errors import InputError, near_miss
from sdt.evaluation.compatibility import check_compatibility
from sdt.models.config import ModelConfig
from sdt.prediction.extraction import FeatureExtractor, Missing
from sdt.prediction.inputs import read_input, recordings_of
from sdt.prediction.predictions import missing_notes
from sdt.prediction.readability import readability_notes

_LISTED = 12
"""Maximum number of conversations listed in an error message."""


@dataclass(frozen=True)
class PackedConversation:
    """A conversation and its features."""

    conversation: Conversation
    batch: Batch
    notes: Sequence[str]
    """Notes on the interpretation, one line each."""


def from_corpus(config: ModelConfig, corpus: Corpus, conversation: str) -> PackedConversation:
    """Pack a conversation of any split of a corpus.

    Args:
        config: The configuration of the model.
        corpus: A compatible corpus; see `sdt.evaluation.compatibility.check_compatibility`.
        conversation: The id of the conversation.

    Raises:
        InputError: The corpus is not compatible with the model, or does not have the conversation.
    """
    notes = check_compatibility(config, corpus)
    if conversation not in corpus.conversations:
        raise InputError(f"{corpus.folder}: {_unknown(conversation, corpus.conversations)}")
    split = next((name for name, ids in corpus.splits.items() if conversation in ids), None)
    seen = ("train", "dev") if config.provenance.get("protocol") == "published" else ("train",)
    if split in seen and config.provenance.get("corpus_sha256") == corpus.fingerprint:
        notes.append(f"the model was trained on this conversation (split {split}) and may have overfitted it")
    chosen = corpus.conversations[conversation]
    batch = corpus_batch(
        corpus, [chosen], modalities=tuple(config.modalities), labels=config.labels, speakers=config.speakers
    )
    return PackedConversation(chosen, batch, notes)


def from_transcript(
    config: ModelConfig,
    path: Path,
    media: Path | None = None,
    conversation: str | None = None,
    *,
    model: Path,
    encoding: str | None = None,
) -> PackedConversation:
    """Pack a conversation of a transcript; its features are computed as by `sdt predict`.

    Args:
        config: The configuration of the model.
        path: A transcript, a folder of transcripts, or a recording.
        media: The recording or a folder of recordings.
        conversation: The id of the conversation; None if there is only one.
        model: The model folder, which may contain parts of its encoders.
        encoding: Encoding of the transcript; None to detect it.

    Raises:
        InputError: The transcript or the recordings cannot be used; the conversation is unknown or too long.
        MissingDependencyError: An encoder needs a package that is not installed.
    """
    transcript = read_input(path, encoding=encoding)
    chosen = _chosen(transcript.conversations, conversation, path)
    check_length(chosen)  # before the features are computed, which takes longer
    recordings = recordings_of(transcript, [chosen], media)
    extractor = FeatureExtractor(config, str(model), model)
    notes = [
        *transcript.notes,
        *extractor.prepare(has_recordings=bool(recordings.clips), has_video=recordings.has_video),
    ]
    if extractor.reads_text:
        notes += readability_notes(config.languages, [chosen])
    missing = {modality: Missing() for modality in config.modalities}
    extracted = extractor.extract([chosen], recordings, missing)
    features = {name: (torch.from_numpy(x), torch.from_numpy(present)) for name, (x, present) in extracted.items()}
    notes += missing_notes(missing)
    return PackedConversation(chosen, pack([chosen], features, config.labels, config.speakers), notes)


def _chosen(conversations: Sequence[Conversation], conversation: str | None, path: Path) -> Conversation:
    known = {of.id: of for of in conversations}
    if not known:
        raise InputError(f"{path}: contains no conversation")
    if conversation is None and len(known) > 1:
        raise InputError(
            f"{path}: contains {len(known)} conversations; name one with --conversation ID, --list shows all of them"
        )
    if conversation is not None and conversation not in known:
        raise InputError(f"{path}: {_unknown(conversation, known)}")
    return known[conversation] if conversation is not None else conversations[0]


def _unknown(conversation: str, known: Collection[str]) -> str:
    hint = near_miss(conversation, known)
    if "did you mean" not in hint and len(known) > _LISTED:
        hint = f" among its {len(known):,}"
    return f"no conversation {conversation!r} (--list shows all of them){hint}"
