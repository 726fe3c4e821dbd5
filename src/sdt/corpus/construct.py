"""Corpora from Python objects and folders: `Corpus.from_arrays`, `from_pandas`, `from_folder`, `to_pandas`.

Arrays and data frames are written as a table of utterances and one matrix per modality, which the importer of tables
reads. Columns, splits, encoders and errors are therefore those of `sdt corpus import`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.importers import IMPORTERS, ImportOptions
from sdt.corpus.importers.annotation import ANNOTATION
from sdt.corpus.importers.feature_tables import SUFFIXES
from sdt.corpus.importing import import_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError, MissingDependencyError, near_miss
from sdt.feature_table import row_chunks
from sdt.formats.parsing.utterance_table import COLUMNS

if TYPE_CHECKING:
    import pandas

Features = Mapping[str, npt.ArrayLike]
"""Modality to a matrix [N, D] with a row per utterance; a row of NaN means that the utterance lacks the modality."""


class _TemporaryFolder:
    """A folder that is removed with the last corpus that uses it, or when the process ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="sdt-corpus-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def from_arrays(
    labels: Sequence[str | None],
    features: Features,
    columns: Mapping[str, Sequence[Any] | None],
    folder: str | Path | None,
    options: Mapping[str, Any],
) -> Corpus:
    """See `Corpus.from_arrays`; `columns` are the further columns of the table."""
    given = {"label": labels, **{name: column for name, column in columns.items() if column is not None}}
    for name, column in given.items():
        if len(column) != len(labels):
            raise InputError(f"{name}: {len(column)} values for {len(labels)} labels")
    names = list(given)
    records = [dict(zip(names, values, strict=True)) for values in zip(*given.values(), strict=True)]
    return _from_records(records, features, folder, options, "arrays")


def from_pandas(
    frame: pandas.DataFrame,
    features: Mapping[str, npt.ArrayLike | Sequence[str]],
    folder: str | Path | None,
    options: Mapping[str, Any],
) -> Corpus:
    """See `Corpus.from_pandas`."""
    matrices, used = {}, set[str]()
    for modality, of in features.items():
        names = list(of) if isinstance(of, list | tuple) and all(isinstance(name, str) for name in of) else []
        if unknown := [name for name in names if name not in frame.columns]:
            raise InputError(f"features {modality}: the data frame has no column {unknown[0]!r}")
        matrices[modality] = frame[names].to_numpy(dtype=np.float32) if names else of
        used |= set(names)
    records = frame[[name for name in frame.columns if name not in used]].to_dict("records")
    return _from_records(records, matrices, folder, options, "data frame")


def _from_records(
    records: Sequence[Mapping[Any, Any]],
    features: Mapping[str, Any],
    folder: str | Path | None,
    options: Mapping[str, Any],
    source: str,
) -> Corpus:
    with tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary) / "utterances.jsonl"
        lines = (json.dumps({str(k): _value(v) for k, v in of.items()}, ensure_ascii=False) + "\n" for of in records)
        table.write_text("".join(lines), encoding="utf-8")
        files = {}
        for modality, of in features.items():
            matrix = np.asarray(of, dtype=np.float32)
            if matrix.ndim != 2 or len(matrix) != len(records):
                raise InputError(
                    f"features {modality}: the shape {list(matrix.shape)} is not [{len(records)}, D], one row per "
                    "utterance"
                )
            files[modality] = [Path(temporary) / "features" / f"{modality}.npy"]
            files[modality][0].parent.mkdir(exist_ok=True)
            np.save(files[modality][0], matrix)
        with _renaming(table, source):
            builder = import_corpus([table], _options(options), features=files)
            builder.notes[:] = [note.replace(f"{table}", source) for note in builder.notes[1:]]
            return _write(builder, folder)


def from_folder(folder: Path, output: str | Path | None, options: Mapping[str, Any]) -> Corpus:
    """See `Corpus.from_folder`."""
    if (folder / "corpus.json").is_file():
        return Corpus.open(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: folder not found")
    settings = _options({"name": folder.resolve().name, **options})
    importers = [ANNOTATION, *(IMPORTERS[name] for name in IMPORTERS if IMPORTERS[name].folder)]
    if any(importer.recognises(folder, settings.encoding) for importer in importers):
        return _write(import_corpus([folder], _options(options)), output)
    visible = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    tables = [path for path in visible if path.suffix.lower() in SUFFIXES]
    if not tables:
        raise InputError(f"{folder}: neither a known release nor a folder with a table of utterances; add one")
    return _write(import_corpus(tables, settings), output)


def to_pandas(corpus: Corpus) -> pandas.DataFrame:
    """See `Corpus.to_pandas`."""
    try:
        import pandas
    except ImportError:
        raise MissingDependencyError("to_pandas() requires pandas; install it with: pip install pandas") from None
    split = {id: name for name, ids in corpus.splits.items() for id in ids}
    rows = [
        {
            "conversation": conversation.id,
            "utterance": utterance.id,
            "speaker": utterance.speaker,
            "label": utterance.label,
            "split": split.get(conversation.id),
            "text": utterance.text,
            "start": utterance.start,
            "end": utterance.end,
            **{name: value for name, value in utterance.extra.items() if name not in COLUMNS},
        }
        for conversation in corpus.conversations.values()
        for utterance in conversation.utterances
    ]
    return pandas.DataFrame(rows)


def matrix(corpus: Corpus, modality: str) -> npt.NDArray[np.float32]:
    """The features of a modality [N, D]; rows of NaN for utterances that lack it."""
    if modality not in corpus.modalities:
        raise InputError(f"{corpus.folder}: no modality {modality!r}{near_miss(modality, corpus.modalities)}")
    of = corpus.modalities[modality]
    found = np.empty(of.shape, dtype=np.float32)
    for rows in row_chunks(of.shape):
        found[rows] = np.where(of.present[rows, None], of.rows(rows), np.nan)
    return found


def _options(options: Mapping[str, Any]) -> ImportOptions:
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("labels", "keep"):
        if name in given:
            given[name] = tuple(given[name])
    if "media" in given:
        given["media"] = Path(given["media"])
    return ImportOptions(**given)


def _write(builder: CorpusBuilder, folder: str | Path | None) -> Corpus:
    if folder is not None:
        corpus = write_corpus(builder, Path(folder))
    else:
        temporary = _TemporaryFolder()
        corpus = write_corpus(builder, temporary.path / "corpus")
        corpus.keep_alive(temporary)
    corpus.notes = tuple(builder.notes)
    return corpus


def _value(value: object) -> object:
    """A cell as JSON; NumPy's numbers become Python's, and missing values None."""
    value = value.item() if hasattr(value, "item") else value
    try:
        return None if value != value else value
    except (TypeError, ValueError):  # pandas.NA has no truth value
        return None


@contextmanager
def _renaming(table: Path, source: str) -> Iterator[None]:
    """Name the data frame instead of the temporary file in errors."""
    try:
        yield
    except InputError as error:
        text = str(error).replace(f"{table}, line ", f"{source}, row ").replace(str(table), source)
        raise InputError(text) from None
