"""How much of its conversation the model reads: the setting, and that nothing comes from the future."""

from __future__ import annotations

import dataclasses
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.batch import Batch
from sdt.errors import InputError
from sdt.models.config import Architecture
from sdt.models.context import Context
from sdt.models.objective import Objective, self_distillation
from sdt.models.sdt import causal
from sdt.models.sdt.attention import Padded, layout_of
from tests.models.build import random_batch, small_model


def test_what_the_setting_means() -> None:
    assert Context.of("full") == Context()
    assert Context.of("past") == Context(causal=True)
    assert Context.of("window(8)") == Context(causal=True, window=8)
    assert Architecture().context == "full"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pasd", "model.context: 'pasd'; did you mean 'past'"),
        ("window", "did you mean 'window\\(8\\)'"),
        ("window(-1)", "did you mean 'window\\(8\\)'"),
        ("window(0)", "model.context: window\\(0\\) .*window\\(1\\)"),
        ("window(" + "9" * 5000 + ")", "model.context: 'window"),
        ("8", "known are: full, past, window\\(8\\)"),
        (8, "known are: full, past, window\\(8\\)"),
    ],
)
def test_what_the_setting_cannot_mean(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Architecture(context=text)


def later(batch: Batch, first: int, seed: int) -> Batch:
    """Another batch of one conversation: from `first` on everything is different."""
    generator = torch.Generator().manual_seed(seed)
    features = {name: x.clone() for name, x in batch.features.items()}
    present = {name: x.clone() for name, x in batch.present.items()}
    speaker = batch.speaker.clone()
    for name, x in features.items():
        x[first:] = 50 * torch.randn(x[first:].shape, generator=generator)
        present[name][first:] = torch.rand(len(x) - first, generator=generator) < 0.5
    speaker[first:] = (speaker[first:] + 1) % 3
    return dataclasses.replace(batch, features=features, present=present, speaker=speaker)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    length=st.integers(2, 100),
    data=st.data(),
    missing=st.sampled_from([0.0, 0.4]),
    layers=st.integers(1, 2),
    context=st.sampled_from(["past", "window(1)", "window(5)", "window(70)"]),
    learns=st.booleans(),
)
def test_what_comes_later_changes_not_a_bit(
    length: int, data: st.DataObject, missing: float, layers: int, context: str, learns: bool
) -> None:
    first = data.draw(st.integers(1, length - 1))
    model, batch = small_model(layers=layers, context=context), random_batch([length], missing=missing)
    with torch.set_grad_enabled(learns):
        before, after = model(batch), model(later(batch, first, length))
    for head, logits in before.logits.items():
        assert torch.equal(logits[:first], after.logits[head][:first])
    assert torch.equal(before.weights[:first], after.weights[:first])
    assert not torch.equal(before.logits["fused"][first:], after.logits["fused"][first:])


@pytest.mark.parametrize("layers", [1, 2])
def test_what_lies_before_the_window_changes_nothing_beyond_its_layers(layers: int) -> None:
    """Each layer reads two utterances back: what the first holds is known to two more, or with two layers to four."""
    model, batch = small_model(layers=layers, context="window(3)"), random_batch([9])
    changed = dataclasses.replace(batch, features={name: x.clone() for name, x in batch.features.items()})
    for x in changed.features.values():
        x[0] += 1
    with torch.no_grad():
        differs = (model(batch).logits["fused"] != model(changed).logits["fused"]).any(dim=1)
    assert differs.tolist() == [i <= 2 * layers for i in range(9)]


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_a_window_as_long_as_the_conversation_is_the_past(missing: float) -> None:
    batch = random_batch([7, 3, 12], missing=missing)
    with torch.no_grad():
        past, wide, full = (small_model(context=context)(batch) for context in ("past", "window(12)", "full"))
    for head, logits in past.logits.items():
        assert torch.equal(wide.logits[head], logits)
        last = [6, 9, 21]  # the last utterance reads the same whatever the context
        torch.testing.assert_close(full.logits[head][last], logits[last], atol=1e-5, rtol=1e-5)
        assert not torch.allclose(full.logits[head], logits)


def test_an_utterance_whose_context_lacks_a_modality_reads_nothing_of_it() -> None:
    """Whether it is said by others later, or never, or before the window."""
    model, batch = small_model({"text": 6, "audio": 5}, context="window(2)"), random_batch([5], {"text": 6, "audio": 5})
    audio = torch.tensor([True, False, False, False, True])
    some = dataclasses.replace(batch, present={"text": batch.present["text"], "audio": audio})
    with torch.no_grad():
        part, none = model(some).logits["text"], model(batch.only(["text"])).logits["text"]
    assert [torch.allclose(part[i], none[i], atol=1e-6) for i in range(5)] == [False, False, True, True, False]


@pytest.mark.parametrize("context", ["past", "window(4)"])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_the_layouts_agree_in_values_and_gradients(context: str, missing: float) -> None:
    batch = random_batch([9, 1, 30], missing=missing)
    found = []
    for padded in (False, True):
        model = small_model(context=context, layers=2, dropout=0.0).train()
        layout = Padded.of if padded else layout_of
        with mock.patch.object(causal, "MIN_QUERIES", 8), mock.patch("sdt.models.sdt.model.layout_of", layout):
            output = model(batch)
            self_distillation(output.logits, batch.label, Objective()).total.backward()
        found.append((output, {name: p.grad for name, p in model.named_parameters()}))
    (ragged, ours), (other, theirs) = found
    for head, logits in ragged.logits.items():
        torch.testing.assert_close(other.logits[head], logits, atol=1e-5, rtol=1e-5)
    for name, gradient in ours.items():
        assert gradient is not None
        assert gradient.any() or "key.bias" in name, name  # softmax does not see what is added to all scores
        torch.testing.assert_close(theirs[name], gradient, atol=1e-5, rtol=1e-4)


def test_it_learns_with_dropout_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of training at the published size: encoders in threads, each with noise of its own."""
    monkeypatch.setattr("sdt.models.sdt.branches.should_use_threads", lambda _: True)
    monkeypatch.setattr("sdt.models.sdt.branches.PARALLEL_SIZE", 1)
    batch, gradients = random_batch([20, 5], missing=0.2), []
    for _ in range(2):
        model = small_model(context="window(6)").train()
        torch.manual_seed(3)
        self_distillation(model(batch).logits, batch.label, Objective()).total.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert gradients[0].isfinite().all()
    assert torch.equal(gradients[0], gradients[1])


def test_conversations_still_do_not_see_each_other() -> None:
    model = small_model(context="past")
    together = random_batch([4, 6])
    with torch.no_grad():
        both, one = model(together).logits["fused"], model(random_batch([4])).logits["fused"]
    torch.testing.assert_close(both[:4], one, atol=1e-6, rtol=1e-6)
