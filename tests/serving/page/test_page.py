"""The page in a real browser: from a transcript to emotions, and what is shown of them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults import FAULTS
from tests.serving.page.browser import Tab
from tests.serving.page.doing import LABELS, LINES, NEEDED, SAID, example, labels, talk, upload
from tests.serving.running import Running

pytestmark = NEEDED


def test_the_example(tab: Tab) -> None:
    example(tab)
    assert tab.texts(".lane-name span") == ["Nora", "Theo", "Iris"]
    assert tab.text(".view h2") == "example"
    assert "12 utterances · 3 speakers" in tab.text(".facts")
    for box in tab.texts(".utterance"):
        emotion, probability = box.split("\n")[0].split(" ")
        assert emotion in LABELS
        assert 33 <= int(probability.removesuffix("%")) <= 100
    # What is said later lies further to the right, in the lane of who says it.
    boxes = "document.querySelectorAll('.utterance')"
    places = tab.evaluate(f"[...{boxes}].map((box) => [Number(box.dataset.place), box.getBoundingClientRect().x])")
    assert [place for place, _ in sorted(places, key=lambda one: one[1])] == list(range(12))
    assert tab.evaluate("document.activeElement.tagName") == "H2"


def test_a_click_shows_all_that_is_known(tab: Tab, page_service: Running, tmp_path: Path) -> None:
    talk(tab, tmp_path)
    asked = json.loads("[" + LINES.replace("}\n{", "},{") + "]")
    for one in asked:
        one["id"] = one.pop("utterance")
        del one["conversation"]
    answer = page_service.post({"id": "a talk", "utterances": asked}).json["predictions"][2]
    tab.click("[data-place='2'].utterance")
    assert tab.text(".details h3") == "3. Ann"
    assert tab.text(".quote") == SAID[2][1]  # no markup came of it
    assert tab.evaluate("document.querySelectorAll('.quote *').length") == 0
    rows = [row.split() for row in tab.texts(".opinions tbody tr")]
    for row, (label, share) in zip(rows, answer["probabilities"].items(), strict=True):
        assert row[1] == label
        assert row[2] == f"{round(100 * share)}%"
        assert row[3] == f"{round(100 * answer['branches']['text'][label])}%"
        assert row[4] == "–"  # no recording
    assert tab.texts(".opinions thead th")[1:] == ["text\nweight 100%", "audio\nmissing"]
    assert "No recording" in tab.text(".player")


def test_filters(tab: Tab, tmp_path: Path) -> None:
    example(tab)
    all_labels = labels(tab)
    tab.click(".filters .chip")  # of an emotion
    chosen = tab.text(".chip[aria-pressed=true] .chip-name")
    number = all_labels.count(chosen)
    seen = "[...document.querySelectorAll('.utterance')].filter((box) => !box.inert).length"
    assert tab.evaluate(seen) == number
    assert tab.text("#said") == tab.text(".shown span") == f"{number} of 12 utterances shown"
    assert tab.evaluate("document.activeElement.dataset.key") == f"emotions {chosen}"  # though it was drawn anew
    tab.click(".toolbar button", 1)
    assert len(tab.texts(".list tbody tr")) == number
    tab.click(".quiet")
    assert len(tab.texts(".list tbody tr")) == 12
    tab.click(".chips[aria-label*=speakers] .chip", 1)
    assert {row.split("\t")[2].strip() for row in tab.texts(".list tbody tr")} == {"Theo"}
    tab.click(".quiet")
    tab.click(".list tbody tr button")
    tab.press("c")
    tab.click(".chip[data-key='reviews confirmed']")
    assert len(tab.texts(".list tbody tr")) == 1
    tab.click(".quiet")
    tab.click(".chip[data-key='reviews null']")
    assert len(tab.texts(".list tbody tr")) == 11
    tab.click(".quiet")


def test_errors_are_shown_and_nothing_else_is_lost(tab: Tab, page_service: Running, tmp_path: Path) -> None:
    tab.click("#ask button[type=submit]")
    assert "Choose a recording or a transcript" in tab.text("#error")
    (tmp_path / "bad.srt").write_text("<script>alert(1)</script>", encoding="utf-8")
    upload(tab, tmp_path / "bad.srt")
    tab.until("document.querySelector('#error').textContent.includes('bad.srt')")
    assert tab.evaluate("document.activeElement.id") == "error"
    tab.complaints[:] = [line for line in tab.complaints if "422" not in line]  # the browser's own word for it
    tab.click("#clear")
    assert tab.texts("#error") == []
    tab.click("#pasted")
    tab.write(f"Ann: {'x' * 301}")
    tab.click("#ask button[type=submit]")
    tab.until("document.querySelector('#error').textContent.includes('300 characters')")
    assert "limit_" not in tab.text("#error")  # a code for programs
    tab.complaints[:] = [line for line in tab.complaints if "422" not in line]
    tab.click("#clear")
    tab.click("#pasted")
    tab.write("Ann: Hi!\nBob: Hello, Ann.")
    tab.click("#ask button[type=submit]")
    tab.until("document.querySelectorAll('.utterance').length === 2")


def test_the_encoding_is_chosen_where_it_cannot_be_detected(tab: Tab, tmp_path: Path) -> None:
    upload(tab, FAULTS / "transcripts" / "gb.srt")
    tab.until("!document.querySelector('#encoding-choice').hidden")
    assert "--" not in tab.text("#error")  # an option of the command line
    names = tab.evaluate("[...document.querySelectorAll('#encoding option')].map((one) => one.value)")
    assert names[:3] == ["", "cp949", "gb18030"]
    tab.complaints[:] = [line for line in tab.complaints if "422" not in line]
    tab.evaluate("document.querySelector('#encoding').value = 'gb18030'")
    tab.click("#ask button[type=submit]")
    tab.until("document.querySelectorAll('.utterance').length > 0")
    assert any("你好" in words for words in tab.texts(".utterance .words"))


def test_times_of_day_begin_at_the_left(tab: Tab) -> None:
    upload(tab, FAULTS / "transcripts" / "zoom_cc.txt")
    tab.until("document.querySelectorAll('.utterance').length === 3")
    assert tab.texts(".tick")[0] == "10:32:00"
    places = tab.evaluate("[...document.querySelectorAll('.utterance')].map((box) => box.getBoundingClientRect().x)")
    assert all(0 < x < 1280 for x in places)
    marks = tab.evaluate("[...document.querySelectorAll('svg .mark')].map((one) => Number(one.getAttribute('x')))")
    assert max(marks) > 2 * min(marks)


def test_dropped_files(tab: Tab) -> None:
    drop = (
        "((...names) => { const data = new DataTransfer();"
        "names.forEach((name) => data.items.add(new File(['Ann: Hi!\\nBob: No.'], name)));"
        "const event = new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true});"
        "return document.body.dispatchEvent(event) })"
    )
    assert tab.evaluate(f"{drop}('a.pdf')") is False  # the browser does not go there
    assert "a.pdf is not a transcript" in tab.text("#error")
    tab.evaluate(f"{drop}('a.txt', 'b.txt')")
    assert "More than one transcript was dropped" in tab.text("#error")
    tab.evaluate(f"{drop}('a.txt')")
    assert tab.text("#chosen").startswith("a.txt")
    tab.click("#ask button[type=submit]")
    tab.until("document.querySelectorAll('.utterance').length === 2")
    assert tab.text(".view h2") == "a"
