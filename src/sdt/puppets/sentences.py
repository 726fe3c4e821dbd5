"""Text of utterances: sentences from templates, of which many are shared by two or all emotions.

Text is ambiguous between joy and surprise, anger and sadness, and fear and disgust; voices and faces are ambiguous
between other pairs (see `sdt.puppets.deliveries` and `sdt.puppets.expressions`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdt.puppets.emotions import EMOTIONS

NAMES = (
    "Bobbin", "Clementine", "Dudley", "Fidget", "Gusto", "Hortense", "Mopsy", "Nettle",
    "Olive", "Pomfret", "Quill", "Rusty", "Thimble", "Ursula", "Velvet", "Wimple",
)  # fmt: skip

THINGS = (
    "left string", "felt hat", "button eye", "wooden spoon", "cardboard moon", "tin crown", "paper boat", "glove",
    "toy trumpet", "velvet curtain", "rubber crocodile", "painted egg", "sock", "sawdust bag", "cuckoo clock",
)  # fmt: skip

PLACES = (
    "behind the curtain", "under the stage", "in the trunk", "on the top shelf", "next to the lamp", "in the wings",
    "by the ticket box", "inside the laundry basket", "on the rafters", "in the glue cupboard",
)  # fmt: skip

CLEAR: dict[str, tuple[str, ...]] = {
    "neutral": (
        "The {thing} goes {place}, as usual.",
        "Rehearsal starts at half past four.",
        "I counted the chairs, and there are thirty of them.",
        "{name} asked me to pass you the {thing}.",
        "Today is Tuesday, so we do the second act first.",
        "The puppeteer is having her tea.",
        "Please put the {thing} back {place}.",
        "My next line comes after the bell.",
        "There is a spare {thing} {place}.",
        "The programme has eight pages this year.",
        "We usually leave the {thing} with {name}.",
        "According to the list, {name} enters from the left.",
    ),
    "joy": (
        "Hooray, they clapped for my {thing}!",
        "I love it when the whole hall is laughing!",
        "What a lovely evening, I could dance {place}!",
        "We got flowers, {name}, a whole bouquet!",
        "This is the best {thing} I have ever worn!",
        "Hee hee, {name} tickled my elbow hinge!",
        "I am so happy, my sawdust is fizzing!",
        "They want an encore, wonderful!",
        "Splendid, we are sold out until Christmas!",
        "My new strings are silk, and I feel like a feather!",
    ),
    "surprise": (
        "Good gracious, the {thing} just moved!",
        "I never expected to find {name} {place}!",
        "Since when does the {thing} talk?",
        "Wait, there are two of {name}?",
        "You could have knocked me over with a feather duster!",
        "Heavens, is that a real {thing}?",
        "Who would have thought it, a trap door {place}!",
        "Suddenly my {thing} is purple!",
        "I had no idea that {name} could whistle!",
        "Out of nowhere, a {thing}, in the middle of my song!",
    ),
    "anger": (
        "Take your mitten off my {thing} this instant!",
        "I have told you a hundred times, {name}, knock first!",
        "Enough, I refuse to share the {thing} any longer!",
        "How dare you cut my monologue!",
        "Stop pulling my string, you splinter!",
        "That was my cue, you overgrown sock!",
        "I am furious, somebody has locked me {place}!",
        "Shut your lid, {name}!",
        "One more word about my {thing} and I bite!",
        "You did that on purpose, {name}, admit it!",
    ),
    "sadness": (
        "I miss the old {thing} so much.",
        "Nobody waved at me tonight.",
        "My {thing} came off, and it will never be the same.",
        "They gave my part to {name}, and I cried {place}.",
        "I have been lonely {place} all winter.",
        "The last performance always breaks my heart.",
        "Poor {name}, the moths got him.",
        "I wish that I still had my first {thing}.",
        "Even the lamp has left me.",
        "It is no use, I am only a worn old puppet.",
    ),
    "fear": (
        "Something is breathing {place}.",
        "Please do not leave me alone with the {thing}!",
        "I am shaking, look, my knees are rattling!",
        "What if the scissors come back?",
        "Hide me, {name}, the dog is off its leash!",
        "I dare not look {place}.",
        "Help, my string is about to snap!",
        "I heard footsteps, and none of us has feet.",
        "It is so dark in here, hold my mitten!",
        "They say that the stove eats puppets.",
    ),
    "disgust": (
        "Ugh, the {thing} smells of old glue.",
        "Yuck, something sticky is dripping {place}.",
        "There is mould on the {thing}, how revolting.",
        "{name} wiped his nose on the {thing}, that is vile.",
        "I will not touch that, it has been chewed.",
        "Bah, the moths have been sick in my sleeve.",
        "That soup is foul, it tastes of varnish.",
        "Eew, whose hair is that {place}?",
    ),
}
"""Sentences that express one emotion."""

SHARED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("joy", "surprise"): (
        "Oh my, look at that!",
        "Is this {thing} really for me?",
        "{name}, you came after all!",
        "Wow, did you see the {thing}?",
        "A letter, from the queen herself!",
        "I cannot believe that we won!",
        "My goodness, how it glitters!",
    ),
    ("anger", "sadness"): (
        "You forgot me again.",
        "Why does {name} always get the {thing}?",
        "After all these years, not even a word.",
        "You promised, {name}.",
        "I do not want to talk about it.",
        "Nobody listens to me in this theatre.",
        "They have thrown away my {thing}.",
    ),
    ("fear", "disgust"): (
        "Keep that {thing} away from me!",
        "There is a spider {place}!",
        "Do not make me go {place}.",
        "Something is crawling up my string!",
        "Take it away, take it away!",
        "I think that the {thing} is alive inside.",
        "I cannot look at it.",
    ),
    EMOTIONS: (
        "Well, that is that.",
        "Really?",
        "So this is how it is.",
        "The {thing}, of all things.",
        "And then {name} came in.",
        "You again, {name}.",
        "I see.",
        "It was {place} all the time.",
        "Did you hear that?",
        "Now it is my turn.",
        "Just like last year.",
        "Tell {name} about the {thing}.",
        "Here we go.",
        "Yes.",
        "No, {name}.",
        "Look {place}.",
        "What are you doing with the {thing}?",
        "The curtain is going up.",
        "What do you say to that, {name}?",
        "Somebody has moved the {thing}.",
        "I have been {place} since noon.",
        "They are all here.",
    ),
}
"""Sentences that are ambiguous between several emotions."""

CLEAR_SHARE = 0.22
"""The probability of a sentence of `CLEAR`."""
SHARED_SHARE = 0.28
"""The probability of a sentence that is shared with one other emotion, if the emotion has such a pair."""


def say(random: np.random.Generator, emotion: int, others: Sequence[str]) -> str:
    """Draw a sentence.

    Args:
        random: The random generator.
        emotion: The number of the emotion.
        others: The names of the other puppets of the conversation.
    """
    template = _pick(random, _templates(random, EMOTIONS[emotion]))
    # Every slot is drawn, even if the template does not use it, so that a changed template does not change other lines.
    return template.format(name=_pick(random, others), thing=_pick(random, THINGS), place=_pick(random, PLACES))


def _templates(random: np.random.Generator, emotion: str) -> Sequence[str]:
    chance = random.random()
    if chance < CLEAR_SHARE:
        return CLEAR[emotion]
    pairs = [templates for emotions, templates in SHARED.items() if emotions != EMOTIONS and emotion in emotions]
    if pairs and chance < CLEAR_SHARE + SHARED_SHARE:
        return pairs[0]
    return SHARED[EMOTIONS]


def _pick(random: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(random.integers(len(choices)))]
