"""What a model that learned from tables of audio measurements loses when `voice8` measures the sound instead.

MELD's sound is not at hand, but some of its clips are. Their differences (measured here less table) are drawn at random
for every test utterance and added to its row of the table, so that the model is scored on values that are off by as
much as new recordings would be.

    python benchmarks/swap_audio.py build/meld-raw --clips media --table meld_train_audio_features.csv

The corpus: the test split, text by the model's own encoder, audio the tables' values, not normalised (see
docs/audio.md).
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.normalise import normalise
from sdt.corpus.store import Corpus
from sdt.encoders.audio_voice8 import NAMES, measure
from sdt.errors import InputError
from sdt.evaluation.outputs import run_model
from sdt.evaluation.scores import score
from sdt.feature_table import FeatureTable
from sdt.media.audio import decode_audio
from sdt.media.clip import Clip, MediaProblem
from sdt.models.hub import find_model
from sdt.models.saved import load

Array = npt.NDArray[np.float64]


def main() -> None:
    """Measure, disturb, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="a corpus whose audio are the tables' values, not normalised")
    parser.add_argument("--clips", type=Path, required=True, help="a folder of wav files named as in the table")
    parser.add_argument("--table", type=Path, required=True, help="the table with the clips' rows")
    parser.add_argument("--model", default="meld-text-audio-small")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    by_clip = dict(differences(options.clips, options.table))
    for name, difference in by_clip.items():
        print(name, *(f"{of} {value:.3f}" for of, value in zip(NAMES, difference, strict=True)))
    apart = np.array(list(by_clip.values()))
    corpus, model = Corpus.open(options.corpus), load(find_model(options.model))
    random = np.random.default_rng(0)

    def scored(disturbance: Array) -> tuple[float, float, npt.NDArray[np.intp]]:
        """Weighted F1 of all modalities and of audio alone, and what was predicted."""
        with tempfile.TemporaryDirectory() as folder:
            made = disturbed(corpus, disturbance, Path(folder) / "corpus")
            both = run_model(model, made, made.split("test"))
            alone = run_model(model, made, made.split("test"), modalities=["audio"])
            said, heard = (outputs.probabilities["fused"].argmax(axis=1) for outputs in (both, alone))
            f1, f1_alone = (score(both.label, of, model.config.labels).weighted_f1 for of in (said, heard))
        return 100 * f1, 100 * f1_alone, said

    n = len(corpus.modalities["audio"].present)
    f1, f1_alone, said = scored(np.zeros((n, len(NAMES))))
    print(f"tables as they are: weighted F1 {f1:.2f}, audio alone {f1_alone:.2f}")
    found = [scored(apart[random.integers(len(apart), size=n)]) for _ in range(options.repeats)]
    for name, before, values in (
        ("weighted F1", f1, [one[0] for one in found]),
        ("audio alone", f1_alone, [one[1] for one in found]),
    ):
        print(f"disturbed, {name}: {np.mean(values):.2f} +- {np.std(values):.2f} ({np.mean(values) - before:+.2f})")
    print(f"predictions that change: {100 * np.mean([one[2] != said for one in found]):.1f} %")


def differences(clips: Path, table: Path) -> Iterator[tuple[str, Array]]:
    """Clip and measured less table [8], of the clips that have all values in both."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["filename"]: row for row in csv.DictReader(file)}
    for path in sorted(clips.glob("*.wav")):
        try:
            known = np.array([float(rows[path.name][name]) for name in NAMES])
            yield path.name, np.array(list(measure(decode_audio(Clip(path))).values())) - known
        except (KeyError, ValueError, MediaProblem):
            continue  # no row, an empty cell, or nothing to measure


def disturbed(corpus: Corpus, disturbance: Array, folder: Path) -> Corpus:
    """The corpus with something added to its audio [N, 8], which is then normalised within the conversation."""
    conversations = list(corpus.conversations.values())
    tables = {}
    for name, modality in corpus.modalities.items():
        rows = np.concatenate([modality.rows(corpus.rows(c.id)) for c in conversations])
        present = np.concatenate([modality.present[corpus.rows(c.id)] for c in conversations])
        if name == "audio":
            rows = np.where(present[:, None], rows + disturbance, 0).astype(np.float32)
        tables[name] = FeatureTable(rows, present, modality.encoder)
    builder = CorpusBuilder(
        corpus.name,
        conversations,
        corpus.labels,
        {split: list(ids) for split, ids in corpus.splits.items()},
        tables,
        corpus.speakers,
    )
    normalise(builder, {"audio": "conversation"})
    return write_corpus(builder, folder)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"swap_audio.py: {error}")
