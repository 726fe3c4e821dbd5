"""A file with several conversations: picked one at a time, recognised on demand, saved together."""

from __future__ import annotations

import json
from pathlib import Path

from sdt.formats import read_transcript
from tests.encoders.clips import noise, write_clip
from tests.serving.page.browser import Tab
from tests.serving.page.doing import LABELS, NEEDED, labels, marked, saved, upload

pytestmark = NEEDED
IDLE = "!document.querySelector('.picker select').disabled"


def talks(folder: Path, *sizes: int, long: bool = False) -> Path:
    """Conversations `talk 0`, `talk 1`, ... of so many utterances; the first of the last has a label."""
    rows: list[dict[str, object]] = [
        {"conversation": f"talk {c}", "speaker": f"S{u % 2}", "text": f"Number {u}.", "start": u, "end": u + 1}
        for c, size in enumerate(sizes)
        for u in range(size)
    ]
    rows[-sizes[-1]] |= {"label": "far-off", "review": "corrected"}
    if long:
        rows[-1]["text"] = "x" * 301
    (folder / "talks.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder / "talks.jsonl"


def boxes(tab: Tab, number: int) -> None:
    tab.until(f"{IDLE} && document.querySelectorAll('.utterance').length === {number}")


def pick(tab: Tab, place: int) -> None:
    tab.evaluate(
        "(() => { const select = document.querySelector('.picker select');"
        f"select.selectedIndex = {place}; select.dispatchEvent(new Event('change')) }})()"
    )


def test_the_saved_file_holds_all_with_their_reviews(tab: Tab, downloads: Path, tmp_path: Path) -> None:
    upload(tab, talks(tmp_path, 2, 3, 1))
    boxes(tab, 2)
    options = "[...document.querySelectorAll('.picker option')].map((one) => one.textContent)"
    assert tab.evaluate(options) == ["talk 0 (2 utterances)", "talk 1 (3 utterances)", "talk 2 (1 utterance)"]
    assert "1 of 3 conversations recognised" in tab.text(".picker")
    first = labels(tab)
    tab.click(".picker [aria-label='Next conversation']")
    boxes(tab, 3)
    second = labels(tab)
    tab.click("[data-place='1'].utterance")
    tab.press("c")
    pick(tab, 0)
    boxes(tab, 2)
    tab.click("[data-place='0'].utterance")
    wanted = LABELS[(LABELS.index(first[0]) + 1) % 3]
    tab.press(str(LABELS.index(wanted) + 1))
    expected = [(wanted, "corrected"), (None, None), (None, None), (second[1], "confirmed"), (None, None)]
    for suffix in ("jsonl", "csv"):
        file = saved(tab, downloads, suffix, "talks")
        read = read_transcript(file).conversations
        assert [(c.id, len(c)) for c in read] == [("talk 0", 2), ("talk 1", 3), ("talk 2", 1)]
        assert [(u.label, u.review) for c in read for u in c.utterances] == [*expected, ("far-off", "corrected")]
    tab.until(f"{IDLE} && document.querySelector('.picker').innerText.includes('3 of 3')")  # all have emotions now
    rows = [json.loads(line) for line in (downloads / "talks.emotions.jsonl").read_text("utf-8").splitlines()]
    assert {row["emotion"] for row in rows} <= set(LABELS)
    assert "1 corrected, saved" in tab.text(".toolbar")
    (one,) = read_transcript(saved(tab, downloads, "vtt", "talk-0")).conversations
    assert [u.label for u in one.utterances] == [wanted, None]
    tab.evaluate("document.querySelector('.view').remove()")
    upload(tab, downloads / "talks.emotions.csv")
    boxes(tab, 2)
    assert marked(tab) == [f"✎ {wanted}", first[1]]


def test_a_conversation_that_is_refused_is_saved_without_emotions(tab: Tab, downloads: Path, tmp_path: Path) -> None:
    upload(tab, talks(tmp_path, 1, 1, 2, long=True))
    boxes(tab, 1)
    tab.evaluate("[...document.querySelectorAll('.picker button')].at(-1).click()")
    tab.until(f"{IDLE} && document.querySelector('#found').innerText.includes('talk 2: skipped')")
    assert "300 characters" in tab.text("#found")
    assert "2 of 3 conversations recognised" in tab.text(".picker")
    pick(tab, 2)
    tab.until("!document.querySelector('#error').hidden")
    assert tab.evaluate("document.querySelector('.picker select').selectedIndex") == 0
    rows = [json.loads(line) for line in saved(tab, downloads, "jsonl", "talks").read_text("utf-8").splitlines()]
    assert [row.get("emotion") in LABELS for row in rows] == [True, True, False, False]
    assert (rows[2]["label"], rows[2]["review"]) == ("far-off", "corrected")
    assert len(read_transcript(downloads / "talks.emotions.jsonl").conversations) == 3
    tab.complaints[:] = [line for line in tab.complaints if "422" not in line]


def test_a_recording_belongs_to_one_of_them(tab: Tab, tmp_path: Path) -> None:
    write_clip(tmp_path / "talk.wav", noise(3))
    upload(tab, talks(tmp_path, 1, 2), tmp_path / "talk.wav")
    tab.until(f"document.querySelector('.picker') && {IDLE}")
    assert "Choose the conversation that the recording talk.wav belongs to." in tab.text("#found")
    assert tab.texts(".utterance") == []
    pick(tab, 1)
    boxes(tab, 2)
    tab.click("[data-place='1'].utterance")
    tab.until("document.querySelectorAll('.opinions thead th').length > 2")
    assert "weight" in tab.texts(".opinions thead th")[2]  # the service listened to it
    assert tab.evaluate("document.querySelectorAll('video').length") == 1
    pick(tab, 0)
    boxes(tab, 1)
    tab.click("[data-place='0'].utterance")
    assert "No recording" in tab.text(".player")
