"""Praat's TextGrid: an interval tier for each speaker, with tiers of the same intervals for all that is said of them.

| tier                                 | content                                                                      |
|--------------------------------------|------------------------------------------------------------------------------|
| `SPEAKER`                            | the utterances of a speaker; an interval without text is a pause             |
| `SPEAKER@speech`, `SPEAKER@speech 2` | the same, where the name alone could mean another tier, or utterances overlap |
| `emotion@TIER`, `probability@TIER`   | the predicted emotion and its probability                                    |
| `correction@TIER`                    | the emotion that a reviewer of the prediction chose; the label               |
| `label@TIER`, `label NAME@TIER`      | the annotated emotion; that of the annotator NAME. Also `emotion@TIER` alone |
| `words@TIER`                         | the words with their times                                                   |
| `NAME@TIER`                          | fields, `Utterance.extra`                                                    |
| others, of intervals or points       | `Conversation.tiers`                                                         |

Long and short text files, in UTF-8, UTF-16 and older encodings. Source: the manual of Praat, "TextGrid file formats".
"""

from sdt.formats.format import Format, Holds
from sdt.formats.parsing.heads import begins
from sdt.formats.textgrid.read import read
from sdt.formats.textgrid.update import update
from sdt.formats.textgrid.write import write

TEXTGRID = Format(
    "textgrid",
    (".textgrid",),
    begins(r'(?:File type = )?"ooTextFile(?: short)?"\s+(?:Object class = )?"TextGrid'),
    certain=True,
    exclusive=True,
    read=read,
    write=write,
    update=update,
    title="Praat TextGrid",
    new_suffix=".TextGrid",
    holds=~(
        Holds.UNTIMED | Holds.OPEN_ENDS | Holds.INSTANTS | Holds.ORDER | Holds.TIES | Holds.SEVERAL | Holds.CONFIDENCES
        | Holds.WORD_CONFIDENCES | Holds.PROBABILITIES | Holds.BRANCHES | Holds.CLIPS | Holds.MEDIA | Holds.VALUE_TYPES
        | Holds.CONVERSATION_EXTRA
    ),
)  # fmt: skip
