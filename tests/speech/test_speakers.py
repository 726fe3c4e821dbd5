"""Diarization from windows: how many speakers, who speaks when."""

from __future__ import annotations

import numpy as np
import pytest

from sdt.errors import InputError
from sdt.speech import speakers
from sdt.speech.acoustics import FRAME, FRAME_LENGTH, LOCAL, WINDOW
from sdt.speech.speakers import STEP, SpeakerCount, Window, diarize, last_change

FRAMES = 589


def voice(number: int, seed: int = 0, noise: float = 0.0) -> np.ndarray:
    """[192] a unit vector near an axis."""
    vector = np.zeros(192, np.float32)
    vector[number] = 1
    vector += noise / 192**0.5 * np.random.default_rng(seed).standard_normal(192).astype(np.float32)
    return vector / np.linalg.norm(vector)


def talk(turns: list[tuple[int, float, float]], seconds: float, noise: float = 0.4) -> list[Window]:
    """The windows of a recording in which each person says (who, start, end); locals are in a random order."""
    random = np.random.default_rng(0)
    windows = []
    count = 1 + max(0, int(np.ceil((seconds - WINDOW) / STEP)))
    for number in range(count):
        start = STEP * number
        times = start + np.arange(FRAMES) * FRAME
        people = sorted({who for who, begin, end in turns if begin < start + WINDOW and end > start})
        assert len(people) <= LOCAL
        places = dict(zip(people, random.permutation(LOCAL), strict=False))
        active = np.zeros((FRAMES, LOCAL), bool)
        for who, begin, end in turns:
            if who in places:
                active[(times >= begin) & (times < end), places[who]] = True
        active[times >= seconds] = False
        voices = np.full((LOCAL, 192), np.nan, np.float32)
        for who, place in places.items():
            if active[:, place].any():
                voices[place] = voice(who, 100 * number + who, noise)
        alone = (active & (active.sum(1, keepdims=True) == 1)).sum(0) * FRAME
        windows.append(Window(start, active, voices, alone.astype(np.float32)))
    return windows


THREE = [(4, 0.0, 3.0), (7, 3.5, 8.0), (4, 7.0, 12.0), (9, 13.0, 20.0), (7, 21.0, 28.0)]


def test_speakers_are_found_with_their_times() -> None:
    found = diarize(talk(THREE, 30))
    names = {4: "SPEAKER_00", 7: "SPEAKER_01", 9: "SPEAKER_02"}
    assert [turn.speaker for turn in found] == [names[who] for who, _, _ in THREE]
    for turn, (_, start, end) in zip(found, THREE, strict=True):
        assert (turn.start, turn.end) == pytest.approx((start, end), abs=0.06)


@pytest.mark.parametrize(("count", "expected"), [((2, 2), 2), ((1, 2), 2), ((3, None), 3), ((1, 9), 3)])
def test_the_number_of_speakers_can_be_given(count: tuple[int, int | None], expected: int) -> None:
    assert len({turn.speaker for turn in diarize(talk(THREE, 30), SpeakerCount(*count))}) == expected


def test_more_speakers_than_embeddings_are_not_found() -> None:
    assert {turn.speaker for turn in diarize(talk([(3, 1, 4)], 5), SpeakerCount(5, 5))} == {"SPEAKER_00"}
    windows = talk(THREE, 30)
    assert diarize(windows, SpeakerCount(10**12)) == diarize(windows, SpeakerCount(1000))


def test_one_voice_is_one_speaker() -> None:
    [turn] = diarize(talk([(3, 1, 4)], 5))
    assert turn.speaker == "SPEAKER_00"
    assert (turn.start, turn.end) == pytest.approx((1, 4), abs=0.06)


def test_silence_has_no_speakers() -> None:
    assert diarize(talk([], 30)) == []
    assert diarize([]) == []


def test_speakers_of_a_window_are_different_ones() -> None:
    """Two locals with nearly the same voice do not get the same cluster, if there are two."""
    first, *others = talk([(1, 0, 4), (2, 5, 9), (1, 10, 14), (2, 15, 19)], 20, noise=0.0)
    voices = np.where(first.voices[:, 1:2] == 1, first.voices, 0.8 * voice(1) + 0.6 * voice(2))
    voices[np.isnan(first.voices)] = np.nan
    doubtful = Window(first.start, first.active, voices.astype(np.float32), np.full(3, 0.1, np.float32))
    found = diarize([doubtful, *others])
    assert [turn.speaker for turn in found if turn.end < 9.5] == ["SPEAKER_00", "SPEAKER_01"]


def test_many_embeddings_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = diarize(talk(THREE, 30))
    monkeypatch.setattr(speakers, "MOST_EMBEDDINGS", 9)
    assert diarize(talk(THREE, 30)) == whole


@pytest.mark.parametrize(("text", "fewest", "most"), [("2", 2, 2), ("1-4", 1, 4), ("3-3", 3, 3)])
def test_the_option_is_read(text: str, fewest: int, most: int) -> None:
    assert SpeakerCount.parse(text) == SpeakerCount(fewest, most)


@pytest.mark.parametrize("text", ["", "0", "two", "-2", "2-", "4-2", "1-2-3", "1.5", "٣x"])
def test_other_options_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--speakers"):
        SpeakerCount.parse(text)


@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        ([(0, 0, 100)], None),
        ([(0, 0, 100), (1, 110, 200)], 104.5),
        ([(0, 0, 100), (1, 110, 120)], None),  # too short to be another speaker
        ([(0, 0, 100), (1, 40, 60)], None),  # at the same time
        ([(0, 0, 100), (1, 110, 200), (0, 210, 300)], 204.5),
        ([(0, 0, 100), (0, 110, 200)], None),  # a pause
    ],
)
def test_when_the_speaker_last_changes(spoken: list[tuple[int, int, int]], expected: float | None) -> None:
    active = np.zeros((400, LOCAL), dtype=bool)
    for speaker, first, end in spoken:
        active[first:end, speaker] = True
    found = last_change(active)
    assert found == (None if expected is None else pytest.approx(expected * FRAME + FRAME_LENGTH / 2))
