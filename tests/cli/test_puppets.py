from __future__ import annotations

from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.corpus.store import Corpus
from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.generate import Scene, generate


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes of three utterances each, and no processes."""
    from sdt.puppets import generate as module

    monkeypatch.setattr(module, "SHORTEST", 3)
    monkeypatch.setattr(module, "LONGEST", 3)
    monkeypatch.setattr(module, "CAST_SIZES", {2: 1.0})
    monkeypatch.setattr("sdt.cores.usable_cores", lambda: 1)


def lacks_everything_once(scenes: list[Scene]) -> bool:
    """Whether there is a recording of each kind, a microphone that is off and a camera that is."""
    filmed = [line for scene in scenes if scene.recording == "film" for line in scene.lines]
    kinds = {scene.recording for scene in scenes}
    return len(kinds) == 3 and any(line.muted for line in filmed) and any(line.hidden for line in filmed)


@pytest.mark.usefixtures("few")
def test_generate_and_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed, few = next((seed, s) for seed in range(1000) if lacks_everything_once(s := generate(seed, 5)))
    out, folder = tmp_path / "files", tmp_path / "corpus"
    assert main(["puppets", str(out), "--conversations", "5", "--seed", str(seed)]) == 0
    assert "5 conversations, 15 utterances" in capsys.readouterr().out

    encoders = ["--text-encoder=words:64", "--audio-encoder=prosody", "--visual-encoder=faces:fps=1", "--jobs=1"]
    command = ["corpus", "import", str(out / "utterances.jsonl"), *encoders, "--cache", str(tmp_path / "cache")]
    assert main([*command, "--output", str(folder)]) == 0
    said = capsys.readouterr().out
    corpus = Corpus.open(folder)
    corpus.verify()
    assert set(corpus.labels) <= set(EMOTIONS)
    assert {name: (m.width, m.encoder) for name, m in corpus.modalities.items()} == {
        "text": (64, "words:64"),
        "audio": (174, "prosody"),
        "visual": (322, "faces:fps=1"),
    }
    assert {name: len(ids) for name, ids in corpus.splits.items()} == {"train": 3, "dev": 1, "test": 1}
    places = [(scene, line) for scene in few for line in scene.lines]
    heard = [scene.recording != "silent film" and not line.muted for scene, line in places]
    seen = [scene.recording != "sound" and not line.hidden for scene, line in places]
    assert corpus.modalities["audio"].present.tolist() == heard
    assert corpus.modalities["visual"].present.tolist() == seen
    for reason in ("no audio track", "silence", "no video track", "no face in view"):
        assert reason in said

    # A second time everything comes from the cache.
    monkeypatch.setattr("sdt.encoders.audio_prosody.describe", None)
    monkeypatch.setattr("sdt.encoders.visual.describe", None)
    assert main([*command, "--output", str(tmp_path / "again")]) == 0


@pytest.mark.usefixtures("few")
def test_a_folder_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["puppets", str(tmp_path / "files"), "--conversations", "3"]
    assert main(command) == 0
    assert main(command) == 2
    assert capsys.readouterr().err.endswith("give another folder, or --overwrite to replace it\n")
    assert main([*command, "--overwrite", "--seed", "1"]) == 0


@pytest.mark.usefixtures("few")
def test_an_interruption_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sdt.puppets.write.record", stop)
    assert main(["puppets", str(tmp_path / "files"), "--conversations", "3"]) == 130
    assert capsys.readouterr().err.startswith("sdt: stopped;")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [["--conversations", "2"], ["--seed", "-1"]])
def test_bad_numbers_are_one_line(option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["puppets", str(tmp_path / "files"), *option]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sdt: {option[0]}: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "files").exists()
