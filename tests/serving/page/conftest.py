from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.encoders.clips import noise, write_clip
from tests.prediction.models import TEXT_AUDIO, tiny_model
from tests.serving.fake_speech import install
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
    path = install(tmp_path_factory.mktemp("page-site"))
    temporary = tmp_path_factory.mktemp("page-temporary")
    with running(model, temporary, *options, transcriber="fake:normal", PYTHONPATH=path) as started:
        yield started
        assert started.process.poll() is None, started.log()
        assert "Traceback" not in started.log()


def spoken() -> npt.NDArray[np.float32]:
    """What the microphone hears, again and again: a pause, and something loud."""
    return np.concatenate([noise(1.5, rate=48000) * 0.002, noise(1.5, rate=48000)], axis=1)


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser saves files."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def chromium(downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """One browser for all tests of the page."""
    voice = write_clip(tmp_path_factory.mktemp("voice") / "voice.wav", spoken(), rate=48000)
    flags = (
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={voice}",
    )
    with browser(tmp_path_factory.mktemp("profile"), *flags) as tab:
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
