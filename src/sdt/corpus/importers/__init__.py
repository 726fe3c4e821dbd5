"""From other people's files to a corpus: which importer reads them, and what is done for all of them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdt.corpus.draft import Draft
from sdt.corpus.importers.feature_tables import feature_files
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.recognition import Recognised, recognise_files
from sdt.corpus.importers.recorded import encode, named_encoders
from sdt.corpus.normalise import normalise
from sdt.errors import InputError, quoted
from sdt.features.recordings import find_recordings
from sdt.features.text import encode_conversations, text_encoder
from sdt.files import sha256

if TYPE_CHECKING:
    from sdt.features.cache import FeatureCache
    from sdt.features.chunks import Report

__all__ = ["ImportOptions", "read"]


def read(
    files: Sequence[Path],
    options: ImportOptions,
    *,
    features: Mapping[str, Sequence[Path]] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cache: FeatureCache | None = None,
    report: Report | None = None,
    jobs: int = 1,
) -> Draft:
    """Read files of any known layout.

    Args:
        files: Annotation files, feature files, pickles; which is which shows in their structure. Or one folder: an
            original release of IEMOCAP or MELD.
        options: What the user decided.
        features: Modality to its files, for those whose modality their names do not tell.
        progress: Called with (texts done, texts in all) while the text is encoded.
        cache: Where the features of recordings are looked for and kept.
        report: Called with (encoder, utterances done, utterances in all) while recordings are encoded.
        jobs: How many utterances of recordings at a time.

    Returns:
        The corpus in memory; its notes say how the files were understood.

    Raises:
        InputError: In one line, what is wrong with which file.
    """
    features = features or {}
    if len(files) == 1 and files[0].is_dir():
        from sdt.corpus.importers.releases import read_release

        if features or options.take or options.media:
            raise InputError(f"{files[0]}: is a folder, which takes no --features, --take or --media; name files")
        layout, draft, sources = read_release(files[0], options, cache, report, jobs)
    else:
        sources = [*files, *(path for paths in features.values() for path in paths), *options.take.values()]
        layout, draft = _read_files(files, sources, options, features, progress, cache, report, jobs)
    draft.provenance = {
        "importer": layout,
        "options": _json(dataclasses.asdict(options)),
        "features": {modality: [path.name for path in paths] for modality, paths in features.items()},
        "files": [{"name": path.name, "sha256": _digest(path)} for path in dict.fromkeys(sources)],
        **draft.provenance,
    }
    normalise(draft, options.normalise)
    if not draft.features:
        raise InputError(
            f"{draft.name}: a corpus needs at least one modality; give feature files, or --text-encoder for the text"
        )
    return draft


def _read_files(
    files: Sequence[Path],
    sources: Sequence[Path],
    options: ImportOptions,
    features: Mapping[str, Sequence[Path]],
    progress: Callable[[int, int], None] | None,
    cache: FeatureCache | None,
    report: Report | None,
    jobs: int,
) -> tuple[str, Draft]:
    """The layout's name and the corpus of anything but a release."""
    for path in sources:
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if path.is_dir() and not feature_files(path):
            raise InputError(f"{path}: is a folder without .npy files; name files, or one folder of a release alone")
    recognised = recognise_files(files, options.layout, options.encoding)
    encoders = named_encoders(options, ("audio", "visual"))
    if encoders and recognised.importer != "tables":
        name = next(iter(encoders.values())).name
        raise InputError(
            f"--{next(iter(encoders))}-encoder {name}: these files name no recordings; give the folder of an original "
            "release or a table of utterances, or encode recordings with: sdt features extract"
        )
    if options.media and not encoders:
        raise InputError(f"--media {options.media}: say what to encode with: --audio-encoder prosody, say")
    draft, named = _import(recognised, features, options)
    draft.notes.insert(0, recognised.remark)
    if options.text_encoder is not None:
        _encode_text(draft, options.text_encoder, progress)
    if encoders:
        recordings = find_recordings(draft.conversations, named, options.media)
        if not recordings.clips:
            raise InputError(
                f"{recognised.annotations[0]}: --{next(iter(encoders))}-encoder needs recordings; name them in a "
                "column media, or say where they are with --media"
            )
        draft.notes += recordings.notes
        encode(draft, encoders, recordings.clip, cache, report, jobs)
    return recognised.layout, draft


def _import(
    recognised: Recognised, features: Mapping[str, Sequence[Path]], options: ImportOptions
) -> tuple[Draft, Mapping[tuple[str, str], Path]]:
    """The corpus, and the recordings that its files name."""
    if options.take and recognised.importer != "pickles":
        raise InputError(f"--take {next(iter(options.take))}=...: only pickles hold several modalities; use --features")
    if recognised.importer == "meld":
        from sdt.corpus.importers.meld import read_meld

        return read_meld(recognised.annotations, _join(recognised.by_stem(), features), options), {}
    if recognised.importer == "tables":
        from sdt.corpus.importers.tables import read_tables

        return read_tables(recognised.annotations[0], _join(recognised.by_stem(), features), options)
    from sdt.corpus.importers.pickles import read_pickles

    if features:
        raise InputError(
            f"--features {next(iter(features))}=...: pickles name their modalities themselves; where two of them hold "
            "the same modality, choose with --take MODALITY=FILE"
        )
    return read_pickles(list(recognised.others), options), {}


def _join(first: Mapping[str, Sequence[Path]], second: Mapping[str, Sequence[Path]]) -> dict[str, Sequence[Path]]:
    return {name: [*first.get(name, ()), *second.get(name, ())] for name in {**first, **second}}


def _encode_text(draft: Draft, name: str, progress: Callable[[int, int], None] | None) -> None:
    """Give the draft a modality `text`, before its other ones."""
    if not any(utterance.text for conversation in draft.conversations for utterance in conversation.utterances):
        raise InputError(f"{draft.name}: --text-encoder {name}: the files hold no text of the utterances")
    if "text" in draft.features:
        draft.notes.append(f"text: the features of the files give way to those of the encoder {quoted(name)}")
    table = encode_conversations(text_encoder(name), draft.conversations, progress)
    draft.features = {"text": table, **{m: kept for m, kept in draft.features.items() if m != "text"}}


def _digest(path: Path) -> str:
    """The SHA-256 of a file; or of the names and SHA-256 of the files in a folder of features."""
    if path.is_file():
        return sha256(path)
    lines = [f"{file.relative_to(path).as_posix()} {sha256(file)}\n" for file in feature_files(path)]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _json(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same with paths as file names and tuples as lists."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, tuple | list) else value
