"""`sdt watch`: utterances in, emotions out, one by one; mistakes, interruptions and readers that go away."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.cli import watch
from sdt.conversation import Prediction, Utterance
from sdt.models.config import Architecture
from sdt.prediction.display import utterance_line
from tests.forks import fork
from tests.prediction.models import LABELS, TEXT_AUDIO, tiny_model

CHAT = "Ann: Hello!\nBob: Go away.\n\nstay\n---\nCy: Who?\nAnn:\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watch") / "model"
    tiny_model(TEXT_AUDIO, architecture=Architecture(width=16, heads=2, context="window(3)")).save_pretrained(path)
    return path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def outcome(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, given: str, *options: str
) -> tuple[int, list[dict[str, object]], str]:
    """Exit code, the objects on standard output, and standard error."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    code = main(["watch", "--model", str(folder), *options])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def test_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, found, err = outcome(monkeypatch, capsys, folder, CHAT)
    assert code == 0
    assert [(r["conversation"], r["utterance"], r["speaker"], r["text"]) for r in found] == [
        ("1", "0", "Ann", "Hello!"),
        ("1", "1", "Bob", "Go away."),
        ("1", "2", "Bob", "stay"),
        ("2", "0", "Cy", "Who?"),
    ]
    assert err.splitlines() == [
        "note: audio: not used: 'prosody' is normalised over the whole conversation, which a stream does not know; "
        "give its features",
        "note: standard input, line 7: no text, skipped",
    ]
    (tmp_path / "chat.txt").write_text("Ann: Hello!\nBob: Go away.\nBob: stay\n")
    assert main(["predict", str(tmp_path / "chat.txt"), "--model", str(folder), "--format", "jsonl"]) == 0
    predicted = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for one, other in zip(found[:3], predicted, strict=True):  # a causal model says the same of what is over
        assert one.keys() == other.keys()
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_objects_of_several_conversations(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [{"conversation": c, "speaker": "Ann", "text": f"{c} {n}"} for n in range(3) for c in "ab"]
    code, found, _ = outcome(monkeypatch, capsys, folder, "\n".join(map(json.dumps, lines)))
    assert code == 0
    assert [(r["conversation"], r["utterance"]) for r in found] == [(c, str(n)) for n in range(3) for c in "ab"]


@pytest.mark.parametrize(
    ("given", "options", "answers", "message"),
    [
        ('{"text": "a"}\n{"text"\n{"text": "b"}\n', [], 1, "sdt: standard input, line 2: not JSON"),
        ("Ann: a\n", ["--format", "json"], 0, "sdt: standard input, line 1: not JSON"),
        ('{"text": "a", "utterance": "x"}\n' * 2, [], 1, "line 2: conversation '1' already has an utterance 'x'"),
        ("Ann: a\n", ["--model", "absent"], 0, "sdt: model 'absent': neither a folder nor a bundled model"),
        ("", ["--model", "absent"], 0, "sdt: model 'absent': neither a folder nor a bundled model"),
    ],
)
def test_a_broken_line_ends_a_pipe(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str,
    options: list[str],
    answers: int,
    message: str,
) -> None:
    code, found, err = outcome(monkeypatch, capsys, folder, given, *options)
    assert (code, len(found)) == (2, answers)
    assert message in err
    assert "Traceback" not in err


def test_at_a_terminal_a_broken_line_is_told_and_skipped(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def typed() -> Iterator[str]:
        yield from ['{"text": "one"}', "{oops", '{"text": "two"}']
        raise KeyboardInterrupt

    lines = typed()
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    assert main(["watch", "--model", str(folder)]) == 130
    out, err = capsys.readouterr()
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["one", "two"]
    assert "sdt: standard input, line 2: not JSON" in err


def test_a_terminal_shows_a_line_for_each(folder: Path) -> None:
    """In a terminal of its own; the end of the input ends it."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sdt", "watch", "--model", str(folder)]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        assert b"Ctrl-D ends" in until(ours, b"> ")
        os.write(ours, b"Ann: I got the job!\n")
        shown = until(ours, b"\n> ").decode()
        os.write(ours, b"\x04")
        assert process.wait(60) == 0
    assert any(label in shown for label in LABELS)
    for part in ("Ann", "I got the job!", "%", "█", "░", "text 100%"):
        assert part in shown


def until(terminal: int, end: bytes) -> bytes:
    """What a terminal shows up to a text."""
    shown, last = b"", time.monotonic() + 120
    while end not in shown.replace(b"\r", b"") and time.monotonic() < last:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096)
    return shown


def test_each_answer_comes_at_once_and_a_reader_may_go_away(folder: Path) -> None:
    with fork("sdt", ["watch", "--model", str(folder)], text=False) as process:
        assert process.stderr
        for text in (b"one", b"two"):
            process.stdin.write(b"Ann: " + text + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text.decode()  # while the input is still open
        process.stdout.close()
        process.stdin.write(b"Ann: three\n" * 3)
        process.stdin.close()
        assert process.wait(60) == 0
        assert b"Error" not in process.stderr.read()


def test_ctrl_c_ends_a_pipe(folder: Path) -> None:
    with fork("sdt", ["watch", "--model", str(folder)], text=False) as process:
        process.stdin.write(b"Ann: one\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_a_broken_line_is_told_before_pytorch_is_there() -> None:
    code = "import sys; from sdt.__main__ import main; assert main(['watch']) == 2; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], input=b"{oops\n", capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"standard input, line 1: not JSON" in done.stderr
    assert "torch" not in vars(watch)


@pytest.mark.parametrize("width", [80, 120])
def test_a_line_of_the_terminal(width: int) -> None:
    from rich.console import Console

    console = Console(width=width, file=io.StringIO(), color_system=None)
    probabilities = {"neutral": 0.26, "joy": 0.74}
    for words in ("Hm.", None, "so " * 60):
        prediction = Prediction("c", "0", "joy", probabilities, weights={"text": 0.9, "audio": 0.1})
        console.print(utterance_line(Utterance("0", "A long name of one", words), prediction))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "███████░░░  74%" in lines[0]
    assert "text  90%  audio  10%" in lines[0]


def test_an_encoding(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("小明：你好\n".encode("gb2312"))))
    assert main(["watch", "--model", str(folder), "--encoding", "gb2312"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert [json.loads(line)[key] for key in ("speaker", "text")] == ["小明", "你好"]
