"""The live tab: a conversation is typed, over connections that break."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.serving.page.browser import Tab
from tests.serving.page.doing import NEEDED
from tests.serving.page.standin import StandIn, standing_in

pytestmark = NEEDED
NETWORK = "WebSocket"
"""What the browser itself complains of when a connection cannot be made."""


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with standing_in() as standin:
        yield standin


@pytest.fixture
def live(chromium: Tab, standin: StandIn) -> Iterator[Tab]:
    """The live tab of a service that does as it is told."""
    chromium.screen(1280, 900)
    chromium.complaints.clear()
    chromium.open(f"http://127.0.0.1:{standin.port}/")
    chromium.click("#tab-live")
    connected(chromium)
    yield chromium
    chromium.evaluate("document.title")
    assert [line for line in chromium.complaints if NETWORK not in line] == []
    chromium.open("about:blank")


def connected(tab: Tab) -> None:
    tab.until("document.querySelector('#connection').textContent === 'Connected'")


def say(tab: Tab, *words: str) -> None:
    for one in words:
        tab.evaluate("document.querySelector('#words').focus()")
        tab.write(one)
        tab.press("Enter")


def answered(tab: Tab, number: int) -> None:
    tab.until(f"document.querySelectorAll('#live-found .utterance').length === {number}")
    tab.until("document.querySelector('#pending').textContent === ''")


def test_a_conversation_is_typed(live: Tab, standin: StandIn) -> None:
    assert live.evaluate("document.activeElement.id") == "words"
    say(live, "Hello <b>you</b>!")
    answered(live, 1)
    assert live.text("#said") == "Speaker 1: neutral 60%"
    live.click("#newcomer")
    live.write("Ann")
    live.press("Enter")
    assert live.evaluate("document.activeElement.id") == "words"
    say(live, "Well,", "hello.")
    answered(live, 3)
    assert live.texts("#live-found .lane-name span") == ["Speaker 1", "Ann"]
    assert [said["text"] for said in next(iter(standin.talks.values()))] == ["Hello <b>you</b>!", "Well,", "hello."]
    live.click("#live-found [data-place='1'].utterance")  # what can be done with files can be done here
    live.press("3")
    assert "1 corrected, not saved" in live.text("#live-found .toolbar")
    say(live, "")
    assert len(next(iter(standin.talks.values()))) == 3


@pytest.mark.parametrize("mishap", ["deaf", "mute"])
def test_a_lost_connection_is_made_again_and_nothing_is_lost_or_doubled(
    live: Tab, standin: StandIn, mishap: str
) -> None:
    standin.mishaps = {1: mishap, 2: mishap}
    say(live, "one", "two", "three", "four")
    answered(live, 4)
    connected(live)
    assert standin.connections >= 3
    assert live.texts("#live-found .utterance .words") == ["one", "two", "three", "four"]
    assert [said["text"] for said in next(iter(standin.talks.values()))] == ["one", "two", "three", "four"]


def test_a_service_that_has_lost_the_conversation_is_told_it_again(live: Tab, standin: StandIn) -> None:
    say(live, "one", "two")
    answered(live, 2)
    standin.talks.clear()
    standin.mishaps = {2: "deaf"}
    say(live, "three")
    answered(live, 3)
    assert [said["text"] for said in next(iter(standin.talks.values()))] == ["one", "two", "three"]


def test_a_refusal_gives_the_words_back(live: Tab, standin: StandIn) -> None:
    standin.mishaps = {1: "refused"}
    say(live, "one", "two")
    live.until("!document.querySelector('#live-error').hidden")
    assert live.text("#live-error") == "that cannot be said"
    assert live.evaluate("document.querySelector('#words').value") == "two"
    live.press("Enter")
    answered(live, 2)
    assert live.texts("#live-error") == []


def test_after_silence_it_goes_on_with_the_next_word(live: Tab, standin: StandIn) -> None:
    standin.mishaps = {0: 4002}
    say(live, "one")
    live.until("document.querySelector('#connection').textContent.startsWith('Paused')")
    before = standin.connections
    say(live, "two")
    answered(live, 2)
    assert standin.connections == before + 1


def test_the_conversation_is_forgotten(live: Tab, standin: StandIn) -> None:
    say(live, "one")
    answered(live, 1)
    (first,) = standin.talks
    live.click("#forget")
    live.until("!document.querySelector('#live-found .view')")
    connected(live)
    say(live, "two")
    answered(live, 1)
    assert first not in standin.talks
    assert [said["text"] for talk in standin.talks.values() for said in talk] == ["two"]


def test_with_the_real_service(tab: Tab) -> None:
    tab.click("#tab-live")
    connected(tab)
    say(tab, "Hello there!", "Is anybody here?")
    answered(tab, 2)
    assert tab.text("#said").startswith("Speaker 1: ")
    tab.click("#forget")
    tab.until("!document.querySelector('#live-found .view')")
    connected(tab)


def test_the_token_is_asked_for(chromium: Tab, standin: StandIn) -> None:
    standin.token = "s3cret?>~"
    chromium.call("Page.navigate", url=f"http://127.0.0.1:{standin.port}/")
    chromium.until("document.querySelector('#token').open")
    chromium.write("wrong")
    chromium.press("Enter")
    chromium.until("document.querySelector('#token-why').textContent.includes('token is wrong')")
    chromium.until("document.querySelector('#token').open")
    chromium.write(standin.token)
    chromium.press("Enter")
    chromium.until("document.documentElement.dataset.ready !== undefined")
    chromium.click("#tab-live")
    connected(chromium)
    sent = base64.urlsafe_b64encode(standin.token.encode()).decode().rstrip("=")
    assert standin.protocols[-1] == ["sdt.v1", f"bearer.{sent}"]
    assert standin.token not in chromium.evaluate("JSON.stringify({...localStorage})")
    chromium.open(f"http://127.0.0.1:{standin.port}/")  # it is not asked for again
    assert chromium.evaluate("document.querySelector('#token').open") is False
    refused = [line for line in chromium.complaints if "401" not in line and NETWORK not in line]
    assert refused == []
    chromium.evaluate("sessionStorage.clear()")
