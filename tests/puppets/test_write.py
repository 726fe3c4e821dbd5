"""The folder that `sdt puppets` makes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from sdt.errors import InputError, MissingDependencyError
from sdt.files import sha256
from sdt.formats.read import read_transcript
from sdt.media.audio import decode_audio
from sdt.media.clip import Clip
from sdt.media.recordings import find_recordings
from sdt.media.video import decode_frames
from sdt.puppets.generate import Scene, generate
from sdt.puppets.write import write

KEYS = ["conversation", "utterance", "order", "speaker", "label", "split", "text", "start", "end", "media"]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Three short scenes."""
    return sorted(generate(0, 20), key=lambda scene: scene.seconds)[:3]


@pytest.fixture(scope="module")
def folder(scenes: list[Scene], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("puppets") / "out"
    told: list[tuple[float, float]] = []
    write(scenes, folder, progress=lambda done, total: told.append((done, total)))
    assert len(told) == 3
    assert told[-1][0] == pytest.approx(told[-1][1]) == pytest.approx(sum(scene.seconds for scene in scenes))
    return folder


def test_a_line_for_every_utterance_with_its_recording(scenes: list[Scene], folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "utterances.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(list(line) == KEYS for line in lines)
    assert [(line["conversation"], line["utterance"]) for line in lines] == [
        (scene.conversation.id, said.id) for scene in scenes for said in scene.conversation.utterances
    ]
    assert all((folder / line["media"]).is_file() for line in lines)
    assert len(list(folder.iterdir())) == 1 + 2 * len(scenes)


def test_the_subtitles_are_a_transcript_of_what_was_understood(scenes: list[Scene], folder: Path) -> None:
    for scene in scenes:
        transcript = read_transcript(folder / f"{scene.conversation.id}.vtt")
        [read] = transcript.conversations
        said = [one for one in scene.conversation.utterances if one.text]
        assert [(one.id, one.speaker, one.text) for one in read.utterances] == [
            (one.id, one.speaker, one.text) for one in said
        ]
        for found, wanted in zip(read.utterances, said, strict=True):
            assert (found.start, found.end) == pytest.approx((wanted.start, wanted.end), abs=1e-3)
        assert find_recordings([read], {}, folder).clip(read.id, said[0].id, "audio"), "found beside it, by its name"


def test_several_processes_record_the_same(scenes: list[Scene], folder: Path, tmp_path: Path) -> None:
    write(scenes, tmp_path / "out", processes=2)
    for path in sorted(folder.iterdir()):
        other = tmp_path / "out" / path.name
        if path.suffix in (".jsonl", ".vtt"):
            assert sha256(path) == sha256(other)
            continue
        if path.suffix == ".mp4":
            for (_, one), (_, two) in zip(decode_frames(Clip(path), 2), decode_frames(Clip(other), 2), strict=True):
                np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(decode_audio(Clip(path)).samples, decode_audio(Clip(other)).samples)


def test_a_folder_in_use_is_refused_and_kept(scenes: list[Scene], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match="exists already"):
        write(scenes, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_overwrite_replaces_and_a_failure_leaves_what_was_there(
    scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old.npy").write_bytes(b"")

    def stop(done: float, total: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(scenes[:1], out, overwrite=True, progress=stop)
    assert [path.name for path in out.iterdir()] == ["old.npy"]
    write(scenes[:1], out, overwrite=True)
    assert not (out / "old.npy").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_without_the_extra_nothing_is_begun(
    scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"sdt-erc\[media\]"):
        write(scenes, tmp_path / "out")
    assert not list(tmp_path.iterdir())
