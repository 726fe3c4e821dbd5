"""Ensembles: the mean of the probabilities of several models, scored as one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sdt.errors import InputError
from sdt.evaluation.evaluate import Evaluation, score_outputs
from sdt.evaluation.outputs import SplitOutputs
from sdt.evaluation.scores import caveat


def ensemble(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Average the calibrated probabilities of several models and score the means.

    A classifier is part of the ensemble if every model has it. The means are not calibrated again, so their temperature
    is 1. Fusion weights are averaged if every model has them.

    Args:
        evaluations: Two or more models, evaluated on the same split of the same corpus.

    Raises:
        InputError: The models differ in labels or modalities, or a model occurs twice.
    """
    first = evaluations[0]
    names = [evaluation.name for evaluation in evaluations]
    if len(set(names)) < len(names):
        raise InputError(f"{next(n for n in names if names.count(n) > 1)}: duplicate model in the ensemble; remove it")
    for evaluation in evaluations:
        for what in ("labels", "modalities"):
            mine, its = tuple(getattr(first.config, what)), tuple(getattr(evaluation.config, what))
            if mine != its:
                raise InputError(
                    f"{evaluation.name}: {what} {', '.join(its)}, but {', '.join(mine)} in {first.name}; an ensemble "
                    f"needs models with the same {what}"
                )
    outputs = [evaluation.outputs for evaluation in evaluations]
    weights = [x.weights for x in outputs if x.weights is not None]
    mean = SplitOutputs(
        {
            name: np.stack([x.probabilities[name] for x in outputs]).mean(axis=0)
            for name in first.outputs.probabilities
            if all(name in x.probabilities for x in outputs)
        },
        np.stack(weights).mean(axis=0) if len(weights) == len(outputs) else None,
        first.outputs.present,
        first.outputs.label,
        utterance_keys=first.outputs.utterance_keys,
    )
    notes = [f"ensemble: mean of the calibrated probabilities of {len(names)} models ({', '.join(names)})"]
    notes += dict.fromkeys(note for evaluation in evaluations for note in evaluation.notes)
    biased = [evaluation.config for evaluation in evaluations if caveat(evaluation.config.provenance)]
    config = replace((biased or [first.config])[0], temperatures={})
    name = f"ensemble of {len(names)} models"
    terms = tuple(term for term in first.terms if all(term in evaluation.terms for evaluation in evaluations))
    scores, remarks = score_outputs(mean, config, first.split, name=name, terms=terms)
    return replace(
        first,
        name=name, config=config, outputs=mean, scores=scores, notes=notes, remarks=remarks, terms=terms,
        members=tuple(names),
    )  # fmt: skip
