"""The page with a recording and no transcript: its words, its waveform, its editor, and the microphone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from tests.encoders.clips import noise, write_clip
from tests.serving.page.browser import Tab
from tests.serving.page.doing import LABELS, NEEDED, saved, upload
from tests.serving.page.looking import CONTRAST

pytestmark = NEEDED
SHADOW = "document.querySelector('.surface > div').shadowRoot"
REGIONS = f"[...{SHADOW}.querySelectorAll('[part~=region]')]"
FIELDS = "[...document.querySelectorAll('.editor input')].map((field) => field.value)"
"""The speaker, the start and the end in the editor."""
CURSOR = f"{SHADOW}.querySelector('.cursor').style.left"
OTHER_POLICY = "(() => { try { trustedTypes.createPolicy('other', {}); return true } catch { return false } })()"
WORDS = "well I never did."


def record(tab: Tab, folder: Path, seconds: float = 6.5, name: str = "call.wav") -> None:
    """Have the page transcribe a recording: four utterances of two speakers."""
    write_clip(folder / name, noise(seconds))
    upload(tab, None, folder / name)
    tab.until("document.querySelector('.view')")
    tab.until(f"{REGIONS}.length === document.querySelectorAll('.utterance').length")


def look(tab: Tab, place: int) -> None:
    tab.click(f"[data-place='{place}'].utterance")
    tab.evaluate("document.querySelector('.editor').open = true")


def fill(tab: Tab, selector: str, value: str) -> None:
    """Replace the content of a field, and leave it."""
    tab.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
    tab.write(value)
    tab.evaluate("document.activeElement.blur()")


def up_to_date(tab: Tab) -> None:
    tab.until("document.querySelector('.again').textContent === ''")


def said(tab: Tab) -> list[str]:
    return cast(
        list[str],
        tab.evaluate(
            "[...document.querySelectorAll('.utterance')].sort((a, b) => a.dataset.place - b.dataset.place)"
            ".map((box) => box.querySelector('.words').textContent)"
        ),
    )


def asked(tab: Tab) -> int:
    tab.evaluate("document.title")
    return sum("/v1/predict" in url for url in tab.requests)


def test_a_recording_alone(tab: Tab, tmp_path: Path) -> None:
    tab.evaluate(
        "window.stages = []; new MutationObserver(() => stages.push(document.querySelector('#stage').textContent))"
        ".observe(document.querySelector('#stage'), {childList: true})"
    )
    tab.screen(1280, 900)
    record(tab, tmp_path)
    assert tab.text(".view h2") == "call"
    assert said(tab) == [WORDS] * 4
    assert tab.texts(".lane-name span") == ["SPEAKER_00", "SPEAKER_01"]
    tab.evaluate("document.querySelector('.notes').open = true")
    assert "fake normal" in tab.text(".notes")
    assert tab.texts(".waveform > p") == []  # it is drawn
    assert tab.evaluate(f"{SHADOW}.querySelectorAll('canvas').length") > 0
    assert tab.evaluate(f"getComputedStyle({SHADOW}.querySelector('.progress')).position") == "absolute"
    tab.click("[data-place='1'].utterance")
    assert tab.texts(".quote .word") == WORDS.split()
    assert tab.texts(".quote .doubtful") == ["never"]
    tab.click(".toolbar button", 1)
    assert tab.texts(".list tr[data-place='0'] .doubtful") == ["never"]
    assert "uncertain" in tab.text(".legend:last-of-type")


def test_playing(tab: Tab, tmp_path: Path) -> None:
    record(tab, tmp_path)
    media = "document.querySelector('video')"
    tab.click("[data-place='1'].utterance")
    tab.until(f"{media}.readyState >= 2")
    tab.evaluate(f"{media}.addEventListener('pause', () => (window.stopped = {media}.currentTime))")
    tab.click(".quote .word", 1)  # from 2.0 to 2.3 s
    tab.until("window.stopped")
    assert 2.3 <= tab.evaluate("window.stopped") < 4  # a busy browser stops late
    tab.evaluate("document.querySelector('.details h3').focus()")
    tab.press("k")
    tab.until(f"!{media}.paused && document.querySelector('.waveform button').textContent.includes('Pause')")
    before = tab.evaluate(CURSOR)
    tab.until(f"{CURSOR} !== {json.dumps(before)}")
    tab.press(" ")
    tab.until(f"{media}.paused")
    speed = "document.querySelector('.waveform select')"
    tab.evaluate(f"{speed}.value = '2'; {speed}.dispatchEvent(new Event('change'))")
    assert tab.evaluate(f"{media}.playbackRate") == 2
    tab.press("l")
    assert tab.evaluate("document.querySelector('.waveform [aria-pressed]').getAttribute('aria-pressed')") == "true"
    tab.evaluate(f"window.back = 0; {media}.addEventListener('seeking', () => (window.back += 1))")
    tab.press("p")
    tab.until("window.back >= 3")  # it begins again and again
    assert tab.evaluate(f"{media}.currentTime") < 5
    tab.press("p", "l")
    tab.until(f"{media}.paused")


def test_editing_predicts_again(tab: Tab, tmp_path: Path) -> None:
    record(tab, tmp_path)
    look(tab, 1)
    before = asked(tab)
    fill(tab, ".editor textarea", "well I surely never did!")
    assert said(tab)[1] == "well I surely never did!"
    up_to_date(tab)
    assert asked(tab) == before + 1
    titles = tab.evaluate("[...document.querySelectorAll('.quote .word')].map((word) => word.title)")
    assert titles[0] == "0:01.6 – 0:01.9"
    assert titles[2] == "0:02.3 – 0:02.4"  # between its neighbours
    fill(tab, ".editor input", "Ann")
    tab.click(".editor button", 3)
    assert tab.texts(".lane-name span") == ["SPEAKER_00", "Ann"]
    assert tab.text(".details h3") == "2. Ann"
    tab.evaluate("const t = document.querySelector('.editor textarea'); t.focus(); t.setSelectionRange(7, 7)")
    tab.click(".editor button", 0)
    assert said(tab)[1:3] == ["well I", "surely never did!"]
    assert tab.texts(".quote .word") == ["well", "I"]
    assert tab.evaluate(FIELDS) == ["Ann", "1.6", "2.3"]
    up_to_date(tab)
    tab.click(".editor button", 1)
    assert said(tab)[1] == "well I surely never did!"
    tab.evaluate("document.querySelector('.details h3').focus()")
    tab.press("u")
    assert said(tab)[1:3] == ["well I", "surely never did!"]
    tab.press("u", "u", "u")
    assert said(tab) == [WORDS] * 4
    assert tab.texts(".lane-name span") == ["SPEAKER_00", "SPEAKER_01"]
    up_to_date(tab)
    assert len(tab.texts(".opinions tbody tr")) == len(LABELS)


def test_long_recordings(tab: Tab, tmp_path: Path) -> None:
    """No waveform of one that is too long; of long conversations, what is around an edit is predicted again."""
    script = """(async () => {
      const [{ peaksOf }, { Repredict }] = [await import('/page/peaks.js'), await import('/page/repredict.js')];
      const { Conversation } = await import('/page/conversation.js');
      const records = Array.from({ length: 10 }, (_, k) => ({ conversation: 'c', utterance: `${k}`, speaker: 'A' }));
      const conversation = new Conversation('c', [], records);
      const repredict = new Repredict(conversation, { recording: null, limits: { utterances: 4 } });
      const windows = [0, 6, 9].map((place) => ((repredict.place = place), repredict.window().map((item) => item.id)));
      const broken = new File(['no sound'], 'a.wav');
      return [await peaksOf(broken, 601), await peaksOf(broken, 1), windows];
    })()"""
    assert tab.evaluate(script) == [None, None, [[*"0123"], [*"4567"], [*"6789"]]]


def test_an_edge_of_a_region_is_dragged(tab: Tab, tmp_path: Path) -> None:
    record(tab, tmp_path)
    look(tab, 1)
    tab.until(f"{REGIONS}.some((one) => one.querySelector('[part~=region-handle-right]'))")
    tab.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    place = tab.evaluate(
        f"(() => {{ const box = {REGIONS}[1].querySelector('[part~=region-handle-right]').getBoundingClientRect();"
        "return [box.x + box.width / 2, box.y + 30] })()"
    )
    for kind, step in (("Pressed", 0), ("Moved", 5), ("Moved", 10), ("Moved", 20), ("Released", 20)):
        where = {"x": place[0] + step, "y": place[1]}
        tab.call("Input.dispatchMouseEvent", type=f"mouse{kind}", **where, button="left", buttons=1, clickCount=1)
    tab.until(f"Number({FIELDS}[2]) > 3.15")
    assert float(tab.evaluate(FIELDS)[2]) < 3.6
    up_to_date(tab)
    tab.evaluate("document.querySelector('.details h3').focus()")
    tab.press("u")
    assert tab.evaluate(FIELDS)[2] == "3.1"
    up_to_date(tab)


def test_words_and_the_annotator_are_saved_and_opened_again(tab: Tab, downloads: Path, tmp_path: Path) -> None:
    record(tab, tmp_path)
    fill(tab, ".annotator", "Ada")
    look(tab, 1)
    fill(tab, ".editor input", "Ann")
    tab.click(".editor button", 3)
    up_to_date(tab)
    tab.evaluate("document.querySelector('.details h3').focus()")
    tab.press("c")
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in saved(tab, downloads, "jsonl", "call").read_text("utf-8").splitlines()
    ]
    assert [row.get("annotator") for row in rows] == [None, "Ada", None, None]
    assert [row["speaker"] for row in rows] == ["SPEAKER_00", "Ann"] * 2
    assert [[word["text"] for word in row["words"]] for row in rows] == [WORDS.split()] * 4
    assert all("features" not in row for row in rows)
    table = saved(tab, downloads, "csv", "call").read_text("utf-8-sig").splitlines()
    assert table[0].split(",")[8] == "annotator"
    assert ",confirmed,Ada," in table[2]
    tab.open(tab.evaluate("location.href"))
    assert tab.evaluate("document.querySelector('#ask').isConnected")
    upload(tab, downloads / "call.emotions.jsonl", tmp_path / "call.wav")
    tab.until("document.querySelectorAll('.utterance').length === 4")
    assert tab.evaluate("document.querySelector('.annotator').value") == "Ada"
    tab.click("[data-place='1'].utterance")
    assert tab.texts(".quote .doubtful") == ["never"]
    again = [json.loads(line) for line in saved(tab, downloads, "jsonl", "call").read_text("utf-8").splitlines()]
    assert again[1]["words"] == rows[1]["words"]
    assert again[1]["annotator"] == "Ada"
    tab.evaluate("localStorage.clear()")


def test_the_microphone_records_a_file(tab: Tab) -> None:
    tab.click("#record")
    tab.until("document.querySelector('#record-state').textContent >= '0:03'")
    tab.click("#record")
    tab.until("document.querySelector('#chosen').textContent.startsWith('recording-')")
    tab.click("#ask button[type=submit]")
    tab.until("document.querySelector('.view') && document.querySelectorAll('.utterance').length > 0")
    tab.until(f"{REGIONS}.length > 0")
    assert tab.evaluate("Number.isFinite(document.querySelector('video').duration)")  # a browser's file states none


def test_live_speech(tab: Tab) -> None:
    tab.click("#tab-live")
    tab.until("document.querySelector('#connection').textContent === 'Connected'")
    tab.click("#listen")
    tab.until("document.querySelector('#listen-state').textContent === 'Listening'", 60)
    assert tab.evaluate("document.querySelector('#words').disabled")
    tab.until("document.querySelector('#listen-state').textContent.startsWith('Hearing')")
    tab.until("document.querySelectorAll('#live-found .utterance').length >= 1")
    tab.click("#listen")
    tab.until("document.querySelector('#listen').textContent.includes('Speak')")
    tab.until("document.querySelector('#connection').textContent === 'Connected'")
    count = len(tab.texts("#live-found .utterance"))
    tab.click("#live-found .utterance")
    assert tab.text("#live-found .quote").startswith("well")
    assert tab.texts("#live-found .quote button") == []  # nothing can be played
    tab.click("#words")
    tab.write("And now by hand.")
    tab.press("Enter")
    tab.until(f"document.querySelectorAll('#live-found .utterance').length === {count + 1}")
    assert tab.text("#said").startswith("Speaker 1: ")


def test_what_the_service_refuses_is_told(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_bytes(b"Ann: Hello\n")
    upload(tab, None, tmp_path / "text.wav")
    tab.until("!document.querySelector('#error').hidden")
    assert "text.wav" in tab.text("#error")
    tab.complaints[:] = [line for line in tab.complaints if "422" not in line]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_can_be_read_on_every_screen(tab: Tab, tmp_path: Path, width: int, dark: bool) -> None:
    tab.screen(width, 900, dark=dark)
    record(tab, tmp_path, 3.2)
    tab.click(".list tbody tr button" if width < 700 else ".utterance")
    tab.evaluate("document.querySelector('.editor').open = true")
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert tab.evaluate(CONTRAST) == {}


def test_no_text_becomes_markup(tab: Tab, tmp_path: Path) -> None:
    record(tab, tmp_path, 3.2)
    found = tab.evaluate(
        "(() => { const one = document.createElement('div'); one['inner' + 'HTML'] = '<img src=x><script>1</script>';"
        "return [...one.querySelectorAll('*')].map((element) => element.className) })()"
    )
    assert found == ["scroll", "wrapper", "canvases", "progress", "cursor"]
    assert tab.evaluate(OTHER_POLICY) is False
    tab.evaluate("document.title")
    tab.complaints[:] = [line for line in tab.complaints if "Trusted Types" not in line and "trusted-types" not in line]
