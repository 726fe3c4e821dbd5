"""What is done on the page again and again."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.serving.page.browser import BROWSER, NAMES, Tab

NEEDED = [
    pytest.mark.slow,
    pytest.mark.xdist_group("page"),
    pytest.mark.skipif(BROWSER is None, reason=f"needs a browser: one of {', '.join(NAMES)} on the path"),
]
"""Marks of all tests that need a browser."""
LABELS = ("neutral", "joy", "anger")
SAID = [
    ("Ann", "Hello there, you!"),
    ("=Bob", '=HYPERLINK("http://x"), he said'),
    ("Ann", "<b>Then</b> when & where? {\\an8}"),
    ("Zoë", "-5 degrees\u202f– “brrr”"),
]
LINES = "".join(
    json.dumps(
        {"conversation": "a talk", "utterance": f"u{k}", "speaker": who, "text": text, "start": k, "end": k + 0.8}
    )
    + "\n"
    for k, (who, text) in enumerate(SAID)
)


def example(tab: Tab) -> None:
    tab.click("#example")
    tab.until("document.querySelector('.utterance')")


def upload(tab: Tab, transcript: Path | None, recording: Path | None = None) -> None:
    if not tab.evaluate("document.querySelector('#input').open"):
        tab.click("#input summary")
    for part, file in (("#transcript", transcript), ("#recording", recording)):
        if file is not None:
            tab.choose(part, file)
    tab.click("#ask button[type=submit]")


def talk(tab: Tab, folder: Path) -> None:
    (folder / "talk.jsonl").write_text(LINES, encoding="utf-8")
    upload(tab, folder / "talk.jsonl")
    tab.until("document.querySelectorAll('.utterance').length === 4")


def marked(tab: Tab) -> list[str]:
    """The emotion in each box with the mark before it, in the order of the utterances."""
    boxes = "[...document.querySelectorAll('.utterance')].sort((a, b) => a.dataset.place - b.dataset.place)"
    found = tab.evaluate(f"{boxes}.map((box) => (box.querySelector('b') ?? box).textContent)")
    return [label.replace("\u202f", " ") for label in found]


def labels(tab: Tab) -> list[str]:
    """The same without marks."""
    return [label.split(" ", 1)[-1] for label in marked(tab)]


def saved(tab: Tab, downloads: Path, suffix: str, name: str = "a-talk") -> Path:
    """Press the button that saves, and wait for the file."""
    path = downloads / f"{name}.emotions.{suffix}"
    path.unlink(missing_ok=True)
    tab.click(f"[data-format={suffix}]")
    return downloaded(path)


def downloaded(path: Path) -> Path:
    """Wait for a file that the browser saves."""
    end = time.monotonic() + 20
    while not (path.exists() and path.stat().st_size):  # the browser reserves the name with an empty file
        assert time.monotonic() < end
        time.sleep(0.05)
    return path
