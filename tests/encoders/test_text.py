from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.conversation import Conversation, Utterance
from sdt.encoders.encoder import feature_encoder
from sdt.encoders.text import encode_conversations, text_encoder
from sdt.encoders.text_model import Pooling
from sdt.encoders.text_pieces import split_into_pieces
from sdt.encoders.text_pooling import pool
from sdt.errors import InputError
from sdt.files import sha256
from tests.encoders.tiny_bert import WORDS, write_bert


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


def test_words_are_the_same_every_time_and_have_length_one() -> None:
    texts = ["Oh my God!", "What?", "oh my god !"]
    first, second = text_encoder("words:64").encode(texts), text_encoder("words:64").encode(texts)
    assert first.dtype == np.float32
    assert first.shape == (3, 64)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(first[0], first[2])  # case and blanks mean nothing


def test_words_know_order_and_punctuation() -> None:
    encoder = text_encoder("words")
    assert encoder.width == 256
    assert encoder.name == "words:256"
    one, other, asked = encoder.encode(["you love me", "me love you", "you love me ?"])
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, asked)


@pytest.mark.parametrize("name", ["words:", "words:0", "words:x", "words:-3", "words:99999999999", "words:²"])
def test_a_width_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="a width from 1"):
        text_encoder(name)


@pytest.mark.parametrize("name", ["minilmm", "roberta-large", "/no/such/folder"])
def test_what_is_not_on_this_machine_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match="never downloaded") as caught:
        text_encoder(name)
    assert name in str(caught.value)


def test_a_folder_without_a_model_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Hugging Face model can be loaded") as caught:
        text_encoder(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_truncated_model_is_refused(bert: Path, tmp_path: Path) -> None:
    for path in bert.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    with pytest.raises(InputError, match="no Hugging Face model can be loaded"):
        text_encoder(str(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 20, "intermediate_size": 10**6},
        {"hidden_size": 10**6},
        {"vocab_size": 10**12},
        {"max_position_embeddings": 10**9},
        {"hidden_size": "8"},
    ],
)
def test_a_model_larger_than_its_weights_is_refused_at_once(
    bert: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    folder = shutil.copytree(bert, tmp_path / "model")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, **change}))
    with pytest.raises(InputError, match="no Hugging Face model can be loaded"):
        text_encoder(str(folder))


def test_a_folder_gives_the_last_layers_first_token(bert: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import torch
    from transformers import AutoModel

    encoder = text_encoder(str(bert))
    assert encoder.width == 8
    vector = encoder.encode(["oh what?"])[0]
    tokens = torch.tensor([[WORDS.index(word) for word in ("[CLS]", "oh", "what", "?", "[SEP]")]])
    with torch.no_grad():
        expected = AutoModel.from_pretrained(bert)(tokens).last_hidden_state[0, 0]
    np.testing.assert_allclose(vector, expected.numpy(), atol=1e-6)
    assert "Loading" not in capfd.readouterr().out


def test_a_folders_name_says_which_weights_are_meant(bert: Path, tmp_path: Path) -> None:
    digits = sha256(bert / "model.safetensors")[:8]
    name = text_encoder(str(bert)).name
    assert name == f"{bert}@{digits}"
    assert text_encoder(name).name == name
    assert text_encoder(f"{name}:mean").name == f"{name}:mean"
    # Beside a model, the same name finds its own copy first.
    copied = shutil.copytree(bert, tmp_path / "model" / "inside")
    recorded = f"inside@{digits}"
    assert text_encoder(recorded, base=tmp_path / "model").name == recorded
    other = write_bert(copied, seed=1)
    with pytest.raises(InputError, match=r"weights in .* have another SHA-256") as caught:
        text_encoder(recorded, base=other.parent)
    assert "\n" not in str(caught.value)


def test_pooling_is_what_the_name_or_the_folder_says(bert: Path, tmp_path: Path) -> None:
    first, mean, layers = (text_encoder(f"{bert}:{how}") for how in ("first", "mean", "layers"))
    texts = ["oh what?", "god!"]
    np.testing.assert_array_equal(first.encode(texts), text_encoder(str(bert)).encode(texts))
    assert not np.allclose(first.encode(texts), mean.encode(texts), atol=1e-3)
    assert layers.width == layers.encode(texts).shape[1] == 2 * 3 * 8
    sentence = shutil.copytree(bert, tmp_path / "sentence")
    (sentence / "1_Pooling").mkdir()
    (sentence / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    np.testing.assert_array_equal(mean.encode(texts), text_encoder(str(sentence)).encode(texts))


def test_texts_keep_their_order_whatever_their_length(bert: Path) -> None:
    encoder = text_encoder(str(bert))
    texts = ["oh my god!" * (n % 3 + 1) for n in range(70)] + ["what?"]
    done: list[tuple[int, int]] = []
    together = encoder.encode(texts, lambda *progress: done.append(progress))
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert done == [(64, 71), (71, 71)]


@given(st.lists(st.integers(10, 99), max_size=60), st.integers(6, 12), st.integers(1, 2), st.integers(0, 1))
def test_every_token_counts_once(words: list[int], longest: int, before: int, after: int) -> None:
    tokens = [1] * before + words + [2] * after
    special = [1] * before + [0] * len(words) + [1] * after

    def tokenizer(texts: list[str], **_: object) -> dict[str, list[list[int]]]:
        return {"input_ids": [tokens], "special_tokens_mask": [special]}

    (pieces,) = split_into_pieces(tokenizer, ["x"], longest)
    assert [token for piece in pieces for token in piece.tokens[piece.first : piece.end]] == tokens
    assert sum(piece.counted for piece in pieces) == len(tokens)
    assert (len(pieces) == 1) == (len(tokens) <= longest)
    for piece in pieces:
        assert len(piece.tokens) <= longest
        assert piece.tokens[:before] == tokens[:before]
        assert not after or piece.tokens[-after:] == tokens[-after:]


@pytest.mark.slow
@pytest.mark.parametrize(("tokens", "most"), [(2048, 64 * 10), (45, 45)])
@pytest.mark.parametrize("pooling", ["first", "mean", "layers"])
def test_a_long_text_is_read_as_a_whole(
    bert: Path, pooling: str, tokens: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model reads 10 tokens at once, and 2,000 words differ in their last sentence alone."""
    monkeypatch.setattr("sdt.encoders.text.BATCH_TOKENS", tokens)
    encoder = text_encoder(f"{bert}:{pooling}")
    read: list[int] = []
    model: Any = encoder._runner._model  # type: ignore[attr-defined]
    model.register_forward_pre_hook(lambda _, given: read.append(given[0].numel()))
    filler = "oh my ! " * 666
    vectors = encoder.encode(["oh what?", filler + "god god ?", filler + "what what !", "oh my !"])
    assert np.isfinite(vectors).all()
    assert not np.array_equal(vectors[1], vectors[2])
    np.testing.assert_allclose(vectors[[0, 3]], encoder.encode(["oh what?", "oh my !"]), atol=1e-5)
    assert 0.8 * most < max(read) <= most  # however long the text is


@pytest.mark.parametrize("pooling", ["first", "mean", "layers"])
def test_pooling_over_pieces_is_pooling_over_their_tokens(bert: Path, pooling: Pooling) -> None:
    import torch

    encoder = text_encoder(f"{bert}:{pooling}")
    text = " ".join(WORDS[5 + (k * k) % 6] for k in range(35))
    tokenizer, model = encoder._runner.tokenizer, encoder._runner._model  # type: ignore[attr-defined]
    (pieces,) = split_into_pieces(tokenizer, [text], 10)
    assert len(pieces) == 6
    layers: list[list[torch.Tensor]] = [[], [], []]
    with torch.no_grad():
        for piece in pieces:
            of = model(torch.tensor([piece.tokens]), output_hidden_states=True).hidden_states
            counted = slice(0, 1) if pooling == "first" else slice(piece.first, piece.end)
            for found, hidden in zip(layers, of, strict=True):
                found.append(hidden[:, counted])
    whole = [torch.cat(of, dim=1) for of in layers]
    if pooling == "first":
        expected = whole[-1].mean(1)
    else:
        expected = pool(pooling, whole, torch.ones(whole[0].shape[:2], dtype=torch.bool))
    np.testing.assert_allclose(encoder.encode([text]), expected.numpy(), atol=1e-4)


def test_an_utterance_without_text_is_missing() -> None:
    conversation = Conversation(
        "c", tuple(Utterance(str(n), "A", text) for n, text in enumerate(("Hello!", None, "  ", "...", "\u200b\u00a0")))
    )
    table = encode_conversations(text_encoder("words:16"), [conversation])
    assert table.present.tolist() == [True, False, False, True, False]
    assert not table.features[1:].any()
    assert table.encoder == "words:16"


@pytest.mark.slow
def test_minilm_is_the_mean_over_the_tokens() -> None:
    encoder = text_encoder("minilm")
    assert encoder.width == 384
    texts = ["I am so happy for you!", "I am delighted.", "The train leaves at nine."]
    rows = encoder.encode(texts)
    np.testing.assert_allclose(rows[1], encoder.encode([texts[1]])[0], atol=1e-5)  # padding counts for nothing
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2


@pytest.mark.slow
def test_minilm_layers_are_standardised_means_and_maxima_of_every_layer() -> None:
    encoder = text_encoder("minilm:layers")
    assert encoder.width == 2 * 7 * 384
    texts = ["I am so happy for you!", "No."]
    rows = encoder.encode(texts)
    np.testing.assert_allclose(rows[1], encoder.encode([texts[1]])[0], atol=1e-4)  # padding counts for nothing
    vectors = rows.reshape(2, 2, 7, 384)
    np.testing.assert_allclose(vectors.mean(-1), 0, atol=1e-4)
    np.testing.assert_allclose(vectors.std(-1), 1, atol=1e-3)
    last = text_encoder("minilm").encode(texts)
    expected = (last - last.mean(1, keepdims=True)) / last.std(1, keepdims=True)
    np.testing.assert_allclose(vectors[:, 0, -1], expected, atol=1e-3)
    assert not np.allclose(vectors[:, 0], vectors[:, 1], atol=0.1)


def test_loading_a_folder_opens_no_connection(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    assert text_encoder(str(bert)).encode(["oh"]).shape == (1, 8)


def test_a_pinned_revision_is_fetched_and_keeps_its_name(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def fetch(repository: str, *, revision: str, **_: object) -> str:
        asked.append((repository, revision))
        return str(bert)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    revision = "0123456789" * 4
    encoder = feature_encoder(f"someone/bert@{revision}:mean")
    assert encoder.name == f"someone/bert@{revision}:mean"
    assert encoder.width == 8
    assert asked == [("someone/bert", revision)]
    with pytest.raises(InputError, match="never downloaded"):
        text_encoder("someone/bert")  # a name alone can change meaning

    def fail(*_: object, **__: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(InputError, match=r"cannot be fetched from the hub \(OSError: no network\)"):
        text_encoder(f"someone/bert@{revision}")
