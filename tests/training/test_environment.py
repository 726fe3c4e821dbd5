"""Which commit a run was made with."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import sdt
from sdt.training.environment import commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, with one commit."""
    folder = tmp_path / "src" / "sdt"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    monkeypatch.setattr(sdt, "__file__", str(folder / "__init__.py"))
    return folder


def test_a_checkout(package: Path, tmp_path: Path) -> None:
    head = git(tmp_path, "rev-parse", "HEAD")
    assert re.fullmatch("[0-9a-f]{40}", head)
    assert commit() == head
    git(tmp_path, "tag", "v1")
    assert commit() == head
    (package / "__init__.py").write_text("# changed")
    assert commit() == f"{head}-dirty"


def test_an_installed_package_in_somebody_elses_repository(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "lib" / "sdt"
    installed.mkdir(parents=True)
    monkeypatch.setattr(sdt, "__file__", str(installed / "__init__.py"))
    assert commit() is None
    monkeypatch.setattr(sdt, "__file__", str(package / "__init__.py"))
    shutil.rmtree(tmp_path / ".git")
    assert commit() is None
