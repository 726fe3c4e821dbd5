from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prediction.models import TEXT_AUDIO, tiny_model
from tests.serving.page.browser import Tab, browser
from tests.serving.running import Running, running


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of words and sound."""
    folder = tmp_path_factory.mktemp("page-model")
    tiny_model(TEXT_AUDIO).save_pretrained(folder / "model")
    return folder / "model"


@pytest.fixture(scope="session")
def page_service(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all tests of the page."""
    options = ("--decoders", "1", "--characters", "300", "--json-bytes", "2000000")
    with running(model, tmp_path_factory.mktemp("page-temporary"), *options) as started:
        yield started
        assert started.process.poll() is None, started.log()
        assert "Traceback" not in started.log()


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser saves files."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def chromium(downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """One browser for all tests of the page."""
    with browser(
        tmp_path_factory.mktemp("profile"), "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    ) as tab:
        tab.save_to(downloads)
        yield tab


@pytest.fixture
def tab(chromium: Tab, page_service: Running) -> Iterator[Tab]:
    """The page, just opened; in the end its console has said nothing, and no other host was asked."""
    chromium.screen(1280, 900)
    chromium.complaints.clear()
    chromium.requests.clear()
    chromium.open(f"http://127.0.0.1:{page_service.port}/")
    yield chromium
    chromium.evaluate("document.title")  # hears what the console has said last
    assert chromium.complaints == []
    own = (f"http://127.0.0.1:{page_service.port}/", f"ws://127.0.0.1:{page_service.port}/", "blob:", "data:")
    assert [url for url in chromium.requests if not url.startswith(own)] == []
