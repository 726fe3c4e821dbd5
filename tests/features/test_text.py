from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.features.text import encode_conversations, text_encoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "oh", "my", "god", "what", "!", "?"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder with a BERT of width 8 and eleven words."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=12,
    )
    BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    return folder


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


def test_texts_keep_their_order_whatever_their_length(bert: Path) -> None:
    encoder = text_encoder(str(bert))
    texts = ["oh my god!" * (n % 3 + 1) for n in range(70)] + ["what?"]
    done: list[tuple[int, int]] = []
    together = encoder.encode(texts, lambda *progress: done.append(progress))
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert done == [(64, 71), (71, 71)]


def test_an_utterance_without_text_is_missing() -> None:
    conversation = Conversation(
        "c", (Utterance("0", "A", "Hello!"), Utterance("1", "B"), Utterance("2", "B", "  "), Utterance("3", "A", "..."))
    )
    table = encode_conversations(text_encoder("words:16"), [conversation])
    assert table.present.tolist() == [True, False, False, True]
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
