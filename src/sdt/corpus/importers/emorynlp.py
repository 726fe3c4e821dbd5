"""Importer of EmoryNLP: `emorynlp_{train,dev,test}_final.csv`.

Source: S. Zahiri and J. Choi, "Emotion Detection on TV Show Transcripts with Sequence-based Convolutional Neural
Networks", 2018. A conversation is a scene of the series Friends, called `s01_e02_c03` for its season, episode and
number. An utterance of several speakers (`['Monica Geller', 'Ross Geller']`) has a speaker of its own, called
`Monica Geller, Ross Geller`. Times are those of the subtitles within the episode.
"""

from __future__ import annotations

import re
from pathlib import Path

from sdt.corpus.importers.importer import Imported, Importer, ImportFiles, has_columns, read_columns
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.split_files import SplitLayout, read_split_files
from sdt.corpus.importers.tables import features_by_key

LABELS = ("neutral", "joyful", "peaceful", "powerful", "scared", "mad", "sad")
_NAME = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")


def join_speakers(cell: str) -> str:
    r"""The speakers of a list as one name; other cells unchanged.

    Example:
        >>> join_speakers("['Ann', 'Bob']"), join_speakers('["Ann\'s friend"]'), join_speakers("Cy")
        ('Ann, Bob', "Ann's friend", 'Cy')
    """
    if not re.fullmatch(r"\[.*\]", cell, re.DOTALL):
        return cell
    names = [re.sub(r"\\(.)", r"\1", single or double) for single, double in _NAME.findall(cell)]
    return ", ".join(names) or cell


LAYOUT = SplitLayout(
    title="EmoryNLP",
    unit="scene",
    numbers=("Season", "Episode", "Scene_ID"),
    start="Start_Time",
    end="End_Time",
    labels=LABELS,
    licence="unknown",
    conversation=lambda _, numbers: "s{:02}_e{:02}_c{:02}".format(*numbers),
    speaker=join_speakers,
)


def import_emorynlp(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import EmoryNLP from its annotation files, and from feature tables with keys such as `s01_e02_c03/4`."""
    files = files.with_annotations(options)
    builder, _ = read_split_files(LAYOUT, files.annotations, options)
    builder.features = {
        modality: features_by_key(modality, paths, files.annotations[0], builder.conversations, builder.notes)
        for modality, paths in files.by_modality(names=False).items()
    }
    how = "as --layout says" if options.layout else "recognised by the columns Scene_ID and Utterance_ID"
    builder.notes.insert(0, f"{', '.join(map(str, files.annotations))}: EmoryNLP's annotation, {how}")
    return Imported(EMORYNLP.name, builder, files.annotations[0])


def is_annotation(path: Path, encoding: str | None) -> bool:
    """Whether a file is an annotation file of EmoryNLP, by its columns."""
    return has_columns(path) and {"Scene_ID", "Utterance_ID"} <= set(read_columns(path, encoding))


EMORYNLP = Importer("emorynlp-csv", "EmoryNLP's emorynlp_{train,dev,test}_final.csv", is_annotation, import_emorynlp)
