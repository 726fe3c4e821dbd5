"""ELAN's annotation format (EAF 3.0): a tier for each speaker, with child tiers for all that is said of an utterance.

| tier                             | content                                                                          |
|----------------------------------|----------------------------------------------------------------------------------|
| a top-level tier                 | the utterances of a speaker, named by `PARTICIPANT`, or else by the tier         |
| `emotion@TIER`, `probability@TIER` | the predicted emotion and its probability                                      |
| `correction@TIER`                | the emotion that a reviewer of the prediction chose; the label of the utterance  |
| `label@TIER`                     | the annotated emotion; with `ANNOTATOR`, the label of this annotator             |
| `words@TIER`                     | the words with their times                                                       |
| `NAME@TIER`, other child tiers   | fields, `Utterance.extra`                                                        |
| other top-level tiers            | `Conversation.tiers`                                                             |

Source: the EAF schema 3.0 of the Max Planck Institute for Psycholinguistics.
"""

from sdt.formats.elan.read import read
from sdt.formats.elan.update import update
from sdt.formats.elan.write import write
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.heads import is_xml

ELAN = Format(
    "eaf",
    (".eaf",),
    is_xml("annotation_document"),
    certain=True,
    exclusive=True,
    whole=True,
    read=read,
    write=write,
    update=update,
    title="ELAN",
    holds=~(
        Holds.SEVERAL | Holds.CLIPS | Holds.CONFIDENCES | Holds.INSTANTS | Holds.ORDER | Holds.POINTS
        | Holds.PROBABILITIES | Holds.BRANCHES | Holds.VALUE_TYPES | Holds.WORD_CONFIDENCES
    ),
    step=0.001,
)  # fmt: skip
