"""Engines: what runs a saved model, from the features of a batch to calibrated probabilities and fusion weights.

| engine        | runs                                                                     | needs                  |
|---------------|--------------------------------------------------------------------------|------------------------|
| `onnxruntime` | SDT whose folder has ONNX graphs (`sdt.models.graphs`), on the processor  | NumPy, onnxruntime     |
| `torch`       | every model, on the processor or a GPU                                    | the extra `train`      |

The default is onnxruntime where the model has graphs and no GPU is asked for.

Shapes: N utterances of a batch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args

from sdt.device import DeviceName
from sdt.errors import InputError, MissingDependencyError, quoted
from sdt.feature_batch import FeatureBatch
from sdt.models.batch_prediction import BatchPrediction
from sdt.models.config import ModelConfig
from sdt.models.context import Context
from sdt.models.hub import model_folder
from sdt.windows import Windows, forward_passes

if TYPE_CHECKING:
    from sdt.models.base import Model
    from sdt.prediction.stream_readers import Reader

EngineName = Literal["auto", "onnxruntime", "torch"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)
_LOADERS: Mapping[str, str] = {
    "onnxruntime": "sdt.prediction.onnx_engine:load_onnx_engine",
    "torch": "sdt.prediction.torch_engine:load_torch_engine",
}
"""Engine to the function that loads a model folder, or returns None if the engine cannot run it; preferred first."""


class Engine(Protocol):
    """Runs a model."""

    config: ModelConfig
    """The configuration of the model."""
    context: Context
    """The utterances that an utterance attends to."""
    graphs: Path | None
    """The folder with the graphs of text encoders, which run on the same engine; None if they run on PyTorch."""

    def predict(self, batch: FeatureBatch) -> BatchPrediction:
        """Predict a batch with every modality of the model; conversations are independent of each other.

        Utterances without any modality can have any probabilities.

        Raises:
            InputError: The output has an unexpected shape, or a conversation is too long for the engine.
        """

    def reader(self, history: int) -> Reader:
        """A reader of running conversations.

        Args:
            history: Number of utterances, including the newest, that a model without a causal context is run on.
        """


def load_engine(path: Path, name: EngineName = "auto", device: DeviceName = "auto") -> Engine:
    """Load a model folder.

    Args:
        path: A model folder or a run folder.
        name: The engine; `auto` for onnxruntime if it can run the model, else torch.
        device: `cuda` runs on torch.

    Raises:
        InputError: The model is damaged, the engine cannot run it, or it does not run on this device.
        MissingDependencyError: The engine is not installed.
    """
    folder = model_folder(path)
    if device == "cuda":
        if name == "onnxruntime":
            raise InputError("device 'cuda': onnxruntime runs on the processor here; choose the engine torch")
        name = "torch"
    for candidate in _LOADERS if name == "auto" else [name]:
        module, _, function = _LOADERS[candidate].partition(":")
        try:
            load: Any = getattr(importlib.import_module(module), function)
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"{folder}: has no ONNX graphs, so it runs on {error.name}; install it with: pip install "
                "'sdt-erc[train]'"
            ) from None
        engine: Engine | None = load(folder, device)
        if engine is not None:
            return engine
    raise InputError(
        f"{folder}: no ONNX graphs of this model; choose the engine torch, or train a new model with 'sdt train' where "
        "the extra 'onnx' is installed"
    )


def engine_of(model: Model | Engine, device: DeviceName = "auto") -> Engine:
    """An engine itself, or one that runs a model on a device.

    Raises:
        InputError: The object is neither.
    """
    if hasattr(model, "reader"):
        return cast(Engine, model)
    if not hasattr(model, "forward"):
        raise InputError(
            f"{quoted(model)}: not a model; load one by its name and call it: "
            "Pipeline.from_pretrained(NAME)(conversations)"
        )
    from sdt.prediction.torch_engine import TorchEngine

    return TorchEngine(cast("Model", model), device)


def infer(engine: Engine, batch: FeatureBatch, windows: Windows | None = None) -> BatchPrediction:
    """Predict a batch; conversations longer than a window are split, see `sdt.windows`."""
    parts = []
    for passed in forward_passes(batch.lengths, windows, causal=engine.context.causal):
        part = engine.predict(batch if passed.excerpts is None else batch.excerpts(passed.excerpts))
        parts.append((passed.rows, part if isinstance(passed.within, slice) else part.rows(passed.within)))
    return BatchPrediction.merge(parts, len(batch))
