"""The answers of a real service are those of `sdt predict`, to the digit."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sdt.batch import pack
from sdt.conversation import Conversation, Utterance
from sdt.formats import Transcript, read_transcript, write_transcript
from sdt.models.config import FUSED
from sdt.models.inference import calibrate
from sdt.models.sdt.model import SDT
from sdt.prediction import Pipeline
from tests.encoders.clips import noise, write_clip
from tests.faults import FAULTS
from tests.prediction.models import LABELS
from tests.serving.conftest import SRT
from tests.serving.running import Running

pytestmark = pytest.mark.xdist_group("serving")
CHAT = {
    "id": "chat",
    "utterances": [
        {"speaker": "Ann", "text": "Hello there!"},
        {"speaker": "Bob", "text": "Not  now,\nplease.", "label": "anger"},
        {"text": "Why?"},
    ],
}


def predicted(home: Path, tmp_path: Path, transcript: Path, media: Path | None = None) -> bytes:
    """What `sdt predict --output` writes."""
    out = tmp_path / "expected.jsonl"
    Pipeline.from_pretrained(home / "model", device="cpu")(transcript, media).write(out)
    return out.read_bytes()


def lines(value: Any) -> list[Any]:
    return [json.loads(line) for line in value.splitlines()]


def test_json_is_answered_as_the_same_json_lines(service: Running, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    file.write_text("".join(json.dumps(u) + "\n" for u in CHAT["utterances"]), encoding="utf-8")
    expected = predicted(home, tmp_path, file)
    answer = service.post(CHAT)
    assert answer.status == 200
    assert answer.json["predictions"] == lines(expected)
    assert answer.json["predictions"][1]["text"] == "Not now, please."
    assert answer.json["predictions"][2]["speaker"] == "Bob"
    assert "audio: not used: no recording was given" in answer.json["notes"]
    assert any("1 of 3 utterances have no speaker name" in note for note in answer.json["notes"])
    assert service.post(CHAT, accept="application/x-ndjson").body == expected


def test_labels_and_reviews_are_handed_through(service: Running) -> None:
    rows: list[dict[str, object]] = [
        {"speaker": "Ann", "text": "a", "label": "joy", "review": "corrected"},
        {"speaker": "Ann", "text": "b", "label": "joy", "review": "confirmed"},
        {"speaker": "Ann", "text": "c", "label": "far-off"},
        {"speaker": "Ann", "text": "d"},
        {"speaker": "Ann", "text": "e", "review": "confirmed"},
    ]
    wanted = [("joy", "corrected"), ("joy", "confirmed"), ("far-off", None), (None, None), (None, None)]
    file = "".join(json.dumps(row) + "\n" for row in rows).encode()
    for answer in (service.post({"utterances": rows}), service.post_parts(("transcript", "t.jsonl", file))):
        said = answer.json["predictions"]
        assert [(one.get("label"), one.get("review")) for one in said] == wanted
        assert ["review" in one for one in said] == [True, True, False, False, False]
    rows[0]["review"] = "yes"
    assert service.post({"utterances": rows}).status == 422


def test_the_encoding_of_a_transcript(service: Running) -> None:
    part = ("transcript", "gb.srt", (FAULTS / "transcripts" / "gb.srt").read_bytes())
    for path in ("/v1/predict", "/v1/transcript"):
        refused = service.post_parts(part, path=path)
        error = refused.json["error"]
        assert (refused.status, error["code"]) == (422, "encoding")
        assert [one["message"] for one in error["details"]] == ["cp949", "gb18030"]
        assert "--" not in error["message"]
        assert service.post_parts(part, ("encoding", None, b"gb18030"), path=path).status == 200
        assert service.post_parts(part, ("encoding", None, b"no-such"), path=path).json["error"]["code"] == "invalid"


def test_the_conversations_of_a_transcript(service: Running) -> None:
    table = "conversation,speaker,text,start,label,review,media\na,Ann,Hi!,0.5,joy,confirmed,x.wav\nb,Bob,No.,,,,\n"
    part = ("transcript", "talks.csv", table.encode())
    answer = service.post_parts(part, path="/v1/transcript")
    assert answer.json["conversations"] == [
        {
            "id": "a",
            "utterances": [
                {"id": "0", "speaker": "Ann", "text": "Hi!", "label": "joy", "start": 0.5, "review": "confirmed"}
            ],
        },
        {"id": "b", "utterances": [{"id": "0", "speaker": "Bob", "text": "No."}]},
    ]
    assert any("are ignored" in note for note in answer.json["notes"])
    found = service.post({"conversations": answer.json["conversations"]}, "/v1/predict/batch").json["results"]
    assert [one["predictions"][0]["conversation"] for one in found] == ["a", "b"]
    refused = service.post_parts(part)
    assert (refused.status, "/v1/transcript" in refused.json["error"]["message"]) == (422, True)
    assert service.post_parts(("media", "talk.wav", b""), path="/v1/transcript").status == 422
    assert service.post({"utterances": []}, "/v1/transcript").status == 415


def test_a_transcript_with_its_recording(service: Running, home: Path, tmp_path: Path) -> None:
    expected = predicted(home, tmp_path, home / "talk.srt", home / "talk.wav")
    parts = (
        ("transcript", "talk.srt", SRT.encode()),
        ("media", "talk.wav", (home / "talk.wav").read_bytes()),
    )
    answer = service.post_parts(*parts, accept="application/x-ndjson")
    assert (answer.status, answer.body) == (200, expected)
    assert lines(expected)[0]["weights"]["audio"] > 0
    alone = predicted(home, tmp_path, home / "talk.srt")
    assert alone != expected
    answer = service.post_parts(parts[0], accept="application/x-ndjson")
    assert (answer.status, answer.body) == (200, alone)
    assert service.left() == []


@pytest.mark.parametrize("suffix", [".mp3", ".mp4", ".mkv", ".ogg", ".flac"])
def test_recordings_of_every_kind(service: Running, home: Path, tmp_path: Path, suffix: str) -> None:
    media = write_clip(tmp_path / f"talk{suffix}", noise(2.5))
    expected = predicted(home, tmp_path, home / "talk.srt", media)
    answer = service.post_parts(
        ("transcript", "talk.srt", SRT.encode()),
        ("media", media.name, media.read_bytes()),
        accept="application/x-ndjson",
    )
    assert (answer.status, answer.body) == (200, expected)


def test_clips_in_base64_and_as_parts(service: Running, tmp_path: Path, home: Path) -> None:
    files = [write_clip(tmp_path / f"chat_{k}.wav", noise(0.8, seed=k)) for k in range(2)]
    said = (Utterance("0", "Ann", "Hello!"), Utterance("1", "Bob", "No."), Utterance("2", "Ann", "Oh."))
    pipeline = Pipeline.from_pretrained(home / "model", device="cpu")
    expected = tmp_path / "expected.jsonl"
    pipeline([Conversation("chat", said)], tmp_path).write(expected)
    utterances: list[dict[str, object]] = [{"speaker": u.speaker, "text": u.text} for u in said]
    utterances[0]["clip"] = {"base64": base64.b64encode(files[0].read_bytes()).decode()}
    utterances[1]["clip"] = {"part": "second"}
    body = json.dumps({"id": "chat", "utterances": utterances}).encode()
    answer = service.post_parts(("conversation", None, body), ("second", "x.wav", files[1].read_bytes()))
    assert answer.status == 200, answer.body
    assert answer.json["predictions"] == lines(expected.read_bytes())
    assert answer.json["missing"] == {"audio": ["chat/2: no recording"]}


def test_a_recording_alone_gives_nothing_to_compare_its_sound_with(service: Running, home: Path) -> None:
    """The model compares sounds within a conversation, and there are no words."""
    parts = ("conversation", None, b'{"utterances": [{}]}'), ("media", "talk.wav", (home / "talk.wav").read_bytes())
    answer = service.post_parts(*parts)
    assert answer.status == 422
    assert answer.json["error"]["code"] == "invalid"


def test_an_utterance_with_nothing_in_it(service: Running) -> None:
    answer = service.post(
        {"id": "c", "utterances": [{"speaker": "Ann", "text": "Hi"}, {"speaker": "Bob", "text": " "}]}
    )
    said, nothing = answer.json["predictions"]
    assert said["branches"]["text"]
    assert (said["branches"]["audio"], said["weights"]) == (None, {"text": 1.0, "audio": None})
    assert (nothing["emotion"], nothing["probability"], nothing["probabilities"]) == (None, None, {})
    assert nothing["branches"] == nothing["weights"] == {"text": None, "audio": None}
    assert any(note.startswith("1 of 2 utterances have no modality") for note in answer.json["notes"])


def test_features_that_the_client_has(service: Running, home: Path) -> None:
    """Against the model itself, fed by hand."""
    generator = np.random.default_rng(0)
    text, audio = (generator.normal(size=(3, width)).astype(np.float32) for width in (16, 174))
    utterances: list[dict[str, object]] = [
        {"speaker": "Ann", "features": {"text": text[0].tolist(), "audio": audio[0].tolist()}},
        {"speaker": "Bob", "features": {"text": text[1].tolist(), "audio": None}},
        {"speaker": "Ann", "features": {"text": None, "audio": audio[2].tolist()}},
    ]
    answer = service.post({"id": "c", "utterances": utterances})
    assert answer.status == 200, answer.body
    model = SDT.from_pretrained(home / "model").eval()
    said = Conversation("c", tuple(Utterance(str(k), "Ann" if k != 1 else "Bob") for k in range(3)))
    there = {"text": torch.tensor([True, True, False]), "audio": torch.tensor([True, False, True])}
    x = {"text": torch.from_numpy(text.copy()), "audio": torch.from_numpy(audio.copy())}
    for name, present in there.items():
        x[name][~present] = 0
    with torch.inference_mode():
        output = model(pack([said], {n: (x[n], there[n]) for n in x}, LABELS, model.config.speakers))
        expected = calibrate(output.logits[FUSED], model.config, FUSED)
    for row, prediction in enumerate(answer.json["predictions"]):
        assert list(prediction["probabilities"].values()) == pytest.approx(expected[row].tolist(), abs=2e-6)
    assert answer.json["predictions"][1]["weights"]["audio"] is None
    assert answer.json["missing"] == {
        "text": ["c/2: no features were given"],
        "audio": ["c/1: no features were given"],
    }
    assert not any("left out" in note for note in answer.json["notes"])


def test_a_batch_is_its_conversations_one_by_one(service: Running) -> None:
    chats = [
        {"id": f"c{k}", "utterances": [{"speaker": "AB"[i % 2], "text": f"{k} said {i} times"} for i in range(k + 1)]}
        for k in range(5)
    ]
    answer = service.post({"conversations": chats}, "/v1/predict/batch")
    assert answer.status == 200, answer.body
    for chat, result in zip(chats, answer.json["results"], strict=True):
        alone = service.post(chat).json
        assert result["notes"] == alone["notes"]
        for one, other in zip(result["predictions"], alone["predictions"], strict=True):
            assert list(one["probabilities"].values()) == pytest.approx(list(other["probabilities"].values()), abs=2e-6)
            assert {**one, **dict.fromkeys(("probability", "probabilities", "branches", "weights"))} == {
                **other,
                **dict.fromkeys(("probability", "probabilities", "branches", "weights")),
            }


def test_files_of_the_server_are_not_read(service: Running, home: Path) -> None:
    table = f"text,speaker,media\nHello,Ann,{home / 'talk.wav'}\nNo,Bob,{home / 'talk.wav'}\n"
    answer = service.post_parts(("transcript", "t.csv", table.encode()))
    assert answer.status == 200
    assert all(prediction["weights"]["audio"] is None for prediction in answer.json["predictions"])
    assert any("are ignored" in note for note in answer.json["notes"])


@pytest.mark.parametrize("name", ["talk.srt", "../../talk.srt", "C:\\x\\talk.srt", "/talk.srt"])
def test_names_of_files_lead_nowhere(service: Running, name: str) -> None:
    answer = service.post_parts(("transcript", name, SRT.encode()))
    assert {prediction["conversation"] for prediction in answer.json["predictions"]} == {"talk"}


@pytest.mark.parametrize("format_", ["txt", None])
def test_a_transcript_as_a_field(service: Running, format_: str | None, tmp_path: Path) -> None:
    text = "Ann: Hello!\nBob: No.\n"
    parts = [("transcript", None, text.encode())] + ([("format", None, format_.encode())] if format_ else [])
    answer = service.post_parts(*parts)
    (tmp_path / "x.txt").write_text(text)
    said = read_transcript(tmp_path / "x.txt").conversations[0].utterances
    assert [(p["speaker"], p["text"]) for p in answer.json["predictions"]] == [(u.speaker, u.text) for u in said]


def test_the_model_is_described(service: Running, home: Path) -> None:
    said = service.ask("GET", "/v1/model").json
    config = SDT.from_pretrained(home / "model").config
    assert said["labels"] == list(LABELS)
    assert said["modalities"] == {
        "text": {"width": 16, "encoder": "words:16", "recorded": False, "available": True},
        "audio": {"width": 174, "encoder": "prosody|z:conversation", "recorded": True, "available": True},
    }
    assert said["limits"]["utterances"] == 50
    assert said["card"] == (home / "model" / "README.md").read_text()
    assert said["temperatures"] == dict(config.temperatures)


@pytest.mark.slow
def test_the_model_in_the_box_to_the_digit(tmp_path: Path) -> None:
    from tests.serving.running import running

    transcript = tmp_path / "chat.txt"
    transcript.write_text("Ann: I got the job!\nBen: You are kidding, wonderful!\nAnn: I am scared to death.\n")
    expected = tmp_path / "expected.jsonl"
    Pipeline.from_pretrained("english-text-audio-small", device="cpu")(transcript).write(expected)
    with running("english-text-audio-small", tmp_path / "t") as started:
        answer = started.post_parts(("transcript", "chat.txt", transcript.read_bytes()), accept="application/x-ndjson")
    assert answer.body == expected.read_bytes()


def test_conversion_to_other_formats(service: Running, tmp_path: Path) -> None:
    listed = {one["name"]: one for one in service.ask("GET", "/v1/formats").json["formats"]}
    assert (listed["eaf"]["read"], listed["eaf"]["write"], listed["ctm"]["write"]) == (True, True, False)
    lines = (
        '{"conversation": "talk", "utterance": "0", "speaker": "Ann", "text": "Hi!", "start": 0, "end": 1, "emotion": '
        '"joy", "probability": 0.8, "probabilities": {"joy": 0.8, "anger": 0.2}}\n'
    )
    part = ("transcript", "talk.jsonl", lines.encode())
    for name in (name for name, one in listed.items() if one["write"] and one["predictions"]):
        answer = service.post_parts(part, path=f"/v1/convert?to={name}").json
        path = tmp_path / f"talk{answer['suffix']}"
        path.write_text(answer["content"], encoding="utf-8")
        transcript = read_transcript(path)
        assert [(u.speaker, u.text) for u in transcript.conversations[0].utterances] == [("Ann", "Hi!")]
        assert [one.emotion for one in transcript.predictions] == ["joy"]
        assert ("probabilities" in {loss["name"] for loss in answer["losses"]}) == (
            name not in ("json", "jsonl", "csv", "emotionml", "labelstudio")
        )
    refused = service.post_parts(part, path="/v1/convert?to=elan")
    assert (refused.status, "'elan'" in refused.json["error"]["message"]) == (422, True)
    untimed = ("transcript", "talk.txt", b"Ann: Hi\nBen: Ho\nAnn: Ha\n")
    assert service.post_parts(untimed, path="/v1/convert?to=textgrid").status == 422


@pytest.mark.parametrize(
    ("name", "format"), [("xlsx", None), ("parquet", None), ("jsonl", "xlsx"), ("jsonl", "datasets")]
)
def test_compressed_formats_are_refused(service: Running, tmp_path: Path, name: str, format: str | None) -> None:
    talk = Transcript([Conversation("talk", (Utterance("0", "Ann", "Hi!"),))])
    write_transcript(tmp_path / f"talk.{name}", talk)
    parts: list[tuple[str, str | None, bytes]] = [
        ("transcript", f"talk.{name}", (tmp_path / f"talk.{name}").read_bytes())
    ]
    parts += [("format", None, format.encode())] if format else []
    assert service.post_parts(*parts, path="/v1/transcript").status == 422
