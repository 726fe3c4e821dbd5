"""The page in a real browser: from a transcript to corrected labels in a file that the package reads again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sdt.conversation import Conversation
from sdt.transcripts import read_transcript
from tests.features.clips import noise, write_clip
from tests.serving.page.browser import BROWSER, NAMES, Tab
from tests.serving.running import Running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("page"),
    pytest.mark.skipif(BROWSER is None, reason=f"needs a browser: one of {', '.join(NAMES)} on the path"),
]
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


def labels(tab: Tab) -> list[str]:
    """The label in each box, in the order of the utterances."""
    boxes = "[...document.querySelectorAll('.utterance')].sort((a, b) => a.dataset.place - b.dataset.place)"
    found = tab.evaluate(f"{boxes}.map((box) => box.querySelector('b').textContent)")
    return [label.removeprefix("✎\u202f") for label in found]


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
    assert tab.texts(".opinions thead th")[1:] == ["text\nweighs 100%", "audio\nmissing"]
    assert "No recording" in tab.text(".player")


def test_filters(tab: Tab, tmp_path: Path) -> None:
    example(tab)
    all_labels = labels(tab)
    first = all_labels[0]
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
    tab.click(".chip[data-key^=corrected]")
    assert tab.texts(".list tbody tr") == []
    tab.click(".quiet")
    assert first in LABELS


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


def test_just_a_stretch_of_the_recording_is_played(tab: Tab, tmp_path: Path) -> None:
    talk_srt = "1\n00:00:00,000 --> 00:00:00,700\nANN: Hello.\n\n2\n00:00:00,900 --> 00:00:01,400\nBOB: Not now.\n"
    (tmp_path / "talk.srt").write_text(talk_srt, encoding="utf-8")
    write_clip(tmp_path / "talk.wav", noise(2.5))
    upload(tab, tmp_path / "talk.srt", tmp_path / "talk.wav")
    tab.until("document.querySelectorAll('.utterance').length === 2")
    tab.click("[data-place='1'].utterance")
    tab.until("document.querySelector('video').readyState >= 2")
    assert "weighs" in tab.texts(".opinions thead th")[2]  # the recording was listened to
    media = "document.querySelector('video')"
    tab.evaluate(f"window.times = []; {media}.addEventListener('timeupdate', () => times.push({media}.currentTime))")
    tab.press("p")
    tab.until("!document.querySelector('video').paused")
    tab.until("document.querySelector('video').paused")
    times = tab.evaluate("times")
    assert min(times) >= 0.9
    assert 1.4 <= tab.evaluate(f"{media}.currentTime") < 1.75


def test_errors_are_shown_and_nothing_else_is_lost(tab: Tab, page_service: Running, tmp_path: Path) -> None:
    tab.click("#ask button[type=submit]")
    assert "Choose a transcript" in tab.text("#error")
    (tmp_path / "bad.srt").write_text("<script>alert(1)</script>", encoding="utf-8")
    upload(tab, tmp_path / "bad.srt")
    tab.until("document.querySelector('#error').textContent.includes('bad.srt')")
    assert tab.evaluate("document.activeElement.id") == "error"
    tab.complaints[:] = [line for line in tab.complaints if "422" not in line]  # the browser's own word for it
    tab.click("#clear")
    assert tab.texts("#error") == []
    tab.click("#pasted")
    tab.write("Ann: Hi!\nBob: Hello, Ann.")
    tab.click("#ask button[type=submit]")
    tab.until("document.querySelectorAll('.utterance').length === 2")


def test_dropped_files(tab: Tab) -> None:
    drop = (
        "((...names) => { const data = new DataTransfer();"
        "names.forEach((name) => data.items.add(new File(['Ann: Hi!\\nBob: No.'], name)));"
        "const event = new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true});"
        "return document.body.dispatchEvent(event) })"
    )
    assert tab.evaluate(f"{drop}('a.pdf')") is False  # the browser does not go there
    assert "a.pdf: neither a transcript" in tab.text("#error")
    tab.evaluate(f"{drop}('a.txt', 'b.txt')")
    assert "Two transcripts were dropped" in tab.text("#error")
    tab.evaluate(f"{drop}('a.txt')")
    assert tab.text("#chosen").startswith("a.txt")
    tab.click("#ask button[type=submit]")
    tab.until("document.querySelectorAll('.utterance').length === 2")
    assert tab.text(".view h2") == "a"


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
    tab.until("/Decoding the recording: audio, utterance \\d+ of 300/.test(document.querySelector('#stage').innerText)")
    assert tab.evaluate("document.querySelector('#bar').max") == 300
    assert tab.texts("#elapsed")[0].startswith("0:")
    tab.click("#cancel")
    tab.until("document.querySelector('#progress').hidden")
    assert tab.text("#said") == "Cancelled"
    assert tab.texts("#error") == []
    assert tab.evaluate("document.querySelector('#ask button').disabled") is False


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


CONTRAST = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const worst = {};
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest(':disabled, [inert], .unseen, .skip, option')) continue;
    const found = contrast(rgb(getComputedStyle(element).color), ground(element));
    if (found < 4.5) worst[`${element.tagName}.${element.className} ${element.textContent.slice(0, 30)}`] = found;
  }
  for (const element of document.querySelectorAll('.swatch, .mark:not(.weak)')) {
    const style = getComputedStyle(element);
    const found = contrast(rgb(element.matches('.mark') ? style.fill : style.backgroundColor), ground(element.parentElement));
    if (found < 3) worst[`${element.className.baseVal ?? element.className}`] = found;
  }
  return worst;
})()
"""


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


def records(names: list[str], number: int = 0) -> str:
    """Have the page show utterances that no service has said, the emotions in turn; gives the milliseconds."""
    return f"""(async () => {{
      const [{{ View }}, {{ Conversation }}] = await Promise.all([import('/page/view.js'), import('/page/conversation.js')]);
      const names = {json.dumps(names)};
      const records = Array.from({{ length: {number or len(names)} }}, (_, k) => ({{
        conversation: 'many', utterance: String(k), speaker: `Speaker ${{k % 4}}`, text: `Number ${{k}} is said here.`,
        start: 3 * k, end: 3 * k + 2.5, emotion: names[k % names.length], probability: 0.6,
        probabilities: Object.fromEntries(names.map((name, n) => [name, n === k % names.length ? 0.6 : 0.4 / (names.length - 1)])),
        branches: {{ text: {{ [names[0]]: 1 }}, audio: {{ [names[0]]: 1 }} }}, weights: {{ text: 0.7, audio: 0.3 }},
      }}));
      document.querySelector('#input').open = false;
      const begun = performance.now();
      const view = new View(new Conversation('many', names, records));
      document.querySelector('#found').replaceChildren(view.element);
      view.element.getBoundingClientRect();
      await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
      window.view = view;
      return performance.now() - begun;
    }})()"""


def test_a_thousand_utterances(tab: Tab) -> None:
    shown = tab.evaluate(records(["neutral", "joy", "anger", "sadness"], 1000))
    assert len(tab.texts(".utterance")) == 1000
    begun = time.monotonic()
    tab.click(".chip[data-key='emotions joy']")
    tab.click(".toolbar button[title^=All]")  # fits the screen
    tab.click(".toolbar button", 1)
    assert len(tab.texts(".list tbody tr")) == 250
    acted = 1000 * (time.monotonic() - begun)
    print(f"1,000 utterances: shown in {shown:.0f} ms; filter, zoom and list in {acted:.0f} ms")
    assert shown < 4000  # on a busy machine; alone it is a fraction of that
    assert acted < 8000
