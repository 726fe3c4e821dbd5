"""Importer of the label files of MMSA: `label.csv` of CMU-MOSI, CMU-MOSEI, CH-SIMS and its second version.

The columns are `video_id`, `clip_id`, `text`, `label` (a score of sentiment), `label_T`, `label_A`, `label_V` (the
scores of single modalities), `annotation` (the class) and `mode` (the split). A conversation is a video with one
speaker. The class is the label; the scores are fields of the utterance. Source: H. Mao et al., "M-SENA: An Integrated
Platform for Multimodal Sentiment Analysis", ACL 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sdt.conversation import Conversation, Utterance, Value
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles, has_columns, read_columns
from sdt.corpus.importers.label_files import Annotated, to_imported
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError, join_names, quoted
from sdt.formats.parsing.csv_lines import parse_number, read_csv
from sdt.splits import parse_split, unknown_split

ORDER = ("negative", "weakly negative", "neutral", "weakly positive", "positive")
_REQUIRED = ("video_id", "clip_id", "annotation")
_SCORES = {"label": "sentiment", "label_T": "sentiment_T", "label_A": "sentiment_A", "label_V": "sentiment_V"}


def is_mmsa(path: Path, encoding: str | None) -> bool:
    """Whether a file is a label file of MMSA, by its columns."""
    return has_columns(path) and {"video_id", "clip_id"} <= set(read_columns(path, encoding))


def import_mmsa(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import label files of MMSA, and feature tables with keys `video_id/clip_id`.

    Raises:
        InputError: A file is damaged; the message names the line.
    """
    files = files.with_annotations(options)
    videos: dict[str, dict[str, Utterance]] = {}
    split_of: dict[str, str] = {}
    notes: list[str] = []
    for path in files.annotations:
        table = read_csv(path, encoding=options.encoding)
        header, *lines = table.lines
        notes += table.notes
        names = [name.strip() for name in header.cells]
        if missing := [column for column in _REQUIRED if column not in names]:
            raise InputError(f"{path}: column {quoted(missing[0])} is missing; found are: {join_names(names)}")
        for line in lines:
            where = f"{path}, line {line.number}"
            cells = dict(zip(names, (cell.strip() for cell in line.cells), strict=True))
            video, clip = cells["video_id"], cells["clip_id"]
            if not video or not clip:
                raise InputError(f"{where}: {'clip_id' if video else 'video_id'} is empty")
            if clip in videos.setdefault(video, {}):
                raise InputError(f"{where}: clip {quoted(clip)} of video {quoted(video)} occurs twice")
            videos[video][clip] = _utterance(where, video, clip, cells)
            if mode := cells.get("mode"):
                split = parse_split(mode)
                if split is None:
                    raise InputError(f"{where}: {unknown_split(mode)}")
                if (before := split_of.setdefault(video, split)) != split:
                    raise InputError(f"{where}: video {quoted(video)} is in {split} here, but in {before} above")
    found = Annotated("mmsa", "MMSA", [Conversation(id, tuple(of.values())) for id, of in videos.items()], notes=notes)
    labels = {utterance.label for one in found.conversations for utterance in one.utterances if utterance.label}
    found.labels = [label for label in ORDER if label in labels] if labels <= {*ORDER} else ()
    for video, split in split_of.items():
        found.splits.setdefault(split, []).append(video)
    return to_imported(MMSA, found, files, options)


def _utterance(where: str, video: str, clip: str, cells: Mapping[str, str]) -> Utterance:
    extra: dict[str, Value] = {}
    for column, name in _SCORES.items():
        if cell := cells.get(column):
            try:
                extra[name] = parse_number(cell)
            except ValueError:
                raise InputError(f"{where}: {column} {quoted(cell)} is not a number") from None
    label = cells["annotation"].lower() or None
    return Utterance(clip, video, cells.get("text") or None, label, extra=extra)


MMSA = Importer("mmsa", "MMSA's label.csv of CMU-MOSI, CMU-MOSEI and CH-SIMS", is_mmsa, import_mmsa, recordings="named")
