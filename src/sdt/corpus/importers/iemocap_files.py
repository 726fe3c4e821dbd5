"""Importer of single files of IEMOCAP, or of a folder of them, without the folders of the release.

    EmoEvaluation/Ses01F_impro01.txt    times, the emotion that most annotators chose, the emotions of each annotator
    transcriptions/Ses01F_impro01.txt   text

The label and the order of the utterances are those of the release (see `release_iemocap`). The labels of the annotators
are kept (`E1` to `E6`, and the actors themselves, `F1` and `M1`); several labels of one annotator are one label,
separated by `, `. The means of valence, activation and dominance are fields of the utterance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Annotation, Conversation, Utterance
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.label_files import Annotated, head, to_imported
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.release_iemocap import LABELS, LICENCE, TEST_SESSION, read_texts, read_utterances
from sdt.errors import InputError
from sdt.formats.parsing.csv_lines import read_text
from sdt.splits import has_usual_dev, hold_out, iemocap_session

NAMES = {"happiness": "happy", "sadness": "sad", "neutral state": "neutral", "neutral": "neutral", "anger": "angry",
    "frustration": "frustrated"}  # fmt: skip
"""The annotators' words to labels; other words are labels in lower case."""
_SUMMARY = re.compile(r"\[\d+\.\d+ - \d+\.\d+\]\s+(Ses0[1-5][FM]_\w+)\s+[a-z]{3}\s+\[([\d.]+), ([\d.]+), ([\d.]+)\]")
_CATEGORIES = re.compile(r"C-([EFM]\d)\s*:\s*([^()]*)")
_IS_EVALUATION = re.compile(r"^% ?\[START_TIME - END_TIME\]|^\[\d+\.\d+ - \d+\.\d+\]\s+Ses0[1-5][FM]_", re.MULTILINE)
_IS_TRANSCRIPTION = re.compile(r"^Ses0[1-5][FM]_\w+ *\[[\d.]+-[\d.]+\]:", re.MULTILINE)
_DIMENSIONS = ("valence", "activation", "dominance")


def is_file_of_iemocap(path: Path) -> bool:
    """Whether a file is an evaluation or a transcription."""
    if path.suffix.lower() != ".txt" or not path.is_file() or path.name.startswith("."):
        return False
    start = head(path)
    return bool(_IS_EVALUATION.search(start) or _IS_TRANSCRIPTION.search(start))


def files_of(folder: Path) -> list[Path]:
    """The evaluations and transcriptions of a folder and of its subfolders."""
    return sorted(path for path in folder.rglob("Ses0[1-5]*.txt") if is_file_of_iemocap(path))


def import_iemocap_files(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import single files.

    Raises:
        InputError: There are no evaluations, or a dialog occurs twice.
    """
    files = files.with_annotations(options)
    return to_imported(IEMOCAP_FILES, _read(files.annotations, options), files, options)


def import_iemocap_folder(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import a folder of such files; see `import_iemocap_files`."""
    (folder,) = files.paths
    paths = files_of(folder)
    found = _read(paths, options)
    return replace(to_imported(IEMOCAP_FOLDER, found, files, options), sources=paths)


def _read(paths: Sequence[Path], options: ImportOptions) -> Annotated:
    evaluations: dict[str, Path] = {}
    texts: dict[str, str] = {}
    for path in paths:
        if not _IS_EVALUATION.search(head(path)):
            texts |= read_texts(path)
        elif (before := evaluations.setdefault(path.stem, path)) != path:
            raise InputError(f"{path}: second evaluation of dialog {path.stem}, after {before}")
    if not evaluations:
        raise InputError(f"{paths[0]}: the emotions are missing; add the files of EmoEvaluation")
    conversations = [
        Conversation(id, tuple(_annotated(path, read_utterances(path, texts)))) for id, path in evaluations.items()
    ]
    found = Annotated("iemocap", "IEMOCAP", conversations, tuple(LABELS.values()), licence=LICENCE)
    silent = sum(utterance.text is None for one in conversations for utterance in one.utterances)
    if silent:
        found.notes.append(f"{silent} utterances have no text; add the files of transcriptions")
    _split(found, options)
    return found


def _annotated(path: Path, utterances: Sequence[Utterance]) -> list[Utterance]:
    """The utterances with the labels of their annotators and their dimensions."""
    annotations: dict[str, list[Annotation]] = {}
    dimensions: dict[str, dict[str, float]] = {}
    id = None
    for line in read_text(path, encoding="latin-1").splitlines():
        if summary := _SUMMARY.match(line.strip()):
            id = summary[1]
            dimensions[id] = dict(zip(_DIMENSIONS, map(float, summary.groups()[1:]), strict=True))
        elif id is not None and (found := _CATEGORIES.match(line.strip())):
            words = [word.strip().lower() for word in found[2].split(";") if word.strip()]
            label = ", ".join(NAMES.get(word, word) for word in words)
            if label:
                annotations.setdefault(id, []).append(Annotation(found[1], label))
    return [
        replace(one, annotations=tuple(annotations.get(one.id, ())), extra=dimensions.get(one.id, {}))
        for one in utterances
    ]


def _split(found: Annotated, options: ImportOptions) -> None:
    """Session 5 is test, and the usual dialogs are dev, as in the release, if there are others."""
    ids = [one.id for one in found.conversations]
    test = [id for id in ids if iemocap_session(id) == TEST_SESSION]
    train = [id for id in ids if iemocap_session(id) != TEST_SESSION]
    if not test or not train:
        return
    found.splits = {"train": train, "test": test}
    if options.dev is None and has_usual_dev(train) and len(train) > 1:
        found.splits["train"], found.splits["dev"] = hold_out(train, "usual")


IEMOCAP_FILES = Importer(
    "iemocap-files",
    "IEMOCAP's single files of EmoEvaluation and transcriptions",
    lambda path, _: is_file_of_iemocap(path),
    import_iemocap_files,
    recordings="named",
)
IEMOCAP_FOLDER = Importer(
    "iemocap-folder",
    "a folder with files of IEMOCAP's EmoEvaluation and transcriptions",
    lambda folder, _: bool(files_of(folder)),
    import_iemocap_folder,
    folder=True,
)
