"""JSON of speech recognisers and speech services: who says what and when, with words, times and confidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sdt.conversation import Annotation
from tests.formats.files import read, refused, utterances
from tests.fuzz.speech_services import VALUES

Words = list[tuple[str, float, float, float | None]]
Said = list[tuple[str, str, float | None, float | None, Words]]

HI = ("Hi,", 0.5, 0.75, 0.9)
ANN = ("Ann.", 0.75, 1.25, 0.8)
YES = ("Yes.", 2.0, 2.5, 0.7)
HI_ANN: Words = [HI, ANN]


def found(folder: Path, value: object, name: str = "talk.json", *, format: str | None = None) -> Said:
    content = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return [
        (one.speaker, one.text or "", one.start, one.end, [(w.text, w.start, w.end, w.probability) for w in one.words])
        for one in utterances(read(folder, name, content, format=format))
    ]


def two(first: str, second: str, *, words: bool = True) -> Said:
    """The conversation of most examples: two utterances of two speakers."""
    return [
        (first, "Hi, Ann.", 0.5, 1.25, list(HI_ANN) if words else []),
        (second, "Yes.", 2.0, 2.5, [YES] if words else []),
    ]


def word_list(*words: tuple[str, float, float, float], unit: float = 1, **names: str) -> list[dict[str, Any]]:
    """Words as objects; `names` renames their keys."""
    return [
        {
            names.get("word", "word"): text,
            names.get("start", "start"): start / unit,
            names.get("end", "end"): end / unit,
            names.get("confidence", "confidence"): share,
        }
        for text, start, end, share in words
    ]


def segments(**names: Any) -> list[dict[str, Any]]:
    first = word_list((" Hi,", *HI[1:]), ANN, unit=1, **names)
    return [
        {"id": 0, "start": 0.5, "end": 1.25, "text": " Hi, Ann.", "words": first},
        {"id": 1, "start": 2.0, "end": 2.5, "text": " Yes.", "words": word_list(YES, unit=1, **names)},
    ]


def with_speakers(parts: list[dict[str, Any]], *names: object, key: str = "speaker") -> list[dict[str, Any]]:
    return [part | {key: name} for part, name in zip(parts, names, strict=True)]


def test_whisper(tmp_path: Path) -> None:
    value = {"text": "", "segments": segments(confidence="probability"), "language": "en"}
    assert found(tmp_path, value) == two("Speaker 1", "Speaker 1")


def test_whisperx_and_words_that_it_could_not_align(tmp_path: Path) -> None:
    parts = with_speakers(segments(confidence="score"), "SPEAKER_00", "SPEAKER_01")
    parts[0]["words"].insert(1, {"word": "42"})
    value = {"segments": parts, "word_segments": [], "language": "en"}
    expected = two("SPEAKER_00", "SPEAKER_01")
    expected[0][4].insert(1, ("42", 0.75, 0.75, None))
    assert found(tmp_path, value) == expected


def test_faster_whisper(tmp_path: Path) -> None:
    own: list[dict[str, Any]] = [
        part | {"seek": 0, "tokens": [1], "avg_logprob": -0.1} for part in segments(confidence="probability")
    ]
    assert found(tmp_path, own) == two("Speaker 1", "Speaker 1")
    for part in own:  # versions before 1.1 have tuples: start, end, word, probability
        part["words"] = [[w["start"], w["end"], w["word"], w["probability"]] for w in part["words"]]
    assert found(tmp_path, own) == two("Speaker 1", "Speaker 1")


def test_openai_service(tmp_path: Path) -> None:
    parts = segments()
    words = [word for part in parts for word in part.pop("words")]
    value = {"task": "transcribe", "duration": 3, "text": "", "segments": parts, "words": words}
    assert found(tmp_path, value) == two("Speaker 1", "Speaker 1")
    assert found(tmp_path, {"task": "transcribe", "text": "", "words": words}) == two("Speaker 1", "Speaker 1")
    diarized = with_speakers([part | {"type": "transcript.text.segment"} for part in parts], "A", "agent")
    assert found(tmp_path, {"text": "", "segments": diarized}) == two("A", "agent", words=False)


def test_transformers_pipelines(tmp_path: Path) -> None:
    chunks: list[dict[str, Any]] = [
        {"timestamp": [0.5, 1.25], "text": " Hi, Ann."},
        {"timestamp": [2.0, None], "text": " Yes."},
    ]
    expected = two("Speaker 1", "Speaker 1", words=False)
    expected[1] = ("Speaker 1", "Yes.", 2.0, None, [])
    assert found(tmp_path, {"text": "", "chunks": chunks}) == expected
    chunks[1]["timestamp"] = [2.0, 2.5]
    value = {"text": "", "chunks": chunks, "speakers": with_speakers(chunks, "SPEAKER_00", "SPEAKER_01")}
    assert found(tmp_path, value) == two("SPEAKER_00", "SPEAKER_01", words=False)
    single = [{"timestamp": list(word[1:3]), "text": f" {word[0]}"} for word in (HI, ANN, YES)]
    assert [(one[1], len(one[4])) for one in found(tmp_path, {"text": "", "chunks": single})] == [
        ("Hi, Ann.", 2),
        ("Yes.", 1),
    ]


def test_whisper_cpp_with_tokens(tmp_path: Path) -> None:
    def token(text: str, start: int, end: int, p: float) -> dict[str, Any]:
        return {"text": text, "offsets": {"from": start, "to": end}, "id": 1, "p": p}

    tokens = [
        token("[_BEG_]", 500, 500, 0.9), token(" H", 500, 600, 0.8), token("i", 600, 700, 1.0),
        token(",", 700, 750, 0.9), token(" Ann", 750, 1200, 0.9), token(".", 1200, 1250, 0.7),
        token("[_TT_125]", 1250, 1250, 0.1),
    ]  # fmt: skip
    parts: list[dict[str, Any]] = [
        {"offsets": {"from": 500, "to": 1250}, "text": " Hi, Ann.", "tokens": tokens, "speaker_turn_next": True},
        {"offsets": {"from": 2000, "to": 2500}, "text": " Yes.", "tokens": [token(" Yes.", 2000, 2500, 0.7)]},
    ]
    assert found(tmp_path, {"transcription": parts}) == two("Speaker 1", "Speaker 2")
    parts[0]["text"] = " Hi, Än."  # a character of which each token has a half
    assert found(tmp_path, {"transcription": parts})[0][4] == []
    assert found(tmp_path, {"transcription": with_speakers(parts, "?", "1")})[1][0] == "1"


def test_funasr(tmp_path: Path) -> None:
    sentences = [
        {"text": "你好，", "start": 500, "end": 1250, "timestamp": [[500, 750], [750, 1250]], "spk": 0},
        {"sentence": "Hello there。", "start": 2000, "end": 2500, "timestamp": [[2000, 2250], [2250, 2500]], "spk": 1},
    ]
    expected: Said = [
        ("Speaker 0", "你好，", 0.5, 1.25, [("你", 0.5, 0.75, None), ("好，", 0.75, 1.25, None)]),
        ("Speaker 1", "Hello there。", 2.0, 2.5, [("Hello", 2.0, 2.25, None), ("there。", 2.25, 2.5, None)]),
    ]
    whole = {
        "key": "rec",
        "text": "你好，Hello there。",
        "timestamp": [[500, 750], [750, 1250], [2000, 2250], [2250, 2500]],
    }
    assert found(tmp_path, [whole | {"sentence_info": sentences}]) == expected
    anonymous: Said = [("Speaker 1", *one[1:]) for one in expected]
    assert found(tmp_path, [whole]) == anonymous
    stamped = [
        {"text_seg": "你 好", "punc": "，", "start": "500", "end": "1250", "ts_list": [[500, 750], [750, 1250]]},
        {"text_seg": "Hello there", "punc": "。", "start": 2000, "end": 2500, "ts_list": [[2000, 2250], [2250, 2500]]},
    ]
    runtime = {"mode": "offline", "text": "", "timestamp": "[[500,750]]", "stamp_sents": stamped}
    assert found(tmp_path, runtime) == anonymous
    assert found(tmp_path, [{"key": "rec", "text": "你好", "timestamp": "[[500,750]]"}]) == [
        ("Speaker 1", "你好", 0.5, 0.75, [])
    ]


def test_sensevoice_and_several_recordings(tmp_path: Path) -> None:
    value = [
        {"key": "one", "text": "<|en|><|HAPPY|><|Speech|><|withitn|>Hi."},
        {"key": "two", "text": "<|en|><|SAD|><|Speech|><|withitn|>No."},
    ]
    transcript = read(tmp_path, "talk.json", json.dumps(value))
    assert [(c.id, c.utterances[0].text, c.utterances[0].label) for c in transcript.conversations] == [
        ("one", "Hi.", None),
        ("two", "No.", None),
    ]
    annotations = [c.utterances[0].annotations for c in transcript.conversations]
    assert annotations == [(Annotation("SenseVoice", "happy"),), (Annotation("SenseVoice", "sad"),)]


def deepgram(**more: object) -> dict[str, Any]:
    words = word_list(("hi", *HI[1:]), ("ann", *ANN[1:]), ("yes", *YES[1:]))
    for word, text, speaker in zip(words, ("Hi,", "Ann.", "Yes."), (0, 0, 1), strict=True):
        word |= {"punctuated_word": text, "speaker": speaker}
    best = {"transcript": "Hi, Ann. Yes.", "confidence": 0.9, "words": words}
    return {"metadata": {"request_id": "x"}, "results": {"channels": [{"alternatives": [best | more]}]}}


def test_deepgram(tmp_path: Path) -> None:
    assert found(tmp_path, deepgram()) == two("Speaker 0", "Speaker 1")
    paragraphs = [
        {"sentences": [{"text": "Hi, Ann.", "start": 0.5, "end": 1.25}], "speaker": 0, "start": 0.5, "end": 1.25},
        {"sentences": [{"text": "Yes.", "start": 2.0, "end": 2.5}], "speaker": 1, "start": 2.0, "end": 2.5},
    ]
    value = deepgram(paragraphs={"transcript": "", "paragraphs": paragraphs})
    assert found(tmp_path, value) == two("Speaker 0", "Speaker 1")
    words = value["results"]["channels"][0]["alternatives"][0]["words"]
    own = [
        {"start": 0.5, "end": 1.25, "channel": 0, "transcript": "Hi, Ann.", "words": words[:2], "speaker": 0},
        {"start": 2.0, "end": 2.5, "channel": 0, "transcript": "Yes.", "words": words[2:], "speaker": 1},
    ]
    value["results"]["utterances"] = []
    assert found(tmp_path, value) == two("Speaker 0", "Speaker 1")
    value["results"]["utterances"] = own
    assert found(tmp_path, value) == two("Speaker 0", "Speaker 1")


def test_deepgram_with_several_channels(tmp_path: Path) -> None:
    value = deepgram()
    later = word_list(("so", 1.5, 1.75, 0.5))
    value["results"]["channels"].append({"alternatives": [{"transcript": "so", "words": later}]})
    assert [(one[0], one[1]) for one in found(tmp_path, value)] == [
        ("Channel 0, Speaker 0", "Hi, Ann."),
        ("Channel 1", "so"),
        ("Channel 0, Speaker 1", "Yes."),
    ]


def assemblyai() -> dict[str, Any]:
    words = word_list(HI, ANN, YES, unit=0.001, word="text")
    return {
        "id": "x",
        "audio_url": "https://example.org/talk.mp3",
        "status": "completed",
        "text": "Hi, Ann. Yes.",
        "words": with_speakers(words, "A", "A", "B"),
        "utterances": None,
    }


def test_assemblyai(tmp_path: Path) -> None:
    value = assemblyai()
    assert found(tmp_path, value) == two("Speaker A", "Speaker B")
    parts = [
        {"speaker": "A", "start": 500, "end": 1250, "text": "Hi, Ann.", "words": value["words"][:2]},
        {"speaker": "B", "start": 2000, "end": 2500, "text": "Yes.", "words": value["words"][2:]},
    ]
    assert found(tmp_path, value | {"utterances": parts}) == two("Speaker A", "Speaker B")
    assert read(tmp_path, "a.json", json.dumps(value)).conversations[0].media == "https://example.org/talk.mp3"
    assert found(tmp_path, {"sentences": parts, "id": "x", "audio_duration": 3}) == two("Speaker A", "Speaker B")
    assert "'queued'" in refused(tmp_path, "a.json", json.dumps(value | {"status": "queued"}))
    assert "'no audio'" in refused(tmp_path, "a.json", json.dumps(value | {"status": "error", "error": "no audio"}))


def aws_items(**labels: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for text, start, end, share in (HI, ANN, YES):
        best = {"confidence": f"{share}", "content": text[:-1]}
        items.append({"type": "pronunciation", "start_time": f"{start}", "end_time": f"{end}", "alternatives": [best]})
        items.append({"type": "punctuation", "alternatives": [{"confidence": "0.0", "content": text[-1]}]})
    for number, item in enumerate(items):
        item |= {"id": number} | labels
    return items


def test_amazon_transcribe(tmp_path: Path) -> None:
    items = aws_items()
    for number, item in enumerate(items):
        item["speaker_label"] = "spk_0" if number < 4 else "spk_1"
    results: dict[str, Any] = {"transcripts": [{"transcript": "Hi, Ann. Yes."}], "items": items}
    value = {"jobName": "j", "status": "COMPLETED", "results": results}
    assert found(tmp_path, value) == two("spk_0", "spk_1")
    results["audio_segments"] = [
        {"id": 0, "transcript": "Hi, Ann.", "start_time": "0.5", "end_time": "1.25", "speaker_label": "spk_0",
         "items": [0, 1, 2, 3]},
        {"id": 1, "transcript": "Yes.", "start_time": "2.0", "end_time": "2.5", "speaker_label": "spk_1",
         "items": [4, 5]},
    ]  # fmt: skip
    assert found(tmp_path, value) == two("spk_0", "spk_1")
    assert "'IN_PROGRESS'" in refused(tmp_path, "a.json", json.dumps(value | {"status": "IN_PROGRESS"}))


def test_amazon_transcribe_of_older_jobs(tmp_path: Path) -> None:
    spoken = [item for item in aws_items() if "start_time" in item]
    times = [{"start_time": one["start_time"], "end_time": one["end_time"]} for one in spoken]
    labels = {
        "speakers": 2,
        "segments": [
            {"speaker_label": "spk_0", "items": with_speakers(times[:2], *["spk_0"] * 2, key="speaker_label")},
            {"speaker_label": "spk_1", "items": times[2:]},
        ],
    }
    value = {"jobName": "j", "results": {"transcripts": [], "speaker_labels": labels, "items": aws_items()}}
    assert found(tmp_path, value) == two("spk_0", "spk_1")


def test_amazon_transcribe_with_channels_and_of_calls(tmp_path: Path) -> None:
    items = aws_items()
    channels = [{"channel_label": "ch_0", "items": items[4:]}, {"channel_label": "ch_1", "items": items[:4]}]
    value = {"results": {"transcripts": [], "channel_labels": {"channels": channels}, "items": items}}
    assert found(tmp_path, value) == two("ch_1", "ch_0")

    def turn(role: str, text: str, *words: tuple[str, float, float, float]) -> dict[str, Any]:
        own: list[dict[str, Any]] = []
        for word, start, end, share in words:
            when = {"BeginOffsetMillis": int(1000 * start), "EndOffsetMillis": int(1000 * end)}
            own.append({"Type": "pronunciation", "Content": word[:-1], "Confidence": f"{share}"} | when)
            own.append({"Type": "punctuation", "Content": word[-1], "Confidence": "0.0"} | when)
        when = {"BeginOffsetMillis": int(1000 * words[0][1]), "EndOffsetMillis": int(1000 * words[-1][2])}
        return {"ParticipantRole": role, "Content": text, "Items": own, "Sentiment": "NEUTRAL"} | when

    call = {"JobName": "j", "Transcript": [turn("AGENT", "Hi, Ann.", HI, ANN), turn("CUSTOMER", "Yes.", YES)]}
    assert found(tmp_path, call) == two("AGENT", "CUSTOMER")


def google(
    start: str = "startTime", end: str = "endTime", tag: str = "speakerTag", *tags: object
) -> list[dict[str, Any]]:
    words = [
        {"word": text, start: f"{begins:.3f}s", end: f"{ends:.3f}s", "confidence": share}
        for text, begins, ends, share in (HI, ANN, YES)
    ]
    return with_speakers(words, *tags, key=tag) if tags else words


def result(text: str, words: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    return {"alternatives": [{"transcript": text, "confidence": 0.9, "words": words}, {"transcript": "no"}], **more}


def test_google_version_1(tmp_path: Path) -> None:
    words = google()
    plain = {"results": [result("Hi, Ann.", words[:2]), result(" Yes.", words[2:])]}
    assert found(tmp_path, plain) == two("Speaker 1", "Speaker 1")
    tagged = result("", google("startTime", "endTime", "speakerTag", 1, 1, 2))
    assert found(tmp_path, {"results": [*plain["results"], tagged]}) == two("Speaker 1", "Speaker 2")
    operation = {"name": "1", "done": True, "response": plain}
    assert found(tmp_path, operation) == two("Speaker 1", "Speaker 1")
    channels = [result("Hi, Ann.", words[:2], channelTag=1), result("Yes.", words[2:], channelTag=2)]
    assert found(tmp_path, {"results": channels}) == two("Channel 1", "Channel 2")


def test_google_in_snake_case_and_without_words(tmp_path: Path) -> None:
    words = google("start_time", "end_time")
    words[0]["start_time"] = {"nanos": 500000000}
    words[0]["end_time"] = {"seconds": 0, "nanos": 750000000}
    value = {"results": [result("Hi, Ann.", words[:2]), result("Yes.", words[2:])]}
    assert found(tmp_path, value) == two("Speaker 1", "Speaker 1")
    del words[0]["start_time"]  # zero is not written
    assert found(tmp_path, value)[0][2] == 0
    bare = {"results": [result("Hi.", [], resultEndTime="1.5s"), result("Yes.", [], resultEndTime="2.5s")]}
    assert [one[:4] for one in found(tmp_path, bare)] == [
        ("Speaker 1", "Hi.", 0, 1.5),
        ("Speaker 1", "Yes.", 1.5, 2.5),
    ]


def test_google_version_2(tmp_path: Path) -> None:
    words = google("startOffset", "endOffset", "speakerLabel", "1", "1", "2")
    whole = {"results": [result("Hi, Ann. Yes.", words, resultEndOffset="3s", languageCode="en-us")], "metadata": {}}
    assert found(tmp_path, whole) == two("Speaker 1", "Speaker 2")
    batch = {"results": {"gs://b/one.wav": {"inlineResult": {"transcript": whole}}}}
    assert found(tmp_path, batch) == two("Speaker 1", "Speaker 2")
    batch["results"]["gs://b/two.wav"] = {"transcript": whole}  # type: ignore[dict-item]
    transcript = read(tmp_path, "talk.json", json.dumps(batch))
    assert [(c.id, len(c)) for c in transcript.conversations] == [("one", 2), ("two", 2)]
    stored = {"results": {"gs://b/one.wav": {"cloudStorageResult": {"uri": "gs://b/out.json"}}}}
    assert "gs://b/out.json" in refused(tmp_path, "a.json", json.dumps(stored))


def azure(word: str, unit: float, offset: str, duration: str) -> list[list[dict[str, Any]]]:
    words = [
        {word: text, offset: round(start / unit), duration: round((end - start) / unit), "confidence": share}
        for text, start, end, share in (HI, ANN, YES)
    ]
    return [words[:2], words[2:]]


TWO = ((0.5, 0.75, "Hi, Ann."), (2.0, 0.5, "Yes."))
"""Start, duration and text."""


def test_azure_batches(tmp_path: Path) -> None:
    phrases = [
        {
            "recognitionStatus": "Success",
            "speaker": number,
            "channel": 0,
            "offset": f"PT{start}S",
            "duration": f"PT{length}S",
            "nBest": [{"confidence": 0.9, "lexical": "x", "display": text, "displayWords": words}],
        }
        for number, ((start, length, text), words) in enumerate(
            zip(TWO, azure("displayText", 1e-7, "offsetInTicks", "durationInTicks"), strict=True), start=1
        )
    ]
    value = {"source": "a", "combinedRecognizedPhrases": [], "recognizedPhrases": phrases}
    assert found(tmp_path, value) == two("Speaker 1", "Speaker 2")
    phrases[1]["channel"] = 1
    assert [one[0] for one in found(tmp_path, value)] == ["Channel 0, Speaker 1", "Channel 1, Speaker 2"]
    phrases[0]["recognitionStatus"] = "Failure"
    transcript = read(tmp_path, "talk.json", json.dumps(value))
    assert len(utterances(transcript)) == 1
    assert any("ignored: 1" in note for note in transcript.notes)


def test_azure_fast_transcription(tmp_path: Path) -> None:
    phrases = [
        {
            "speaker": n,
            "offsetMilliseconds": 1000 * start,
            "durationMilliseconds": 1000 * length,
            "text": text,
            "words": w,
        }
        for n, ((start, length, text), w) in enumerate(
            zip(TWO, azure("text", 0.001, "offsetMilliseconds", "durationMilliseconds"), strict=True)
        )
    ]
    value = {"durationMilliseconds": 3000, "combinedPhrases": [{"text": "x"}], "phrases": phrases}
    assert found(tmp_path, value) == two("Speaker 0", "Speaker 1")


def test_azure_detailed_results(tmp_path: Path) -> None:
    results = [
        {
            "Id": "x",
            "RecognitionStatus": "Success",
            "DisplayText": text,
            "Offset": round(start * 1e7),
            "Duration": round(length * 1e7),
            "SpeakerId": f"Guest-{number}",
            "NBest": [{"Confidence": 0.9, "Lexical": "x", "Display": text, "Words": words}],
        }
        for number, ((start, length, text), words) in enumerate(
            zip(TWO, azure("Word", 1e-7, "Offset", "Duration"), strict=True), start=1
        )
    ]
    expected = two("Guest-1", "Guest-2")
    assert found(tmp_path, results) == expected
    assert found(tmp_path, "".join(json.dumps(one) + "\n" for one in results)) == expected
    assert found(tmp_path, results[0]) == expected[:1]


def rev(speaker: int, *words: tuple[str, float, float, float]) -> dict[str, Any]:
    elements: list[dict[str, Any]] = []
    for text, start, end, share in words:
        elements.append({"type": "text", "value": text[:-1], "ts": start, "end_ts": end, "confidence": share})
        elements += [{"type": "punct", "value": text[-1]}, {"type": "punct", "value": " "}]
    return {"speaker": speaker, "elements": elements}


def test_rev(tmp_path: Path) -> None:
    value: dict[str, Any] = {"monologues": [rev(0, HI, ANN), rev(1, YES)]}
    assert found(tmp_path, value) == two("Speaker 0", "Speaker 1")
    value["speakers"] = [{"id": 0, "name": "Ann Lee"}, {"id": 1, "name": "Ben"}]
    assert found(tmp_path, value) == two("Ann Lee", "Ben")
    for monologue in value["monologues"]:
        for element in monologue["elements"]:
            element.pop("ts", None)
    assert [one[:4] for one in found(tmp_path, value)] == [
        ("Ann Lee", "Hi, Ann.", None, None),
        ("Ben", "Yes.", None, None),
    ]


@pytest.mark.parametrize("name", VALUES)
def test_seeds_of_the_fuzzer_are_read(tmp_path: Path, name: str) -> None:
    transcript = read(tmp_path, "talk.json", json.dumps(VALUES[name]))
    assert all(one.text for conversation in transcript.conversations for one in conversation.utterances)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"segments": [{"start": "soon", "end": 1, "text": "a"}]}, "segments[0].start"),
        ({"segments": [{"start": 2, "end": 1, "text": "a"}]}, "segments[0]"),
        ({"segments": [{"start": 0, "end": 1, "text": ["a"]}]}, "segments[0].text"),
        ({"segments": [{"start": 0, "end": 10**400, "text": "a"}]}, "segments[0].end"),
        ({"segments": [{"start": 0, "end": 1, "text": "a", "words": [{"word": "a", "start": -1}]}]}, "[0].words"),
        ({"segments": [{"start": 0, "end": 1, "text": "a\ud800"}]}, "segments[0].text"),
        ({"text": "", "chunks": [{"timestamp": [1], "text": "a"}]}, "chunks[0].timestamp"),
        ([{"key": "a", "text": "a", "timestamp": [[1]]}], "[0].timestamp[0]"),
        ([{"key": "a", "text": "a", "timestamp": "[["}], "[0].timestamp"),
        (deepgram(words=[{"word": "a", "start": 1}]), "results.channels[0].alternatives[0].words[0].end"),
        (deepgram(words=[{"word": "a", "start": 1, "end": 2, "confidence": 7}]), "words[0].confidence"),
        (deepgram(words={"word": "a"}), "results.channels[0].alternatives[0].words"),
        (assemblyai() | {"utterances": [{"start": 5, "end": 1, "text": "a"}]}, "utterances[0]"),
        ({"results": {"items": [{"type": "p", "alternatives": [{"content": "a"}]}]}}, "results.items[0].start_time"),
        ({"results": [{"alternatives": [{"words": [{"word": "a", "endTime": "x"}]}]}]}, "words[0].endTime"),
        ({"recognizedPhrases": [{"offset": "1", "duration": "PT1S", "nBest": []}]}, "recognizedPhrases[0].offset"),
        ({"phrases": [7], "combinedPhrases": []}, "phrases[0]"),
        ({"results": {"a": {"transcript": {}}, "\ud800": {"transcript": {}}}}, "results"),
        ({"monologues": [{"elements": [{"type": "text", "value": "\ud800"}]}]}, "monologues[0].elements[0].value"),
        ({"monologues": [{"elements": [{"type": "text", "value": 3}]}]}, "monologues[0].elements[0].value"),
    ],
)  # fmt: skip
def test_errors_name_the_place(tmp_path: Path, value: object, place: str) -> None:
    message = refused(tmp_path, "a.json", json.dumps(value))
    assert f"{place}: " in message
