"""A transcript format in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.formats import losses, write_transcript
from sdt.formats.overview import rows
from sdt.formats.read import FORMATS, read_transcript, read_transcripts
from tests.plugin_packages import install_plugin

SLASHES = """
from sdt.formats.format import Holds
from sdt.formats.read import Format
from sdt.formats.transcript import Turn

def read(path, decoded):
    lines = enumerate(decoded.text.splitlines(), start=1)
    return [Turn(number, text, speaker) for number, line in lines for speaker, text in [line.split("/", 1)]], []

def write(transcript, path):
    return (f"{utterance.speaker}/{utterance.text}\\n" for _, utterance, _ in transcript.rows())

FORMAT = Format(
    "slashes", (".slash",), lambda decoded: decoded.text.startswith("//"), False, read, write=write,
    holds=Holds.SPEAKERS | Holds.TEXT | Holds.UNTIMED | Holds.ORDER | Holds.OVERLAPS,
)
"""


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    points = {"sdt.formats": {"slashes": "slash_format:FORMAT"}}
    install_plugin(tmp_path / "site", monkeypatch, "slash-format", points, slash_format=SLASHES)
    path = tmp_path / "chats" / "chat.slash"
    path.parent.mkdir()
    path.write_text("Ann/Hello\nBob/Good morning\n")
    return path


def test_a_format_of_a_package_is_recognised_by_its_suffix(chat: Path) -> None:
    for transcript in (read_transcript(chat), read_transcripts(chat.parent), read_transcript(chat, format="slashes")):
        (conversation,) = transcript.conversations
        assert [(u.speaker, u.text) for u in conversation.utterances] == [("Ann", "Hello"), ("Bob", "Good morning")]
    assert list(FORMATS)[-1] == "slashes"


def test_a_broken_package_is_named(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"sdt.formats": {"broken": "missing_format:FORMAT"}}
    install_plugin(chat.parent.parent / "other", monkeypatch, "broken-format", points)
    plain = chat.with_suffix(".txt")
    plain.write_text("Ann: Hello\n")
    assert len(read_transcript(plain).conversations) == 1
    with pytest.raises(InputError, match="broken-format"):
        read_transcript(chat)


def test_a_format_of_a_package_is_written(chat: Path, tmp_path: Path) -> None:
    transcript = read_transcript(chat)
    assert losses(transcript, FORMATS["slashes"]) == []
    write_transcript(tmp_path / "again.slash", transcript)
    assert (tmp_path / "again.slash").read_bytes() == chat.read_bytes()
    assert "slashes" in [name for _, name, *_ in rows()]
