"""openSMILE's sets: their sizes, and that no utterance changes another's values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Utterance
from sdt.encoders.audio_opensmile import SETS, OpenSmile
from sdt.encoders.encoder import Source
from sdt.errors import InputError
from sdt.media.clip import Clip
from tests.encoders.clips import write_clip
from tests.encoders.voices import RATE, syllables, vowel


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    sounds = {"a": syllables(2), "b": vowel(0.6, 200), "short": vowel(0.05), "silence": np.zeros(RATE, np.float32)}
    return [
        Source("c", Utterance(name, "x"), Clip(write_clip(tmp_path / f"{name}.wav", sound[None], rate=RATE)))
        for name, sound in sounds.items()
    ]


@pytest.mark.parametrize("chosen", SETS)
def test_each_set_has_its_size(chosen: str, sources: list[Source]) -> None:
    encoder = OpenSmile(f"opensmile:{chosen}")
    assert encoder.width == len(encoder.names) == {"IS10": 1582, "eGeMAPSv02": 88, "ComParE_2016": 6373}[chosen]
    encoded = encoder.encode(sources)
    assert encoded.features.shape == (4, encoder.width)
    assert encoded.problems == ["c/short: shorter than 0.1 s", "c/silence: silence"]
    assert np.isfinite(encoded.features).all()
    assert encoded.features[0].std() > 0
    again = OpenSmile(f"opensmile:{chosen}").encode(sources[::-1])
    np.testing.assert_array_equal(encoded.features, again.features[::-1])


def test_the_pitch_of_a_voice_is_among_them(sources: list[Source]) -> None:
    encoder = OpenSmile("opensmile:eGeMAPSv02")
    row = encoder.encode(sources[1:2]).features[0]
    semitones = row[encoder.names.index("F0semitoneFrom27.5Hz_sma3nz_amean")]
    assert semitones == pytest.approx(12 * np.log2(200 / 27.5), abs=0.5)


def test_an_unknown_set_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'eGeMAPSv02'"):
        OpenSmile("opensmile:eGeMAPS")


def test_the_licence_is_told() -> None:
    assert "no commercial" in OpenSmile("opensmile:eGeMAPSv02").licence_note
