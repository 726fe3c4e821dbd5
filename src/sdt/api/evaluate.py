"""`sdt.evaluate` and `sdt.compare`: scores and comparisons of models and runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sdt.api.run import Run
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation import evaluate as evaluation
from sdt.evaluation import significance
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.ensemble import ensemble
from sdt.evaluation.evaluate import Evaluation
from sdt.evaluation.significance import Comparison, align
from sdt.evaluation.system import System
from sdt.models.base import Model
from sdt.models.hub import find_model
from sdt.training.group import open_corpus_of_run
from sdt.training.systems import find_systems

ModelLike = Run | Model | str | Path
"""A run, a model, or what names one: a run folder, a model folder, a bundled model or a hub id."""
SystemLike = Run | str | Path | System
"""A run, a system, or what `sdt compare` takes: a run folder, a folder of runs that differ in their seed, a pattern, or
a file of predictions."""


def evaluate(
    model: ModelLike | Sequence[ModelLike],
    corpus: Corpus | str | Path | None = None,
    split: str = "test",
    *,
    modalities: Sequence[str] | None = None,
) -> Evaluation:
    """Score a model, or an ensemble of models, on a split of a corpus.

    Args:
        model: The model; several are an ensemble, whose probabilities are the mean of theirs.
        corpus: The corpus or its folder; None for that of the run.
        split: `train`, `dev` or `test`.
        modalities: Modalities that the model receives; the others are treated as missing. None for all.

    Returns:
        The scores by classifier, and the predictions.

    Raises:
        InputError: The model or the corpus does not exist, they do not fit each other, or the split has no labels.

    Example:
        >>> sdt.evaluate("runs/puppets").scores["fused"].weighted_f1  # doctest: +SKIP
        0.6996
    """
    models = list(model) if isinstance(model, Sequence) and not isinstance(model, str) else [model]
    if not models:
        raise InputError("evaluate: no model given")
    if corpus is None:
        corpus = _corpus_of(models[0])
    corpus = corpus if isinstance(corpus, Corpus) else Corpus.open(corpus)
    found = [
        evaluation.evaluate(_model(one), corpus, split, name=_name(one, number, len(models)), modalities=modalities)
        for number, one in enumerate(models)
    ]
    return found[0] if len(found) == 1 else ensemble(found)


def compare(
    reference: SystemLike | Sequence[SystemLike],
    *others: SystemLike | Sequence[SystemLike],
    split: str = "test",
    names: Sequence[str] | None = None,
    draws: int = 10_000,
    seed: int = 0,
    other_features: bool = False,
) -> list[Comparison]:
    """Compare systems with a reference: differences with confidence intervals and p-values; see docs/comparing.md.

    Args:
        reference: The reference; a list of runs that differ only in their seed is one system.
        others: One or more other systems; differences are other - reference.
        split: `dev` or `test`.
        names: Names of the systems, the reference first; None for those of the runs.
        draws: Number of samples of the bootstrap over conversations.
        seed: Seed of the bootstrap.
        other_features: Whether corpora may differ in their features.

    Raises:
        InputError: The systems were tested on different utterances.

    Example:
        >>> (comparison,) = sdt.compare(full, without_speakers)  # doctest: +SKIP
        >>> print(comparison.sentence())  # doctest: +SKIP
    """
    if not others:
        raise InputError("compare: give two systems or more")
    systems = [_system(one, split) for one in (reference, *others)]
    if names is not None and len(names) != len(systems):
        raise InputError(f"compare: {len(names)} names for {len(systems)} systems")
    for number, name in enumerate(names or _distinct([system.name for system in systems])):
        systems[number] = replace(systems[number], name=name)
    first, *rest = systems
    resampling = Resampling(draws, seed)
    return significance.compare(first, rest, resampling=resampling, other_features=other_features)


def _corpus_of(model: ModelLike) -> Corpus:
    if isinstance(model, Run):
        return model.corpus
    if isinstance(model, Model):
        raise InputError("evaluate: a model does not know its corpus; give one")
    return open_corpus_of_run(Path(model))


def _model(model: ModelLike) -> Model:
    if isinstance(model, Run):
        return model.model
    return model if isinstance(model, Model) else Model.from_pretrained(find_model(model))


def _name(model: ModelLike, number: int, count: int) -> str:
    if isinstance(model, str | Path):
        return str(model)
    name = model.name if isinstance(model, Run) else model.display_name()
    return f"{name} {number + 1}" if count > 1 else name


def _system(system: SystemLike | Sequence[SystemLike], split: str) -> System:
    if isinstance(system, System):
        return system
    if isinstance(system, Run):
        return system.system(split)
    if isinstance(system, str | Path):
        return find_systems([str(system)], split)[0]
    runs = align([_system(one, split) for one in system])
    return replace(
        runs[0],
        predicted=np.concatenate([one.predicted for one in runs]),
        seeds=tuple(seed for one in runs for seed in one.seeds),
        caveats=tuple(dict.fromkeys(note for one in runs for note in one.caveats)),
    )


def _distinct(names: Sequence[str]) -> list[str]:
    """Number the names that occur twice."""
    return [f"{name} {number + 1}" if names.count(name) > 1 else name for number, name in enumerate(names)]
