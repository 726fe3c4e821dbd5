"""Encoders, models and recognisers whose process may end in the middle; imported by workers of the tests' cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sdt.encoders import clustered as features
from sdt.encoders.chunks import Chunk
from sdt.encoders.encoder import Encoded
from sdt.formats.transcript import Transcript
from sdt.prediction import clustered as prediction
from sdt.prediction.pipeline import BatchResult
from sdt.speech import clustered as speech
from tests.cluster.units import trial


def make_dying_encoder(name: str) -> Callable[[Chunk], Encoded]:
    encode = _make_encoder(name)

    def encode_or_die(chunk: Chunk) -> Encoded:
        for source in chunk.sources:
            trial(source.location)
        return encode(chunk)

    return encode_or_die


_make_encoder, _make_predictor = features.make_encoder, prediction.make_predictor
_make_transcriber = speech.make_transcriber


def make_dying_predictor(*told: Any) -> Callable[[tuple[str, prediction.Batch]], BatchResult]:
    predict = _make_predictor(*told)

    def predict_or_die(given: tuple[str, prediction.Batch]) -> BatchResult:
        for conversation in given[1][0]:
            trial(conversation.id)
        return predict(given)

    return predict_or_die


def make_dying_transcriber(*told: Any) -> Callable[[speech.Source], Transcript]:
    transcribe = _make_transcriber(*told)

    def transcribe_or_die(source: speech.Source) -> Transcript:
        trial(source[0].stem)
        return transcribe(source)

    return transcribe_or_die
