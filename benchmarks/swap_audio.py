"""The loss of a model trained on published tables of audio measurements, if `voice8` measures the sound instead.

Only some clips of MELD are available. Their differences (measurement minus table) are sampled with replacement for
every test utterance and added to its row of the table, so that the values deviate as those of new recordings would.

    python benchmarks/swap_audio.py build/meld-raw --clips media --table meld_train_audio_features.csv

The corpus has the test split, text features of the encoder of the model, and the values of the tables as audio
features, not normalised (see docs/audio.md).
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
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "corpus", type=Path, help="a corpus with the values of the tables as audio features, not normalised"
    )
    parser.add_argument("--clips", type=Path, required=True, help="a folder of wav files with the names of the table")
    parser.add_argument("--table", type=Path, required=True, help="the table with the rows of the clips")
    parser.add_argument("--model", default="english-text-audio-small")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    by_clip = dict(differences(options.clips, options.table))
    for name, difference in by_clip.items():
        print(name, *(f"{of} {value:.3f}" for of, value in zip(NAMES, difference, strict=True)))
    apart = np.array(list(by_clip.values()))
    corpus, model = Corpus.open(options.corpus), load(find_model(options.model))
    random = np.random.default_rng(0)

    def scored(noise: Array) -> tuple[float, float, npt.NDArray[np.intp]]:
        """Weighted F1 of all modalities and of audio alone, and the predictions."""
        with tempfile.TemporaryDirectory() as folder:
            made = perturbed(corpus, noise, Path(folder) / "corpus")
            both = run_model(model, made, made.split("test"))
            alone = run_model(model, made, made.split("test"), modalities=["audio"])
            all_modalities, audio_only = (outputs.probabilities["fused"].argmax(axis=1) for outputs in (both, alone))
            f1, f1_alone = (
                score(both.label, of, model.config.labels).weighted_f1 for of in (all_modalities, audio_only)
            )
        return 100 * f1, 100 * f1_alone, all_modalities

    n = len(corpus.modalities["audio"].present)
    f1, f1_alone, unchanged = scored(np.zeros((n, len(NAMES))))
    print(f"unchanged tables: weighted F1 {f1:.2f}, audio alone {f1_alone:.2f}")
    found = [scored(apart[random.integers(len(apart), size=n)]) for _ in range(options.repeats)]
    for name, before, values in (
        ("weighted F1", f1, [one[0] for one in found]),
        ("audio alone", f1_alone, [one[1] for one in found]),
    ):
        print(f"perturbed, {name}: {np.mean(values):.2f} +- {np.std(values):.2f} ({np.mean(values) - before:+.2f})")
    print(f"changed predictions: {100 * np.mean([one[2] != unchanged for one in found]):.1f} %")


def differences(clips: Path, table: Path) -> Iterator[tuple[str, Array]]:
    """Yield clip and measurement minus table [8], for clips with all values in both."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["filename"]: row for row in csv.DictReader(file)}
    for path in sorted(clips.glob("*.wav")):
        try:
            known = np.array([float(rows[path.name][name]) for name in NAMES])
            yield path.name, np.array(list(measure(decode_audio(Clip(path))).values())) - known
        except (KeyError, ValueError, MediaProblem):
            continue  # no row, an empty cell, or no voice


def perturbed(corpus: Corpus, noise: Array, folder: Path) -> Corpus:
    """Add noise [N, 8] to the audio of a corpus, and normalise it within each conversation."""
    conversations = list(corpus.conversations.values())
    tables = {}
    for name, modality in corpus.modalities.items():
        rows = np.concatenate([modality.rows(corpus.rows(c.id)) for c in conversations])
        present = np.concatenate([modality.present[corpus.rows(c.id)] for c in conversations])
        if name == "audio":
            rows = np.where(present[:, None], rows + noise, 0).astype(np.float32)
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
