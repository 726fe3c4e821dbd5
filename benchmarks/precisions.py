"""What the precision of an exported ONNX file changes: size, weighted F1 and probabilities.

A saved model predicts the labelled utterances of a transcript from their text, on PyTorch and with exported files.

    python -m benchmarks.precisions --transcript test_sent_emo.csv
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from sdt.conversation import Conversation, Prediction
from sdt.evaluation.scores import score
from sdt.evaluation.table import plain_table
from sdt.feature_batch import Features
from sdt.formats import read_transcript
from sdt.media.recordings import Recordings
from sdt.models.base import Model
from sdt.models.config import SDTConfig
from sdt.models.graph_precision import PRECISIONS
from sdt.models.hub import DEFAULT, find_model
from sdt.models.onnx_export import export_onnx
from sdt.prediction import Pipeline
from sdt.prediction.engine import Engine
from sdt.prediction.extraction import FeatureExtractor, Missing
from sdt.prediction.onnx_engine import OnnxEngine
from sdt.prediction.torch_engine import TorchEngine


def measure(name: str, conversations: Sequence[Conversation]) -> dict[str, dict[str, Any]]:
    """Predict with every precision.

    Args:
        name: The model.
        conversations: Conversations with labels of the model; other labels are left out of the score.

    Returns:
        `torch` and each precision to `weighted_f1` and, for a file, `bytes`, the `largest` and `mean` difference of
        probabilities from PyTorch, and the number of utterances whose emotion `changed`.
    """
    folder = find_model(name)
    model = Model.from_pretrained(folder)
    extractor = FeatureExtractor(model.config, name, folder)
    extractor.prepare(has_recordings=False)
    features = extractor.extract(conversations, Recordings(), {m: Missing() for m in model.config.modalities})
    reference = _predict(TorchEngine(model, "cpu"), conversations, features)
    found: dict[str, dict[str, Any]] = {"torch": {"weighted_f1": _score(reference, model.config.labels)}}
    with tempfile.TemporaryDirectory() as place:
        for precision in PRECISIONS:
            path = Path(place) / f"{precision}.onnx"
            export_onnx(model, path, precision=precision)
            assert isinstance(model.config, SDTConfig)
            predictions = _predict(OnnxEngine(model.config, path), conversations, features)
            differences = np.abs(_probabilities(predictions) - _probabilities(reference))
            found[precision] = {
                "weighted_f1": _score(predictions, model.config.labels),
                "bytes": path.stat().st_size,
                "largest": float(differences.max()),
                "mean": float(differences.mean()),
                "changed": sum(one.emotion != of.emotion for one, of in zip(predictions, reference, strict=True)),
            }
    return found


def _predict(engine: Engine, conversations: Sequence[Conversation], features: Features) -> list[Prediction]:
    """The predictions of utterances that have a modality."""
    found = Pipeline(engine).from_features(conversations, features)
    return [prediction for prediction in found if prediction.emotion is not None]


def _probabilities(predictions: Sequence[Prediction]) -> Any:  # noqa: ANN401 - an array
    return np.array([list(prediction.probabilities.values()) for prediction in predictions])


def _score(predictions: Sequence[Prediction], labels: Sequence[str]) -> float:
    number = {label: index for index, label in enumerate(labels)}
    rows = [(number[of.label], number[of.emotion]) for of in predictions if of.label in number and of.emotion]
    true, predicted = np.array(rows).T
    return float(score(true, predicted, list(labels)).weighted_f1)


def main() -> None:
    """Run the benchmark."""
    parser = report.parser(__doc__, repeats=1)
    parser.add_argument("--model", default=DEFAULT, help="default: %(default)s")
    parser.add_argument("--transcript", type=Path, required=True, help="a transcript with labels")
    options = parser.parse_args()
    where = report.machine(options.threads)
    found = measure(options.model, read_transcript(options.transcript).conversations)
    table = plain_table("", "MiB", "weighted F1", "largest difference", "mean", "other emotions")
    for name, of in found.items():
        file = "bytes" in of
        table.add_row(
            name,
            f"{of['bytes'] / 2**20:.1f}" if file else "",
            f"{100 * of['weighted_f1']:.2f}",
            *((f"{of['largest']:.2g}", f"{of['mean']:.2g}", str(of["changed"])) if file else ("", "", "")),
        )
    console = report.console()
    console.print(table)
    console.print(report.caption(where))
    report.write_json(options.output or report.FOLDER / "precisions.json", "precisions", where, {"precisions": found})


if __name__ == "__main__":
    report.run(main)
