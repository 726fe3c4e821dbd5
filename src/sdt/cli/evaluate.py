"""Score a model, or an ensemble of models, on one split of a corpus.

Prints accuracy, weighted F1 and macro F1 of the fused prediction and of every modality's classifier; precision, recall,
F1 and support of every class, in percent as defined by scikit-learn; and the expected calibration error, the difference
between predicted probabilities and the share of correct predictions. Utterances without a label are skipped.

  sdt evaluate runs/puppets
  sdt evaluate runs/puppets/model --corpus build/puppets --split dev
  sdt evaluate runs/puppets --output build/scores
  sdt evaluate runs/puppets --json
  sdt evaluate runs/puppets/seed-0 runs/puppets/seed-1 --ensemble
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import (
    add_code_option,
    add_device_option,
    add_window_options,
    import_code,
    positive_int,
    windows_of,
)
from sdt.errors import InputError, printable

if TYPE_CHECKING:
    from sdt.evaluation.evaluate import Evaluation


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "models",
        type=Path,
        nargs="*",
        metavar="MODEL_OR_RUN",
        help="a model folder, a run folder, or the name of a bundled model; several with --ensemble",
    )
    parser.add_argument("--model", type=Path, dest="named", metavar="MODEL_OR_RUN", help="the model, as an option")
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="score the mean of the probabilities of several models, such as runs with other seeds",
    )
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="the corpus; default: the corpus of the run")
    parser.add_argument("--split", default="test", metavar="NAME", help="train, dev or test; default: test")
    parser.add_argument(
        "--modalities", metavar="NAME,...", help="the modalities that the model may use; others count as missing"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="write scores.json, predictions.jsonl and plots of the confusion matrices",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier evaluation in --output")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_window_options(parser)
    add_code_option(parser)
    add_device_option(parser)
    parser.add_argument(
        "--batch-conversations",
        type=positive_int,
        default=32,
        metavar="B",
        help="conversations of a batch; default: 32",
    )


def run(options: argparse.Namespace) -> int | None:
    """Load, score, print and write."""
    from sdt.cli.paths import check_finished
    from sdt.cli.progress import bar
    from sdt.device import choose_device
    from sdt.evaluation.ensemble import ensemble
    from sdt.evaluation.evaluate import check_output, evaluate, write_evaluation
    from sdt.models.base import Model
    from sdt.models.hub import bundled_model, model_folder
    from sdt.training.group import open_corpus_of_run

    models: list[Path] = [*options.models, *([options.named] if options.named else [])]
    if options.ensemble and len(models) < 2:
        raise InputError("--ensemble needs at least two models: sdt evaluate RUN RUN --ensemble")
    if not options.ensemble and len(models) != 1:
        raise InputError("name one model: sdt evaluate MODEL_OR_RUN; or several with --ensemble")
    cut = windows_of(options)
    import_code(options)
    if options.output:  # report errors before the work
        check_output(options.output, overwrite=options.overwrite)
    folders = [bundled_model(str(name)) or model_folder(name) for name in models]
    for name in models:
        check_finished(name)
    corpus = open_corpus_of_run(models[0], options.corpus)
    device = choose_device(options.device)
    with bar("conversations", len(folders) * len(corpus.splits.get(options.split, ()))) as progress:
        evaluations = [
            evaluate(
                Model.from_pretrained(folder),
                corpus,
                options.split,
                name=str(name),
                modalities=options.modalities.split(",") if options.modalities else None,
                batch_size=options.batch_conversations,
                windows=cut,
                device=device,
                progress=progress,
            )
            for name, folder in zip(models, folders, strict=True)
        ]
    evaluation = ensemble(evaluations) if options.ensemble else evaluations[0]
    if options.output:
        write_evaluation(evaluation, options.output, overwrite=options.overwrite)
    if options.json:
        print(json.dumps(evaluation.to_dict(), indent=1, ensure_ascii=False))
    else:
        _print(evaluation, options.output)
    return None


def _print(evaluation: Evaluation, output: Path | None) -> None:
    from rich.console import Console

    from sdt.evaluation.table import classes_table, classifiers_table, percent
    from sdt.models.config import FUSED

    console = Console(highlight=False, markup=False)
    console.print(classifiers_table(evaluation.scores, evaluation.title))
    console.print(classes_table(evaluation.scores[FUSED], f"fused prediction by class\n{evaluation.title}"))
    if evaluation.weights:
        shares = (f"{modality} {percent(weight)} %" for modality, weight in evaluation.weights.items())
        console.print("mean weight in the fusion: " + ", ".join(shares), soft_wrap=True)
    error, temperature = percent(evaluation.calibration_error), evaluation.config.temperature
    console.print(f"expected calibration error: {error} % (15 bins; temperature {temperature:.2f})", soft_wrap=True)
    for note in [*evaluation.notes, *(remark.text for remark in evaluation.remarks)]:
        console.print(f"note: {printable(note)}", soft_wrap=True)
    if output:
        console.print(f"written to {output}: scores.json, predictions.jsonl, confusion.png", soft_wrap=True)
