from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from sdt.conversation import Utterance
from sdt.errors import InputError
from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.generate import LONGEST, SHORTEST, Puppets, generate


@pytest.fixture(scope="module")
def puppets() -> Puppets:
    return generate()


def utterances(puppets: Puppets) -> Iterator[Utterance]:
    return (utterance for conversation in puppets.conversations for utterance in conversation.utterances)


def test_shapes(puppets: Puppets) -> None:
    size = len(list(utterances(puppets)))
    assert len(puppets.conversations) == len(puppets.splits) == 400
    assert {name: features.shape for name, features in puppets.features.items()} == {
        "audio": (size, 24),
        "visual": (size, 16),
    }
    assert all(SHORTEST <= len(conversation) <= LONGEST for conversation in puppets.conversations)


def test_casts_of_two_to_five(puppets: Puppets) -> None:
    sizes = Counter(len({u.speaker for u in conversation.utterances}) for conversation in puppets.conversations)
    assert set(sizes) == {2, 3, 4, 5}
    assert min(sizes.values()) >= 15


def test_splits_hold_whole_conversations_in_their_shares(puppets: Puppets) -> None:
    assert Counter(puppets.splits) == {"train": 280, "dev": 60, "test": 60}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_unbalanced_classes(seed: int) -> None:
    counts = Counter(utterance.label for utterance in utterances(generate(seed)))
    total = counts.total()
    assert set(counts) == set(EMOTIONS)
    assert counts.most_common(1)[0][0] == "neutral"
    assert 0.3 < counts["neutral"] / total < 0.45
    assert min(counts, key=lambda emotion: counts[emotion]) == "disgust"
    assert 0.02 < counts["disgust"] / total < 0.06


def test_every_split_has_every_emotion(puppets: Puppets) -> None:
    found: defaultdict[str, set[str | None]] = defaultdict(set)
    for conversation, split in zip(puppets.conversations, puppets.splits, strict=True):
        found[split] |= {utterance.label for utterance in conversation.utterances}
    assert dict(found) == {split: set(EMOTIONS) for split in ("train", "dev", "test")}


def test_a_few_utterances_lack_something(puppets: Puppets) -> None:
    mumbled = np.array([not utterance.text for utterance in utterances(puppets)])
    missing = {name: np.isnan(features).all(axis=1) for name, features in puppets.features.items()}
    assert 0.01 < mumbled.mean() < 0.05
    for rows in missing.values():
        assert 0.05 < rows.mean() < 0.11
    assert (mumbled & missing["audio"] & missing["visual"]).mean() < 0.002
    assert not any(np.isinf(features).any() for features in puppets.features.values())


def test_many_sentences_are_ambiguous(puppets: Puppets) -> None:
    emotions: defaultdict[str, set[str | None]] = defaultdict(set)
    for utterance in utterances(puppets):
        if utterance.text:
            emotions[utterance.text].add(utterance.label)
    spoken = [utterance.text for utterance in utterances(puppets) if utterance.text]
    shared = sum(len(emotions[text]) > 1 for text in spoken) / len(spoken)
    assert 0.3 < shared < 0.9
    assert len(emotions) > 500, "a decent variety"


def test_times_run_forward_and_fit_the_words(puppets: Puppets) -> None:
    for conversation in puppets.conversations:
        clock = 0.0
        for utterance in conversation.utterances:
            assert utterance.start is not None
            assert utterance.end is not None
            assert clock < utterance.start < utterance.end
            clock = utterance.end
            if utterance.text:
                assert 0.04 < (utterance.end - utterance.start - 0.3) / len(utterance.text) < 0.09


def test_neighbours_tell_of_an_emotion(puppets: Puppets) -> None:
    stays: list[bool] = []
    spreads: list[bool] = []
    for conversation in puppets.conversations:
        last: dict[str, str | None] = {}
        for before, utterance in zip((None, *conversation.utterances), conversation.utterances, strict=False):
            if utterance.speaker in last:
                stays.append(last[utterance.speaker] == utterance.label)
            if before is not None and before.speaker != utterance.speaker:
                spreads.append(before.label == utterance.label)
            last[utterance.speaker] = utterance.label
    shares = np.array(list(Counter(utterance.label for utterance in utterances(puppets)).values()), dtype=float)
    chance = float(((shares / shares.sum()) ** 2).sum())
    assert np.mean(stays) > 3 * chance
    assert np.mean(spreads) > 1.5 * chance


def test_the_same_seed_gives_the_same_corpus() -> None:
    first, second, other = generate(3, 10), generate(3, 10), generate(4, 10)
    assert first.conversations == second.conversations
    assert first.splits == second.splits
    for name, features in first.features.items():
        np.testing.assert_array_equal(features, second.features[name])
    assert first.conversations != other.conversations


def test_a_longer_corpus_begins_like_a_shorter_one() -> None:
    assert generate(0, 8).conversations == generate(0, 20).conversations[:8]


def test_three_conversations_fill_three_splits() -> None:
    assert set(generate(0, 3).splits) == {"train", "dev", "test"}


@pytest.mark.parametrize(("seed", "conversations", "says"), [(0, 2, "--conversations: 2;"), (-1, 10, "--seed: -1 is")])
def test_refusals(seed: int, conversations: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        generate(seed, conversations)
