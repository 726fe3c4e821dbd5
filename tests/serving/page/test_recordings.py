"""The page with a recording: how far its decoding is, and just a stretch of it to hear."""

from __future__ import annotations

from pathlib import Path

from tests.encoders.clips import noise, write_clip
from tests.serving.page.browser import Tab
from tests.serving.page.doing import NEEDED, upload

pytestmark = NEEDED


def test_just_a_stretch_of_the_recording_is_played(tab: Tab, tmp_path: Path) -> None:
    talk_srt = "1\n00:00:00,000 --> 00:00:00,700\nANN: Hello.\n\n2\n00:00:00,900 --> 00:00:01,400\nBOB: Not now.\n"
    talk_srt += "\n3\n00:00:09,000 --> 00:00:10,000\nANN: Then when?\n"  # the recording ends before
    (tmp_path / "talk.srt").write_text(talk_srt, encoding="utf-8")
    write_clip(tmp_path / "talk.wav", noise(6))
    upload(tab, tmp_path / "talk.srt", tmp_path / "talk.wav")
    tab.until("document.querySelectorAll('.utterance').length === 3")
    tab.click("[data-place='1'].utterance")
    tab.until("document.querySelector('video').readyState >= 2")
    assert "weight" in tab.texts(".opinions thead th")[2]  # the recording was listened to
    tab.click("[data-place='2'].utterance")
    assert "No audio: " in tab.text(".details")
    tab.click("[data-place='1'].utterance")
    media = "document.querySelector('video')"
    tab.evaluate(
        f"window.times = []; {media}.addEventListener('timeupdate', () => times.push({media}.currentTime));"
        f"{media}.addEventListener('pause', () => (window.stopped = true))"
    )
    tab.press("p")
    tab.until("window.stopped && document.querySelector('video').paused")
    times = tab.evaluate("times")
    assert min(times) >= 0.9
    assert 1.4 <= tab.evaluate(f"{media}.currentTime") < 4  # a busy browser stops late


def test_progress_and_cancelling(tab: Tab, tmp_path: Path) -> None:
    cues = [
        f"{k + 1}\n00:{k // 60:02}:{k % 60:02},000 --> 00:{k // 60:02}:{k % 60:02},900\nANN: {k}\n" for k in range(300)
    ]
    (tmp_path / "long.srt").write_text("\n".join(cues), encoding="utf-8")
    write_clip(tmp_path / "long.wav", noise(300))
    tab.evaluate(
        "window.stages = []; new MutationObserver(() => stages.push(document.querySelector('#stage').textContent))"
        ".observe(document.querySelector('#stage'), {childList: true})"
    )
    upload(tab, tmp_path / "long.srt", tmp_path / "long.wav")
    tab.until("/Reading the recording .audio.: utterance \\d+ of 300/.test(document.querySelector('#stage').innerText)")
    assert tab.evaluate("document.querySelector('#bar').max") == 300
    assert tab.texts("#elapsed")[0].startswith("0:")
    tab.click("#cancel")
    tab.until("document.querySelector('#progress').hidden")
    assert tab.text("#said") == "Cancelled"
    assert tab.texts("#error") == []
    assert tab.evaluate("document.querySelector('#ask button').disabled") is False
