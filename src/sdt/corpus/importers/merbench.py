"""Importer of the label files of MERBench and MERTools: `label.npz`, `label-6way.npz`, `train-label.csv`.

An array for each part of the corpus (`train_corpus`, `val_corpus`, `test1_corpus` ..., or `whole_corpus`) holds a
dictionary from the name of a clip to `{"emo", "val"}`: the emotion, and the valence (-10 if there is none), which
becomes a field. A table has the columns `name`, `discrete` and `valence` instead, and its part in its name. The emotion
is a name, or a number: of MELD's labels, or else of `--labels`. `transcription.csv` beside it has the columns `name`
and `english`, `chinese` or `sentence`.

Clips of MELD (`train_dia0_utt3`) and IEMOCAP (`Ses01F_impro01_F000`) form conversations; any other clip is a
conversation of its own. An utterance is called like its clip, so that recordings and features are found. Source: Z.
Lian et al., "MERBench: A Unified Evaluation Benchmark for Multimodal Emotion Recognition", 2024.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from sdt.conversation import Conversation, Utterance, Value
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles, has_columns, read_columns
from sdt.corpus.importers.label_files import Annotated, to_imported
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.split_files import named_split
from sdt.errors import InputError, describe_error, quoted
from sdt.files import max_expanded_bytes
from sdt.formats.parsing.csv_lines import is_number, parse_number, read_csv
from sdt.formats.parsing.pickles import reader as unpickle
from sdt.json_values import is_finite
from sdt.splits import iemocap_session, parse_split

MELD_LABELS = ("anger", "joy", "sadness", "neutral", "disgust", "fear", "surprise")
"""The labels of the numbers in MELD's file."""
MER_LABELS = ("neutral", "angry", "happy", "sad", "worried", "surprise")
NO_VALENCE = -10
_PART = re.compile(r"([a-z]+?)\d*_corpus\.npy")
_MELD = re.compile(r"((?:train|val|dev|test)_dia\d+)_utt(\d+)")
_IEMOCAP = re.compile(r"(Ses0[1-5][FM]_\w+)_([FM])\w+")
_TEXTS = ("english", "chinese", "sentence")

Part = tuple[str, Mapping[object, object]]
"""A part of the corpus, and its clips."""


def is_label_file(path: Path) -> bool:
    """Whether an archive has the parts of a corpus."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(_PART.fullmatch(name) for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def is_label_table(path: Path, encoding: str | None) -> bool:
    """Whether a table has the emotions of clips."""
    return has_columns(path) and {"name", "discrete"} <= set(read_columns(path, encoding))


def is_transcription(path: Path, encoding: str | None) -> bool:
    """Whether a table has the texts of clips."""
    if not has_columns(path) or not path.stem.lower().startswith("transcription"):
        return False
    columns = set(read_columns(path, encoding))
    return "name" in columns and bool(columns & {*_TEXTS})


def import_merbench(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import label files, with their transcription.

    Raises:
        InputError: The label files are missing or damaged.
    """
    files = files.with_annotations(options)
    archives = [path for path in files.annotations if is_label_file(path)]
    label_files = [*archives, *(path for path in files.annotations if is_label_table(path, options.encoding))]
    tables = [path for path in files.annotations if path not in label_files]
    if not label_files:
        raise InputError(f"{tables[0]}: the label file is missing; add label.npz")
    texts = {name: text for path in tables for name, text in _texts(path, options.encoding)}
    found = Annotated("merbench", "MERBench", [])
    grouped: dict[str, list[Utterance]] = {}
    parts = [
        (path, *part)
        for path in label_files
        for part in (_parts(path) if path in archives else [_table(path, options.encoding)])
    ]
    for path, name, clips in parts:
        split = parse_split(name)
        for clip, values in clips.items():
            conversation, utterance = _utterance(path, str(clip), values, texts.get(str(clip)), options.labels)
            if conversation not in grouped and split:
                found.splits.setdefault(split, []).append(conversation)
            grouped.setdefault(conversation, []).append(utterance)
    found.conversations = [Conversation(id, tuple(sorted(of, key=_order))) for id, of in grouped.items()]
    _order_labels(found)
    _split_by_session(found, options)
    if texts and (silent := sum(one.text is None for of in grouped.values() for one in of)):
        found.notes.append(f"{label_files[0]}: {silent} clips have no text in {tables[0].name}")
    return to_imported(MERBENCH, found, files, options)


def _table(path: Path, encoding: str | None) -> Part:
    """The clips of a table, whose part is in its name."""
    header, *lines = read_csv(path, encoding=encoding)
    names = [name.strip() for name in header.cells]
    clips: dict[object, object] = {}
    for line in lines:
        cells = dict(zip(names, map(str.strip, line.cells), strict=True))
        valence = cells.get("valence", "")
        if cells["name"] in clips:
            raise InputError(f"{path}, line {line.number}: clip {quoted(cells['name'])} occurs twice")
        if not is_number(valence):
            raise InputError(f"{path}, line {line.number}: valence {quoted(valence)} is not a number")
        clips[cells["name"]] = {"emo": cells["discrete"], "val": parse_number(valence)}
    return named_split(path) or "", clips


def _parts(path: Path) -> Iterator[Part]:
    """The parts of a label file; `whole_corpus` of IEMOCAP is a list of five."""
    most = max_expanded_bytes(path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > most:
                raise InputError(f"{path}: unpacks to more than {most / 1e6:.0f} MB")
            members = [
                (found[1], archive.read(name)) for name in archive.namelist() if (found := _PART.fullmatch(name))
            ]
    except (OSError, zipfile.BadZipFile, RuntimeError, EOFError, zipfile.LargeZipFile) as error:
        raise InputError(f"{path}: damaged ({describe_error(error)})") from None
    for name, data in members:
        value = _objects(path, name, data)
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                raise InputError(f"{path}, {name}_corpus: expected a dictionary of clips, found {type(one).__name__}")
            yield name, one


def _objects(path: Path, name: str, data: bytes) -> object:
    """The pickled value of an array of objects, read without executing anything."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read(file)
    except Exception as error:  # numpy raises many kinds of errors for damaged files
        raise InputError(f"{path}, {name}_corpus: damaged ({describe_error(error)})") from None
    if dtype != np.dtype(object):
        raise InputError(f"{path}, {name}_corpus: expected a dictionary of clips, found an array of {dtype}")
    value = unpickle.loads(path, file.read())
    if isinstance(value, np.ndarray):
        value = value.item() if value.ndim == 0 else value.tolist()
    return value


def _utterance(
    path: Path, clip: str, values: object, text: str | None, named: Sequence[str] | None
) -> tuple[str, Utterance]:
    """The conversation and the utterance of a clip; `named` are the labels in the order of their numbers."""
    where = f"{path}, clip {quoted(clip)}"
    if not isinstance(values, dict) or "emo" not in values:
        raise InputError(
            f"{where}: has no emotion ('emo'); corpora of scores alone, such as CMU-MOSI, need classes: use label.csv"
        )
    number = values["emo"]
    if isinstance(number, str):
        label = number.strip().lower() or None
    else:
        names = named or (MELD_LABELS if _MELD.fullmatch(clip) else ())
        if not names:
            raise InputError(
                f"{where}: emotions are numbers without names; give the names in the order of the numbers with --labels"
            )
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < len(names):
            raise InputError(f"{where}: emotion {quoted(number)} is not a number from 0 to {len(names) - 1}")
        label = names[int(number)]
    valence = values.get("val")
    extra: dict[str, Value] = {}
    if is_finite(valence) and isinstance(valence, int | float) and valence != NO_VALENCE:
        extra["valence"] = float(valence)
    if found := _MELD.fullmatch(clip):
        return found[1], Utterance(clip, "unknown", text, label, extra=extra)
    if found := _IEMOCAP.fullmatch(clip):
        return found[1], Utterance(clip, found[2], text, label, extra=extra)
    return clip, Utterance(clip, clip, text, label, extra=extra)


def _order(utterance: Utterance) -> int:
    """The number at the end of the name of a clip."""
    found = re.search(r"\d{1,9}$", utterance.id)
    return int(found[0]) if found else 0


def _order_labels(found: Annotated) -> None:
    """The order of the corpus that has all the labels; otherwise they are sorted."""
    labels = {utterance.label for one in found.conversations for utterance in one.utterances if utterance.label}
    for order in (MELD_LABELS, MER_LABELS):
        if labels <= {*order}:
            found.labels = [label for label in order if label in labels]
            return


def _split_by_session(found: Annotated, options: ImportOptions) -> None:
    """IEMOCAP's test split is Session 5."""
    ids = [one.id for one in found.conversations]
    test = [id for id in ids if iemocap_session(id) == 5]
    if not found.splits and test and len(test) < len(ids) and options.dev != "session4":
        found.splits = {"train": [id for id in ids if id not in {*test}], "test": test}


def _texts(path: Path, encoding: str | None) -> Iterator[tuple[str, str]]:
    header, *lines = read_csv(path, encoding=encoding)
    names: Sequence[str] = [name.strip() for name in header.cells]
    column = next(names.index(name) for name in _TEXTS if name in names)
    return ((line.cells[names.index("name")].strip(), text) for line in lines if (text := line.cells[column].strip()))


MERBENCH = Importer(
    "merbench",
    "MERBench's label.npz and transcription.csv",
    lambda path, encoding: is_label_file(path) or is_label_table(path, encoding) or is_transcription(path, encoding),
    import_merbench,
    recordings="named",
)
