"""Files and folders are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.files import atomic_file, atomic_folder, check_writable, sha256, write_text


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
    with pytest.raises(InputError, match="nothing may be written to"):
        check_writable(tmp_path / "a.csv")
    assert names(tmp_path) == ["file"]


def test_permissions_are_the_users(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a").startswith("ba7816bf")
