"""An encoder in an installed package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Utterance
from sdt.encoders.encoder import ENCODERS, Source, feature_encoder
from sdt.errors import InputError
from tests.plugin_packages import install_plugin

HEARTBEAT = """
import numpy as np
from sdt.encoders.encoder import Encoded, EncoderEntry

class Heartbeat:
    modality, width, licence_note = "audio", 1, None
    def __init__(self, name):
        self.name = name
    def encode(self, sources, progress=None):
        rate = float(self.name.partition(":")[2])
        return Encoded(np.full((len(sources), 1), rate, np.float32), np.ones(len(sources), bool), [])

ENTRY = EncoderEntry("heartbeat:RATE", "audio", Heartbeat, "the rate of the heart")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"sdt.encoders": {"heartbeat": "heartbeat_encoder:ENTRY", "broken": "missing_encoder:ENTRY"}}
    install_plugin(tmp_path, monkeypatch, "heartbeat-encoder", points, heartbeat_encoder=HEARTBEAT)


@pytest.mark.usefixtures("installed")
def test_an_encoder_of_a_package_is_used_by_its_name() -> None:
    encoder = feature_encoder("heartbeat:60")
    assert (encoder.name, encoder.modality, encoder.width) == ("heartbeat:60", "audio", 1)
    encoded = encoder.encode([Source("c", Utterance("u", "Ann"))])
    assert np.array_equal(encoded.features, [[60]])
    assert ENCODERS["heartbeat"].summary == "the rate of the heart"


@pytest.mark.usefixtures("installed")
def test_a_broken_package_is_named_when_its_encoder_is_used() -> None:
    assert feature_encoder("words:8").width == 8
    with pytest.raises(InputError, match="heartbeat-encoder"):
        feature_encoder("broken")
    with pytest.raises(InputError, match="did you mean 'heartbeat'"):
        feature_encoder("heartbeet:60")
