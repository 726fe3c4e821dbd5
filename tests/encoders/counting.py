"""A feature encoder for tests that counts what it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdt.encoders.encoder import Encoded, Progress, Source


class Counting:
    """Features [length of the text, seconds of the cut]; utterances whose id is in `bad` cannot be encoded."""

    width = 2
    licence_note = None

    def __init__(self, modality: str, name: str = "count", bad: Sequence[str] = ()) -> None:
        self.modality, self.name, self.bad = modality, name, bad
        self.asked: list[str] = []
        self.stop_after: int | None = None

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked += [source.location for source in sources]
        present = np.array([source.utterance.id not in self.bad for source in sources])
        rows = [
            [len(source.utterance.text or ""), (source.clip.end or 0) - (source.clip.start or 0) if source.clip else 0]
            for source in sources
        ]
        if progress:
            progress(len(sources), len(sources))
        problems = [f"{source.location}: broken" for source, there in zip(sources, present, strict=True) if not there]
        return Encoded(np.array(rows, np.float32).reshape(-1, 2) * present[:, None], present, problems)
