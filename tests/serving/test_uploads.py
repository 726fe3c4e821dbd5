"""Hostile recordings: the process that decodes them may die, hang or swell; the service goes on, and nothing stays."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from sdt.serving.predict_request import Upload, named_path, safe_file_name
from tests.encoders.clips import noise, write_clip
from tests.serving.conftest import SRT
from tests.serving.running import TERMINATED, Answer, Running, running

pytestmark = pytest.mark.slow


LONG = (("conversation", None, b'{"utterances": [{"text": "Well."}]}'),)
"""One utterance, which lasts as long as its recording."""


def decoders(service: Running) -> list[int]:
    """The service's processes that decode, but not Python's own helper."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == service.process.pid and b"spawn_main" in command:
            found.append(int(entry.name))
    return found


def state(process: int) -> str:
    """One letter; Z and X are the dead."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def limits_of(process: int) -> dict[str, list[str]]:
    """As the system states them, soft and hard."""
    lines = Path(f"/proc/{process}/limits").read_text().splitlines()[1:]
    return {line[:25].strip(): line[26:].split()[:2] for line in lines}


def post_talk(service: Running, home: Path) -> Answer:
    media = (home / "talk.wav").read_bytes()
    return service.post_parts(("transcript", "talk.srt", SRT.encode()), ("media", "talk.wav", media))


@pytest.fixture(scope="module")
def long_sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Minutes of sound, which take seconds to measure and a lot of memory."""
    return write_clip(tmp_path_factory.mktemp("long") / "long.flac", noise(400)).read_bytes()


def test_a_decoder_that_is_killed_is_replaced(home: Path, tmp_path: Path, long_sound: bytes) -> None:
    with running(home / "model", tmp_path / "t", "--decoders", "1") as service:
        expected = post_talk(service, home).json
        (first,) = decoders(service)
        answers: list[Answer] = []
        sender = threading.Thread(
            target=lambda: answers.append(service.post_parts(*LONG, ("media", "x.flac", long_sound)))
        )
        sender.start()
        until = time.monotonic() + 30
        # The process that decodes makes a link to the upload; one that dies sooner is replaced unnoticed.
        while not any(Path(path).is_symlink() for path in service.left()) and time.monotonic() < until:
            time.sleep(0.01)
        assert all(Path(path).is_dir() or Path(path).is_symlink() for path in service.left())
        os.kill(first, signal.SIGKILL)
        sender.join(60)
        error = answers[0].json["error"]
        assert (answers[0].status, error["limit"]["name"]) == (422, "decode_bytes")
        assert post_talk(service, home).json == expected
        (second,) = decoders(service)
        assert second != first
        os.kill(second, signal.SIGKILL)  # while nobody uses it: nobody notices
        until = time.monotonic() + 30
        while state(second) not in "ZX" and time.monotonic() < until:
            time.sleep(0.01)
        assert post_talk(service, home).json == expected
        assert service.left() == []
        assert 'sdt_decodes_total{how="died"} 1.0' in service.ask("GET", "/metrics").body.decode()
        assert service.stop() == TERMINATED
    assert not Path(f"/proc/{second}").exists()


def test_a_file_that_takes_too_long(home: Path, tmp_path: Path, long_sound: bytes) -> None:
    with running(home / "model", tmp_path / "t", "--decoders", "1", "--decode-seconds", "1") as service:
        post_talk(service, home)
        answer = service.post_parts(*LONG, ("media", "x.flac", long_sound))
        assert (answer.status, answer.json["error"]["limit"]) == (503, {"name": "decode_seconds", "value": 1.0})
        assert service.left() == []
        for _ in range(10):  # a busy machine may need more than a second for a short one, too
            if (last := post_talk(service, home)).status == 200:
                break
        assert last.status == 200


def test_a_file_that_takes_too_much_memory(home: Path, tmp_path: Path, long_sound: bytes) -> None:
    with running(home / "model", tmp_path / "t", "--decoders", "1", "--decode-bytes", str(40 * 2**20)) as service:
        expected = post_talk(service, home)
        assert expected.status == 200
        (decoder,) = decoders(service)
        limits = limits_of(decoder)
        assert limits["Max file size"] == limits["Max core file size"] == ["0", "0"]  # it can write no file
        assert int(limits["Max address space"][0]) > 40 * 2**20
        answer = service.post_parts(*LONG, ("media", "x.flac", long_sound))
        assert answer.status == 422, answer.body
        assert answer.json["error"]["limit"] == {"name": "decode_bytes", "value": 40 * 2**20}
        assert post_talk(service, home).json == expected.json
        assert service.left() == []


def test_nothing_stays_when_the_service_is_killed(home: Path, tmp_path: Path, long_sound: bytes) -> None:
    """Not even then is there a byte of an upload under any name; and no process stays."""
    with running(home / "model", tmp_path / "t", "--decoders", "1") as service:
        post_talk(service, home)
        (decoder,) = decoders(service)

        def send() -> None:
            with pytest.raises(OSError):
                service.post_parts(("transcript", "talk.txt", b"Ann: secret"), ("media", "x.flac", long_sound))

        sender = threading.Thread(target=send)
        sender.start()
        until = time.monotonic() + 30
        while not service.left() and time.monotonic() < until:
            time.sleep(0.01)
        service.process.kill()
        sender.join(30)
    for path in map(Path, service.left()):
        assert path.is_dir() or (path.is_symlink() and str(path.readlink()).startswith("/proc/self/fd/"))
    until = time.monotonic() + 30
    while Path(f"/proc/{decoder}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{decoder}").exists()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("chat.srt", "chat.srt"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\x.wav", "x.wav"),
        ("..", "upload"),
        ("", "upload"),
        ("a\x00b\n.wav", "a_b_.wav"),
        ("\ud800.wav", "_.wav"),
        ("ü" * 300 + ".mp4", "ü" * 120 + ".mp4"),
        ("😀" * 300 + ".mp4", "😀" * 60 + ".mp4"),
        (".wav", ".wav"),
        ("x." + "y" * 300, "x." + "y" * 118),
    ],
)
def test_plain_names(given: str, expected: str) -> None:
    assert safe_file_name(given) == expected


def test_an_upload_is_opened_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    upload = Upload.from_bytes(b"Ann: Hi", "../chat.txt")
    with named_path(upload) as path:
        assert (path.name, path.read_bytes(), path.read_bytes()) == ("chat.txt", b"Ann: Hi", b"Ann: Hi")
        assert path.is_symlink()
    upload.close()
    assert list(tmp_path.iterdir()) == []
