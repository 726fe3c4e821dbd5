"""Labels are corrected, with the keyboard too, and saved in files that the package reads again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from sdt.conversation import Conversation
from sdt.transcripts import read_transcript
from tests.serving.page.browser import Tab
from tests.serving.page.doing import LABELS, NEEDED, SAID, labels, talk, upload

pytestmark = NEEDED


def saved(tab: Tab, downloads: Path, suffix: str) -> Path:
    """Press the button that saves, and wait for the file."""
    path = downloads / f"a-talk.emotions.{suffix}"
    path.unlink(missing_ok=True)
    tab.click(f"[data-format={suffix}]")
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    return path


def correct(tab: Tab, place: int, key: str) -> None:
    tab.click(f"[data-place='{place}'].utterance")
    tab.press(key)


def test_corrections_are_saved_in_three_formats(tab: Tab, downloads: Path, tmp_path: Path) -> None:
    talk(tab, tmp_path)
    before = labels(tab)
    wanted = LABELS[(LABELS.index(before[1]) + 1) % 3]
    correct(tab, 1, str(LABELS.index(wanted) + 1))
    after = [before[0], wanted, *before[2:]]
    assert labels(tab) == after
    assert f"{before[1]} " in tab.text("[data-place='1'] s")  # the model's own is kept
    assert "✎ corrected" in tab.text(".chooser")
    assert tab.text("#said") == f"Utterance 2 is labelled {wanted}; the model says {before[1]}"
    assert "1 correction, not saved" in tab.text(".toolbar")
    leaving = "(() => { const e = new Event('beforeunload', {cancelable: true}); return !dispatchEvent(e) })()"
    assert tab.evaluate(leaving) is True

    lines, table, cues = (saved(tab, downloads, suffix) for suffix in ("jsonl", "csv", "vtt"))
    assert tab.evaluate(leaving) is False
    rows = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [(row["label"], row["emotion"], row["corrected"]) for row in rows] == [
        (now, then, now != then) for now, then in zip(after, before, strict=True)
    ]
    assert all(row["probabilities"][row["emotion"]] == row["probability"] for row in rows)
    for file in (lines, table):
        check_read(read_transcript(file).conversations, after)
    check_read(read_transcript(cues).conversations, [None, wanted, None, None], name=cues.stem)
    cells = table.read_text("utf-8-sig").splitlines()
    assert cells[0] == "conversation,utterance,speaker,text,start,end,label,emotion,probability,corrected"
    assert cells[2].startswith('a talk,u1,"\t=Bob","\t=HYPERLINK(""http://x""), he said",1,1.8,')
    assert '"\t-5 degrees' in cells[4]

    # The label of a transcript is a person's, and stays.
    upload(tab, lines)
    tab.until(f"document.querySelector('.view h2').textContent === 'a talk' && !{leaving}")
    tab.until("document.querySelectorAll('.chip[data-key^=corrected] .faint')[0].textContent === '1'")
    assert labels(tab) == after


def check_read(found: list[Conversation], expected: list[Any], name: str = "a talk") -> None:
    (conversation,) = found
    assert conversation.id == name
    assert [(u.id, u.speaker, u.text, u.start, u.end) for u in conversation.utterances] == [
        (f"u{k}", who, " ".join(text.split()), k, k + 0.8) for k, (who, text) in enumerate(SAID)
    ]
    assert [u.label for u in conversation.utterances] == expected


def test_undo_and_the_list_of_labels(tab: Tab, tmp_path: Path) -> None:
    talk(tab, tmp_path)
    before = labels(tab)
    other = next(label for label in LABELS if label != before[0])
    tab.click("[data-place='0'].utterance")
    tab.evaluate(
        "(() => { const select = document.querySelector('.chooser select');"
        f"select.value = '{other}'; select.dispatchEvent(new Event('change')) }})()"
    )
    correct(tab, 3, str((LABELS.index(before[3]) + 1) % 3 + 1))
    assert labels(tab)[0] == other
    assert "2 corrections" in tab.text(".toolbar")
    tab.press("u")
    assert labels(tab) == [other, *before[1:]]
    tab.press("z", modifiers=2)
    assert labels(tab) == before
    assert tab.evaluate("document.querySelector('.toolbar [title*=correction]').disabled") is True


def test_the_keyboard_alone(tab: Tab) -> None:
    for _ in range(20):
        tab.press("Tab")
        if tab.evaluate("document.activeElement.id") == "example":
            break
    tab.press("Enter")
    tab.until("document.querySelector('.utterance')")
    for _ in range(40):
        tab.press("Tab")
        if tab.evaluate("document.activeElement.className").startswith("utterance"):
            break
    focus = "document.activeElement.dataset.place"
    assert tab.evaluate(focus) == "0"
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.press("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft")
    assert tab.evaluate(focus) == "2"
    tab.press("Enter")
    assert tab.evaluate("document.activeElement.tagName") == "H3"
    assert tab.text(".details h3") == "3. Nora"
    tab.press("ArrowRight")
    assert tab.text(".details h3") == "4. Theo"
    assert "4, Theo, 0:08.7 – 0:11.6" in tab.text("#said")
    tab.press("Escape")
    assert tab.evaluate(focus) == "3"
    # Only one utterance is on the way of the Tab key.
    assert tab.evaluate("document.querySelectorAll('.timeline [tabindex=\"0\"]').length") == 1
