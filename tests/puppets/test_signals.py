from __future__ import annotations

import numpy as np
import pytest

from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.sentences import SHARED
from sdt.puppets.signals import AUDIO, CHANNELS, VISUAL, Channel, perform


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_pair_shares_what_a_linear_classifier_sees(channel: Channel) -> None:
    common, own = channel.prototypes()
    assert common.shape == own.shape == (len(EMOTIONS), channel.width)
    for first, second in channel.pairs:
        np.testing.assert_array_equal(common[EMOTIONS.index(first)], common[EMOTIONS.index(second)])
    assert len(np.unique(common, axis=0)) == len(EMOTIONS) - len(channel.pairs)
    assert len(np.unique(own, axis=0)) == len(EMOTIONS)


def test_every_modality_confuses_other_pairs() -> None:
    pairs = [frozenset(pair) for channel in CHANNELS for pair in channel.pairs]
    pairs += [frozenset(emotions) for emotions in SHARED if emotions != EMOTIONS]
    assert len(set(pairs)) == len(pairs) == 9


def test_prototypes_are_the_same_in_every_corpus() -> None:
    for first, second in zip(AUDIO.prototypes(), AUDIO.prototypes(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_two_puppets_differ_by_more_than_noise() -> None:
    emotions, speakers = [0] * 400, [0, 1] * 200
    features = perform(np.random.default_rng(0), VISUAL, emotions, speakers)
    assert features.shape == (400, VISUAL.width)
    assert features.dtype == np.float32
    means = [np.nanmean(features[speaker::2], axis=0) for speaker in (0, 1)]
    assert np.abs(means[0] - means[1]).max() > 0.5


def test_a_missing_row_is_missing_as_a_whole() -> None:
    features = perform(np.random.default_rng(0), AUDIO, [1] * 500, [0] * 500)
    missing = np.isnan(features)
    np.testing.assert_array_equal(missing.any(axis=1), missing.all(axis=1))
    assert abs(missing.all(axis=1).mean() - AUDIO.missing) < 0.04
