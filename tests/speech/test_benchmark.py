"""The scores of `benchmarks.recordings` that this repository computes, and its synthetic talks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.recordings_corpus import VOICES, make_talks
from benchmarks.recordings_run import utterances_by_turn
from benchmarks.recordings_scores import Tally, add_boundaries, add_emotions, normalise_text
from sdt.conversation import Prediction, SpeakerTurn, Utterance, Word
from sdt.media.blocks import audio_blocks


def utterances(*times: tuple[float, float]) -> list[Utterance]:
    return [Utterance(str(n), "a", start=start, end=end) for n, (start, end) in enumerate(times)]


def test_boundaries_are_matched_once_and_within_the_tolerance() -> None:
    tally = Tally()
    add_boundaries(tally, utterances((0.2, 1.0), (0.3, 2.4)), utterances((0.0, 1.0), (5.0, 6.0)))
    # Within 0.25 s: one start and one end of two on either side.
    assert tally.scores() == {"boundary F1 0.25 s": pytest.approx(0.5), "boundary F1 0.5 s": pytest.approx(0.5)}
    tally = Tally()
    add_boundaries(tally, utterances((0.4, 1.0)), utterances((0.0, 1.0)))
    assert tally.scores() == {"boundary F1 0.25 s": pytest.approx(0.5), "boundary F1 0.5 s": pytest.approx(1.0)}


def test_emotions_agree_by_time() -> None:
    def said(emotion: str, start: float, end: float) -> Prediction:
        return Prediction("c", "0", emotion, {emotion: 1.0}, start=start, end=end)

    tally = Tally()
    add_emotions(tally, [said("joy", 0, 2), said("fear", 2, 9)], [said("joy", 0, 3), said("fear", 3, 4)])
    assert tally.scores() == {"emotion agreement": pytest.approx(0.75)}
    add_emotions(tally, [], [said("joy", 0, 4)])
    assert tally.scores() == {"emotion agreement": pytest.approx(3 / 8)}


def test_text_is_compared_without_case_and_punctuation() -> None:
    assert normalise_text("Don’t, I said -- NO!") == "don't i said no"


def test_words_go_to_the_nearest_segment() -> None:
    turns = [SpeakerTurn("Ann", 0, 1), SpeakerTurn("Ben", 2, 3)]
    found = utterances_by_turn([Word("a", 0, 0.5), Word("b", 1.2, 1.3), Word("c", 1.8, 2.2)], turns)
    assert [(one.speaker, one.text, one.start) for one in found] == [("Ann", "a b", 0), ("Ben", "c", 2)]


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs the program espeak-ng")
def test_talks_are_known_and_the_same_each_time(tmp_path: Path) -> None:
    [talk] = make_talks("telephone", tmp_path / "one", count=1)
    [again] = make_talks("telephone", tmp_path / "two", count=1)
    assert (talk.turns, talk.utterances) == (again.turns, again.utterances)
    one, other = (next(audio_blocks(path, 120.0)).samples for path in (talk.path, again.path))
    assert one.shape == other.shape
    assert np.abs(one - other).max() <= 1.01 / 2**15  # resampling depends on how memory is aligned
    assert {turn.speaker for turn in talk.turns} <= {f"{voice.name}{voice.pitch}" for voice in VOICES}
    spoken = sum(turn.seconds for turn in talk.turns)
    assert 0.5 * talk.seconds < spoken < talk.seconds
    assert np.all(np.diff([one.start for one in talk.utterances]) > 0)
