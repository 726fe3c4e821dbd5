"""The last step of a training run: scores and predictions of the best parameters, and the saved model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sdt.corpus.selection import label_counts
from sdt.encoders.text_model import locate_adapter
from sdt.evaluation.calibration import calibration_errors, fit_temperatures
from sdt.evaluation.outputs import SplitOutputs, write_predictions
from sdt.evaluation.remarks import Remark, calibration_remarks, score_remarks, train_remarks
from sdt.evaluation.scores import Scores, score_classifiers
from sdt.models.base import Model
from sdt.training.card import model_card
from sdt.training.checkpoint import KeptEpoch
from sdt.training.epochs import TrainingRun
from sdt.training.folder import RunFolder
from sdt.training.test_monitor import TestSelection


@dataclass(frozen=True, eq=False)
class Results:
    """The results of a finished run."""

    scores: Mapping[str, Mapping[str, Scores]]
    """Split to classifier to scores, with the selected parameters."""
    remarks: Sequence[Remark]
    """Remarks on unusual scores."""
    test_selection: TestSelection | None
    """What selecting the epoch on test would have given; None if it is not known."""
    outputs: Mapping[str, SplitOutputs]
    """Split to the outputs of the selected model; empty if they are in the run folder."""


def finish(run: TrainingRun, surroundings: Mapping[str, Any]) -> Results:
    """Load the best parameters, score the reported splits, and write model, predictions and scores.

    Args:
        run: A run whose epochs are all trained.
        surroundings: Content of environment.json, for the model card.
    """
    model, processes, protocol = run.model, run.processes, run.protocol
    if run.folder and run.recipe.training.keep_best > 1:
        for kept in run.state.kept:
            _load(run, kept)
            processes.run_on_first(partial(_write_kept, run, kept))
    _load(run, run.state.kept[0])
    scores: dict[str, dict[str, Scores]] = {}
    errors: dict[str, tuple[float, float]] = {}
    in_memory: dict[str, SplitOutputs] = {}
    for split in protocol.predicted:
        outputs = run.outputs(run.corpus.split(split))
        if run.folder:
            processes.run_on_first(partial(_write_predictions, run, run.folder, split, outputs))
        else:
            in_memory[split] = outputs
        if split in protocol.reported:
            scores[split] = score_classifiers(outputs, model.config.labels)
            errors[split] = calibration_errors(outputs, model.config.temperature)
    results = Results(scores, _remarks(run, scores, errors), run.test_monitor.select(run.state.epoch), in_memory)
    processes.run_on_first(partial(_end, run, results, surroundings))
    return results


def _load(run: TrainingRun, kept: KeptEpoch) -> None:
    """Load the parameters of an epoch, and calibrate them; collective."""
    run.model.load_state_dict(run.processes.broadcast_tensors(lambda: kept.parameters))
    # The temperatures are fitted on uncalibrated outputs.
    run.model.config = dataclasses.replace(run.model.config, provenance=run.provenance(kept.epoch), temperatures={})
    run.model.config = dataclasses.replace(run.model.config, temperatures=_temperatures(run))


def _remarks(
    run: TrainingRun, scores: dict[str, dict[str, Scores]], errors: Mapping[str, tuple[float, float]]
) -> list[Remark]:
    """Remarks on unusual scores, and on the temperature on the last scored split."""
    name = run.model.display_name()
    found = list(score_remarks(name, [scores], run.terms))
    labels = run.model.config.labels
    found += train_remarks(dict(zip(labels, label_counts(run.protocol.train, labels).tolist(), strict=True)), scores)
    for split, (before, after) in list(errors.items())[-1:]:
        found += calibration_remarks(name, split, [run.model.config.temperature], [before], [after])
    return found


def _temperatures(run: TrainingRun) -> dict[str, float]:
    """Fit temperatures on dev; none for the protocol `published`, which has no split left to fit them on."""
    if run.protocol.chosen_on != "dev":
        return {}
    return fit_temperatures(run.outputs(run.protocol.choose))


def _write_predictions(run: TrainingRun, folder: RunFolder, split: str, outputs: SplitOutputs) -> None:
    predictions = outputs.predictions(run.model.config)
    write_predictions(folder.path / "predictions" / f"{split}.jsonl", predictions, run.corpus.split(split))


def _write_kept(run: TrainingRun, kept: KeptEpoch) -> None:
    """Write the model of one of the best epochs."""
    assert run.folder is not None
    parts = _carry_adapters(run.model)
    card = f"Epoch {kept.epoch} of the run {run.folder.path.name}, one of its {len(run.state.kept)} best epochs.\n"
    run.model.save_pretrained(run.folder.best / f"epoch-{kept.epoch:04d}", card, parts)


def _end(run: TrainingRun, results: Results, surroundings: Mapping[str, Any]) -> None:
    """Write the model and the scores, which finishes the run; and call the callbacks."""
    if run.folder:
        seconds = sum(sum(line["seconds"].values()) for line in run.state.history)
        parts = _carry_adapters(run.model)
        card = model_card(
            run.model, run.recipe, run.corpus, results.scores, surroundings, seconds, results.remarks
        )  # fmt: skip
        run.model.save_pretrained(run.folder.model, card, parts)
    for callback in run.callbacks:
        callback.finish(run.state.best_epoch, results.scores)
    if not run.folder:
        return
    if run.protocol.monitored and results.test_selection is None:
        run.display.say(
            f"{run.folder.test_monitor}: epochs are missing; the result of selecting the epoch on test is unknown"
        )
    run.folder.write_scores(
        {
            **run.provenance(),
            **run.caveat(),
            "remarks": [remark.to_dict() for remark in results.remarks],
            **({"test_chosen": results.test_selection.to_dict()} if results.test_selection else {}),
            "scores": {
                split: {classifier: of_classifier.to_dict() for classifier, of_classifier in classifiers.items()}
                for split, classifiers in results.scores.items()
            },
        }
    )


def _carry_adapters(model: Model) -> dict[str, Path]:
    """Refer to encoder adapters by their name in the model folder; returns the adapter folders to copy there."""
    encoders, parts = dict(model.config.encoders), {}
    for modality, name in encoders.items():
        encoder, bar, steps = name.partition("|")  # processing steps of the features follow the bar
        if carried := locate_adapter(encoder, f"{modality}-adapter"):
            encoders[modality] = f"{carried[0]}{bar}{steps}"
            parts[f"{modality}-adapter"] = carried[1]
    model.config = dataclasses.replace(model.config, encoders=encoders)
    return parts
