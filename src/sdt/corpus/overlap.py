"""Train utterances that dev or test of another corpus contains, too: corpora overlap if they come from the same series.

An utterance of at least `WORDS` words is the same if it has the same letters and digits. A conversation that shares two
such utterances with one conversation of dev or test is the same scene, and is left out as a whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from sdt.corpus.store import Corpus

WORDS = 5
"""Shorter utterances occur in many conversations ("What are you doing?")."""
SCENE = 2


def overlap(corpora: Sequence[Corpus], number: int) -> set[tuple[str, str]]:
    """The train utterances of a corpus that dev or test of the others contains.

    Args:
        corpora: The corpora.
        number: The number of the corpus.

    Returns:
        Their (conversation id, utterance id).
    """
    held: dict[str, set[tuple[int, str]]] = {}
    for other, corpus in enumerate(corpora):
        if other == number:
            continue
        for split in ("dev", "test"):
            for conversation in corpus.split(split) if corpus.splits.get(split) else ():
                for utterance in conversation.utterances:
                    if key := _key(utterance.text):
                        held.setdefault(key, set()).add((other, conversation.id))
    found: set[tuple[str, str]] = set()
    for conversation in corpora[number].split("train") if held else ():
        shared = {one.id: held[key] for one in conversation.utterances if (key := _key(one.text)) in held}
        scenes = Counter(scene for of in shared.values() for scene in of)
        same = max(scenes.values(), default=0) >= SCENE
        found |= {(conversation.id, one.id) for one in conversation.utterances if same or one.id in shared}
    return found


def _key(text: str | None) -> str:
    """The letters and digits of a text; empty for a short one."""
    words = re.findall(r"\w+", (text or "").casefold())
    return " ".join(words) if len(words) >= WORDS else ""
