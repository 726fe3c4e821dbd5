"""Who said each word, and where utterances end."""

from __future__ import annotations

import pytest

from sdt.conversation import SpeakerTurn, Word
from sdt.formats.parsing.word_groups import LONGEST_SECONDS, LONGEST_WORDS, PAUSE, SENTENCE_PAUSE
from sdt.speech.utterances import (
    FAR,
    attribute,
    cut,
    doubtful_note,
)

ANN, BEN = SpeakerTurn("Ann", 0.0, 2.0), SpeakerTurn("Ben", 2.0, 4.0)


def words(text: str, start: float = 0.0, each: float = 0.25, gap: float = 0.0) -> list[Word]:
    """The words of a text, evenly spaced."""
    return [
        Word(word, start + n * (each + gap), start + n * (each + gap) + each) for n, word in enumerate(text.split())
    ]


def said(*pairs: tuple[str, str]) -> list[tuple[str, Word]]:
    """(speaker, word) from (speaker, text), without pauses."""
    each = [(speaker, word) for speaker, text in pairs for word in text.split()]
    return [(speaker, Word(word, n * 0.25, n * 0.25 + 0.25)) for n, (speaker, word) in enumerate(each)]


def speakers(spoken: list[tuple[str, Word]]) -> str:
    return " ".join(speaker for speaker, _ in spoken)


def texts(spoken: list[tuple[str, Word]]) -> list[tuple[str, str | None]]:
    return [(utterance.speaker, utterance.text) for utterance in cut(spoken)]


def test_a_word_is_said_by_whom_it_shares_most_time_with() -> None:
    spoken = attribute([Word("Yes.", 1.0, 1.5), Word("No.", 1.75, 2.5), Word("Why?", 3, 3.5)], [ANN, BEN])
    assert speakers(spoken) == "Ann Ben Ben"


def test_a_word_in_a_pause_belongs_to_the_nearest_turn_and_far_ones_to_nobody() -> None:
    turns = [SpeakerTurn("Ann", 0, 1), SpeakerTurn("Ben", 5, 6)]
    found = attribute([Word("A.", 1.2, 1.4), Word("B.", 4.5, 4.7), Word("C.", 2.5, 2.75)], turns)
    assert [(speaker, word.text) for speaker, word in found] == [("Ann", "A."), ("Ben", "B.")]
    assert FAR < 2.5 - 1


def test_a_long_turn_that_began_long_ago_is_found() -> None:
    turns = [SpeakerTurn("Ann", 0, 100), *(SpeakerTurn("Ben", t, t + 0.1) for t in range(10, 90, 5))]
    assert speakers(attribute([Word("Still.", 97, 98)], turns)) == "Ann"


def test_words_in_overlapped_speech_are_marked() -> None:
    turns = [SpeakerTurn("Ann", 0, 2), SpeakerTurn("Ben", 1, 3)]
    found = attribute([Word("a", 0.25, 0.75), Word("b", 0.9, 1.4), Word("c", 1.2, 1.8), Word("d", 2.25, 2.5)], turns)
    assert [word.overlapped for _, word in found] == [False, True, True, False]


def test_without_turns_there_is_one_speaker() -> None:
    assert speakers(attribute(words("one two"), [])) == "SPEAKER_00 SPEAKER_00"


def test_a_fragment_of_a_sentence_follows_the_rest_if_its_speaker_is_near() -> None:
    turns = [SpeakerTurn("Ann", 0, 0.3), SpeakerTurn("Ben", 0.3, 2)]
    assert speakers(attribute(words("I thought you heard it."), turns)) == "Ben Ben Ben Ben Ben"
    apart = [SpeakerTurn("Ann", 0, 0.25), SpeakerTurn("Ben", 0.9, 3)]
    spoken = [Word("Yes", 0, 0.25), *words("I thought you heard it.", 0.84)]
    assert speakers(attribute(spoken, apart)).startswith("Ann Ben")


def test_a_word_that_is_a_sentence_stays_with_its_speaker() -> None:
    turns = [SpeakerTurn("Ann", 0, 0.25), SpeakerTurn("Ben", 0.25, 2)]
    assert speakers(attribute(words("Yes. I thought you heard it."), turns)).startswith("Ann Ben")


def test_a_run_of_more_words_is_no_fragment() -> None:
    turns = [SpeakerTurn("Ann", 0, 0.75), SpeakerTurn("Ben", 0.75, 3)]
    assert speakers(attribute(words("You know that I thought you heard it."), turns)).startswith("Ann Ann Ann Ben")


def test_utterances_end_with_their_speaker() -> None:
    assert texts(said(("Ann", "so you"), ("Ben", "no I"), ("Ann", "yes"))) == [
        ("Ann", "so you"),
        ("Ben", "no I"),
        ("Ann", "yes"),
    ]


@pytest.mark.parametrize(("first", "gap", "count"), [("well", PAUSE, 2), ("well.", SENTENCE_PAUSE, 2)])
def test_utterances_end_at_pauses_which_may_be_shorter_after_sentences(first: str, gap: float, count: int) -> None:
    def found(gap: float) -> int:
        return len(cut([("Ann", Word(first, 0, 1)), ("Ann", Word("then", 1 + gap, 2 + gap))]))

    assert (found(gap + 0.01), found(gap - 0.01)) == (count, 1)


def test_an_utterance_keeps_its_words_and_their_times() -> None:
    [one, other] = cut([*said(("Ann", "I know.")), ("Ben", Word("Good.", 3.00004, 3.5))])
    assert (one.id, one.speaker, one.text, one.start, one.end) == ("0", "Ann", "I know.", 0.0, 0.5)
    assert (other.id, other.start, other.end) == ("1", 3.0, 3.5)
    assert [(word.text, word.start) for word in one.words] == [("I", 0.0), ("know.", 0.25)]
    assert cut([]) == []


def test_long_utterances_are_cut_at_clauses() -> None:
    text = [*40 * ["a"], "b,", *30 * ["c"]]
    pieces = [text for _, text in texts(said(("Ann", " ".join(text))))]
    assert [len((piece or "").split()) for piece in pieces] == [41, 30]
    assert (pieces[0] or "").endswith("b,")


def test_no_utterance_is_longer_than_the_limits_and_no_word_is_lost() -> None:
    spoken = said(("Ann", " ".join(f"w{n}" for n in range(500))))
    utterances = cut(spoken)
    assert all(len(one.words) <= LONGEST_WORDS for one in utterances)
    assert all((one.end or 0) - (one.start or 0) <= LONGEST_SECONDS for one in utterances)
    assert [word for one in utterances for word in one.words] == [word for _, word in spoken]


def test_one_endless_word_is_left_whole() -> None:
    [one] = cut([("Ann", Word("Oooh", 0, 3 * LONGEST_SECONDS))])
    assert one.text == "Oooh"


def test_doubtful_and_overlapped_words_are_counted() -> None:
    spoken = [("Ann", Word("a", 0, 1, 0.1)), ("Ann", Word("b", 1, 2, 0.9, True)), ("Ann", Word("c", 2, 3))]
    uncertain, several = doubtful_note(cut(spoken))
    assert uncertain.startswith("1 of 3 words")
    assert several.startswith("1 of 3 words")
    assert doubtful_note(cut(spoken[2:])) == []
