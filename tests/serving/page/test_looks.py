"""The page on narrow and wide screens, light and dark, and with a thousand utterances."""

from __future__ import annotations

import time

import pytest

from tests.serving.page.browser import Tab
from tests.serving.page.doing import NEEDED, example
from tests.serving.page.looking import ABSENT, CONTRAST, records

pytestmark = NEEDED


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(tab: Tab, width: int) -> None:
    tab.screen(width, 844)
    tab.open(tab.evaluate("location.href"))
    example(tab)
    wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert tab.evaluate(wide)
    as_list = width < 700
    assert bool(tab.texts(".list tbody tr")) == as_list
    tab.click(".list tbody tr button" if as_list else ".utterance")
    assert tab.texts(".details h3") == ["1. Nora"]
    assert tab.evaluate(wide)


@pytest.mark.parametrize("dark", [False, True])
def test_words_and_marks_stand_out(tab: Tab, dark: bool) -> None:
    tab.screen(1280, 900, dark=dark)
    names = [
        "neutral",
        "surprise",
        "fear",
        "sadness",
        "joy",
        "disgust",
        "anger",
        "excited",
        "frustrated",
        "serene",
        "odd",
    ]
    tab.evaluate(records(names))
    tab.click(".utterance", 3)
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(20, 25, 31)" if dark else "rgb(255, 255, 255)"
    )
    assert tab.evaluate(CONTRAST) == {}
    tab.click(".toolbar button", 1)
    assert tab.evaluate(CONTRAST) == {}


def test_a_thousand_utterances(tab: Tab) -> None:
    shown = tab.evaluate(records(["neutral", "joy", "anger", "sadness"], 1000))
    assert len(tab.texts(".utterance")) == 1000
    begun = time.monotonic()
    tab.click(".chip[data-key='emotions joy']")
    tab.click(".toolbar button[title^=Fit]")  # fits the screen
    tab.click(".toolbar button", 1)
    assert len(tab.texts(".list tbody tr")) == 250
    acted = 1000 * (time.monotonic() - begun)
    print(f"1,000 utterances: shown in {shown:.0f} ms; filter, zoom and list in {acted:.0f} ms")
    assert shown < 4000  # on a busy machine; alone it is a fraction of that
    assert acted < 8000


def test_everything_that_can_be_used_has_a_name(tab: Tab) -> None:
    """As a screen reader hears it."""
    example(tab)
    tab.click(".utterance")
    for more in ("", ".toolbar button[aria-pressed=false]", "#tab-live"):
        if more:
            tab.click(more)
        heard = [node for node in tab.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
        usable = [
            node for node in heard if node["role"]["value"] in ("button", "textbox", "combobox", "tab", "link", "img")
        ]
        assert len(usable) > 8
        assert [node for node in usable if not node["name"]["value"].strip()] == []
        roles = {node["role"]["value"] for node in heard}
        assert {"main", "tablist", "tab", "tabpanel", "heading"} <= roles


def test_an_utterance_with_nothing_and_absent_modalities(tab: Tab) -> None:
    """In the timeline, the list, the details, the filters and the course; with a label, that counts."""
    tab.evaluate(ABSENT)
    assert tab.texts(".utterance .emotion") == ["joy 60%", "–", "✎\u202fjoy"]
    weights = "[...document.querySelectorAll('.utterance')].map((box) => box.querySelectorAll('.weight').length)"
    assert tab.evaluate(weights) == [1, 0, 0]
    assert tab.texts(".chip[data-key^=emotions]") == ["joy\n2"]
    assert tab.texts(".chip[data-key^=uncertain]")[0].endswith("\n0")
    tab.click("[data-place='0'].utterance")
    assert tab.texts(".opinions thead th")[1:] == ["text\nweight 100%", "audio\nmissing"]
    assert [row.split()[-1] for row in tab.texts(".opinions tbody tr")] == ["–", "–"]
    for place in (1, 2):
        tab.click(f"[data-place='{place}'].utterance")
        assert "No emotion: the utterance has no text, audio or video." in tab.text(".details")
        assert tab.texts(".opinions, .details .weights") == []
    assert tab.texts(".chooser button") == ["Remove label"]  # there is nothing to confirm
    tab.click("[data-place='1'].utterance")
    assert tab.texts(".chooser button") == []
    tab.press("c")
    assert tab.texts(".utterance .emotion")[1] == "–"
    tab.press("1")
    assert tab.texts(".utterance .emotion")[1] == "✎\u202fneutral"
    tab.press("u")
    tab.click(".toolbar button", 1)
    assert tab.texts(".list .badge") == ["joy 60%", "–", "✎\u202fjoy"]
    assert tab.texts(".list .weighed") == ["text 100%", "", ""]
    assert "no emotion: the utterance has no" in tab.evaluate(
        "document.querySelectorAll('.list button')[1].getAttribute('aria-label')"
    )
    tab.click(".chip[data-key='emotions joy']")
    assert len(tab.texts(".list tbody tr")) == 2


def test_a_conversation_of_nothing(tab: Tab) -> None:
    tab.evaluate(ABSENT.replace("records)", "records.slice(1, 2))"))
    assert tab.texts(".utterance .emotion") == ["–"]
    assert tab.texts(".strips figcaption") == ["Bob"]
