from __future__ import annotations

from pathlib import Path

import pytest

from sdt.formats.parsing.decoding import MAX_LINE
from tests.formats.files import read, refused, said

TEXT = "Zoë: “Hé”\nJosé: …oui\n"
WORDS = [("Zoë", "“Hé”"), ("José", "…oui")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, line_end: str) -> None:
    transcript = read(tmp_path, "a.txt", TEXT.replace("\n", line_end).encode(encoding))
    assert said(transcript) == WORDS
    assert [note[:39] for note in transcript.notes] == (
        ["a.txt: not UTF-8: read as Windows-1252;"] if encoding == "cp1252" else []
    )


@pytest.mark.parametrize("bom", ["utf-16-le", "utf-16-be"])
def test_utf16_of_either_order(tmp_path: Path, bom: str) -> None:
    assert said(read(tmp_path, "a.txt", ("\ufeff" + TEXT).encode(bom))) == WORDS


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_with_no_mark(tmp_path: Path, encoding: str) -> None:
    transcript = read(tmp_path, "a.txt", TEXT.encode(encoding))
    assert (said(transcript), transcript.notes) == (WORDS, [])
    assert said(read(tmp_path, "b.txt", "小明：你好\n小红：我很高兴\n".encode(encoding)))[1] == ("小红", "我很高兴")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_tables_in_other_encodings(tmp_path: Path, name: str, encoding: str) -> None:
    content = {
        "a.csv": "speaker,text\nZoë,“Hé”\nJosé,…oui\n",
        "a.tsv": "speaker\ttext\nZoë\t“Hé”\nJosé\t…oui\n",
        "a.jsonl": '{"speaker": "Zoë", "text": "“Hé”"}\n{"speaker": "José", "text": "…oui"}\n',
    }[name]
    assert said(read(tmp_path, name, content.encode(encoding))) == WORDS


def test_control_characters_of_meld_are_repaired(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.txt", "Ross: don\x92t\x85\n")
    assert said(transcript) == [("Ross", "don’t…")]
    assert transcript.notes == ["a.txt: Windows-1252 control characters repaired: 2"]
    assert said(read(tmp_path, "a.jsonl", r'{"speaker": "Ross", "text": "don\u0092t"}')) == [("Ross", "don’t")]


@pytest.mark.parametrize("content", ["", "\n \n\t\n", "\ufeff", "\ufeff\r\n"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.srt", "a.vtt"])
def test_empty_files(tmp_path: Path, name: str, content: str) -> None:
    assert "the file is empty" in refused(tmp_path, name, content)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x00\x00\x00\x20ftypisom", "an MP4 or MOV recording"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"RIFF\x24\x00\x00\x00WAVE", "a WAV or AVI recording"),
        (b"ID3\x03", "an MP3 recording"),
        (b"PK\x03\x04word", "a ZIP archive or office document"),
        (b"%PDF-1.7", "a PDF document"),
        (b"{\\rtf1\\ansi Ann: Hi}", "an RTF document"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.mp4", "a.csv"])
def test_recordings_and_documents_are_named(tmp_path: Path, name: str, head: bytes, kind: str) -> None:
    assert f"this is {kind}, not a transcript" in refused(tmp_path, name, head + bytes(range(256)))


def test_other_binary_files(tmp_path: Path) -> None:
    assert "a.txt, line 2: contains a NUL byte" in refused(tmp_path, "a.txt", b"words\nmore\0words")


def test_a_huge_line(tmp_path: Path) -> None:
    message = refused(tmp_path, "a.txt", "short\n" + "a" * (MAX_LINE + 1))
    assert "a.txt, line 2: 100,001 characters" in message
    assert len(message) < 200


def test_half_a_utf16_character(tmp_path: Path) -> None:
    assert "byte order mark of UTF-16" in refused(tmp_path, "a.txt", "Ann: hi".encode("utf-16") + b"a")


def test_no_such_file(tmp_path: Path) -> None:
    from sdt.errors import InputError
    from sdt.formats import read_transcript

    with pytest.raises(InputError, match="cannot be read"):
        read_transcript(tmp_path / "none.txt")
    with pytest.raises(InputError, match="is a folder"):
        read_transcript(tmp_path)
