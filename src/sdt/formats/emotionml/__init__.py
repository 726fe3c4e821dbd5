"""EmotionML 1.0, the W3C's markup language for emotions.

Each `emotion` is a label, the label of an annotator, or a prediction: a `category` with its probability as `value` or
its confidence, the time as `offset-to-start` and `duration` of the recording `time-ref-uri`, and who said it in `info`.
EmotionML has no place for speakers and text: they are in the `info` of the document, in a namespace of this package.
Values between 0 and 1 of the fields arousal, valence, dominance and other dimensions are elements `dimension`.

In files of others, each `emotion` is an utterance without text, whose label is its strongest category.

Source: Burkhardt et al., "Emotion Markup Language (EmotionML) 1.0", W3C Recommendation, 2014.
"""

from sdt.formats.emotionml.read import read
from sdt.formats.emotionml.write import write
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.heads import is_xml

EMOTIONML = Format(
    "emotionml",
    (".emotionml", ".emo"),
    is_xml("emotionml"),
    certain=True,
    exclusive=True,
    whole=True,
    read=read,
    write=write,
    title="EmotionML 1.0",
    holds=~(
        Holds.SEVERAL | Holds.WORDS | Holds.WORD_CONFIDENCES | Holds.TIERS | Holds.POINTS | Holds.CLIPS | Holds.BRANCHES
        | Holds.VALUE_TYPES
    ),
    step=0.001,
)  # fmt: skip
