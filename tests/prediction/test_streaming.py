"""Conversations that go on: what is equal to the batch result, what it costs, what is remembered, what is refused."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.conversation import Conversation, Prediction, Utterance
from sdt.errors import InputError, MissingDependencyError
from sdt.models.base import Model
from sdt.models.config import Architecture, ModelConfig, SDTConfig
from sdt.models.registry import MODELS, find
from sdt.models.sdt import causal, kv_cache
from sdt.models.sdt.model import SDT
from sdt.prediction import Pipeline, StreamingPredictor, StreamInput
from sdt.speakers import Speakers
from tests.encoders.clips import noise, write_clip
from tests.models.build import LABELS, WIDTHS
from tests.prediction.models import TEXT_AUDIO, chat, tiny_model
from tests.shared import ROOT

CLOSE = 1e-5
PEOPLE = ("Ann", "Bob", "Cy", "Dee")

Rows = dict[str, tuple[torch.Tensor, torch.Tensor]]


def built(
    modalities: Sequence[str], context: str, numbering: Speakers, temperatures: dict[str, float], **options: Any
) -> SDT:
    torch.manual_seed(0)
    architecture = Architecture(width=16, heads=2, context=context, **options)
    widths = {name: WIDTHS[name] for name in modalities}
    return SDT(SDTConfig(widths, LABELS, numbering, architecture, temperatures=temperatures)).eval()


def random_talk(name: str, length: int, seed: int) -> Conversation:
    who = np.random.default_rng(seed).integers(0, len(PEOPLE), length)
    return Conversation(name, tuple(Utterance(f"u{i}", PEOPLE[who[i]]) for i in range(length)))


def random_rows(config: ModelConfig, length: int, missing: float, seed: int) -> Rows:
    """Features of a conversation; a row of an utterance that lacks the modality holds numbers that nobody may read."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (torch.randn(length, width, generator=generator), torch.rand(length, generator=generator) >= missing)
        for name, width in config.modalities.items()
    }


def given_rows(rows: Rows, i: int) -> dict[str, Any]:
    return {name: x[i].numpy() if present[i] else None for name, (x, present) in rows.items()}


def same(found: Sequence[Prediction], expected: Sequence[Prediction]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one.conversation, one.utterance) == (other.conversation, other.utterance)
        assert one.probabilities == pytest.approx(other.probabilities, abs=CLOSE)
        assert (one.emotion is None) == (other.emotion is None)
        assert dict(one.weights) == pytest.approx(dict(other.weights), abs=CLOSE)
        assert one.branches.keys() == other.branches.keys()
        for head, branch in one.branches.items():
            assert branch == pytest.approx(other.branches[head], abs=CLOSE)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_causal_model_says_what_it_says_of_the_whole_conversation(data: st.DataObject) -> None:
    modalities = data.draw(st.sampled_from([("text",), ("audio", "text"), ("text", "audio", "visual")]))
    options: dict[str, Any] = {
        "layers": data.draw(st.integers(1, 2)),
        "fusion": data.draw(st.sampled_from(["gated", "selective", "addition", "concatenation"])),
        "reliability": data.draw(st.booleans()),
        "head_patterns": data.draw(st.sampled_from(["all", "own(1),near(2)", "others"])),
        "relative_positions": data.draw(st.booleans()),
        "unimodal_gate": data.draw(st.sampled_from(["learned", "frozen", "none"])),
        "positions": data.draw(st.booleans()),
        "speakers": data.draw(st.booleans()),
        "inter_modal": data.draw(st.booleans()),
    }
    options["reliability"] &= options["fusion"] in ("gated", "selective")
    numbering = data.draw(st.sampled_from([Speakers("appearance", 2), Speakers("identity", 2, ("Ann", "Cy"))]))
    temperatures = data.draw(st.sampled_from([{}, {"fused": 1.7, modalities[0]: 0.6}]))
    context = data.draw(st.sampled_from(["past", "window(1)", "window(2)", "window(5)", "window(40)"]))
    model = built(modalities, context, numbering, temperatures, **options)
    missing = data.draw(st.sampled_from([0.0, 0.4, 0.9]))
    lengths = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    talks = [random_talk(f"c{n}", length, n) for n, length in enumerate(lengths)]
    rows = [random_rows(model.config, length, missing, n) for n, length in enumerate(lengths)]
    pipeline = Pipeline(model, device="cpu")
    expected = [pipeline.from_features([talk], of) for talk, of in zip(talks, rows, strict=True)]

    stream = StreamingPredictor(model, device="cpu")
    order = data.draw(st.permutations([n for n, length in enumerate(lengths) for _ in range(length)]))
    found: list[list[Prediction]] = [[] for _ in talks]
    while order:
        taken, order = order[: (size := data.draw(st.integers(1, 9)))], order[size:]
        items, place = [], [len(of) for of in found]
        for n in taken:
            items.append(StreamInput(talks[n].utterances[place[n]], f"c{n}", given_rows(rows[n], place[n])))
            place[n] += 1
        for n, said in zip(taken, stream.add_all(items), strict=True):
            found[n].append(said)
    for one, other in zip(found, expected, strict=True):
        same(one, other)


def test_in_a_window_the_thousandth_utterance_costs_what_the_tenth_costs() -> None:
    """Counted: rows of keys that are read, and numbers that are kept; all else looks at the new utterance alone."""
    window = 8
    model = built(("text", "audio"), f"window({window})", Speakers("appearance", 2), {})
    stream, talk = StreamingPredictor(model, device="cpu"), random_talk("c", 1100, 0)
    rows = random_rows(model.config, 1100, 0.2, 0)
    read: list[int] = []

    def counted(q: torch.Tensor, k: torch.Tensor, *rest: Any) -> torch.Tensor:
        read.append(len(k))
        return causal.attend_blocks(q, k, *rest)

    kept = []
    with mock.patch.object(kv_cache, "attend_blocks", counted):
        for i, said in enumerate(talk.utterances):
            stream.add(said, "c", features=given_rows(rows, i))
            memory = stream._memories["c"]
            kept.append(sum(x.buffer.numel() for layer in memory.layers for x in layer) + memory.present.numel())
    assert read == [min(i + 1, window) for i in range(1100)]
    assert max(kept[1000:]) <= max(kept[2 * window : 1000])


def test_the_past_is_kept_in_buffers_that_grow_seldom() -> None:
    rows, moved = kv_cache.RowBuffer(torch.zeros(0, 2)), 0
    for i in range(1000):
        before = rows.buffer
        rows = rows.append(torch.full((1, 2), float(i)))
        moved += before is not rows.buffer
    assert torch.equal(rows.rows[:, 0], torch.arange(1000.0))
    assert moved < 10
    short = rows.last(3).append(torch.zeros(1, 2))  # a buffer that is far too large is given up
    assert len(short.buffer) < 100
    assert short.rows[:, 0].tolist() == [997, 998, 999, 0]


@pytest.mark.parametrize("name", [*MODELS])
def test_another_model_says_what_it_says_of_the_last_utterances(name: str) -> None:
    kind = find(name)
    torch.manual_seed(0)
    config = kind.config_class(
        {"text": 6, "audio": 5}, LABELS, Speakers("appearance", 3), kind.settings(), temperatures={"fused": 1.3}
    )
    model: Model = kind(config).eval()
    talk, rows = random_talk("c", 6, 1), random_rows(config, 6, 0.3, 1)
    stream = StreamingPredictor(model, device="cpu", history=4)
    pipeline = Pipeline(model, device="cpu")
    for i, said in enumerate(talk.utterances):
        found = stream.add(said, "c", features=given_rows(rows, i))
        if i < 4:
            part = {m: (x[: i + 1], present[: i + 1]) for m, (x, present) in rows.items()}
            same([found], pipeline.from_features([replace(talk, utterances=talk.utterances[: i + 1])], part)[-1:])
    last = Conversation("c", talk.utterances[2:])
    if model.config.speakers.numbers(last) == model.config.speakers.numbers(talk)[2:]:
        part = {m: (x[2:], present[2:]) for m, (x, present) in rows.items()}
        same([found], pipeline.from_features([last], part)[-1:])


def test_several_together_are_each_alone() -> None:
    """Of a model that is not causal, too; more than are computed at once."""
    model = tiny_model()
    items = [StreamInput(said, name) for i in range(40) for name in "abc" for said in [chat(name, 40).utterances[i]]]
    together = StreamingPredictor(model, history=20).add_all(items)
    alone = StreamingPredictor(model, history=20)
    same(together, [alone.add(one.utterance, one.conversation) for one in items])
    assert alone.conversations == ("a", "b", "c")
    assert StreamingPredictor(model).add_all([]) == []


@pytest.mark.parametrize("context", ["full", "past"])
def test_words_are_encoded_as_the_pipeline_encodes_them(tmp_path: Path, context: str) -> None:
    tiny_model(architecture=Architecture(width=16, heads=2, context=context)).save_pretrained(tmp_path / "model")
    stream = StreamingPredictor.from_pretrained(tmp_path / "model")
    pipeline = Pipeline.from_pretrained(tmp_path / "model")
    said = chat(length=5)
    found = [stream.add(utterance, "chat") for utterance in said.utterances]
    prefixes = [pipeline(Conversation("chat", said.utterances[: n + 1]))[-1] for n in range(5)]
    same(found, prefixes)
    if context == "past":
        same(found, list(pipeline(said)))
    assert (stream.notes, stream.problems) == ([], [])


def test_a_clip_is_heard_and_what_needs_the_whole_conversation_is_not(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.wav", noise(1.0))
    hears = StreamingPredictor(tiny_model({"text": "words:16", "audio": "prosody"}))
    assert hears.add(Utterance("", "Ann", "hi")).weights["audio"] is None
    assert hears.notes == ["audio: missing for utterances without a recording"]
    assert hears.add(Utterance("", "Ann", "hi"), clip=clip).weights["audio"]
    assert hears.add(Utterance("", "Ann", "hi"), clip=tmp_path / "absent.wav").weights["audio"] is None
    (problem,) = hears.problems
    assert problem.startswith("/2: ")
    assert hears.add(Utterance("", "Ann"), clip=clip).weights == {"text": None, "audio": 1.0}
    assert hears.problems == ["/3: no text"]

    deaf = StreamingPredictor(tiny_model(TEXT_AUDIO))
    assert deaf.add(Utterance("", "Ann", "hi"), clip=clip).weights["audio"] is None
    assert deaf.notes == [
        "audio: not used: 'prosody' is normalised over the whole conversation, which a stream does not know; give its "
        "features"
    ]
    assert deaf.problems == []
    assert deaf.add(Utterance("", "Ann", "hi"), features={"audio": np.zeros(174)}).weights["audio"]
    with pytest.raises(InputError, match=r"/0: runs/x cannot be used on this input: audio: 'prosody' is normalised"):
        StreamingPredictor(tiny_model({"audio": "prosody|z:conversation"}), name="runs/x").add(Utterance("", "A", "b"))


def test_a_clip_for_a_model_of_words(tmp_path: Path) -> None:
    stream = StreamingPredictor(tiny_model())
    stream.add(Utterance("", "Ann", "hi"), clip=tmp_path / "a.wav")
    assert stream.notes == ["the recording is not used: the model has no audio or visual modality"]


def test_features_are_normalised_by_the_corpus_statistics() -> None:
    statistics = {"text": {"mean": [0.5] * 16, "deviation": [2.0] * 16}}
    model = tiny_model({"text": "words:16|z:corpus"}, normalisation=statistics)
    same([StreamingPredictor(model).add(chat().utterances[0], "chat")], list(Pipeline(model)(chat(length=1))))


def test_who_speaks_and_ids_that_are_left_out() -> None:
    stream = StreamingPredictor(tiny_model())
    said = [
        Utterance("", "", "one"),
        Utterance("", "Bob", "two"),
        Utterance("x", "", "three"),
        Utterance("", "", "four"),
    ]
    filled = []
    for one in said:
        filled.append(stream.with_defaults(one, "c"))
        assert stream.add(one, "c").utterance == filled[-1].id
    assert [(u.id, u.speaker) for u in filled] == [("0", "Speaker 1"), ("1", "Bob"), ("x", "Bob"), ("3", "Bob")]
    left_out, told = (
        StreamingPredictor(tiny_model()).add_all([StreamInput(u, "c") for u in of]) for of in (said, filled)
    )
    same(left_out, told)


@pytest.mark.parametrize("context", ["full", "window(3)"])
def test_what_is_refused_changes_nothing(context: str) -> None:
    model = tiny_model(architecture=Architecture(width=16, heads=2, context=context))
    stream, calm = StreamingPredictor(model), StreamingPredictor(model)
    said = chat(length=8).utterances
    for one in (stream, calm):
        one.add_all([StreamInput(u, "c") for u in said[:4]])
    wide, unknown = {"text": np.zeros(5)}, {"txet": None}
    for items, message in (
        ([StreamInput(said[4], "c"), StreamInput(said[0], "c")], "conversation 'c' already has an utterance '0'"),
        ([StreamInput(said[4], "c"), StreamInput(said[4], "c")], "conversation 'c' already has an utterance '4'"),
        (
            [StreamInput(said[4], "d"), StreamInput(said[4], "c", wide)],
            r"c/4: features of 'text' have shape \[5\]; expected",
        ),
        (
            [StreamInput(said[4], "c", unknown)],
            "c/4: features of unknown modality 'txet'; did you mean 'text'",
        ),
        (
            [StreamInput(said[4], "c", {"text": ["a"] * 16})],
            "c/4: features of 'text' are not numbers; expected 16 numbers",
        ),
        ([StreamInput(said[4], "c", {"text": [np.nan] * 16})], "contain NaN or infinite values; give None"),
    ):
        with pytest.raises(InputError, match=message):
            stream.add_all(items)
    broken = model.classifier.bias.detach().clone()
    with torch.no_grad():
        model.classifier.bias.fill_(float("nan"))
    with pytest.raises(
        InputError, match="conversation 'c', utterance '4': the output of classifier 'fused' is not finite"
    ):
        stream.add_all([StreamInput(u, "c") for u in said[4:6]])
    with torch.no_grad():
        model.classifier.bias.copy_(broken)
    assert stream.conversations == ("c",)
    same(stream.add_all([StreamInput(u, "c") for u in said[4:]]), calm.add_all([StreamInput(u, "c") for u in said[4:]]))


def test_conversations_are_forgotten() -> None:
    stream, said = StreamingPredictor(tiny_model(), max_conversations=2), chat().utterances
    first = stream.add(said[0], "a")
    stream.add(said[0], "b")
    stream.add(said[1], "a")
    stream.add(said[0], "c")
    assert list(stream.conversations) == ["a", "c"]  # b has been silent longest
    stream.forget("a")
    stream.forget("never heard of")
    assert list(stream.conversations) == ["c"]
    same([stream.add(said[0], "a")], [first])
    stream.reset()
    assert not stream.conversations
    assert not stream._memories
    for options in ({"history": 0}, {"max_conversations": 0}):
        with pytest.raises(InputError, match="0 is less than 1"):
            StreamingPredictor(tiny_model(), **options)  # type: ignore[arg-type]


def test_no_features_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given features load no encoder; words need one, and a package that is missing is named."""

    def refuse(*given: object) -> None:
        raise MissingDependencyError("pip install 'sdt-erc[x]'")

    monkeypatch.setattr("sdt.prediction.extraction.feature_encoder", refuse)
    stream = StreamingPredictor(tiny_model())
    assert stream.add(Utterance("", "Ann", "hi"), features={"text": np.ones(16)}).emotion
    nothing = stream.add(Utterance("", "Ann", "hi"), features={"text": None})
    assert (nothing.emotion, nothing.weights, nothing.text) == (None, {"text": None}, "hi")
    with pytest.raises(MissingDependencyError, match="sdt-erc"):
        stream.add(Utterance("", "Ann", "hi"))


def test_an_encoder_of_another_width_is_left_out() -> None:
    stream = StreamingPredictor(tiny_model({"other": "words:8", "text": "words:16"}))
    assert stream.add(Utterance("", "Ann", "hi")).weights == {"other": None, "text": 1.0}
    (note,) = stream.notes
    assert note.startswith("other: not used: the encoder 'words:8' has 8 features")


@pytest.mark.slow
def test_the_example_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "streaming.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(code, {})
    first, second, third, last = capsys.readouterr().out.splitlines()
    assert first == "joy"
    assert re.fullmatch(r"call-1 1 joy \d+%", second)
    assert re.fullmatch(r"call-2 0 anger \d+%", third)
    assert last.startswith("('call-1', 'call-2') [\"audio: not used: ")


def test_the_names_are_imported_when_used() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        sys.modules["sdt.prediction"].Nothing  # noqa: B018
