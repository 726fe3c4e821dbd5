"""Generated conversations as files that `sdt corpus import` reads, in the format that anyone's own corpus can have.

OUT/utterances.jsonl        one utterance a line
OUT/audio.npy, visual.npy   [N, D] float32, a row for each line; a row of NaN where the utterance lacks it
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sdt.files import atomic_folder
from sdt.puppets.generate import Puppets


def write(puppets: Puppets, folder: Path, *, overwrite: bool = False) -> None:
    """Write the files, all of them or none.

    Raises:
        InputError: The folder has something in it and `overwrite` is false.
    """
    with atomic_folder(folder, overwrite=overwrite) as aside:
        with (aside / "utterances.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for line in _lines(puppets):
                file.write(json.dumps(line) + "\n")
        for modality, features in puppets.features.items():
            np.save(aside / f"{modality}.npy", features, allow_pickle=False)


def _lines(puppets: Puppets) -> Iterator[dict[str, object]]:
    for conversation, split in zip(puppets.conversations, puppets.splits, strict=True):
        for order, utterance in enumerate(conversation.utterances):
            yield {
                "conversation": conversation.id,
                "utterance": utterance.id,
                "order": order,
                "speaker": utterance.speaker,
                "label": utterance.label,
                "split": split,
                "text": utterance.text,
                "start": utterance.start,
                "end": utterance.end,
            }
