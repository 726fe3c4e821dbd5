"""Names with escape sequences reach no terminal: a corpus or model that holds one is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from tests.evaluation.small import small_corpus, small_model

ESCAPE = "\x1b]0;PWN\x07"
ROW = {"conversation": "c0", "utterance": "u0", "speaker": "A", "label": "joy", "text": "Hi.", "split": "train"}


@pytest.mark.parametrize("column", ["conversation", "utterance", "speaker", "label"])
@pytest.mark.parametrize("character", ["\x1b[31m", "\x07", "\x9b"])
def test_an_import(column: str, character: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [ROW, {**ROW, "utterance": "u1", "label": "fear"}]
    rows[0] = {**ROW, column: f"{character}PWN"}
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code = main(
        ["corpus", "import", str(tmp_path / "a.jsonl"), "--text-encoder", "words:8", "--output", str(tmp_path / "c")]
    )
    out, error = capsys.readouterr()
    assert code == (2 if character != "\x9b" else code)  # which may be repaired: a quote in Windows-1252
    assert character not in out + error


@pytest.mark.parametrize("key", ["labels", "name", "encoder"])
def test_a_corpus_of_somebody_else(key: str, tmp_path: Path) -> None:
    folder = small_corpus(tmp_path / "c").folder
    values = json.loads((folder / "corpus.json").read_text())
    if key == "encoder":
        next(iter(values["modalities"].values()))["encoder"] = ESCAPE
    else:
        values[key] = [ESCAPE, *values["labels"][1:]] if key == "labels" else ESCAPE
    (folder / "corpus.json").write_text(json.dumps(values))
    with pytest.raises(InputError) as caught:
        Corpus.open(folder)
    assert ESCAPE not in str(caught.value)


def test_what_show_prints_of_the_provenance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = small_corpus(tmp_path / "c").folder
    values = json.loads((folder / "corpus.json").read_text())
    values["licence"], values["provenance"] = ESCAPE, {"importer": ESCAPE, "files": [{"name": ESCAPE}]}
    (folder / "corpus.json").write_text(json.dumps(values))
    assert main(["corpus", "show", str(folder)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("key", ["labels", "speakers", "modalities", "encoders", "provenance"])
def test_a_model_of_somebody_else(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_model(small_corpus(tmp_path / "c")).save_pretrained(tmp_path / "m")
    values = json.loads((tmp_path / "m" / "config.json").read_text())
    match key:
        case "labels":
            values[key][0] = ESCAPE
        case "speakers":
            values[key] = {"mode": "identity", "count": 1, "names": [ESCAPE]}
        case "modalities":
            values[key][ESCAPE] = 3
        case _:
            values[key] = {**values.get(key, {}), next(iter(values["modalities"])): ESCAPE}
    (tmp_path / "m" / "config.json").write_text(json.dumps(values))
    assert main(["evaluate", str(tmp_path / "m"), "--corpus", str(tmp_path / "c")]) == 2
    out, error = capsys.readouterr()
    assert "control characters" in error
    assert "\x1b" not in out + error
