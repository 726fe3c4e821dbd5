from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score

from sdt.__main__ import main
from sdt.evaluation.agreement import Labels, disagreements, krippendorff_alpha, pair_agreement
from sdt.evaluation.bootstrap import Resampling

HOW = Resampling(draws=200)


def labels(text: str, conversations: int = 1) -> Labels:
    return {
        (str(number % conversations), str(number)): label for number, label in enumerate(text.split()) if label != "-"
    }


def test_kappa_is_that_of_scikit_learn() -> None:
    one, other = "j j a n n n a j n a j n", "j a a n n j a j n n j n"
    found = pair_agreement(("one", labels(one, 6)), ("other", labels(other, 6)), HOW)
    assert found.kappa == pytest.approx(cohen_kappa_score(one.split(), other.split()))
    assert found.agreement == pytest.approx(9 / 12)
    assert found.by_label["n"] == pytest.approx(2 * 4 / (5 + 5))
    low, high, note = found.interval
    assert low < found.kappa < high
    assert not note


def test_only_common_utterances_count() -> None:
    found = pair_agreement(("one", labels("j - a n")), ("other", labels("j j - a")), HOW)
    assert (found.utterances, found.agreement) == (2, 0.5)
    assert found.interval.note
    none = pair_agreement(("one", labels("j -")), ("other", labels("- j")), HOW)
    assert none.utterances == 0
    assert math.isnan(none.kappa)
    assert math.isnan(pair_agreement(("one", labels("j j")), ("other", labels("j j")), HOW).kappa)


def test_alpha_of_the_textbook() -> None:
    """Krippendorff's own example with four observers and missing values (nominal alpha 0.743)."""
    observers = [
        "1 2 3 3 2 1 4 1 2 - - -",
        "1 2 3 3 2 2 4 1 2 5 - 3",
        "- 3 3 3 2 3 4 2 2 5 1 -",
        "1 2 3 3 2 4 4 1 2 5 1 -",
    ]
    assert krippendorff_alpha([labels(text) for text in observers]) == pytest.approx(0.743, abs=5e-4)
    assert math.isnan(krippendorff_alpha([labels("1 1"), labels("1 1")]))


def test_disagreements() -> None:
    assert disagreements({"a": labels("j j n"), "b": labels("j a -")}) == [("0", "1")]


def write(path: Path, text: str) -> Path:
    lines = [
        {"conversation": "c", "utterance": str(n), "speaker": "Ann", "text": f"line {n}", "label": label}
        for n, label in enumerate(text.split())
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ann, ben = write(tmp_path / "ann.jsonl", "joy joy anger"), write(tmp_path / "ben.jsonl", "joy anger anger")
    output = tmp_path / "different.csv"
    assert main(["agreement", str(ann), str(ben), "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "66.7 %" in printed
    assert "0.40" in printed
    assert output.read_text().splitlines() == ["conversation,utterance,text,ann,ben", "c,1,line 1,joy,anger"]
    assert main(["agreement", str(ann)]) == 2
    assert main(["agreement", str(ann), str(ann)]) == 2
    unlabelled = tmp_path / "chat.txt"
    unlabelled.write_text("Ann: Hi.\n")
    assert main(["agreement", str(ann), str(unlabelled)]) == 2
    assert str(unlabelled) in capsys.readouterr().err
