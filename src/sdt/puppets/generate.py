"""Conversations of puppets, from a seed: who says what, feeling what, and how. `sdt.puppets.stage` performs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.puppets import CONVERSATIONS
from sdt.puppets.cast import Puppet
from sdt.puppets.deliveries import Delivery
from sdt.puppets.emotions import EMOTIONS, next_emotion
from sdt.puppets.expressions import Expression
from sdt.puppets.sentences import NAMES, say
from sdt.puppets.voice import duration

Recording = Literal["film", "sound", "silent film"]

CAST_SIZES = {2: 0.4, 3: 0.3, 4: 0.2, 5: 0.1}
"""Share of the conversations by the number of their puppets."""
SHORTEST, LONGEST = 6, 25
"""Utterances of a conversation."""
SPLITS = ("train", "dev", "test", *["train"] * 5, "dev", "test", *["train"] * 5, "dev", "test", *["train"] * 3)
"""Of conversation 0, 1, 2 and so on, over and over: 70, 15 and 15 %."""
PAUSES = 0.25, 0.7
"""Seconds between two utterances."""
TAIL = 0.3
"""Seconds recorded after the last utterance."""
MUMBLED_SHARE = 0.03
"""Share of the utterances whose words nobody understood: their text is empty."""
MUTED_SHARE = 0.04
"""Share of the utterances whose speaker forgot to turn on the microphone: silence."""
HIDDEN_SHARE = 0.05
"""Share of the utterances whose speaker's camera is off: no face in view."""
RECORDINGS: dict[Recording, float] = {"film": 0.89, "sound": 0.06, "silent film": 0.05}
"""Share of the conversations by what was recorded of them."""


@dataclass(frozen=True)
class Line:
    """An utterance as its puppet performs it."""

    puppet: Puppet
    words: str
    """What is said, whether or not it was understood."""
    delivery: Delivery
    expression: Expression
    muted: bool
    hidden: bool


@dataclass(frozen=True)
class Scene:
    """A conversation with all that its recording needs."""

    conversation: Conversation
    split: str
    recording: Recording
    lines: tuple[Line, ...]
    """One for each utterance."""
    seed: tuple[int, int]
    """What chance is drawn from while it is performed."""

    @property
    def seconds(self) -> float:
        """How long the recording is."""
        return (self.conversation.utterances[-1].end or 0.0) + TAIL


def generate(seed: int = 0, conversations: int = CONVERSATIONS) -> list[Scene]:
    """Make up conversations.

    Conversation i of a seed is the same however many there are.

    Raises:
        InputError: Too few conversations for three splits, or a negative seed.
    """
    if conversations < 3:
        raise InputError(f"--conversations: {conversations}; the three splits need at least 3")
    if seed < 0:
        raise InputError(f"--seed: {seed} is negative")
    return [_scene(number, seed) for number in range(conversations)]


def _scene(number: int, seed: int) -> Scene:
    random = np.random.default_rng([1 + number, seed])
    size = int(random.choice(list(CAST_SIZES), p=list(CAST_SIZES.values())))
    names = [str(name) for name in random.choice(NAMES, size=size, replace=False)]
    cast = [Puppet.draw(random, name) for name in names]
    turns = _turns(random, size, int(random.integers(SHORTEST, LONGEST + 1)))
    felt = _plot(random, turns, cast)
    recording: Recording = random.choice(np.array(list(RECORDINGS)), p=list(RECORDINGS.values())).item()

    utterances, lines = [], []
    clock = 0.0
    for turn, (speaker, emotion) in enumerate(zip(turns, felt, strict=True)):
        puppet = cast[speaker]
        line = Line(
            puppet=puppet,
            words=say(random, emotion, [name for name in names if name != puppet.name]),
            delivery=puppet.says(random, emotion),
            expression=puppet.shows(random, emotion),
            muted=random.random() < MUTED_SHARE,
            hidden=random.random() < HIDDEN_SHARE,
        )
        text = "" if random.random() < MUMBLED_SHARE else line.words
        start = round(clock + float(random.uniform(*PAUSES)), 2)
        clock = round(start + duration(line.words, puppet.voice, line.delivery), 2)
        utterances.append(Utterance(str(turn), puppet.name, text, EMOTIONS[emotion], start, clock))
        lines.append(line)
    return Scene(
        conversation=Conversation(f"scene{number:04}", tuple(utterances)),
        split=SPLITS[number % len(SPLITS)],
        recording=recording,
        lines=tuple(lines),
        seed=(1 + number, seed),
    )


def _turns(random: np.random.Generator, puppets: int, length: int) -> list[int]:
    """Who speaks when: everyone once as they enter the stage, then mostly somebody else than just now."""
    turns = [int(puppet) for puppet in random.permutation(puppets)]
    while len(turns) < length:
        again = random.random() < 0.15
        others = [puppet for puppet in range(puppets) if puppet != turns[-1]]
        turns.append(turns[-1] if again else int(random.choice(others)))
    return turns


def _plot(random: np.random.Generator, turns: list[int], cast: list[Puppet]) -> list[int]:
    """What each speaker of `turns` feels."""
    felt: list[int] = []
    last: dict[int, int] = {}
    for turn, speaker in enumerate(turns):
        witnessed = next((felt[t] for t in reversed(range(turn)) if turns[t] != speaker), None)
        last[speaker] = next_emotion(random, cast[speaker].temperament, last.get(speaker), witnessed)
        felt.append(last[speaker])
    return felt
