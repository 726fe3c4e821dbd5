"""The table of encoders, and what is common to all that listen to or look at clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Utterance
from sdt.encoders.encoder import ENCODERS, Source, Vector, encode_each, feature_encoder
from sdt.errors import InputError
from sdt.media.clip import Clip, MediaProblem


def source(number: int, text: str | None = None, clip: Clip | None = None) -> Source:
    return Source("dia1", Utterance(f"utt{number}", "Ann", text), clip)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'prosody'"):
        feature_encoder("prosodi")


@pytest.mark.parametrize("name", ["prosody:fast", "praat:8", "voice8:16", "opensmile:IS11", "opensmile"])
def test_settings_that_there_are_not_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        feature_encoder(name)


@pytest.mark.parametrize("name", ["words:32", "minilm", "prosody", "voice8", "praat", "opensmile:eGeMAPSv02"])
def test_an_encoder_says_what_it_is(name: str) -> None:
    encoder = feature_encoder(name)
    assert encoder.name == name
    assert encoder.modality == ENCODERS[name.partition(":")[0]].modality
    assert encoder.width > 0
    assert (encoder.licence_note is not None) == name.startswith("opensmile")


def test_text_is_encoded_and_its_absence_reported() -> None:
    done: list[tuple[int, int]] = []
    encoder = feature_encoder("words:64")
    encoded = encoder.encode(
        [source(0, "Oh my God!"), source(1, "  "), source(2), source(3, "What?")], lambda n, of: done.append((n, of))
    )
    assert encoded.features.shape == (4, 64)
    assert encoded.present.tolist() == [True, False, False, True]
    assert encoded.problems == ["dia1/utt1: no text", "dia1/utt2: no text"]
    assert not encoded.features[1:3].any()
    assert done


def test_what_a_clip_lacks_is_missing_and_named() -> None:
    def describe(clip: Clip) -> Vector:
        if clip.path.name == "bad":
            raise MediaProblem("corrupt")
        return np.array([np.nan if clip.path.name == "nan" else 1, 2], dtype=np.float32)

    done: list[tuple[int, int]] = []
    sources = [source(k, clip=Clip(Path(name)) if name else None) for k, name in enumerate(("good", "bad", "nan", ""))]
    encoded = encode_each(sources, 2, describe, lambda n, of: done.append((n, of)))
    assert encoded.features.tolist() == [[1, 2], [0, 0], [0, 0], [0, 0]]
    assert encoded.present.tolist() == [True, False, False, False]
    assert encoded.problems == ["dia1/utt1: corrupt", "dia1/utt2: a feature is not a number", "dia1/utt3: no recording"]
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
