from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sdt.conversation import Conversation, Utterance
from sdt.encoders.cache import FeatureCache
from sdt.encoders.chunks import encode_cached
from sdt.encoders.encoder import FeatureEncoder, feature_encoder, make_sources
from sdt.encoders.pretrained import weights_sha256
from sdt.encoders.text import encode_conversations, text_encoder
from sdt.encoders.text_context import Surroundings, TextContext, neighbours, split_in_context
from sdt.encoders.text_model import Pooling
from sdt.encoders.text_pieces import split_into_pieces
from sdt.encoders.text_pooling import token_vectors
from sdt.errors import InputError
from tests.encoders.tiny_bert import WORDS, write_bert

TALK = Conversation(
    "c",
    (
        Utterance("0", "god", "oh god !"),
        Utterance("1", "my", "what ?"),
        Utterance("2", "god", None),
        Utterance("3", "my", "my my my !"),
        Utterance("4", "god", "what what"),
        Utterance("5", "my", "oh ?"),
    ),
)


def write_contextual(folder: Path, context: TextContext, tokens: int = 40, pooling: Pooling = "mean") -> Path:
    """A BERT with the record that fine-tuning with a context leaves."""
    write_bert(folder, positions=64)
    settings = {"context": {**vars(context)}, "tokens": tokens}
    record = {"pooling": pooling, "settings": settings, "base": {"encoder": "bert", "sha256": weights_sha256(folder)}}
    (folder / "finetune.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_contextual(tmp_path_factory.mktemp("bert"), TextContext(2, 1, speaker_names=True))


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return text_encoder(str(folder))._runner.tokenizer  # type: ignore[attr-defined]


def with_changed(row: int, **values: Any) -> Conversation:
    """`TALK` with other values in one utterance."""
    turns = list(TALK.utterances)
    turns[row] = replace(turns[row], **values)
    return Conversation("other", tuple(turns))


def words(tokens: Sequence[int]) -> str:
    return " ".join(WORDS[token] for token in tokens)


def read(tokenizer: Any, context: TextContext, row: int, longest: int = 60) -> tuple[str, str]:
    """The input for an utterance of `TALK`, and the part that is pooled."""
    utterance, before, after = list(neighbours(TALK, context))[row]
    around = context.surroundings(utterance, before, after)
    ((piece,),) = split_in_context(tokenizer, [utterance.text or ""], [around], context, longest)
    assert len(piece.tokens) <= longest
    return words(piece.tokens), words(piece.tokens[piece.first : piece.end])


def test_the_input_is_the_conversation_around_the_utterance(tokenizer: Any) -> None:
    named = TextContext(3, 1, speaker_names=True)
    assert read(tokenizer, named, 3) == (
        "[CLS] god [UNK] oh god ! my [UNK] what ? [SEP] my [UNK] my my my ! [SEP] god [UNK] what what [SEP]",
        "my my my !",
    )
    # A separator stays where there is nothing, so that the utterance is the same segment of every input.
    assert read(tokenizer, named, 0)[0] == "[CLS] [SEP] god [UNK] oh god ! [SEP] my [UNK] what ? [SEP]"
    assert read(tokenizer, TextContext(1), 4) == ("[CLS] my my my ! [SEP] what what [SEP]", "what what")
    assert read(tokenizer, TextContext(0, 2), 4) == ("[CLS] what what [SEP] oh ? [SEP]", "what what")
    assert read(tokenizer, TextContext(1), 3) == ("[CLS] [SEP] my my my ! [SEP]", "my my my !")  # without text


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        (22, "[CLS] my [UNK] what ? my [UNK] my my my ! [SEP] god [UNK] what what [SEP] my [UNK] oh ? [SEP]"),
        (21, "[CLS] my [UNK] my my my ! [SEP] god [UNK] what what [SEP] my [UNK] oh ? [SEP]"),
        (17, "[CLS] my [UNK] my my my ! [SEP] god [UNK] what what [SEP] [SEP]"),
        (13, "[CLS] [SEP] god [UNK] what what [SEP] [SEP]"),
        (8, "[CLS] [SEP] god [UNK] what what [SEP] [SEP]"),
        (7, "[CLS] [SEP] what what [SEP] [SEP]"),
        (5, "[CLS] what what [SEP]"),
    ],
)
def test_the_farthest_context_is_left_out_first(tokenizer: Any, longest: int, expected: str) -> None:
    assert read(tokenizer, TextContext(3, 1, speaker_names=True), 4, longest) == (expected, "what what")


def test_a_text_that_is_too_long_alone_is_split_as_without_context(tokenizer: Any) -> None:
    context, texts = TextContext(1), ["oh my god ! " * 5, "\u200b"]
    around = [Surroundings(before=("what ?",))] * 2
    (long, invisible) = split_in_context(tokenizer, texts, around, context, 10)
    assert [long, invisible] == split_into_pieces(tokenizer, texts, 10)
    assert len(long) > 1


def test_special_tokens_are_those_of_the_tokenizer() -> None:
    """RoBERTa has two separators between segments."""

    def tokenizer(texts: Any, pair: str | None = None, **_: object) -> dict[str, Any]:
        if pair is None:
            return {"input_ids": [[10 + len(word) for word in text.split()] for text in texts]}
        return {"input_ids": [0, 11, 2, 2, 11, 2], "special_tokens_mask": [1, 0, 1, 1, 0, 1]}

    around = Surroundings(before=("a bb", "ccc"), after=("dddd",))
    ((piece,),) = split_in_context(tokenizer, ["eeeee"], [around], TextContext(2, 1), 40)
    assert piece.tokens == [0, 11, 12, 13, 2, 2, 15, 2, 2, 14, 2]
    assert (piece.first, piece.end) == (6, 7)


@pytest.mark.parametrize("pooling", ["first", "mean", "layers"])
def test_vectors_are_pooled_over_the_tokens_of_the_utterance(folder: Path, pooling: Pooling) -> None:
    encoder = text_encoder(f"{folder}:{pooling}")
    model: Any = encoder._runner._model  # type: ignore[attr-defined]
    table = encode_conversations(encoder, [TALK])
    assert table.present.tolist() == [True, True, False, True, True, True]
    given, _ = read(encoder._runner.tokenizer, TextContext(2, 1, speaker_names=True), 3)  # type: ignore[attr-defined]
    assert given == "[CLS] my [UNK] what ? [SEP] my [UNK] my my my ! [SEP] god [UNK] what what [SEP]"
    tokens = [WORDS.index(word) for word in given.split()]
    with torch.no_grad():
        layers = model(torch.tensor([tokens]), output_hidden_states=True).hidden_states
    own = torch.zeros(1, len(tokens), dtype=torch.bool)
    own[0, 8:12] = True
    vectors = token_vectors(pooling, layers, own)
    if pooling == "layers":
        vectors = torch.nn.functional.layer_norm(vectors, vectors.shape[-1:])
    np.testing.assert_allclose(table.features[3], vectors.flatten().numpy(), atol=1e-5)


def test_an_encoder_reads_as_much_context_as_it_was_trained_with(folder: Path) -> None:
    encoder = text_encoder(str(folder))
    assert encoder.context == TextContext(2, 1, speaker_names=True)
    before = encode_conversations(encoder, [TALK]).features

    def changed(row: int, **values: Any) -> list[int]:
        after = encode_conversations(encoder, [with_changed(row, **values)]).features
        return np.flatnonzero(~np.isclose(before, after, atol=3e-5).all(axis=1)).tolist()

    # Two before and one after; utterance 2 has no text, so that it has no features.
    assert changed(1, text="god god") == [0, 1, 3]
    assert changed(4, text="my") == [3, 4, 5]
    assert changed(4, speaker="my") == [3, 4, 5]
    assert changed(2, speaker="my") == []


def test_texts_alone_have_no_context(folder: Path) -> None:
    encoder = text_encoder(str(folder))
    alone = Conversation("c", (Utterance("0", "", "what ?"),))
    np.testing.assert_allclose(encoder.encode(["what ?"]), encode_conversations(encoder, [alone]).features, atol=1e-5)


def sources_keys(cache: FeatureCache, encoder: FeatureEncoder, talk: Conversation) -> list[str | None]:
    return [cache.key(encoder, source) for source in make_sources(encoder, [talk], lambda *_: None)]


def test_the_cache_tells_the_same_words_in_other_contexts_apart(folder: Path, tmp_path: Path) -> None:
    encoder, cache = feature_encoder(str(folder)), FeatureCache(tmp_path)
    keys = sources_keys(cache, encoder, TALK)
    assert len(set(keys)) == len(TALK)
    for talk in (with_changed(4, text="my"), with_changed(4, speaker="my")):
        again = sources_keys(cache, encoder, talk)
        assert [row for row, (one, other) in enumerate(zip(keys, again, strict=True)) if one != other] == [3, 4, 5]

    sources = make_sources(encoder, [TALK], lambda *_: None)
    made = encode_cached(encoder, sources, cache)
    expected = encode_conversations(text_encoder(str(folder)), [TALK])
    np.testing.assert_allclose(made.features, expected.features, atol=1e-5)
    np.testing.assert_array_equal(encode_cached(encoder, sources, cache).features, made.features)
    cache.close()


def test_the_utterances_of_a_window_have_the_same_input(tokenizer: Any) -> None:
    windows = TextContext.in_windows(4, speaker_names=True)
    first = "[CLS] god [UNK] oh god ! [SEP] my [UNK] what ? [SEP] my [UNK] my my my ! [SEP]"
    second = "[CLS] my [UNK] my my my ! [SEP] god [UNK] what what [SEP] my [UNK] oh ? [SEP]"
    expected = {0: (first, "oh god !"), 1: (first, "what ?"), 3: (second, "my my my !"), 5: (second, "oh ?")}
    assert {row: read(tokenizer, windows, row) for row in expected} == expected
    short = read(tokenizer, windows, 3, 14)[0]  # too long together: the farthest is left out, as without windows
    assert short == "[CLS] my [UNK] my my my ! [SEP] god [UNK] what what [SEP]"


@pytest.mark.parametrize("pooling", ["mean", "layers"])
def test_a_window_is_encoded_once(tmp_path: Path, pooling: Pooling) -> None:
    context = TextContext.in_windows(4, speaker_names=True)
    encoder = text_encoder(f"{write_contextual(tmp_path, context)}:{pooling}")
    model: Any = encoder._runner._model  # type: ignore[attr-defined]
    rows: list[int] = []
    model.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    found = encode_conversations(encoder, [TALK]).features
    assert sum(rows) == 2
    for row, (utterance, before, after) in enumerate(neighbours(TALK, context)):
        if utterance.text:  # alone in its batch
            around = [context.surroundings(utterance, before, after)]
            np.testing.assert_allclose(found[row], encoder.encode([utterance.text], None, around)[0], atol=1e-5)


@pytest.mark.parametrize("size", [1, 65, -3])
def test_a_window_has_a_size(size: int) -> None:
    with pytest.raises(InputError, match=f"window: {size}"):
        TextContext.in_windows(size)
    with pytest.raises(InputError, match="window"):
        TextContext(1, 1, window=4)


@pytest.mark.parametrize(("before", "after"), [(-1, 0), (0, 0), (65, 0), (1, 1000), (1.5, 0)])
def test_a_context_of_no_utterances_is_refused(before: Any, after: int) -> None:
    with pytest.raises(InputError, match="context"):
        TextContext(before, after)


@pytest.mark.parametrize("change", [{"context": {"before": -1}}, {"context": {"first": 1}}, {"tokens": "many"}])
def test_a_damaged_record_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = write_contextual(tmp_path, TextContext(1)) / "finetune.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "settings": {**record["settings"], **change}}))
    with pytest.raises(InputError, match="damaged") as caught:
        text_encoder(str(tmp_path))
    assert "\n" not in str(caught.value)
