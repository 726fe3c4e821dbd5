"""Your own encoder of features: it is registered once, and corpora and models then name it like a built-in one.

A package registers an encoder in the group of entry points `sdt.encoders` instead; see docs/architecture.md.
"""

from collections.abc import Sequence

import numpy as np

import sdt
from sdt.encoders.encoder import ENCODERS, Encoded, EncoderEntry, Progress, Source

CUES = ("!", "?", "not", "no", "thank", "sorry", "great", "wonderful")


class Cues:
    """Counts words and signs that tell emotions, and the length of an utterance."""

    modality, width, licence_note = "text", len(CUES) + 1, None

    def __init__(self, name: str) -> None:
        self.name = name

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode n utterances as features [n, D]; an utterance without text is missing."""
        texts = [source.utterance.text or "" for source in sources]
        counts = [[text.lower().count(cue) for cue in CUES] + [np.log1p(len(text))] for text in texts]
        present = np.array([bool(text) for text in texts])
        problems = [f"{source.location}: no text" for source, has in zip(sources, present, strict=True) if not has]
        return Encoded(np.array(counts, dtype=np.float32) * present[:, None], present, problems)


ENCODERS.add("cues", EncoderEntry("cues", "text", Cues, "counts of cues of emotions"))

TEXTS = {"glad": ("That is great!", "Wonderful, thank you!"), "cross": ("No, not again!", "This is not what I asked.")}
labels = [("glad", "cross")[number % 3 % 2] for number in range(120)]
corpus = sdt.Corpus.from_arrays(
    labels,
    {},
    conversations=[f"talk-{number // 4}" for number in range(120)],
    text=[TEXTS[label][number // 7 % 2] for number, label in enumerate(labels)],
    text_encoder="cues",
)
settings = {"model.width": 16, "model.heads": 2, "training.learning_rate": 1e-2, "training.epochs": 5}
run = sdt.train({**settings, "training.batch_conversations": 2}, corpus, progress=False)
print(run, corpus.modalities["text"].encoder)
for one in sdt.Pipeline(run.model)(["That is wonderful!", "No, I am not!"]):
    print(one.text, one.emotion)
