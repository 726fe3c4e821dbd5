"""Whisper (arXiv 2212.04356) by faster-whisper: speech regions by Silero VAD, then words with times."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdt.conversation import Word
from sdt.errors import InputError, MissingDependencyError, describe_error
from sdt.speech.transcriber import Recognised, Samples
from sdt.speech.weights import SPEECH_EXTRA, find_recogniser

REGIONS = {"threshold": 0.35, "speech_pad_ms": 200}
"""Options of Silero VAD. A lower threshold than the default (0.5) keeps quiet telephone speech, and less padding than
400 ms keeps the words of two speakers apart."""
SILENCE = 2.0
"""Text over a silence of more seconds is dropped: Whisper invents sentences there."""


class Whisper:
    """A faster-whisper model on the CPU in int8, or on a GPU in float16.

    Args:
        weights: See `find_recogniser`.
        threads: The number of CPU threads.
        download: Whether the weights may be downloaded.

    Raises:
        InputError: The weights do not exist or are damaged.
        MissingDependencyError: faster-whisper or the weights are not installed.
    """

    def __init__(self, weights: str, *, threads: int, download: bool = False) -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError:
            raise MissingDependencyError(f"speech recognition needs faster-whisper; {SPEECH_EXTRA}") from None
        found = find_recogniser(weights, download=download)
        where: dict[str, Any] = {"model_size_or_path": str(found)}
        if not isinstance(found, Path):
            where = {"model_size_or_path": weights, "files": {name: io.BytesIO(data) for name, data in found.items()}}
            where["files"]["tokenizer.json"] = found["tokenizer.json"]
        try:
            self._model = WhisperModel(**where, device="auto", compute_type="auto", cpu_threads=threads)
        except (RuntimeError, ValueError, OSError) as error:
            raise InputError(f"--transcriber {weights}: cannot be loaded ({describe_error(error)})") from None
        self.name = f"whisper {weights}" if not isinstance(found, Path) else f"whisper {_fingerprint(found)}"
        self.key = f"{self.name} {REGIONS} {SILENCE}"
        self.languages: Sequence[str] = self._model.supported_languages

    def words(self, samples: Samples, language: str | None, *, quick: bool = False) -> Recognised:
        """Recognise the words of a piece of sound; see `Transcriber.words`."""
        # Greedy decoding takes a third of the time of a beam of five with repeated attempts.
        decoding: dict[str, Any] = {"beam_size": 1, "best_of": 1, "temperature": 0.0} if quick else {}
        segments, info = self._model.transcribe(
            samples,
            language=language or (self.languages[0] if len(self.languages) == 1 else None),
            word_timestamps=True,
            vad_filter=True,
            vad_parameters=REGIONS,
            condition_on_previous_text=False,  # a wrong sentence would make the next ones wrong
            hallucination_silence_threshold=SILENCE,
            **decoding,
        )
        words = [
            Word(text, float(word.start), float(max(word.start, word.end)), round(float(word.probability), 4))
            for segment in segments
            for word in segment.words or ()
            if (text := word.word.strip())
        ]
        return Recognised(words, info.language)


def _fingerprint(folder: Path) -> str:
    """A short name of the weights in a folder."""
    with (folder / "model.bin").open("rb") as file:
        return f"{folder.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"
