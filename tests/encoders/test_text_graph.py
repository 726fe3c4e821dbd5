"""Graphs of text encoders give PyTorch's features, from the same weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.encoders.text import encode_conversations, text_encoder
from sdt.encoders.text_context import TextContext
from sdt.encoders.text_export import TOLERANCE, export_text_encoder
from sdt.encoders.text_graph import UnsupportedGraphError
from sdt.encoders.text_onnx import GraphTextRunner
from sdt.errors import InputError
from tests.encoders.test_text_context import TALK, write_contextual
from tests.encoders.tiny_bert import WORDS, write_bert


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


def write_roberta(folder: Path) -> Path:
    """The tiny BERT's words in a RoBERTa, whose positions start after the number of padding."""
    from transformers import RobertaConfig, RobertaModel

    torch.manual_seed(1)
    config = RobertaConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=14,
        pad_token_id=0,
        layer_norm_eps=1e-5,
    )
    RobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(write_bert(folder / "bert") / name, folder)
    return folder


def exported(name: str, base: Path) -> Any:
    """The encoder on onnxruntime."""
    path = base / "text.onnx"
    assert export_text_encoder(name, base, path) <= TOLERANCE
    encoder = text_encoder(name, base, path)
    assert isinstance(encoder._runner, GraphTextRunner)  # type: ignore[attr-defined]
    return encoder


@pytest.mark.parametrize("pooling", ["first", "mean", "layers"])
@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_features(bert: Path, tmp_path: Path, kind: str, pooling: str) -> None:
    folder = bert if kind == "bert" else write_roberta(tmp_path)
    name = f"{folder}:{pooling}"
    found, expected = exported(name, tmp_path), text_encoder(name)
    assert (found.name, found.width, found.context) == (expected.name, expected.width, expected.context)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.lists(st.sampled_from([*WORDS[5:], "other"]), max_size=40), min_size=1, max_size=8))
    def agree(texts: list[list[str]]) -> None:
        given_texts = [" ".join(words) for words in texts]
        np.testing.assert_allclose(found.encode(given_texts), expected.encode(given_texts), atol=TOLERANCE)

    agree()


@pytest.mark.parametrize(
    "context", [TextContext(2, 1, speaker_names=True), TextContext.in_windows(4, speaker_names=True)]
)
def test_context(tmp_path: Path, context: TextContext) -> None:
    folder = write_contextual(tmp_path / "bert", context)
    found, expected = (
        encode_conversations(of, [TALK]) for of in (exported(str(folder), tmp_path), text_encoder(str(folder)))
    )
    np.testing.assert_array_equal(found.present, expected.present)
    np.testing.assert_allclose(found.features, expected.features, atol=TOLERANCE)


def test_an_adapter_and_weights_in_half_precision(bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from sdt.encoders.pretrained import weights_sha256

    folder = shutil.copytree(bert, tmp_path / "half")
    tensors = load_file(folder / "model.safetensors")
    save_file({name: of.half() for name, of in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    module, generator = "encoder.layer.1.intermediate.dense", torch.Generator().manual_seed(0)
    matrices = {"A": torch.randn(2, 8, generator=generator), "B": torch.randn(16, 2, generator=generator)}
    save_file(
        {f"base_model.model.{module}.lora_{part}.weight": of for part, of in matrices.items()},
        adapter / "adapter_model.safetensors",
    )
    (adapter / "adapter_config.json").write_text(json.dumps({"lora_alpha": 4, "r": 2}))
    base = {"encoder": str(folder), "sha256": weights_sha256(folder)}
    (adapter / "finetune.json").write_text(json.dumps({"pooling": "mean", "base": base}))
    name, texts = f"{folder}+{adapter}", ["oh my god !", "what ?"]
    found = exported(name, tmp_path).encode(texts)
    np.testing.assert_allclose(found, text_encoder(name).encode(texts), atol=TOLERANCE)
    assert not np.allclose(found, text_encoder(f"{folder}:mean").encode(texts), atol=1e-2)


def test_a_graph_of_other_weights_is_not_used(bert: Path, tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    export_text_encoder(str(bert), tmp_path, path)
    other = write_bert(tmp_path / "other", seed=1)
    encoder = text_encoder(str(other), None, path)
    np.testing.assert_array_equal(encoder.encode(["oh my god !"]), text_encoder(str(other)).encode(["oh my god !"]))
    path.write_bytes(b"no graph")
    with pytest.raises(InputError, match=r"text\.onnx: damaged"):
        text_encoder(str(bert), None, path)


def test_other_architectures_have_no_graph(bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert, tmp_path / "bert")
    for change, message in (({"hidden_act": "relu"}, "activation"), ({"model_type": "electra"}, "architecture")):
        values = json.loads((bert / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**values, **change}))
        with pytest.raises((UnsupportedGraphError, InputError), match=message):
            export_text_encoder(str(folder), tmp_path, tmp_path / "text.onnx")
    assert not (tmp_path / "text.onnx").exists()
