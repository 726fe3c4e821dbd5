"""Emotions are confirmed and corrected, also with the keyboard, and saved in files that can be read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sdt.conversation import Conversation
from sdt.formats import read_transcript
from tests.serving.page.browser import Tab
from tests.serving.page.doing import LABELS, NEEDED, SAID, labels, marked, saved, talk, upload

pytestmark = NEEDED
LEAVING = "(() => { const e = new Event('beforeunload', {cancelable: true}); return !dispatchEvent(e) })()"
"""Whether the page asks before it is left."""


def look(tab: Tab, place: int) -> None:
    tab.click(f"[data-place='{place}'].utterance")


def key(label: str) -> str:
    return str(LABELS.index(label) + 1)


def another(label: str) -> str:
    return LABELS[(LABELS.index(label) + 1) % len(LABELS)]


def test_reviews_are_saved_in_three_formats_and_shown_again(tab: Tab, downloads: Path, tmp_path: Path) -> None:
    talk(tab, tmp_path)
    before = labels(tab)
    wanted = another(before[1])
    look(tab, 1)
    tab.press(key(wanted))
    assert labels(tab) == [before[0], wanted, *before[2:]]
    assert f"{before[1]} " in tab.text("[data-place='1'] s")  # the model's own stays visible
    assert "✎ corrected" in tab.text(".chooser")
    assert tab.text("#said").startswith(f"Utterance 2: {wanted}, corrected; predicted {before[1]} ")
    assert "1 corrected, not saved" in tab.text(".toolbar")
    look(tab, 2)
    tab.click(".chooser button")
    assert "✓ confirmed" in tab.text(".chooser")
    look(tab, 3)
    tab.press("c", "u")
    assert "1 corrected, 1 confirmed, not saved" in tab.text(".toolbar")
    after = [before[0], f"✎ {wanted}", f"✓ {before[2]}", before[3]]
    assert marked(tab) == after
    assert tab.evaluate(LEAVING) is True

    files = [saved(tab, downloads, suffix) for suffix in ("jsonl", "csv", "vtt")]
    assert tab.evaluate(LEAVING) is False
    lines, table, _ = files
    rows = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [row["emotion"] for row in rows] == before
    assert [{"label", "review", "corrected"} & set(row) for row in rows] == [
        set(),
        {"label", "review"},
        {"label", "review"},
        set(),
    ]
    assert all(row["probabilities"][row["emotion"]] == row["probability"] for row in rows)
    cells = table.read_text("utf-8-sig").splitlines()
    assert cells[0] == "conversation,utterance,speaker,text,start,end,label,review,emotion,probability"
    assert cells[2].startswith('a talk,u1,"\t=Bob","\t=HYPERLINK(""http://x""), he said",1,1.8,' + wanted)
    assert '"\t-5 degrees' in cells[4]
    reviews = [(None, None), (wanted, "corrected"), (before[2], "confirmed"), (None, None)]
    for file in files:
        name = file.stem if file.suffix == ".vtt" else "a talk"
        check_read(read_transcript(file).conversations, reviews, name)
        tab.evaluate("document.querySelector('.view').remove()")
        upload(tab, file)
        tab.until("document.querySelectorAll('.utterance').length === 4")
        assert tab.text(".view h2") == name
        assert marked(tab) == after
        assert "1 corrected, 1 confirmed" in tab.text(".toolbar")
        assert "saved" not in tab.text(".toolbar")
        assert tab.evaluate(LEAVING) is False


def check_read(found: list[Conversation], expected: list[Any], name: str) -> None:
    (conversation,) = found
    assert conversation.id == name
    assert [(u.id, u.speaker, u.text, u.start, u.end) for u in conversation.utterances] == [
        (f"u{k}", who, " ".join(text.split()), k, k + 0.8) for k, (who, text) in enumerate(SAID)
    ]
    assert [(u.label, u.review) for u in conversation.utterances] == expected


def test_a_correction_back_to_the_model_s_emotion_confirms_it(tab: Tab, tmp_path: Path) -> None:
    talk(tab, tmp_path)
    before = labels(tab)
    look(tab, 0)
    tab.press(key(another(before[0])), key(before[0]))
    assert marked(tab)[0] == f"✓ {before[0]}"
    tab.click(".chooser button")  # removes the review
    assert marked(tab) == before
    tab.press("u", "u", "u")
    assert marked(tab) == before
    assert tab.evaluate("document.querySelector('.toolbar [title*=change]').disabled") is True


def test_the_label_of_a_transcript_is_given_and_no_review(tab: Tab, downloads: Path, tmp_path: Path) -> None:
    rows = [
        {"text": "Hello!", "speaker": "Ann", "start": k, "end": k + 1, "label": label} for k, label in enumerate(LABELS)
    ]
    rows.append({"text": "Well.", "speaker": "Ann", "start": 3, "end": 4, "label": "far-off"})
    (tmp_path / "given.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    upload(tab, tmp_path / "given.jsonl")
    tab.until("document.querySelectorAll('.utterance').length === 4")
    given = [f"¶ {label}" for label in (*LABELS, "far-off")]
    assert marked(tab) == given
    assert tab.texts("[data-place='3'] .model")[0].split(" ")[0] in LABELS  # the model's own
    look(tab, 3)
    assert "¶ from the transcript" in tab.text(".chooser")
    tab.press("c")
    assert marked(tab)[3].startswith("✓ ")
    assert "Label in the transcript: far-off" in tab.text(".chooser")
    tab.click(".chooser button")
    assert marked(tab) == given
    for suffix in ("jsonl", "csv", "vtt"):
        (conversation,) = read_transcript(saved(tab, downloads, suffix, "given")).conversations
        assert [(u.label, u.review) for u in conversation.utterances] == [(u, None) for u in (*LABELS, "far-off")]


def test_undo_and_the_list_of_labels(tab: Tab, tmp_path: Path) -> None:
    talk(tab, tmp_path)
    before = labels(tab)
    other = another(before[0])
    look(tab, 0)
    tab.evaluate(
        "(() => { const select = document.querySelector('.chooser select');"
        f"select.value = '{other}'; select.dispatchEvent(new Event('change')) }})()"
    )
    look(tab, 3)
    tab.press(key(another(before[3])))
    assert labels(tab)[0] == other
    assert "2 corrected" in tab.text(".toolbar")
    tab.press("u")
    assert labels(tab) == [other, *before[1:]]
    tab.press("z", modifiers=2)
    assert labels(tab) == before


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
