"""How puppets sound and look: features that follow the emotion, with the speaker's own bias and manner, and noise.

    features = (common[emotion] + manner * own[emotion]) * expressiveness + bias + noise

Two emotions of a pair share `common`: audio confuses anger with joy (arousal), neutral with disgust and sadness with
fear; visual confuses fear with surprise, anger with disgust and neutral with sadness. Since the pairs differ from
those of the words, each modality tells apart what the others cannot.

Manner (1 outgoing, -1 withdrawn), expressiveness and bias belong to a puppet in one conversation, so that its other
utterances help to read it. Since what an emotion raises in one manner it lowers in the other, no linear classifier can
use `own`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sdt.puppets.emotions import EMOTIONS

NOISE = 1.4
"""Standard deviation of the noise in each feature."""


@dataclass(frozen=True)
class Channel:
    """One kind of signal."""

    name: str
    width: int
    """D, the number of features of an utterance."""
    pairs: tuple[tuple[str, str], ...]
    """Emotions that are hard to tell apart here."""
    between_pairs: float
    """Expected distance of a prototype from the origin, as far as a pair shares it."""
    within_pair: float
    """Expected distance of a prototype from what its pair shares."""
    bias: float
    """Standard deviation of a puppet's offset in each feature."""
    missing: float
    """Share of the utterances that lack this signal."""

    def prototypes(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """([C, D], [C, D]): what a pair shares and what each emotion has of its own; the same in every corpus."""
        random = np.random.default_rng([self.width, len(EMOTIONS)])
        own = random.normal(0.0, self.within_pair / np.sqrt(self.width), (len(EMOTIONS), self.width))
        common = random.normal(0.0, self.between_pairs / np.sqrt(self.width), (len(EMOTIONS), self.width))
        for first, second in self.pairs:
            common[EMOTIONS.index(second)] = common[EMOTIONS.index(first)]
        return common, own


AUDIO = Channel(
    name="audio",
    width=24,
    pairs=(("anger", "joy"), ("neutral", "disgust"), ("sadness", "fear")),
    between_pairs=2.2,
    within_pair=2.6,
    bias=1.1,
    missing=0.07,
)
VISUAL = Channel(
    name="visual",
    width=16,
    pairs=(("fear", "surprise"), ("anger", "disgust"), ("neutral", "sadness")),
    between_pairs=2.2,
    within_pair=2.6,
    bias=1.1,
    missing=0.09,
)
CHANNELS = (AUDIO, VISUAL)


def perform(
    random: np.random.Generator, channel: Channel, emotions: list[int], speakers: list[int]
) -> npt.NDArray[np.float32]:
    """The signal of a conversation.

    Args:
        random: The source of chance.
        channel: The kind of signal.
        emotions: [N] number of the emotion of each utterance.
        speakers: [N] who speaks it, numbered from 0.

    Returns:
        [N, D]; rows of NaN where the utterance lacks the signal.
    """
    puppets = max(speakers) + 1
    bias = random.normal(0.0, channel.bias, (puppets, channel.width))
    expressiveness = random.uniform(0.7, 1.3, puppets)
    noise = random.normal(0.0, NOISE, (len(emotions), channel.width))
    manner = random.choice([-1.0, 1.0], puppets)
    common, own = channel.prototypes()
    shown = common[emotions] + manner[speakers][:, None] * own[emotions]
    features = shown * expressiveness[speakers][:, None] + bias[speakers] + noise  # [N, D]
    features[random.random(len(emotions)) < channel.missing] = np.nan
    return features.astype(np.float32)
