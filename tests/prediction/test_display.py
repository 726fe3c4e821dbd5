from __future__ import annotations

import io

import pytest
from rich.console import Console

from sdt.conversation import Conversation, Prediction, Utterance
from sdt.prediction.display import predictions_table, utterance_line
from sdt.prediction.predictions import Predictions

MODALITIES = ("text", "audio", "visual")


def shown(width: int, *, speaker: str = "Monica Geller", start: float | None = None, visual: bool = False) -> str:
    text = "What they said then, unbelievable as it is"
    utterances = [Utterance(str(n), speaker, text, start=start) for n in range(3)]
    probabilities = {"surprise": 0.625, "neutral": 0.375}
    said = [
        Prediction(
            "talk",
            utterance.id,
            "surprise",
            probabilities,
            {"text": probabilities, "audio": probabilities, "visual": probabilities if visual else None},
            {"text": 0.5, "audio": 0.5, "visual": 0.5 if visual else None},
        )
        for utterance in utterances
    ]
    file = io.StringIO()
    found = Predictions([Conversation("talk", tuple(utterances))], said, [], {})
    Console(width=width, file=file).print(predictions_table(found))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 81, 85, 90, 100, 140])
def test_nothing_is_cut_off_from_80_columns_on(width: int) -> None:
    table = shown(width)
    assert table.count("62%") == 3
    assert table.count("50%") == 6
    assert table.count("surprise") == 9  # the fused prediction and two branches, the third is a dash
    assert max(map(len, table.splitlines())) <= width
    assert table.count("–") == 3
    heading = table.splitlines()[2].split()
    assert heading == ["speaker", "text", "emotion", "text", "only", "audio", "only", "visual", "only"]


@pytest.mark.parametrize("width", [80, 81, 85, 90, 100, 140])
@pytest.mark.parametrize("start", [None, 7.0, 4000.0])
def test_numbered_speakers_stay_in_one_line(width: int, start: float | None) -> None:
    table = shown(width, speaker="SPEAKER_00", start=start, visual=True)
    assert table.count("SPEAKER_00") == 3
    assert table.count("surprise") == 12
    assert table.count("50%") == 9
    assert table.splitlines()[2].split()[-2:] == ["visual", "only"]
    assert max(map(len, table.splitlines())) <= width


def test_an_utterance_without_an_emotion_has_a_dash() -> None:
    utterance = Utterance("0", "Ann")
    prediction = Prediction("c", "0", None, {}, {"text": None}, {"text": None, "audio": None})
    file = io.StringIO()
    console = Console(width=100, file=file)
    console.print(predictions_table(Predictions([Conversation("c", (utterance,))], [prediction], [], {})))
    console.print(utterance_line(utterance, prediction))
    table, line = file.getvalue().split("Ann")[1:]
    assert table.splitlines()[0].split() == ["–"] * 3  # no words, no emotion, no branch
    assert line.split() == ["–", "–", "text", "–", "audio", "–"]
