from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from sdt.conversation import Utterance
from sdt.errors import InputError
from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.generate import LONGEST, PAUSES, SHORTEST, Line, Scene, generate
from sdt.puppets.voice import duration

MANY = 200


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return generate(0, MANY)


def utterances(scenes: list[Scene]) -> Iterator[Utterance]:
    return (utterance for scene in scenes for utterance in scene.conversation.utterances)


def lines(scenes: list[Scene]) -> Iterator[Line]:
    return (line for scene in scenes for line in scene.lines)


def test_every_utterance_has_its_performance(scenes: list[Scene]) -> None:
    assert len(scenes) == MANY
    for scene in scenes:
        assert SHORTEST <= len(scene.conversation) <= LONGEST
        assert [line.puppet.name for line in scene.lines] == [said.speaker for said in scene.conversation.utterances]


def test_casts_of_two_to_five(scenes: list[Scene]) -> None:
    sizes = Counter(len({said.speaker for said in scene.conversation.utterances}) for scene in scenes)
    assert set(sizes) == {2, 3, 4, 5}
    assert min(sizes.values()) >= 8


def test_a_puppet_is_the_same_throughout_its_scene(scenes: list[Scene]) -> None:
    for scene in scenes[:20]:
        assert len({line.puppet.look for line in scene.lines}) == len({line.puppet.name for line in scene.lines})


def test_splits_hold_whole_conversations_in_their_shares(scenes: list[Scene]) -> None:
    assert Counter(scene.split for scene in scenes) == {"train": 140, "dev": 30, "test": 30}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_unbalanced_classes(seed: int) -> None:
    counts = Counter(utterance.label for utterance in utterances(generate(seed, MANY)))
    total = counts.total()
    assert set(counts) == set(EMOTIONS)
    assert counts.most_common(1)[0][0] == "neutral"
    assert 0.3 < counts["neutral"] / total < 0.45
    assert min(counts, key=lambda emotion: counts[emotion]) == "disgust"
    assert 0.02 < counts["disgust"] / total < 0.06


def test_every_split_has_every_emotion(scenes: list[Scene]) -> None:
    found: defaultdict[str, set[str | None]] = defaultdict(set)
    for scene in scenes:
        found[scene.split] |= {utterance.label for utterance in scene.conversation.utterances}
    assert dict(found) == {split: set(EMOTIONS) for split in ("train", "dev", "test")}


def test_a_few_utterances_lack_something(scenes: list[Scene]) -> None:
    mumbled = np.array([not utterance.text for utterance in utterances(scenes)])
    muted, hidden = (np.array([getattr(line, name) for line in lines(scenes)]) for name in ("muted", "hidden"))
    assert 0.01 < mumbled.mean() < 0.05
    assert 0.02 < muted.mean() < 0.06
    assert 0.03 < hidden.mean() < 0.08
    assert (mumbled & muted & hidden).mean() < 0.002
    assert all(line.words for line in lines(scenes)), "what is mumbled is said nevertheless"
    kinds = Counter(scene.recording for scene in scenes)
    assert kinds["film"] > 0.8 * MANY
    assert min(kinds["sound"], kinds["silent film"]) >= 4


def test_many_sentences_are_ambiguous(scenes: list[Scene]) -> None:
    emotions: defaultdict[str, set[str | None]] = defaultdict(set)
    for utterance in utterances(scenes):
        if utterance.text:
            emotions[utterance.text].add(utterance.label)
    spoken = [utterance.text for utterance in utterances(scenes) if utterance.text]
    shared = sum(len(emotions[text]) > 1 for text in spoken) / len(spoken)
    assert 0.3 < shared < 0.9
    assert len(emotions) > 500, "a decent variety"


def test_times_run_forward_and_fit_what_is_said(scenes: list[Scene]) -> None:
    for scene in scenes:
        clock = 0.0
        for utterance, line in zip(scene.conversation.utterances, scene.lines, strict=True):
            assert utterance.start is not None
            assert utterance.end is not None
            assert PAUSES[0] - 0.01 <= utterance.start - clock <= PAUSES[1] + 0.01
            spoken = duration(line.words, line.puppet.voice, line.delivery)
            assert utterance.end - utterance.start == pytest.approx(spoken, abs=0.02)
            clock = utterance.end
        assert scene.seconds > clock


def test_neighbours_tell_of_an_emotion(scenes: list[Scene]) -> None:
    stays: list[bool] = []
    spreads: list[bool] = []
    for scene in scenes:
        said = scene.conversation.utterances
        last: dict[str, str | None] = {}
        for before, utterance in zip((None, *said), said, strict=False):
            if utterance.speaker in last:
                stays.append(last[utterance.speaker] == utterance.label)
            if before is not None and before.speaker != utterance.speaker:
                spreads.append(before.label == utterance.label)
            last[utterance.speaker] = utterance.label
    shares = np.array(list(Counter(utterance.label for utterance in utterances(scenes)).values()), dtype=float)
    chance = float(((shares / shares.sum()) ** 2).sum())
    assert np.mean(stays) > 3 * chance
    assert np.mean(spreads) > 1.5 * chance


def test_the_same_seed_gives_the_same_scenes() -> None:
    assert generate(3, 10) == generate(3, 10)
    assert generate(3, 10)[0].conversation != generate(4, 10)[0].conversation


def test_a_longer_corpus_begins_like_a_shorter_one() -> None:
    assert generate(0, 8) == generate(0, 20)[:8]


def test_three_conversations_fill_three_splits() -> None:
    assert {scene.split for scene in generate(0, 3)} == {"train", "dev", "test"}


@pytest.mark.parametrize(("seed", "conversations", "says"), [(0, 2, "--conversations: 2;"), (-1, 10, "--seed: -1 is")])
def test_refusals(seed: int, conversations: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        generate(seed, conversations)
