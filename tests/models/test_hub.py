"""Where a model's name leads. No test asks the network: the hub's functions are replaced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from sdt.errors import InputError
from sdt.models import hub
from sdt.models.sdt.model import SDT
from tests.models.build import small_model


class Hub:
    """What was asked of the hub, and what it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[Any, ...]] = []
        self.error: Exception | None = None

    def snapshot_download(self, name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        self.asked.append((name, revision))
        assert "model.safetensors" in allow_patterns
        if self.error:
            raise self.error
        return str(self.folder)

    def create_repo(self, name: str, *, private: bool, exist_ok: bool) -> str:
        self.asked.append((name, private, exist_ok))
        if self.error:
            raise self.error
        return f"https://hub/{name}"

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
        assert commit_message
        self.asked.append((repo_id, sorted(path.name for path in folder_path.iterdir())))
        self.uploaded = SDT.from_pretrained(folder_path)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    small_model().save_pretrained(tmp_path / "cache", "# Card\n")
    found = Hub(tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", found.snapshot_download)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: found)
    monkeypatch.chdir(tmp_path)
    return found


def test_a_hub_id_is_fetched(remote: Hub) -> None:
    assert SDT.from_pretrained("owner/name", revision="v1").config == small_model().config
    assert SDT.from_pretrained("owner/name").config == small_model().config
    assert remote.asked == [("owner/name", "v1"), ("owner/name", None)]


def test_nothing_else_asks_the_hub(remote: Hub, tmp_path: Path) -> None:
    small_model(seed=1).save_pretrained(tmp_path / "runs" / "mine")
    assert SDT.from_pretrained("runs/mine").config == small_model().config
    for name in (
        "runs/mien",
        Path("owner/name"),
        "./owner/name",
        "owner/name/more",
        str(tmp_path / "absent"),
        "absent",
    ):
        with pytest.raises(InputError, match="neither a"):
            SDT.from_pretrained(name)
    assert remote.asked == []
    with pytest.raises(InputError, match="runs/mine: --revision"):
        SDT.from_pretrained("runs/mine", revision="v1")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (LocalEntryNotFoundError("no such file in the cache"), "the hub cannot be reached (LocalEntryNotFoundError)"),
        (ConnectionError("offline"), "the hub cannot be reached (ConnectionError)"),
        (
            RepositoryNotFoundError("404 Client Error.\nmore", response=MagicMock()),
            "on the hub (404 Client E",
        ),
    ],
)
def test_offline_and_absent_say_so_in_one_line(remote: Hub, error: Exception, message: str) -> None:
    remote.error = error
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        SDT.from_pretrained("owner/name")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="owner/name: cannot be uploaded"):
        small_model().push_to_hub("owner/name")


def test_push(remote: Hub) -> None:
    assert small_model().push_to_hub("owner/name", "# My model\n", private=True) == "https://hub/owner/name"
    small_model().push_to_hub("owner/name")
    assert remote.uploaded.config == small_model().config
    assert remote.asked == [
        ("owner/name", True, True),
        ("owner/name", ["README.md", "config.json", "model.safetensors"]),
        ("owner/name", False, True),
        ("owner/name", ["config.json", "model.safetensors"]),
    ]
    with pytest.raises(InputError, match="'name' is not a hub id"):
        small_model().push_to_hub("name")


def test_the_box(remote: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "bundled_models", lambda: {hub.DEFAULT: remote.folder})
    assert SDT.from_pretrained(hub.DEFAULT).config == small_model().config
    assert SDT.from_pretrained("meld-text-audio-small").config == small_model().config  # its former name
    with pytest.raises(InputError, match=f"did you mean '{hub.DEFAULT}'"):
        SDT.from_pretrained(hub.DEFAULT[:-1])
    monkeypatch.setattr(hub, "bundled_models", dict)
    with pytest.raises(InputError, match="not part of this installation"):
        SDT.from_pretrained(hub.DEFAULT)
