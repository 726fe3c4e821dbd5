"""The loop of annotators: annotation, prediction, correction in their tool, import, training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pympi
import pytest

from sdt.__main__ import main
from sdt.conversation import Conversation, Utterance
from sdt.formats import Transcript, read_transcript, write_transcript

SAID = (
    ("Ann", "I got the job!"), ("Ben", "That is wonderful, I am so happy for you!"), ("Ann", "They want me on Monday."),
    ("Ben", "Oh no, on Monday we wanted to leave."), ("Ann", "I am scared to tell them."), ("Ben", "Do not be."),
)  # fmt: skip


def annotate(folder: Path, number: int) -> Path:
    """Annotation without emotions, with a tier of gestures."""
    utterances = [
        Utterance(str(place), speaker, text, None, 2.0 * place, 2.0 * place + 1.5)
        for place, (speaker, text) in enumerate(SAID[number:] + SAID[:number])
    ]
    path = folder / f"talk{number}.eaf"
    write_transcript(path, Transcript([Conversation(path.stem, tuple(utterances))]))
    eaf: Any = pympi.Elan.Eaf(str(path))
    eaf.add_tier("gestures")
    eaf.add_annotation("gestures", 100, 900, "waves")
    eaf.to_file(str(path))
    for backup in folder.glob("*.bak"):
        backup.unlink()
    return path


def test_predict_correct_import_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [annotate(tmp_path, number) for number in range(6)]
    for number, path in enumerate(files):
        before = path.read_bytes()
        assert main(["predict", str(path), "--output", str(path)]) == 0
        eaf: Any = pympi.Elan.Eaf(str(path))
        assert eaf.get_annotation_data_for_tier("gestures") == [(100, 900, "waves")]
        assert all(line in path.read_bytes() for line in before.splitlines() if b"lastUsed" not in line)
        # The annotator opens the file, and corrects or confirms the predictions.
        for speaker in ("Ann", "Ben"):
            emotions = eaf.get_ref_annotation_data_for_tier(f"emotion@{speaker}")
            assert len(emotions) == 3
            for start, end, emotion, *_ in emotions:
                corrected = emotion if (start // 2000 + number) % 2 else "relief"
                eaf.add_ref_annotation(f"correction@{speaker}", speaker, (start + end) // 2, corrected)
        eaf.to_file(str(path))
        reviewed = read_transcript(path)
        (conversation,) = reviewed.conversations
        assert {one.review for one in conversation.utterances} == {"corrected", "confirmed"}
        assert [tier.name for tier in conversation.tiers] == ["gestures"]
        assert len(reviewed.predictions) == len(SAID)
    corpus = tmp_path / "corpus"
    names = [str(path) for path in files]
    assert main(["corpus", "import", *names, "--text-encoder", "words:16", "--output", str(corpus)]) == 0
    lines = [json.loads(line) for line in (corpus / "utterances.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == len(files) * len(SAID)
    assert sum(line["label"] == "relief" for line in lines) == len(lines) // 2
    run = tmp_path / "run"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("model: {width: 16, heads: 2}\ntraining: {epochs: 1}\n", encoding="utf-8")
    assert main(["train", str(recipe), "--corpus", str(corpus), "--output", str(run)]) == 0
    assert (run / "scores.json").is_file()
    # The new model predicts in the same file, and the corrections stay.
    assert main(["predict", names[0], "--model", str(run), "--output", names[0]]) == 0
    again = read_transcript(files[0])
    assert {one.emotion for one in again.predictions} <= {line["label"] for line in lines}
    assert all(one.label for one in again.conversations[0].utterances)
    capsys.readouterr()
