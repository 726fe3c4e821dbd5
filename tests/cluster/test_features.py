"""Features made on a cluster are the bytes of those made here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("av")

from sdt.__main__ import main
from sdt.cluster import work
from sdt.encoders import clustered
from sdt.encoders.chunks import CHUNK
from sdt.encoders.workers import CRASHED
from tests.cluster.dying import make_dying_encoder
from tests.cluster.units import ALWAYS, ASKED, killing
from tests.encoders.clips import noise, write_clip

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

SAID = (
    "Yes.",
    "No, never, not with me!",
    "Yes.",
    "Why?",
    "No, never, not with me!",
    "Let me see.",
    "Oh.",
    "Yes.",
    "Hm",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a transcript, in which words come twice, and its clips, one of them broken."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(CHUNK, "text", 2)
    monkeypatch.setitem(CHUNK, "audio", 2)
    (tmp_path / "chat.txt").write_text("".join(f"Ann: {text}\n" for text in SAID), encoding="utf-8")
    for number in range(len(SAID)):
        write_clip(tmp_path / f"chat_{number}.wav", noise(0.3 + 0.1 * number, seed=number))
    (tmp_path / "chat_3.wav").write_bytes(b"RIFF, but no more")
    return tmp_path


def extracted(capsys: pytest.CaptureFixture[str], output: str, *options: str) -> tuple[int, str, str]:
    encoders = [] if "--encoder" in options else ["--encoder", "minilm", "--encoder", "prosody"]
    command = ["features", "extract", "chat.txt", "--media", ".", *encoders, "--output", output]
    code = main([*command, "--cache", f"{output}-cache", *options])
    out, err = capsys.readouterr()
    return code, out.replace(output, "OUTPUT"), err


def files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_the_same_bytes_though_a_worker_is_killed(
    head: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = extracted(capsys, "one")
    assert one[0] == 0
    monkeypatch.setattr(clustered, "make_encoder", make_dying_encoder)
    with killing("chat/5") as killed:
        two = extracted(capsys, "two", "--cluster", head, "--workers", "2")
    assert len(killed) == 1
    assert two[:2] == one[:2]
    assert two[2] == "sdt: minilm: utterance chat/5: its worker crashed, possibly because of low memory; restarted\n"
    assert files("one").keys() == {"utterances.jsonl", "text.npz", "audio.npz", "problems.txt"}
    assert files("one") == files("two")


@pytest.mark.skipif(not os.environ.get("SDT_LONG_TESTS"), reason="test_work has the same of any unit: SDT_LONG_TESTS=1")
def test_a_chunk_of_a_model_that_ends_every_worker(
    head: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustered, "make_encoder", make_dying_encoder)
    monkeypatch.setattr(work, "TRIES", 1)
    ALWAYS.write_text("chat/1")
    options = ("--encoder", "words:16", "--cluster", head)
    code, out, err = extracted(capsys, "two", *options)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == (
        "sdt: given up after 1 tries: words:16: utterances chat/0 to chat/1: its worker crashed, possibly because of "
        "low memory; all other units are complete and stored in the cache"
    )
    assert not Path("two").exists()
    ALWAYS.unlink()
    ASKED.unlink()
    assert extracted(capsys, "two", *options)[0] == 0
    assert ASKED.read_text().split() == ["chat/0", "chat/1"]
    assert extracted(capsys, "one", "--encoder", "words:16")[0] == 0
    assert files("one") == files("two")


def test_a_clip_that_ends_every_worker_is_missing(
    head: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustered, "make_encoder", make_dying_encoder)
    monkeypatch.setattr(work, "TRIES", 1)
    ALWAYS.write_text("chat/1")
    code, out, _ = extracted(capsys, "two", "--encoder", "prosody", "--cluster", head)
    assert code == 0
    assert f"{CRASHED} (chat/1)" in out
    said = Path("two/problems.txt").read_text(encoding="utf-8")
    assert f"audio: chat/1: {CRASHED}\n" in said
    assert "chat/0" not in said


def test_mistakes_are_those_of_one_process(head: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in (("--encoder", "prosodi"), ("--encoder", "words", "--media", "absent")):
        one = extracted(capsys, "x", *options)
        assert one[0] == 2
        assert one == extracted(capsys, "x", *options, "--cluster", head)
