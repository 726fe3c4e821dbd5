from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.batch import Batch
from sdt.corpus.batches import split_batches
from sdt.corpus.store import Corpus
from sdt.models.config import SDTConfig
from sdt.models.objective import Objective, self_distillation
from sdt.models.sdt.model import SDT
from sdt.training.loop import NotFiniteError, Step, Trainer, add_noise, drop_modalities, epoch_seeds
from sdt.training.optimizer import make_optimizer
from sdt.training.settings import Recipe


def batches_of(corpus: Corpus, size: int = 4) -> list[Batch]:
    conversations = corpus.split("train")
    names = tuple(corpus.modalities)
    return list(
        split_batches(corpus, conversations, size, modalities=names, labels=corpus.labels, speakers=corpus.speakers)
    )


def trainer_for(corpus: Corpus, recipe: Recipe, **training: object) -> Trainer:
    torch.manual_seed(0)
    model = SDT(SDTConfig.for_corpus(corpus, dataclasses.replace(recipe.model, dropout=0.0)))
    chosen = dataclasses.replace(recipe.training, **training)  # type: ignore[arg-type]
    return Trainer(model, make_optimizer(model, chosen), Objective(), chosen, None, lambda _: chosen.learning_rate)


def ignore(step: Step) -> None:
    """Nobody looks at the steps."""


def parameters_of(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in trainer.model.parameters()])


def test_epoch_seeds_are_all_different() -> None:
    seeds = [seed for run in range(20) for epoch in range(20) for seed in epoch_seeds(run, epoch)]
    assert len(set(seeds)) == len(seeds)
    assert epoch_seeds(3, 5) == epoch_seeds(3, 5)


def test_every_process_has_the_same_data_and_dropout_of_its_own() -> None:
    seeds = [epoch_seeds(run, epoch, rank) for run in range(9) for epoch in range(9) for rank in range(9)]
    assert len({data for data, _ in seeds}) == 9 * 9
    assert len({dropout for _, dropout in seeds}) == 9 * 9 * 9
    assert epoch_seeds(3, 5, 0) == epoch_seeds(3, 5)


def test_an_epoch_learns_and_counts(corpus: Corpus, recipe: Recipe) -> None:
    trainer = trainer_for(corpus, recipe)
    batches, steps = batches_of(corpus), list[Step]()
    first = trainer.epoch(1, batches, 0, steps.append)
    for number in range(2, 8):
        last = trainer.epoch(number, batches, 0, ignore)
    assert last.losses["total"] < first.losses["total"]
    assert last.scores["fused"].accuracy > first.scores["fused"].accuracy
    assert first.scores.keys() == {"fused", "words", "voice"}
    assert [step.utterances for step in steps] == [len(batch) for batch in batches]
    assert first.scores["fused"].utterances == sum(len(batch) for batch in batches)
    terms = first.losses
    assert terms["task"] + terms["hard"] + terms["soft"] == pytest.approx(terms["total"])


def test_losses_are_means_over_labelled_utterances(corpus: Corpus, recipe: Recipe) -> None:
    trainer = trainer_for(corpus, recipe, learning_rate=1e-30)  # nothing moves
    batches = batches_of(corpus, size=5)
    half = batches[0].label.clone()
    half[::2] = -1
    batches[0] = dataclasses.replace(batches[0], label=half)
    epoch = trainer.epoch(1, batches, 0, ignore)
    with torch.no_grad():
        logits = [trainer.model(batch).logits for batch in batches]
    together = {head: torch.cat([of[head] for of in logits]) for head in logits[0]}
    expected = self_distillation(together, torch.cat([batch.label for batch in batches]), Objective())
    assert epoch.losses["total"] == pytest.approx(float(expected.total), rel=1e-5)
    assert epoch.losses["soft"] == pytest.approx(float(expected.soft), rel=1e-4)
    by_student = [list(of_student.values()) for of_student in epoch.students.values()]
    torch.testing.assert_close(torch.tensor(by_student), expected.students, rtol=1e-4, atol=1e-5)


def test_the_norm_of_the_gradient_does_not_depend_on_clipping(corpus: Corpus, recipe: Recipe) -> None:
    batch = batches_of(corpus)[:1]
    free, clipped = trainer_for(corpus, recipe), trainer_for(corpus, recipe, clip=0.01)
    norm = free.epoch(1, batch, 0, ignore).gradient_norm
    assert clipped.epoch(1, batch, 0, ignore).gradient_norm == pytest.approx(norm, rel=1e-5)


def test_class_weights_and_rate_reach_the_step(corpus: Corpus, recipe: Recipe) -> None:
    batches = batches_of(corpus)[:2]
    plain, still, weighted = (trainer_for(corpus, recipe) for _ in range(3))
    still.rate = lambda _: 0.0
    weighted.class_weights = torch.tensor([9.0, 1.0, 1.0])
    before = parameters_of(still)
    losses = [trainer.epoch(1, batches, 0, ignore).losses["task"] for trainer in (plain, still, weighted)]
    assert torch.equal(parameters_of(still), before)
    assert not torch.equal(parameters_of(plain), before)
    assert losses[0] != losses[2]
    asked: list[int] = []

    def rate(step: int) -> float:
        asked.append(step)
        return 1e-3

    plain.rate = rate
    plain.epoch(2, batches, 40, ignore)
    assert asked == [40, 41]


def test_a_loss_that_is_not_finite_is_named(corpus: Corpus, recipe: Recipe) -> None:
    batches = batches_of(corpus)
    batches[1].features["voice"][0] = 1e38
    batches[1].present["voice"][0] = True
    with pytest.raises(NotFiniteError) as caught:
        trainer_for(corpus, recipe).epoch(7, batches, 0, ignore)
    message = str(caught.value)
    assert message.startswith("epoch 7, batch 2: ")
    assert ", ".join(batches[1].conversations) in message
    assert "\n" not in message


@settings(max_examples=30, deadline=None)
@given(
    probability=st.sampled_from([0.0, 0.3, 0.9, 0.999]),
    seed=st.integers(0, 1000),
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    lacking=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_modality_dropout_leaves_every_conversation_something(
    probability: float, seed: int, lengths: list[int], lacking: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    size = sum(lengths)
    present = {name: torch.rand(size, generator=generator) >= lacking for name in ("a", "b", "c")}
    features = {name: torch.ones(size, 2) * mask[:, None] for name, mask in present.items()}
    zeros = torch.zeros(size, dtype=torch.int64)
    batch = Batch(features, present, zeros, zeros, zeros, torch.tensor(lengths), max(lengths), tuple("uvwxy"))
    before = {name: mask.clone() for name, mask in present.items()}
    dropped = drop_modalities(batch, probability, generator)
    first = 0
    for length in lengths:
        rows = slice(first, first + length)
        first += length
        kept = [name for name in present if dropped.present[name][rows].any()]
        if any(before[name][rows].any() for name in present):
            assert kept
        for name in present:
            # A modality of a conversation stays as it is, or goes whole.
            expected = before[name][rows] if name in kept else torch.zeros(length, dtype=torch.bool)
            assert torch.equal(dropped.present[name][rows], expected)
            assert torch.equal(dropped.features[name][rows], expected[:, None].expand(-1, 2).float())
    assert all(torch.equal(batch.present[name], before[name]) for name in present)
    if probability == 0:
        assert dropped is batch


def test_modality_dropout_drops_as_often_as_it_says() -> None:
    count, probability = 4000, 0.3
    ones, zeros = torch.ones(count, dtype=torch.bool), torch.zeros(count, dtype=torch.int64)
    present = {"a": ones, "b": ones, "c": ones}
    features = {name: torch.ones(count, 1) for name in present}
    lengths = torch.ones(count, dtype=torch.int64)
    batch = Batch(features, present, zeros, zeros, zeros, lengths, 1, tuple(map(str, range(count))))
    dropped = drop_modalities(batch, probability, torch.Generator().manual_seed(0))
    for mask in dropped.present.values():
        # All three go together with p^3; then a third of the time this one is the one that stays.
        assert 1 - float(mask.float().mean()) == pytest.approx(probability - probability**3 / 3, abs=0.03)


@pytest.mark.parametrize("probability", [0.0, 0.4])
def test_noise_is_on_as_many_modalities_as_it_says_and_as_strong(probability: float) -> None:
    count, length = 2000, 5
    generator = torch.Generator().manual_seed(0)
    size = count * length
    present = {"a": torch.rand(size, generator=generator) < 0.8, "b": torch.ones(size, dtype=torch.bool)}
    features = {name: torch.randn(size, 3, generator=generator) * 7 * mask[:, None] for name, mask in present.items()}
    zeros, names = torch.zeros(size, dtype=torch.int64), tuple(map(str, range(count)))
    batch = Batch(features, present, zeros, zeros, zeros, torch.full((count,), length), length, names)
    noisy = add_noise(batch, probability, torch.Generator().manual_seed(1))
    assert noisy is batch or probability
    for name, x in features.items():
        change = (noisy.features[name] - x) / 7  # in standard deviations
        assert not change[~present[name]].any()
        of_conversation = change.view(count, -1).square().mean(dim=1)  # [B]
        assert float((of_conversation > 0).float().mean()) == pytest.approx(probability, abs=0.05)
        if probability:  # the mean square of a level that is uniform in [0, 2] is 4 / 3
            share = float(present[name].float().mean())
            assert float(of_conversation[of_conversation > 0].mean()) == pytest.approx(4 / 3 * share, rel=0.1)
