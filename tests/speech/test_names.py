"""Whom the names that a user gives can belong to."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.conversation import SpeakerTurn, Utterance, Word
from sdt.errors import InputError
from sdt.speech.given import Given
from sdt.speech.names import check_names, unknown_names_note
from tests.encoders.clips import noise, write_clip

BY_VOICE = (Path("a.wav"), None)
TURNS = (Path("b.wav"), Given(turns=[SpeakerTurn("ann", 0, 1)]))


def check(
    *speakers: str, sources: list[tuple[Path, Given | None]], channels: bool = False, most: int | None = None
) -> None:
    check_names(dict.fromkeys(speakers, "Ann"), sources, by_channel=channels, most=most)


def test_speakers_told_apart_by_voice_are_numbered() -> None:
    check("SPEAKER_00", "SPEAKER_07", "SPEAKER_120", sources=[BY_VOICE])
    check("SPEAKER_01", sources=[BY_VOICE], most=2)
    for wrong, most in (("ann", None), ("speaker_00", None), ("SPEAKER_0", None), ("SPEAKER_02", 2)):
        with pytest.raises(InputError, match=f"--names {wrong}=Ann"):
            check(wrong, sources=[BY_VOICE], most=most)


def test_given_speakers_are_known() -> None:
    check("ann", sources=[TURNS])
    check("ann", "SPEAKER_00", sources=[TURNS, BY_VOICE])
    with pytest.raises(InputError, match=r"--names SPEAKER_00=Ann.*ann"):
        check("SPEAKER_00", sources=[TURNS])


def test_words_and_utterances_without_speakers_leave_them_to_the_voices() -> None:
    word, said = Word("hi", 0, 1), Utterance("0", "ann", "hi", start=0, end=1)
    assert Given(words=[("ann", word), ("ben", word)]).speakers == {"ann", "ben"}
    assert Given(words=[("ann", word), (None, word)]).speakers == set()
    assert Given(utterances=[said]).speakers == {"ann"}
    assert Given(utterances=[said, Utterance("1", "", "ho", start=1, end=2)]).speakers == set()
    assert Given().speakers == set()


def test_channels_are_counted(tmp_path: Path) -> None:
    pytest.importorskip("av")
    two = write_clip(tmp_path / "two.wav", noise(0.5, channels=2), layout="stereo")
    check("SPEAKER_00", "SPEAKER_01", sources=[(two, None)], channels=True)
    with pytest.raises(InputError, match=r"SPEAKER_02=Ann.*SPEAKER_00, SPEAKER_01"):
        check("SPEAKER_02", sources=[(two, None)], channels=True)
    with pytest.raises(InputError, match=r"missing\.wav"):
        check("SPEAKER_02", sources=[(tmp_path / "missing.wav", None)], channels=True)


def test_names_without_a_speaker_are_noted() -> None:
    assert unknown_names_note({"a": "Ann"}, ["a", "b"]) == []
    [note] = unknown_names_note({"a": "Ann", "c": "Cat", "d": "Dan"}, ["b", "a"])
    assert "c=Cat, d=Dan" in note
    assert "a, b" in note
