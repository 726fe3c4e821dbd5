"""Import of a corpus: read the files, encode text and recordings, normalise features."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdt.corpus import importers
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.encoding import extract_features, summarise_problems
from sdt.corpus.importers import Imported, ImportOptions
from sdt.corpus.importers.feature_tables import feature_files
from sdt.corpus.normalise import normalise
from sdt.encoders.encoder import ENCODERS, FeatureEncoder, context_of, feature_encoder
from sdt.encoders.text import encode_conversations, text_encoder
from sdt.encoders.text_context import context_notes
from sdt.errors import InputError, quoted
from sdt.files import sha256
from sdt.media.recordings import find_recordings

if TYPE_CHECKING:
    from sdt.encoders.cache import FeatureCache
    from sdt.encoders.chunks import Report
    from sdt.media.clip import FindClip


def import_corpus(
    files: Sequence[Path],
    options: ImportOptions,
    *,
    features: Mapping[str, Sequence[Path]] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cache: FeatureCache | None = None,
    report: Report | None = None,
    jobs: int = 1,
) -> CorpusBuilder:
    """Import a corpus from files of any known layout.

    Args:
        files: Annotation files, feature files and pickles, whose roles are detected by their content; or one folder, an
            original release of IEMOCAP or MELD, or CMU-MOSI.
        options: The options of the import.
        features: Modality to its files, for files whose names are not their modalities.
        progress: Called with (texts done, total) while text is encoded.
        cache: Stores the features of recordings.
        report: Called with (encoder, utterances done, total) while recordings are encoded.
        jobs: The number of processes that encode recordings.

    Returns:
        The corpus in memory; its notes describe how the files were interpreted.

    Raises:
        InputError: A file or an option cannot be used; the message names it.
    """
    features = features or {}
    selected = importers.select_importer(files, options, features)
    importer = selected.importer
    included = importer.recordings == "included"
    encoders = named_encoders(options, ("text", "audio", "visual") if included else ("audio", "visual"))
    if included and not encoders:
        raise InputError(f"{files[0]}: name encoders, for example: --text-encoder minilm --audio-encoder prosody")
    if encoders and importer.recordings == "none":
        name = next(iter(encoders.values())).name
        raise InputError(
            f"--{next(iter(encoders))}-encoder {name}: these files do not name recordings; give the folder of an "
            "original release or a table of utterances, or encode recordings with: sdt features extract"
        )
    if options.media and not encoders:
        raise InputError(f"--media {options.media}: name an encoder, for example: --audio-encoder prosody")
    imported = importers.read(selected, options)
    if imported.clip is not None:
        _encode(imported.builder, encoders, imported.clip, cache, report, jobs)
    else:
        if options.text_encoder is not None:
            _encode_text(imported.builder, options.text_encoder, progress)
        if encoders:
            _encode_recordings(imported, encoders, options.media, cache, report, jobs)
    builder = imported.builder
    builder.provenance = {
        "importer": imported.layout,
        "options": _json(dataclasses.asdict(options)),
        "features": {modality: [path.name for path in paths] for modality, paths in features.items()},
        "files": [{"name": path.name, "sha256": _digest(path)} for path in dict.fromkeys(imported.sources)],
        **builder.provenance,
    }
    normalise(builder, options.normalise)
    if not builder.features:
        raise InputError(
            f"{builder.name}: a corpus requires at least one modality; give feature files, or --text-encoder for the "
            "text"
        )
    return builder


def named_encoders(options: ImportOptions, modalities: Sequence[str]) -> dict[str, FeatureEncoder]:
    """Make the encoders that the options name for the given modalities.

    Raises:
        InputError: A name is unknown, or its encoder has another modality.
    """
    encoders: dict[str, FeatureEncoder] = {}
    for modality in modalities:
        name = getattr(options, f"{modality}_encoder")
        if name is not None:
            encoders[modality] = feature_encoder(name)
            if encoders[modality].modality != modality:
                raise InputError(f"--{modality}-encoder {name}: encodes {encoders[modality].modality}, not {modality}")
    return encoders


def _encode_text(builder: CorpusBuilder, name: str, progress: Callable[[int, int], None] | None) -> None:
    """Encode the text as the first modality."""
    if not any(utterance.text for conversation in builder.conversations for utterance in conversation.utterances):
        raise InputError(f"{builder.name}: --text-encoder {name}: the files contain no text of the utterances")
    if "text" in builder.features:
        builder.notes.append(f"text: features of the encoder {quoted(name)} replace those of the files")
    kind = name.partition(":")[0]
    if kind in ENCODERS and kind not in ENCODERS.builtin:  # of a package or of this process
        (found,) = named_encoders(ImportOptions(text_encoder=name), ("text",)).values()
        tables, problems = extract_features(builder.conversations, {"text": found}, lambda *_: None)
        builder.notes += summarise_problems(tables, problems)
        table = tables["text"]
    else:
        encoder = text_encoder(name)
        builder.notes += context_notes("text", encoder.context)
        table = encode_conversations(encoder, builder.conversations, progress)
    builder.features = {"text": table, **{m: kept for m, kept in builder.features.items() if m != "text"}}


def _encode_recordings(
    imported: Imported,
    encoders: Mapping[str, FeatureEncoder],
    media: Path | None,
    cache: FeatureCache | None,
    report: Report | None,
    jobs: int,
) -> None:
    """Encode the recordings of a table of utterances."""
    recordings = find_recordings(imported.builder.conversations, imported.recordings or {}, media)
    if not recordings.clips:
        raise InputError(
            f"{imported.annotation}: --{next(iter(encoders))}-encoder requires recordings; name them in a column "
            "'media', or give their folder with --media"
        )
    imported.builder.notes += recordings.notes
    _encode(imported.builder, encoders, recordings.clip, cache, report, jobs)


def _encode(
    builder: CorpusBuilder,
    encoders: Mapping[str, FeatureEncoder],
    clip: FindClip,
    cache: FeatureCache | None,
    report: Report | None,
    jobs: int,
) -> None:
    """Add the modalities of encoders to a corpus; they replace modalities of the same name.

    Raises:
        InputError: A modality is missing in every utterance.
    """
    builder.notes += [encoder.licence_note for encoder in encoders.values() if encoder.licence_note]
    for modality, encoder in encoders.items():
        builder.notes += context_notes(modality, context_of(encoder))
    for modality in encoders:
        if modality in builder.features:
            builder.notes.append(
                f"{modality}: features of the encoder {quoted(encoders[modality].name)} replace those of the files"
            )
    tables, problems = extract_features(builder.conversations, encoders, clip, cache, report, jobs)
    for modality, table in tables.items():
        if not table.present.any():
            raise InputError(
                f"{builder.name}: {modality} could not be encoded in any utterance: {problems[modality][0]}"
            )
    builder.features |= tables
    builder.notes += summarise_problems(tables, problems)


def _digest(path: Path) -> str:
    """The SHA-256 of a file; for a folder of features, of the names and SHA-256 of its files."""
    if path.is_file():
        return sha256(path)
    lines = [f"{file.relative_to(path).as_posix()} {sha256(file)}\n" for file in feature_files(path)]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _json(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON form of a value, with paths as file names and tuples as lists."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, tuple | list) else value
