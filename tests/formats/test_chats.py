"""Exports of WhatsApp in many countries, and the transcripts and chats of meeting services."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.files import read, said, times, utterances

JOB, KIDDING, SCARED = "I got the job!", "You are kidding!", "I am scared."
TALK = [("Ann Lee", JOB), ("Ben", KIDDING), ("Ann Lee", SCARED)]
DATES = ["12", "13", "14"]
"""Days of March; 13 and 14 are no months."""


def chat(*beginnings: str) -> str:
    return "\n".join(f"{start}{name}: {text}" for start, (name, text) in zip(beginnings, TALK, strict=True))


@pytest.mark.parametrize(
    "form",
    [
        "[{}/03/2024, 22:15:32] ",
        "[{}.03.24, 22:15:32] ",
        "[2024-03-{}, 10:15:32\u202fPM] ",
        "[2024-03-{}, 10:15:32 p.m.] ",
        "[{}-03-2024 22:15:32] ",
        "[2024/03/{} 22:15:32] ",
        "[2024/3/{} 下午10:15:32] ",
        "[2024. 3. {}. 오후 10:15:32] ",
        "[{}.3.2024 klo 22.15.32] ",
        "[{}/03/24 22.15.32] ",
        "\u200e[3/{}/24, 10:15:32 PM] ",
    ],
)
def test_whatsapp_of_an_iphone(tmp_path: Path, form: str) -> None:
    check(tmp_path, form, "32")


@pytest.mark.parametrize(
    "form",
    [
        "3/{}/24, 10:15\u202fPM - ",
        "{}/03/2024, 10:15 pm - ",
        "{}.03.24, 22:15 - ",
        "{}/03/2024 22:15 - ",
        "{}/03/2024 à 22:15 - ",
        "2024-03-{}, 10:15 p.m. - ",
        "{}-03-24 22:15 - ",
        "{}.3.2024 klo 22.15 - ",
        "{}/3/24, 10:15 p. m. - ",
        "2024년 3월 {}일 오후 10:15 - ",
        "2024年3月{}日 下午10:15 - ",
        "2024/3/{} 22:15 - ",
    ],
)
def test_whatsapp_of_android(tmp_path: Path, form: str) -> None:
    check(tmp_path, form, "00")


def check(tmp_path: Path, form: str, seconds: str) -> None:
    transcript = read(tmp_path, "a.txt", chat(*(form.format(day) for day in DATES)))
    assert said(transcript) == TALK
    assert times(transcript) == [(None, None)] * 3
    assert [one.extra["sent"] for one in utterances(transcript)] == [f"2024-03-{day}T22:15:{seconds}" for day in DATES]
    assert transcript.notes == []


def test_whatsapp_in_arabic_digits(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.txt", chat("١٢/٣/٢٠٢٤، ١٠:١٥ م - ", "١٣/٣/٢٠٢٤، ١٠:١٥ م - ", "١٤/٣/٢٠٢٤، ١:٠٥ ص - "))
    assert said(transcript) == TALK
    assert utterances(transcript)[2].extra == {"sent": "2024-03-14T01:05:00"}


@pytest.mark.parametrize(
    ("dates", "months"),
    [
        (("1/2/24", "3/2/24", "4/13/24"), ("01", "03", "04")),  # 13 is no month
        (("1/2/24", "3/2/24", "13/4/24"), ("02", "02", "04")),
        (("5/6/24", "6/6/24", "1/7/24"), ("06", "06", "07")),  # messages only become later
        (("6/5/24", "6/6/24", "7/1/24"), ("06", "06", "07")),
        (("5/5/24", "5/5/24", "6/6/24"), ("05", "05", "06")),
    ],
)
def test_the_file_decides_the_order_of_day_and_month(
    tmp_path: Path, dates: tuple[str, ...], months: tuple[str, ...]
) -> None:
    transcript = read(tmp_path, "a.txt", chat(*(f"{date}, 10:15 PM - " for date in dates)))
    assert tuple(str(one.extra["sent"])[5:7] for one in utterances(transcript)) == months


def test_an_order_that_remains_uncertain_is_said(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.txt", chat(*(f"{date}, 22:15 - " for date in ("1/2/24", "1/2/24", "2/3/24"))))
    assert [one.extra for one in utterances(transcript)] == [{}, {}, {}]
    assert any("uncertain" in note for note in transcript.notes)


def test_whatsapp_notices_omitted_media_and_long_messages(tmp_path: Path) -> None:
    content = """13.03.24, 09:00 - Nachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt.
13.03.24, 09:00 - Ann hat die Gruppe "Reise: 2024" erstellt
13.03.24, 10:15 - Ann: Hallo
Ben: das hat er gesagt

und 10:15 kommt er
13.03.24, 10:16 - Ben: <Medien ausgeschlossen>
13.03.24, 10:16 - Ben: null
13.03.24, 10:16 - Ben: <Без медиафайлов>
13.03.24, 10:16 - Ben: \u200eIMG-20240313-WA0001.jpg (Datei angehängt)
13.03.24, 10:17 - Ben: ja <3
13.03.24, 10:18 - Ann: gut <Diese Nachricht wurde bearbeitet>
"""
    transcript = read(tmp_path, "a.txt", content)
    assert said(transcript) == [
        ("Ann", "Hallo Ben: das hat er gesagt und 10:15 kommt er"),
        ("Ben", "ja <3"),
        ("Ann", "gut"),
    ]
    assert "a.txt: notices and omitted media ignored: 6, first in line 1" in transcript.notes
    assert utterances(transcript)[0].extra == {"sent": "2024-03-13T10:15:00"}


STARTS = [(5, 9), (9, 15), (15, None)]


@pytest.mark.parametrize(
    "content",
    [
        "SUMMARY KEYWORDS\njob, fear\n\nSPEAKERS\nAnn Lee, Ben\n\n"
        "Ann Lee  00:05\n{}\n\nBen  00:09\n{}\n\nAnn Lee  00:15\n{}\n\nTranscribed by https://otter.ai",
        "Weekly\nMarch 12, 2024, 3:00PM\n42m 10s\n\nAnn Lee started transcription\n\n"
        "Ann Lee   0:05\n{}\n\nBen   0:09\n{}\n\nAnn Lee   0:15\n{}\n\nAnn Lee stopped transcription",
        "[00:00:05] Ann Lee\n{}\n\n[00:00:09] Ben\n{}\n\n[00:00:15] Ann Lee\n{}",
        "00:00:05 Ann Lee\n{}\n00:00:09 Ben\n{}\n00:00:15 Ann Lee\n{}",
        "Ann Lee (00:00:05):\n{}\n\nBen (00:00:09):\n{}\n\nAnn Lee (00:00:15):\n{}",
        "00:05 Ann Lee: {}\n00:09 Ben: {}\n00:15 Ann Lee: {}",
        "00:00:05\tAnn Lee:\t{}\n00:00:09\tBen:\t{}\n00:00:15\tAnn Lee:\t{}",
        "Ann Lee, 0:05\n{}\nBen, 0:09\n{}\nAnn Lee, 0:15\n{}",
    ],
)  # fmt: skip
def test_meetings_with_times(tmp_path: Path, content: str) -> None:
    transcript = read(tmp_path, "a.txt", content.format(JOB, KIDDING, SCARED))
    assert said(transcript) == TALK
    assert times(transcript) == STARTS


@pytest.mark.parametrize(
    "content",
    [
        "Weekly (2024-03-12 10:00 GMT+1) - Transcript\nAttendees\nAnn Lee, Ben\nTranscript\n00:00:00\n \n"
        "Ann Lee: {}\nBen: {}\n00:05:00\n \nAnn Lee: {}\nMeeting ended after 00:10:12 👋\n"
        "This editable transcript was computer generated and might contain errors. People can also change the text.",
        "10:05:22 From  Ann Lee  to  Everyone:\n\t{}\n10:05:29 From  Ben  to  Ann Lee(Direct Message):\n\t{}\n"
        '10:05:40 From  Ben  to  Everyone:\n\tReacted to "I got the job!" with 👍\n'
        '10:06:02 From  Ann Lee  to  Everyone:\n\tReplying to "You are kidding!"\n\t\n\t{}',
        "2024-03-12 10:05:22 From Ann Lee to Everyone:\n\t{}\n2024-03-12 10:05:29 From Ben to Everyone:\n\t{}\n"
        "2024-03-12 10:06:02 From Ann Lee to Everyone:\n\t{}",
        "[12/03 10:15] Ann Lee\n{}\n[12/03 10:16] Ben\n{}\n[12/03 10:17] Ann Lee\n{}",
        "[3/12/2024 10:15 AM] Ann Lee:\n{}\n[3/12/2024 10:16 AM] Ben:\n{}\n[3/12/2024 10:17 AM] Ann Lee:\n{}",
    ],
)  # fmt: skip
def test_meetings_without_times_of_a_recording(tmp_path: Path, content: str) -> None:
    transcript = read(tmp_path, "a.txt", content.format(JOB, KIDDING, SCARED))
    assert said(transcript) == TALK
    assert times(transcript) == [(None, None)] * 3


def test_the_chat_of_meet_is_sbv(tmp_path: Path) -> None:
    blocks = [
        f"00:00:{start:02}.000,00:00:{start + 4:02}.000\n{name}: {text}\n"
        for start, (name, text) in zip((5, 9, 15), TALK, strict=True)
    ]
    transcript = read(tmp_path, "a.sbv", "\n".join(blocks))
    assert said(transcript) == TALK


@pytest.mark.parametrize(
    "content",
    [
        "0:05\nI got\nthe job!\n0:09\nYou are\nkidding!\n0:15\nI am scared.",
        "0:05\n5 seconds\nI got\nthe job!\n0:09\n9 seconds\nYou are kidding!\n0:15\n15 seconds\nI am scared.",
        "Chapter 1: Work\n0:05\nI got\nthe job!\n0:09\nYou are\nkidding!\n0:15\nI am scared.",
    ],
)
def test_copies_of_youtube(tmp_path: Path, content: str) -> None:
    transcript = read(tmp_path, "a.txt", content)
    assert [text for _, text in said(transcript)] == [JOB, KIDDING, SCARED]
    assert times(transcript) == STARTS
