"""Importer of XED: subtitles with emotions, `en-annotated.tsv` (text, numbers of emotions) and `neu_en.txt` (9, text).

Source: E. Öhman et al., "XED: A Multilingual Dataset for Sentiment Analysis and Emotion Detection", COLING 2020. The
emotions are Plutchik's eight, as in the file; `--layout xed-ekman` leaves out trust and anticipation, which are not
among Ekman's, and lines that have only these. Every line is a conversation of one utterance. A line with several
emotions has all of them as annotations, and the first one as its label. The files have no speakers and no splits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sdt.conversation import Annotation, Conversation, Utterance
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.label_files import Annotated, head, to_imported
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError
from sdt.formats.parsing.csv_lines import read_text_detecting

EMOTIONS = ("anger", "anticipation", "disgust", "fear", "joy", "sadness", "surprise", "trust", "neutral")
"""By their numbers, from 1; neutral lines are in a file of their own."""
NOT_EKMAN = ("anticipation", "trust")
ANNOTATOR = "XED"
_EKMAN_LAYOUT = "xed-ekman"
_NUMBERS = r"[1-9](?:, ?[1-9])*"
_LINE = re.compile(rf"([^\t\n]+)\t({_NUMBERS})")
_NEUTRAL = re.compile(r"(9)\t([^\t\n]+)")


def is_xed(path: Path, _: str | None) -> bool:
    """Whether the first line of a `.tsv` or `.txt` file has the two columns of XED."""
    first = head(path).split("\n")[0].rstrip("\r")
    return path.suffix.lower() in (".tsv", ".txt") and bool(_LINE.fullmatch(first) or _NEUTRAL.fullmatch(first))


def import_xed(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import XED from its files.

    Raises:
        InputError: A line is not one of XED.
    """
    files = files.with_annotations(options)
    found = Annotated("xed", "XED", [], licence="CC-BY-4.0")
    left_out = NOT_EKMAN if options.layout == _EKMAN_LAYOUT else ()
    texts: dict[str, tuple[str, ...]] = {}
    repeated = 0
    for path in files.annotations:
        for text, emotions in _lines(path, options.encoding):
            kept = tuple(one for one in emotions if one not in left_out)
            repeated += text in texts
            if kept:
                texts.setdefault(text, kept)
    found.labels = [label for label in EMOTIONS if label not in left_out]
    found.conversations = [
        Conversation(
            str(number),
            (
                Utterance(
                    "0",
                    "Speaker 1",
                    text,
                    emotions[0],
                    annotations=tuple(Annotation(ANNOTATOR, one) for one in emotions) if len(emotions) > 1 else (),
                ),
            ),
        )
        for number, (text, emotions) in enumerate(texts.items())
    ]
    if repeated:
        found.notes.append(f"{repeated} repeated lines left out")
    return to_imported(XED, found, files, options)


def _lines(path: Path, encoding: str | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The text and the emotions of each line."""
    content, _ = read_text_detecting(path, encoding)
    for number, line in enumerate(map(str.strip, content.split("\n")), start=1):
        if not line:
            continue
        if neutral := _NEUTRAL.fullmatch(line):
            yield neutral[2].strip(), (EMOTIONS[8],)
            continue
        found = _LINE.fullmatch(line)
        if not found:
            raise InputError(
                f"{path}, line {number}: expected text and numbers of emotions from 1 to 9 (1, 5) with a tab between "
                "them, or 9, a tab and a neutral text"
            )
        yield found[1].strip(), tuple(dict.fromkeys(EMOTIONS[int(one) - 1] for one in re.findall(r"\d", found[2])))


XED = Importer(
    "xed",
    "XED's {language}-annotated.tsv and neu_{language}.txt; xed-ekman leaves out trust and anticipation",
    is_xed,
    import_xed,
    layouts=("xed", _EKMAN_LAYOUT),
)
