"""Tokens for emoji, emoticons and capitals: part of the tokenizer, with the vectors of their names at first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sdt.encoders.text import text_encoder
from sdt.encoders.text_export import export_text_encoder
from sdt.encoders.text_model import find_text_model
from sdt.errors import InputError
from sdt.training.finetune_symbols import add_symbols


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM with the tokens."""
    folder = tmp_path_factory.mktemp("symbols") / "encoder"
    tokenizer, encoder = find_text_model("minilm").load()
    add_symbols(tokenizer, encoder).save_pretrained(folder)
    encoder.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Oh \U0001f621", ["oh", "\U0001f621"]),
        ("\U0001f44d\U0001f3fd ok\u2764\ufe0f", ["\U0001f44d", "ok", "\u2764"]),
        ("fine :( <3 T_T", ["fine", ":(", "<3", "T_T"]),
        ("see http://a.org, ID: 3", ["see", "http", ":", "/", "/", "a", ".", "org", ",", "\u2191", "id", ":", "3"]),
        ("WHY now, USA? I am Ann. NO!", ["\u2191", "why", "now", ",", "\u2191", "usa", "?", "i", "am", "ann", ".",
                                        "\u2191", "no", "!"]),
    ],
)  # fmt: skip
def test_tokens(folder: Path, text: str, tokens: list[str]) -> None:
    tokenizer, _ = find_text_model(str(folder)).load()
    assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])[1:-1] == tokens


def test_a_symbol_begins_as_its_name(folder: Path) -> None:
    tokenizer, encoder = find_text_model(str(folder)).load()
    table = encoder.get_input_embeddings().weight
    name = tokenizer("enraged face", add_special_tokens=False)["input_ids"]
    (number,) = tokenizer("\U0001f621", add_special_tokens=False)["input_ids"]
    torch.testing.assert_close(table[number], table[name].mean(dim=0))


def test_the_graph_reads_them_alike(folder: Path, tmp_path: Path) -> None:
    texts = ["I am so \U0001f621", "WHY", "fine :("]
    name = f"{folder}:mean"
    export_text_encoder(name, tmp_path, tmp_path / "text.onnx")
    torch_rows, graph_rows = (text_encoder(name, graph=graph).encode(texts) for graph in (None, tmp_path / "text.onnx"))
    np.testing.assert_allclose(graph_rows, torch_rows, atol=1e-4)
    plain = text_encoder("minilm").encode(texts)
    assert np.abs(plain - torch_rows).max(axis=1).min() > 0.01


def test_a_tokenizer_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="--symbols"):
        add_symbols(object(), None)
