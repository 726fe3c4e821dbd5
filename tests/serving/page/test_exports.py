"""What the page saves holds labels, reviews and the model's emotions apart, whatever they are called."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from sdt.conversation import Conversation, Prediction, Review, Utterance
from sdt.formats import read_transcript, write_predictions
from tests.formats.files import ODD_LABELS
from tests.serving.page.browser import Tab
from tests.serving.page.doing import LABELS, NEEDED, downloaded, marked, saved, upload

pytestmark = NEEDED
REVIEWS: tuple[Review | None, ...] = (None, "corrected", "confirmed")
WRITE = """(async () => {{
  const [{{ Conversation }}, {{ FORMATS }}] = [await import('/page/conversation.js'), await import('/page/exports.js')];
  const {{ items }} = new Conversation('talk', {labels}, {records});
  return Object.fromEntries(Object.entries(FORMATS).map(([suffix, {{ write }}]) => [suffix, write(items)]));
}})()"""


def odd_talk() -> Conversation:
    """An utterance for each label and way in which it came about, and some without."""
    given = [(label, review) for label in ODD_LABELS for review in REVIEWS] + [(None, None)] * 3
    said = (
        Utterance(f"u{k}", f"Ann {k % 3}", f"Number {k}, [joy 0.50] <b>", label, k, k + 0.5, review)
        for k, (label, review) in enumerate(given)
    )
    return Conversation("talk", tuple(said))


def test_every_label_and_review_comes_back(tab: Tab, tmp_path: Path) -> None:
    talk = odd_talk()
    records = []
    for number, utterance in enumerate(talk.utterances):
        emotion = ODD_LABELS[number % len(ODD_LABELS)] if number % 4 else None
        record = {"conversation": talk.id, "utterance": utterance.id, "speaker": utterance.speaker,
                  "text": utterance.text, "start": utterance.start, "end": utterance.end,
                  "label": utterance.label, "review": utterance.review, "emotion": emotion,
                  "probability": None if emotion is None else 0.5,
                  "probabilities": None if emotion is None else {emotion: 0.5}}  # fmt: skip
        absent = ("label", "review")
        records.append({name: value for name, value in record.items() if value is not None or name not in absent})
    files = tab.evaluate(WRITE.format(labels=json.dumps(ODD_LABELS), records=json.dumps(records)))
    assert list(files) == ["jsonl", "csv", "vtt"]
    for suffix, content in files.items():
        (tmp_path / f"talk.{suffix}").write_text(content, encoding="utf-8", newline="")
        transcript = read_transcript(tmp_path / f"talk.{suffix}")
        assert transcript.conversations == [talk]
        assert transcript.notes == []
    emotions = [record["emotion"] for record in records]
    assert [json.loads(line)["emotion"] for line in files["jsonl"].splitlines()] == emotions
    rows = csv.DictReader(io.StringIO(files["csv"].removeprefix("\ufeff"), newline=""))
    assert [row["emotion"].removeprefix("\t") or None for row in rows] == emotions


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "vtt", "srt"])
def test_what_the_package_wrote_goes_in_and_out(tab: Tab, downloads: Path, tmp_path: Path, suffix: str) -> None:
    labels = ("so [so]", "joy, corrected", "neutral")
    talk = Conversation(
        "talk",
        (
            Utterance("0", "Ann", "Hi!", labels[0], 0, 1, "corrected"),
            Utterance("1", "Ben", "Oh.", labels[1], 1, 2, "confirmed"),
            Utterance("2", "Ann", "Yes?", labels[2], 2, 3),
            Utterance("3", "Ben", "No.", None, 3, 4),
        ),
    )
    shares = dict.fromkeys(LABELS, 0.25) | {"joy": 0.5}
    write_predictions(
        tmp_path / f"talk.{suffix}", [talk], [Prediction("talk", u.id, "joy", shares) for u in talk.utterances]
    )
    upload(tab, tmp_path / f"talk.{suffix}")
    tab.until("document.querySelectorAll('.utterance').length === 4")
    assert marked(tab)[:3] == [f"✎ {labels[0]}", f"✓ {labels[1]}", f"¶ {labels[2]}"]
    assert marked(tab)[3] in LABELS
    for again in ("jsonl", "csv", "vtt"):
        (read,) = read_transcript(saved(tab, downloads, again, "talk")).conversations
        assert replace(read, id="talk") == talk


def test_other_formats_of_the_service(tab: Tab, downloads: Path, tmp_path: Path) -> None:
    (tmp_path / "talk.csv").write_text(
        "speaker,text,start,end\nAnn,I got the job!,0,1\nBen,Oh.,1,2\n", encoding="utf-8"
    )
    upload(tab, tmp_path / "talk.csv")
    tab.until("document.querySelectorAll('.utterance').length === 2")
    tab.until("document.querySelector('[data-others]').options.length > 3")
    names = tab.evaluate("[...document.querySelector('[data-others]').options].map((one) => one.value)")
    assert {"eaf", "textgrid", "chat", "emotionml", "srt"} <= set(names)
    assert not {"jsonl", "csv", "vtt", "ctm"} & set(names)
    tab.evaluate(
        "(() => {const one = document.querySelector('[data-others]'); one.value = 'eaf';"
        " one.dispatchEvent(new Event('change'))})()"
    )
    transcript = read_transcript(downloaded(downloads / "talk.emotions.eaf"))
    assert [(u.speaker, u.text) for u in transcript.conversations[0].utterances] == [
        ("Ann", "I got the job!"), ("Ben", "Oh."),
    ]  # fmt: skip
    assert len(transcript.predictions) == 2
