"""Files and folders are whole or not there."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sdt import files
from sdt.errors import InputError
from sdt.files import atomic_file, atomic_folder, check_folder, check_writable, sha256, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_file(path) as aside:
            aside.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert names(path.parent) == ["a.txt"]
    write_text(path, "new")
    assert path.read_text() == "new"


def test_a_folder_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "corpus"

    def write(text: str, *, overwrite: bool = False, fail: bool = False) -> None:
        with atomic_folder(target, overwrite=overwrite) as aside:
            (aside / "a.txt").write_text(text)
            if fail:
                raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write("x", fail=True)
    assert names(tmp_path) == []
    write("old")
    with pytest.raises(InputError, match="exists already"):
        write("new")
    with pytest.raises(OSError, match="disk full"):
        write("new", overwrite=True, fail=True)
    assert (target / "a.txt").read_text() == "old"
    write("new", overwrite=True)
    assert (target / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["corpus"]


def test_an_empty_folder_is_filled_and_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with atomic_folder(tmp_path / "empty") as aside:
        (aside / "a").touch()
    assert names(tmp_path / "empty") == ["a"]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"), atomic_folder(tmp_path / "file"):
        pass


def test_what_cannot_be_written_is_known_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(tmp_path / "new" / "deep" / "a.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is not a folder"):
        check_writable(tmp_path / "file" / "deep" / "a.csv")
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)  # nothing is forbidden to root
    with pytest.raises(InputError, match="is not writable"):
        check_writable(tmp_path / "a.csv")
    assert names(tmp_path) == ["file"]


def test_permissions_are_the_users(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a").startswith("ba7816bf")


@contextmanager
def full_disk(room: int = 1000) -> Iterator[None]:
    """No file may be longer than `room` bytes: writing fails as on a full disk, with another number."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What is imported meanwhile would get bytecode that is cut off, which breaks every later process.
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = bytecode


def test_a_full_disk_names_what_could_not_be_written(tmp_path: Path) -> None:
    def write_folder(path: Path) -> None:
        with atomic_folder(path) as aside:
            write_text(aside / "scores.json", "x" * 2000)

    path = tmp_path / "scores"
    for write in (write_folder, lambda path: write_text(path, "x" * 2000)):
        with pytest.raises(OSError, match="too large") as caught, full_disk():
            write(path)
        assert caught.value.filename == str(path)
    assert names(tmp_path) == []


def ended_process() -> int:
    """The number of a process that does not run any more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def aside(path: Path, process: int, kind: str) -> Path:
    """What a process writes aside under the name of `path`."""
    return path.with_name(f".{path.name}.{files._HOST}-{process}-abc_1234{kind}")


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    killed, running, elsewhere = (
        aside(tmp_path / "scores", ended_process(), ".partial"),
        aside(tmp_path / "scores", os.getppid(), ".partial"),
        tmp_path / f".scores.another-host-{ended_process()}-abc_1234.partial",
    )
    for folder in (killed, running, elsewhere):
        folder.mkdir()
        (folder / "half").write_text("ha")
    file = aside(tmp_path / "a.txt", ended_process(), ".partial")
    file.write_text("ha")
    (tmp_path / ".mine.partial").touch()
    with atomic_folder(tmp_path / "scores") as written:
        (written / "whole").touch()
    assert names(tmp_path) == sorted([".mine.partial", running.name, elsewhere.name, "scores"])


def test_a_killed_replacement_brings_the_old_folder_back(tmp_path: Path) -> None:
    old = aside(tmp_path / "corpus", ended_process(), ".old")
    old.mkdir()
    (old / "a.txt").write_text("old")
    with pytest.raises(InputError, match="exists already"), atomic_folder(tmp_path / "corpus"):
        pass
    assert (tmp_path / "corpus" / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["corpus"]


def test_a_leftover_is_no_foreign_file_in_a_folder_of_results(tmp_path: Path) -> None:
    aside(tmp_path / "scores.json", ended_process(), ".partial").touch()
    check_folder(tmp_path, {"scores.json"}.__contains__, "an evaluation", overwrite=False)


def test_a_killed_writer_leaves_nothing_once_the_next_has_written(tmp_path: Path) -> None:
    program = (
        "import os, signal\nfrom pathlib import Path\nfrom sdt.files import atomic_folder\n"
        "with atomic_folder(Path('out')) as aside:\n    (aside / 'a').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    write_text(tmp_path / "other.txt", "words")
    assert names(tmp_path) == ["other.txt"]
