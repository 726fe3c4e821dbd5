"""Facts of utterances and the parts of the test set, on a conversation that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from sdt.analysis.subgroups.divisions import (
    CHANGED,
    FIRST,
    SHIFTS,
    STAYED,
    Subgroup,
    contrast,
    divisions,
    score_subgroups,
)
from sdt.analysis.subgroups.facts import Fact, facts
from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.scores import score
from sdt.evaluation.system import System
from sdt.feature_table import FeatureTable
from sdt.speakers import Speakers
from tests.evaluation.worlds import LABELS as FOUR
from tests.evaluation.worlds import World

LABELS = ("calm", "cross")
SAID = [
    ("ann", "calm", "Hello there, Ben!"),
    ("ben", None, "Hm."),
    ("ann", "cross", "You never say anything at all."),
    ("ben", "cross", None),
    ("ben", "cross", "So?"),
    ("ann", "cross", "one two three four five six seven"),
    ("ben", "calm", "Fine."),
]
PLACES = [("c", str(index)) for index, (_, label, _) in enumerate(SAID) if label]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    spoken = tuple(Utterance(str(i), who, text, label) for i, (who, label, text) in enumerate(SAID))
    other = Conversation("d", (Utterance("0", "ann", "Hi", "calm"),))
    audio = np.ones(8, dtype=np.bool_)
    audio[[3, 6]] = False
    features = {
        "text": FeatureTable(np.zeros((8, 2), np.float32), np.arange(8) != 3, "words:2"),
        "audio": FeatureTable(np.zeros((8, 3), np.float32), audio, "made"),
    }
    conversations = [Conversation("c", spoken), other]
    builder = CorpusBuilder(
        "two",
        conversations,
        LABELS,
        {"test": ["c", "d"]},
        features,
        Speakers.from_conversations(conversations, "identity"),
    )
    return write_corpus(builder, tmp_path_factory.mktemp("corpora") / "two")


def test_facts(corpus: Corpus) -> None:
    found = facts(corpus, PLACES, ["text", "audio"])
    assert found == [
        Fact("calm", None, None, 1, 3, 2, ()),
        Fact("cross", "calm", "calm", 3, 6, 2, ()),
        Fact("cross", None, "cross", 4, 0, 2, ("text", "audio")),
        Fact("cross", "cross", "cross", 5, 1, 2, ()),
        Fact("cross", "cross", "cross", 6, 7, 2, ()),
        Fact("calm", "cross", "cross", 7, 1, 2, ("audio",)),
    ]
    assert facts(corpus, PLACES[::-1], ["text"])[-1] == found[0]


def test_utterances_of_another_corpus(corpus: Corpus) -> None:
    with pytest.raises(InputError, match=r"conversation 'x' .*; the predictions are of another corpus"):
        facts(corpus, [("x", "0")], [])
    with pytest.raises(InputError, match="conversation 'c' has no annotated utterance '1'"):
        facts(corpus, [("c", "1")], [])


def test_parts(corpus: Corpus) -> None:
    found = {division.name: division.parts for division in divisions(facts(corpus, PLACES, ["text", "audio"]))}
    rows = {name: {part: np.flatnonzero(where).tolist() for part, where in of.items()} for name, of in found.items()}
    assert rows == {
        SHIFTS[0]: {STAYED: [3, 4], CHANGED: [1, 5], FIRST: [0, 2]},
        SHIFTS[1]: {STAYED: [2, 3, 4], CHANGED: [1, 5], FIRST: [0]},
        "position": {"1": [0], "2 to 3": [1], "4 to 5": [2, 3], "6 to 10": [4, 5]},
        "length": {"0": [2], "1 to 2": [3, 5], "3 to 5": [0], "6 to 10": [1, 4]},
        "missing modalities": {"nothing": [0, 1, 3, 4], "audio": [5], "text and audio": [2]},
    }  # all conversations have two speakers: that divides nothing


def test_every_utterance_is_in_one_part() -> None:
    random = np.random.default_rng(2)
    labels: list[str | None] = ["calm", "cross", None]
    numbers = random.integers(1, 40, size=(300, 3)).tolist()
    made = [Fact("calm", labels[a % 3], labels[b % 3], a, b, c, ()) for a, b, c in numbers]
    ways = divisions(made)
    assert len(ways) == 5
    for division in ways:
        np.testing.assert_array_equal(np.sum(list(division.parts.values()), axis=0), 1)
        assert all(where.any() for where in division.parts.values())


def shifted(system: System, world: World) -> list[Fact]:
    """Every third utterance changes the emotion."""
    return [Fact(FOUR[t], FOUR[t - (i % 3 == 0)], None, 1, 1, 2, ()) for i, t in enumerate(world.true)]


def test_scores_of_parts() -> None:
    world = World(30, seed=5)
    systems = [world.system("a", 0.4, runs=3), world.system("b", 0.6)]
    (division,) = divisions(shifted(systems[0], world))
    scored = score_subgroups(systems, division, Resampling(200))
    for system, parts in zip(systems, scored, strict=True):
        for name, where in division.parts.items():
            expected = [score(world.true[where], run[where], FOUR) for run in system.predicted]
            part = parts[name]
            assert part.support == where.sum()
            assert part.accuracy.spread.mean == pytest.approx(np.mean([of.accuracy for of in expected]))
            assert part.weighted_f1.spread.mean == pytest.approx(np.mean([of.weighted_f1 for of in expected]))
            assert part.weighted_f1.low < part.weighted_f1.spread.mean < part.weighted_f1.high


def test_the_contrast_of_two_parts() -> None:
    world = World(60, seed=6)
    system = world.system("a", 0.3)
    facts = shifted(system, world)
    stayed = np.array([fact.label == fact.own_before for fact in facts])
    corrected = stayed & (world.random.random(len(stayed)) < 0.5)
    better = replace(system, predicted=np.where(corrected, system.true, system.predicted))
    (division,) = divisions(facts)
    found = contrast(better, division, (CHANGED, STAYED), Resampling(500))
    right = better.predicted[0] == better.true
    assert found.difference == pytest.approx(right[~stayed].mean() - right[stayed].mean())
    assert found.low < found.difference < found.high < 0


def parts_with_audio_missing(world: World, system: System, lacking: npt.NDArray[np.bool_]) -> dict[str, Subgroup]:
    facts = [Fact("calm", None, None, 1, 1, 2, ("audio",) if row else ()) for row in lacking]
    (division,) = divisions(facts)
    (parts,) = score_subgroups([system], division, Resampling(200))
    return parts


def test_a_part_that_is_not_in_every_draw() -> None:
    world = World(12, seed=7)
    lacking = (world.conversation < 6) & (np.arange(len(world.true)) % 2 == 0)
    rare = parts_with_audio_missing(world, world.system("a", 0.5), lacking)["audio"]
    assert rare.support == lacking.sum()
    assert 0 <= rare.accuracy.low < rare.accuracy.high <= 1


def test_a_part_of_few_conversations_or_without_spread_has_no_interval() -> None:
    world = World(12, seed=7)
    few = parts_with_audio_missing(world, world.system("a", 0.5), world.conversation < 5)["audio"]
    assert few.to_dict()["accuracy"]["interval"] is few.to_dict()["weighted_f1"]["interval"] is None
    right = replace(world.system("a", 0.5), predicted=world.true[None])
    whole = parts_with_audio_missing(world, right, world.conversation < 8)["audio"]
    assert whole.accuracy.spread.mean == 1
    assert whole.to_dict()["accuracy"]["interval"] is None
    assert whole.to_dict()["accuracy"]["no_interval"]


def test_a_contrast_of_few_conversations_has_no_interval() -> None:
    world = World(5, seed=6)
    system = world.system("a", 0.3)
    (division,) = divisions(shifted(system, world))
    assert contrast(system, division, (CHANGED, STAYED), Resampling(50)).to_dict()["interval"] is None


def test_where_everybody_speaks_alone_a_division_is_not_made_twice() -> None:
    alone = [Fact("calm", before, before, at, 1, 1, ()) for at, before in enumerate((None, "calm", "cross"), start=1)]
    assert [division.name for division in divisions(alone)] == [SHIFTS[0], "position"]
    two = [Fact("calm", None, before, at, 1, 2, ()) for at, before in enumerate((None, "calm", "cross"), start=1)]
    assert [division.name for division in divisions(two)] == [SHIFTS[1], "position"]
