"""Generation of conversations from a seed: speakers, emotions, text, voices and faces; see `stage` for rendering."""

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
"""The number of puppets of a conversation to its probability."""
SHORTEST, LONGEST = 6, 25
"""The range of the number of utterances of a conversation."""
SPLITS = ("train", "dev", "test", *["train"] * 5, "dev", "test", *["train"] * 5, "dev", "test", *["train"] * 3)
"""The splits of conversations 0, 1, 2, ..., repeated: 70, 15 and 15 %."""
PAUSES = 0.25, 0.7
"""The range of the pause between utterances in seconds."""
TAIL = 0.3
"""The duration of the recording after the last utterance in seconds."""
MUMBLED_SHARE = 0.03
"""The fraction of utterances without text."""
MUTED_SHARE = 0.04
"""The fraction of utterances with digital silence."""
HIDDEN_SHARE = 0.05
"""The fraction of utterances without a face in view."""
RECORDINGS: dict[Recording, float] = {"film": 0.89, "sound": 0.06, "silent film": 0.05}
"""The kinds of recordings to their probabilities."""


@dataclass(frozen=True)
class Line:
    """An utterance with all that its recording needs."""

    puppet: Puppet
    words: str
    """The spoken text, also if the utterance has no text."""
    delivery: Delivery
    expression: Expression
    muted: bool
    """Whether the sound is digital silence."""
    hidden: bool
    """Whether the picture has no face."""


@dataclass(frozen=True)
class Scene:
    """A conversation with all that its recording needs."""

    conversation: Conversation
    split: str
    recording: Recording
    lines: tuple[Line, ...]
    """One for each utterance."""
    seed: tuple[int, int]
    """The seed of the random numbers of the rendering."""

    @property
    def seconds(self) -> float:
        """The duration of the recording."""
        return (self.conversation.utterances[-1].end or 0.0) + TAIL


def generate(seed: int = 0, conversations: int = CONVERSATIONS) -> list[Scene]:
    """Generate conversations.

    Conversation i of a seed does not depend on the number of conversations.

    Raises:
        InputError: There are fewer than three conversations, or the seed is negative.
    """
    if conversations < 3:
        raise InputError(f"--conversations: {conversations}; the three splits require at least 3")
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
            delivery=puppet.draw_delivery(random, emotion),
            expression=puppet.draw_expression(random, emotion),
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
    """The speakers of the utterances: each puppet once, then mostly a speaker other than the previous one."""
    turns = [int(puppet) for puppet in random.permutation(puppets)]
    while len(turns) < length:
        again = random.random() < 0.15
        others = [puppet for puppet in range(puppets) if puppet != turns[-1]]
        turns.append(turns[-1] if again else int(random.choice(others)))
    return turns


def _plot(random: np.random.Generator, turns: list[int], cast: list[Puppet]) -> list[int]:
    """The emotion of each utterance, given the speakers `turns`."""
    felt: list[int] = []
    last: dict[int, int] = {}
    for turn, speaker in enumerate(turns):
        witnessed = next((felt[t] for t in reversed(range(turn)) if turns[t] != speaker), None)
        last[speaker] = next_emotion(random, cast[speaker].temperament, last.get(speaker), witnessed)
        felt.append(last[speaker])
    return felt
