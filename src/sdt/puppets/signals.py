"""How puppets sound and look: features that follow the emotion, with the speaker's own bias, and noise.

    features = prototype[emotion] * expressiveness + bias[puppet in this conversation] + noise

Two emotions of a pair have prototypes close together: audio confuses anger with joy (arousal), neutral with disgust
and sadness with fear; visual confuses fear with surprise, anger with disgust and neutral with sadness. Since the pairs
differ from those of the words, each modality tells apart what the others cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sdt.puppets.emotions import EMOTIONS


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
    """Standard deviation of a puppet's offset in each feature; that of the noise is 1."""
    missing: float
    """Share of the utterances that lack this signal."""

    def prototypes(self) -> npt.NDArray[np.float64]:
        """[C, D]: what each emotion looks or sounds like, the same in every corpus that is ever generated."""
        random = np.random.default_rng([self.width, len(EMOTIONS)])
        own = random.normal(0.0, self.within_pair / np.sqrt(self.width), (len(EMOTIONS), self.width))
        common = random.normal(0.0, self.between_pairs / np.sqrt(self.width), (len(EMOTIONS), self.width))
        for first, second in self.pairs:
            common[EMOTIONS.index(second)] = common[EMOTIONS.index(first)]
        return common + own


AUDIO = Channel(
    name="audio",
    width=24,
    pairs=(("anger", "joy"), ("neutral", "disgust"), ("sadness", "fear")),
    between_pairs=2.4,
    within_pair=0.8,
    bias=1.0,
    missing=0.07,
)
VISUAL = Channel(
    name="visual",
    width=16,
    pairs=(("fear", "surprise"), ("anger", "disgust"), ("neutral", "sadness")),
    between_pairs=2.4,
    within_pair=0.8,
    bias=1.0,
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
    noise = random.normal(0.0, 1.0, (len(emotions), channel.width))
    features = channel.prototypes()[emotions] * expressiveness[speakers][:, None] + bias[speakers] + noise  # [N, D]
    features[random.random(len(emotions)) < channel.missing] = np.nan
    return features.astype(np.float32)
