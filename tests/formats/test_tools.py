"""Transcripts as common tools write them, and texts that only look so: who says what, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.formats.files import read, refused, said, times

JOB, KIDDING, SCARED = "I got the job!", "You are kidding!", "I am scared."
TALK = [("Ann Lee", JOB), ("Ben", KIDDING), ("Ann Lee", SCARED)]


def cues(*texts: str) -> str:
    """An SRT file of cues of a second, each right after the one before."""
    return "\n".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n + 1:02},000\n{text}\n" for n, text in enumerate(texts))


@pytest.mark.parametrize(
    "lines",
    [
        ["1. Ann Lee: {}", "2. Ben: {}", "3. Ann Lee: {}"],
        ["(1) Ann Lee: {}", "(2) Ben: {}", "(3) Ann Lee: {}"],
        ["12 Ann Lee: {}", "13 Ben: {}", "14 Ann Lee: {}"],
        ["# Talk\n\n**Ann Lee:** {}\n", "**Ben:** {}\n", "**Ann Lee:** {}"],
        ["<Ann Lee> {}", "<Ben> {}", "<Ann Lee> {}"],
        ["[Ann Lee] {}", "[Ben] {}", "[Ann Lee] {}"],
        ["[22:15, 12/3/2024] Ann Lee: {}", "[22:16, 12/3/2024] Ben: {}", "[22:17, 12/3/2024] Ann Lee: {}"],
        ["Ann Lee, [12.03.2024 10:15]\n{}\n", "Ben, [12.03.2024 10:16]\n{}\n", "Ann Lee, [12.03.2024 10:17]\n{}"],
        ["Ann Lee — Today at 10:15 PM\n{}", "Ben — Today at 10:16 PM\n{}", "Ann Lee — Today at 10:17 PM\n{}"],
        ["Ann Lee  10:15 AM\n{}", "Ben  10:16 AM\n{}", "Ann Lee  10:17 AM\n{}"],
        ["Ann Lee\n{}\n", "Ben\n{}\n", "Ann Lee\n{}"],
        ["INT. OFFICE\n\nAnn Lee\n{}\n", "Ben\n{}\n", "Ann Lee\n{}"],
        ["~ Ann Lee: {}", "~ Ben: {}", "~ Ann Lee: {}"],
        ["[10:05 AM] Ann Lee: {}", "[10:09 AM] Ben: {}", "[10:15 AM] Ann Lee: {}"],
        ["Ann Lee (10:05 AM): {}", "Ben (10:09 AM): {}", "Ann Lee (10:15 AM): {}"],
        ["[Ann Lee] 10:05 AM: {}", "[Ben] 10:09 AM: {}", "[Ann Lee] 10:15 AM: {}"],
        ["Ann Lee\n10:05 AM\n{}\n", "Ben\n10:09 AM\n{}\n", "Ann Lee\n10:15 AM\n{}"],
        ["10:05 AM\nAnn Lee\n{}", "10:09 AM\nBen\n{}", "10:15 PM\nAnn Lee\n{}"],
        [
            "10:05:22 From Ann Lee to Everyone:\n\t{}",
            "10:05:29 From Ben to Ann Lee:\n\t{}",
            "10:06:02 From Ann Lee:\n\t{}",
        ],
        ["10:05:22\t From Ann Lee : {}", "10:05:29\t From Ben to Everyone : {}", "10:06:02\t From Ann Lee : {}"],
        ["Talk\nAnn Lee, Ben\n\n00:00:00\n\nAnn Lee: {}", "Ben: {}\n\n00:05:00\n", "Ann Lee: {}"],
    ],
)
def test_names(tmp_path: Path, lines: list[str]) -> None:
    content = "\n".join(line.format(words) for line, (_, words) in zip(lines, TALK, strict=True))
    transcript = read(tmp_path, "a.txt", content)
    assert said(transcript) == TALK
    assert times(transcript) == [(None, None)] * 3


@pytest.mark.parametrize(
    "lines",
    [
        ["[00:00:05] Ann Lee: {}", "[00:00:09] Ben: {}", "[00:00:15] Ann Lee: {}"],
        ["Ann Lee: (00:05)\n{}\n", "Ben: (00:09)\n{}\n", "Ann Lee: (00:15)\n{}"],
        ["Ann Lee [00:00:05]: {}", "Ben [00:00:09]: {}", "Ann Lee [00:00:15]: {}"],
        ["Ann Lee [0:05]\n{}", "Ben [0:09]\n{}", "Ann Lee [0:15]\n{}"],
        ["[00:00:05.000] - Ann Lee\n{}\n", "[00:00:09.000] - Ben\n{}\n", "[00:00:15.000] - Ann Lee\n{}"],
        ["0:05\nAnn Lee\n{}", "0:09\nBen\n{}", "0:15\nAnn Lee\n{}"],
        ["Ann Lee | 00:05\n{}", "Ben | 00:09\n{}", "Ann Lee | 00:15\n{}"],
        ["Ann Lee   0 minutes 5 seconds\n{}", "Ben   0 minutes 9 seconds\n{}", "Ann Lee   15 seconds\n{}"],
        ["Ann Lee\n5 seconds\n0:05\n{}", "Ben\n9 seconds\n0:09\n{}", "Ann Lee\n15 seconds\n0:15\n{}"],
        ["[Ann Lee] 0:05: {}", "[Ben] 0:09: {}", "[Ann Lee] 0:15: {}"],
        ["A meeting\n\nAnn Lee\n00:05\n{}\n", "Ben\n00:09\n{}\n", "Ann Lee\n00:15\n{}"],
    ],
)
def test_names_and_starts(tmp_path: Path, lines: list[str]) -> None:
    content = "\n".join(line.format(words) for line, (_, words) in zip(lines, TALK, strict=True))
    transcript = read(tmp_path, "a.txt", content)
    assert said(transcript) == TALK
    assert times(transcript) == [(5, 9), (9, 15), (15, None)]


@pytest.mark.parametrize(
    "lines",
    [
        ["2.75 3.5 Ann Lee: {}", "3.5 4.25 Ben: {}", "4.25 5.0 Ann Lee: {}"],
        ["0:0:2.75 --> 0:0:3.5\nAnn Lee\n{}\n", "0:0:3.5 --> 0:0:4.25\nBen\n{}\n", "0:0:4.25 --> 0:0:5.0\nAnn Lee\n{}"],
        ["Ann Lee (0:02.75 - 0:03.5): {}", "Ben (0:03.5 - 0:04.25): {}", "Ann Lee (0:04.25 - 0:05): {}"],
    ],
)
def test_names_starts_and_ends(tmp_path: Path, lines: list[str]) -> None:
    content = "\n".join(line.format(words) for line, (_, words) in zip(lines, TALK, strict=True))
    transcript = read(tmp_path, "a.txt", content)
    assert said(transcript) == TALK
    assert times(transcript) == [(2.75, 3.5), (3.5, 4.25), (4.25, 5)]


def test_times_alone(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.txt", "My film\n0:05\nI got the job\n0:09\nyou are\nkidding\n")
    assert said(transcript) == [("Speaker 1", "I got the job"), ("Speaker 1", "you are kidding")]
    assert times(transcript) == [(5, 9), (9, None)]
    assert "a.txt: lines above the first speaker or time ignored: 1, first in line 1" in transcript.notes


@pytest.mark.parametrize(
    "content",
    [
        "Note: this is a diary.\nRemember: buy milk.\nI left at 10:30.\nHe said: no way.\nhttp://example.org is nice.",
        "I was at work.\n(pause) And then it happened.\n[laughs] It was odd.\nMy boss: what a man.\nI left at 5:30.",
        "1. Buy eggs\n2. Call mom\n3. Sleep",
        "10:30 Lunch\n11:00 Talk\n12:00 Walk",
        "Hello darkness\nmy old friend\n\nHello darkness\nmy old friend",
        ">> Did you see it?\n> Yes.\nI did not.",
        "Meet me at 10:30\nor at 11:30\nor not at all",
        "The score was 3:2\nand then 4:2\nin Rome",
        "I <3 you\na < b > c\n<- there",
        "Hi\nthere",
    ],
)
def test_words_of_one_speaker_stay_whole(tmp_path: Path, content: str) -> None:
    transcript = read(tmp_path, "a.txt", content)
    assert said(transcript) == [("Speaker 1", line) for line in content.split("\n") if line]
    assert times(transcript) == [(None, None)] * len(said(transcript))


def test_two_lines_are_a_chat(tmp_path: Path) -> None:
    assert said(read(tmp_path, "a.txt", "Ann: Hi\nBen: Ho: so\n")) == [("Ann", "Hi"), ("Ben", "Ho: so")]


def test_whatsapp_of_a_phone_by_apple(tmp_path: Path) -> None:
    content = """\u200e[12/03/24, 10:15:32] Trip: \u200eMessages and calls are end-to-end encrypted.
[12/03/24, 10:15:40] Ann Lee: I got the job!
[12/03/24, 10:16:01] ~\u202fBen: <Media omitted>
\u200e[12/03/24, 10:16:20] ~\u202fBen: \u200eimage omitted
[12/03/24, 10:16:30] ~\u202fBen: This message was deleted.
[12/03/24, 10:17:01] ~\u202fBen: You are kidding! \u200e<This message was edited>
"""
    transcript = read(tmp_path, "a.txt", content)
    assert said(transcript) == [("Ann Lee", JOB), ("Ben", KIDDING)]
    assert "a.txt: notices and omitted media ignored: 4, first in line 1" in transcript.notes


def test_sounds_are_left_out_and_counted(tmp_path: Path) -> None:
    texts = [
        "[door slams]",
        "(laughs) No.",
        "\u266a la la \u266a",
        "(I know.)",
        "[sighs] [door] \u266a",
        "Oh [sic] no.",
    ]
    content = "\n".join(f"{name}: {text}" for name, text in zip(("Ann", "Ben") * 3, texts, strict=True))
    transcript = read(tmp_path, "a.txt", content)
    assert said(transcript) == [("Ben", "(laughs) No."), ("Ben", "(I know.)"), ("Ben", "Oh [sic] no.")]
    assert transcript.notes == ["a.txt: descriptions of sounds ignored: 3, first in line 1"]
    subtitles = read(
        tmp_path,
        "a.srt",
        cues("[ANN] Hi", "[BEN] Ho", "[ANN] So", "[door slams]", "- [sighs]\n- No.", "\u266a la \u266a"),
    )
    assert said(subtitles) == [("ANN", "Hi"), ("BEN", "Ho"), ("ANN", "So"), ("BEN", "No.")]
    assert "a.srt: descriptions of sounds ignored: 3, first in line 14" in subtitles.notes
    assert "the file has no utterances; descriptions of sounds ignored: 1" in refused(
        tmp_path, "b.srt", cues("[Music]")
    )


def test_changes_of_speaker(tmp_path: Path) -> None:
    content = ">> Hi.\n>> Ho. >> So?\nAnd then?\n>> Ann: No.\n>> Yes."
    assert said(read(tmp_path, "a.txt", content)) == [
        ("Speaker 1", "Hi."),
        ("Speaker 2", "Ho."),
        ("Speaker 1", "So? And then?"),
        ("Ann", "No."),
        ("Speaker 1", "Yes."),
    ]
    assert said(read(tmp_path, "a.srt", cues("- Who?\n- Me."))) == [("Speaker 1", "Who?"), ("Speaker 2", "Me.")]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["No.", "No.", "No.\nNo, I said."], ["No.", "No.", "No. No, I said."]),
        (["Go!", "Go!", "Go!", "Go!"], ["Go!"] * 4),
        (["Oh no", "Oh no not that", "Well"], ["Oh no", "Oh no not that", "Well"]),
        (
            ["I", "I got", "I got the", "I got the job", "You", "You are", "You are kidding"],
            ["I got the job", "You are kidding"],
        ),
        (["a b", "a b\nc d", "c d\ne f", "e f\nNo.", "No.\nNo."], ["a b", "c d", "e f", "No.", "No."]),
        (["a\nb\nc", "b\nc\nd", "c\nd\ne"], ["a b c", "d", "e"]),
        (["<b>No.</b>", "<b>No.</b>"], ["No.", "No."]),
        (["<u>No</u> no", "No <u>no</u>", "<u>No</u> no", "No <u>no</u>"], ["No no", "No no"]),
        (["<i>All</i> of it", "so <i>it</i> is"], ["All of it", "so it is"]),
    ],
)
def test_words_that_captions_show_again(tmp_path: Path, texts: list[str], expected: list[str]) -> None:
    assert [text for _, text in said(read(tmp_path, "a.srt", cues(*texts)))] == expected


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", 'start,end,text\n310,2100," I got the job!"\n2400,4900," No."\n', [(0.31, 2.1), (2.4, 4.9)]),
        ("a.csv", "start,end,speaker,text\n310,2100,0,I got\n2400,,1,No\n", [(0.31, 2.1), (2.4, None)]),
        ("a.txt", "start\tend\ttext\n310\t2100\tI got\n2400\t4900\tNo\n", [(0.31, 2.1), (2.4, 4.9)]),
        ("a.csv", "start,end,text\n0,2,I got the job!\n3,5,No\n", [(0, 2), (3, 5)]),
        ("a.csv", f"start,end,text\n0,200,{'word ' * 300}\n200,320,{'word ' * 99}\n", [(0, 200), (200, 320)]),
        (
            "a.csv",
            "Start Time,End Time,Text\n00:00:01:10,00:00:01:20,Hi\n00:00:02;05,00:00:04;00,Ho\n",
            [(1, 2), (2, 4)],
        ),
    ],
)
def test_units_of_times(tmp_path: Path, name: str, content: str, expected: list[tuple[float, float]]) -> None:
    assert times(read(tmp_path, name, content)) == expected


def test_json_of_whisper_cpp(tmp_path: Path) -> None:
    content = """{"systeminfo": "", "result": {"language": "en"}, "transcription": [
        {"offsets": {"from": 310, "to": 2100}, "text": " I got the job!"},
        {"offsets": {"from": 2100, "to": 2400}, "text": " [Music]"},
        {"offsets": {"from": 2400, "to": 4900}, "text": " No.", "speaker": "1"}]}"""
    transcript = read(tmp_path, "a.json", content)
    assert (said(transcript), times(transcript)) == ([("Speaker 1", JOB), ("1", "No.")], [(0.31, 2.1), (2.4, 4.9)])
    assert "a.json, transcription[0].offsets.from: " in refused(tmp_path, "a.json", content.replace("310", "null"))


def test_a_long_line_of_json(tmp_path: Path) -> None:
    segments = ", ".join(f'{{"start": {n}, "end": {n + 1}, "text": " word {n}"}}' for n in range(5000))
    assert len(said(read(tmp_path, "a.json", f'{{"text": "", "segments": [{segments}]}}'))) == 5000
    assert "b.json, object 1: the text exceeds the limit of 100,000" in refused(
        tmp_path, "b.json", f'[{{"text": "{"a" * 100_001}"}}]'
    )


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ('"Praat chronological TextGrid text file"\n0 5\n', "TextGrid"),
        ('<?xml version="1.0"?>\n<Trans><Episode></Episode></Trans>', "Transcriber"),
        ('<tt xmlns="http://www.w3.org/ns/ttml"><body></body></tt>', "TTML"),
        ("<SAMI><BODY></BODY></SAMI>\n", "SAMI"),
        ("<p>Ann: hi</p>\n<p>Ben: ho</p>", "XML"),
        ("% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n", "IEMOCAP's evaluation"),
        ("[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5, 2.5, 2.5]", "IEMOCAP's evaluation"),
        ("  SFrm  EFrm    SegAScr Word\n  0  1  -2  <s>", "IEMOCAP's forced alignment"),
        ("- speaker: Ann\n  text: hi\n", "YAML"),
        ("{0}{25}Hello|there\n{30}{50}Hi", "MicroDVD"),
        ("[0][25] Hello\n[30][50] Hi", "MPL2"),
        ("Scenarist_SCC V1.0\n\n00:00:00:00 9420", "SCC"),
        ("00:00:01.00,00:00:02.00\nHi\n", "SubViewer"),
        ('[{"id": 1, "annotator": 1, "annotation_id": 2, "text": "hi"}]', "Label Studio"),
        ('{"version": "1.0.0", "segments": [{"body": "hi"}]}', "podcast"),
        ('{"messages": [{"role": "user", "content": "hi"}]}', "chats with a language model"),
        ('[{"type": "message", "user": "U1", "ts": "1.2", "text": "hi"}]', "Slack"),
        ('{"name": "A", "type": "personal_chat", "id": 1, "messages": []}', "Telegram"),
    ],
)
@pytest.mark.parametrize("suffix", ["txt", "json", "csv", "vtt"])
def test_formats_that_are_not_read(tmp_path: Path, content: str, title: str, suffix: str) -> None:
    message = refused(tmp_path, f"a.{suffix}", content)
    assert title in message
    assert "not supported" in message


def test_a_chat_about_formats_is_a_chat(tmp_path: Path) -> None:
    content = "Ann: <Begin> with @Begin and {0}{1}\nBen: SPEAKER f 1 0.0 1.0\nAnn: text: hi, speaker: me\n"
    assert [name for name, _ in said(read(tmp_path, "a.txt", content))] == ["Ann", "Ben", "Ann"]


def test_hours_in_words(tmp_path: Path) -> None:
    content = "Ann Lee   5 seconds\nHi\nBen   1 hour 2 minutes\nNo\nAnn Lee   2 hours 1 minute 3 seconds\nOh"
    assert [start for start, _ in times(read(tmp_path, "a.txt", content))] == [5, 3720, 7263]


def test_names_in_the_identifiers_of_cues(tmp_path: Path) -> None:
    blocks = [
        f'{n} "{name}" ({n}{n})\n00:00:0{n}.000 --> 00:00:0{n + 1}.000\n{words}\n'
        for n, (name, words) in enumerate(TALK)
    ]
    assert said(read(tmp_path, "a.vtt", "WEBVTT\n\n" + "\n".join(blocks))) == TALK


@pytest.mark.parametrize(
    "content",
    [
        "Ann: Hello\nBen: Hi\n(laughs)\n[crosstalk]\nAnn: Bye\n",
        "Ann  0:01\nHello\n\nBen  0:02\nHi\n[music]\n\nAnn  0:03\nBye\n",
    ],
)
def test_a_line_of_sounds_belongs_to_nobody(tmp_path: Path, content: str) -> None:
    assert said(read(tmp_path, "a.txt", content)) == [("Ann", "Hello"), ("Ben", "Hi"), ("Ann", "Bye")]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, 1, "Hi"), (None, None, "No")], [(0, 1), (None, None)]),
        ([(0, 30, "Yes."), (30, 60, "No.")], [(0, 30), (30, 60)]),
        ([(0, 2, ""), (2, 4, "")], [(0, 2), (2, 4)]),
        ([(0, 900, "Yes."), (900, 2500, "No, no.")], [(0, 0.9), (0.9, 2.5)]),
        ([(0, 900, "Yes."), (None, None, "No, no.")], [(0, 0.9), (None, None)]),
    ],
)
def test_whole_seconds_and_milliseconds(
    tmp_path: Path, rows: list[tuple[int | None, int | None, str]], expected: list[tuple[float | None, float | None]]
) -> None:
    records = [{"speaker": "Ann", "start": start, "end": end, "text": text} for start, end, text in rows]
    assert times(read(tmp_path, "a.jsonl", "".join(json.dumps(record) + "\n" for record in records))) == expected
    lines = ["" if start is None else f"{start}" for start, _, _ in rows], [f"{end or ''}" for _, end, _ in rows]
    cells = [f'Ann,{start},{end},"{row[2]}"' for row, start, end in zip(rows, *lines, strict=True)]
    assert times(read(tmp_path, "a.csv", "\n".join(["speaker,start,end,text", *cells]))) == expected
