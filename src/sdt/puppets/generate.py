"""A corpus of puppet conversations, from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.puppets.emotions import EMOTIONS, Temperament, next_emotion
from sdt.puppets.sentences import NAMES, say
from sdt.puppets.signals import CHANNELS, perform

CAST_SIZES = {2: 0.4, 3: 0.3, 4: 0.2, 5: 0.1}
"""Share of the conversations by the number of their puppets."""
SHORTEST, LONGEST = 6, 25
"""Utterances of a conversation."""
HELD_OUT_SHARE = 0.15
"""Share of the conversations in `dev`, and again in `test`."""
MUMBLED_SHARE = 0.03
"""Share of the utterances whose words nobody understood: their text is empty."""


@dataclass(frozen=True)
class Puppets:
    """A generated corpus in memory."""

    conversations: list[Conversation]
    splits: list[str]
    """The split of each conversation."""
    features: dict[str, npt.NDArray[np.float32]]
    """Modality to [N, D], in the order of the utterances; rows of NaN where it is missing."""


def generate(seed: int = 0, conversations: int = 400) -> Puppets:
    """Make up conversations.

    Conversation i of a seed is the same however many there are.

    Raises:
        InputError: Too few conversations for three splits, or a negative seed.
    """
    if conversations < 3:
        raise InputError(f"--conversations: {conversations}; the three splits need at least 3")
    if seed < 0:
        raise InputError(f"--seed: {seed} is negative")
    scenes = [_scene(np.random.default_rng([1 + number, seed]), number) for number in range(conversations)]
    return Puppets(
        conversations=[conversation for conversation, _ in scenes],
        splits=_splits(np.random.default_rng([0, seed]), conversations),
        features={channel.name: np.concatenate([f[channel.name] for _, f in scenes]) for channel in CHANNELS},
    )


def _scene(random: np.random.Generator, number: int) -> tuple[Conversation, dict[str, npt.NDArray[np.float32]]]:
    size = int(random.choice(list(CAST_SIZES), p=list(CAST_SIZES.values())))
    cast = [str(name) for name in random.choice(NAMES, size=size, replace=False)]
    turns = _turns(random, size, int(random.integers(SHORTEST, LONGEST + 1)))
    felt = _plot(random, turns, [Temperament.draw(random) for _ in cast])
    tempo = random.uniform(0.05, 0.08, size)  # seconds per letter

    utterances = []
    clock = 0.0
    for turn, (speaker, emotion) in enumerate(zip(turns, felt, strict=True)):
        text = say(random, emotion, [name for name in cast if name != cast[speaker]])
        start = clock + float(random.uniform(0.1, 1.0))
        clock = start + 0.3 + len(text) * float(tempo[speaker])
        mumbled = random.random() < MUMBLED_SHARE
        utterances.append(
            Utterance(
                id=str(turn),
                speaker=cast[speaker],
                text="" if mumbled else text,
                label=EMOTIONS[emotion],
                start=round(start, 2),
                end=round(clock, 2),
            )
        )
    signals = {channel.name: perform(random, channel, felt, turns) for channel in CHANNELS}
    return Conversation(f"scene{number:04}", tuple(utterances)), signals


def _turns(random: np.random.Generator, puppets: int, length: int) -> list[int]:
    """Who speaks when: everyone once as they enter the stage, then mostly somebody else than just now."""
    turns = [int(puppet) for puppet in random.permutation(puppets)]
    while len(turns) < length:
        again = random.random() < 0.15
        others = [puppet for puppet in range(puppets) if puppet != turns[-1]]
        turns.append(turns[-1] if again else int(random.choice(others)))
    return turns


def _plot(random: np.random.Generator, turns: list[int], temperaments: list[Temperament]) -> list[int]:
    """What each speaker of `turns` feels."""
    felt: list[int] = []
    last: dict[int, int] = {}
    for turn, speaker in enumerate(turns):
        witnessed = next((felt[t] for t in reversed(range(turn)) if turns[t] != speaker), None)
        last[speaker] = next_emotion(random, temperaments[speaker], last.get(speaker), witnessed)
        felt.append(last[speaker])
    return felt


def _splits(random: np.random.Generator, conversations: int) -> list[str]:
    held_out = max(1, round(HELD_OUT_SHARE * conversations))
    splits = ["train"] * conversations
    order = random.permutation(conversations)
    for index in order[:held_out]:
        splits[index] = "dev"
    for index in order[held_out : 2 * held_out]:
        splits[index] = "test"
    return splits
