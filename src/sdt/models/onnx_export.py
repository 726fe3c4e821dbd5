"""Export to ONNX: one graph for any number of utterances and conversations.

Inputs for N utterances of any number of concatenated conversations:

| name                | type           | content                                                               |
|---------------------|----------------|-----------------------------------------------------------------------|
| `features_MODALITY` | float32 [N, D] | features, normalised as in training; zero if missing                  |
| `present_MODALITY`  | bool [N]       | whether the utterance has the modality                                |
| `conversation`      | int64 [N]      | the number of the conversation; utterances attend to equal numbers    |
| `position`          | int64 [N]      | the position in the conversation, from 0                              |
| `speaker`           | int64 [N]      | the number of the speaker, see `sdt.speakers`                         |
| `participant`       | int64 [N]      | the number of the speaker in the conversation; for models with head   |
|                     |                | patterns or relative positions only                                   |

Outputs: `fused` and `branch_MODALITY` are calibrated log-probabilities [N, C], and `weights` are the fusion weights
[N, M]. They are NaN if the utterance lacks the modality; `fused` is NaN if it lacks all modalities. The metadata of the
file contains the `config.json` of the model under the key `config`.

Attention is computed over all N utterances, with a mask that separates conversations. The results equal those with
padding except for rounding, but take N^2 instead of B T^2 operations, so that batches should be small.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.errors import InputError, MissingDependencyError
from sdt.files import atomic_file
from sdt.graphs import external_tensor, set_metadata, stored_tensors
from sdt.models.base import Model, Output
from sdt.models.config import FUSED, ModelConfig
from sdt.models.context import FULL, Context
from sdt.models.graph_precision import Precision, reduce_precision
from sdt.models.saved_graph import WEIGHTS, input_names, needs_participants, output_names, saved_digest
from sdt.models.sdt.attention import Keys, related_keys
from sdt.models.sdt.relations import Places, Relation, mask_missing

if TYPE_CHECKING:
    import onnx
    from onnxruntime import InferenceSession
    from torch.onnx import ONNXProgram

TOLERANCE = 1e-4
"""The largest accepted difference between the outputs of the file and of PyTorch."""
CHECKED = ((1,), (2,), (7,), (3, 1, 5), (1, 1), (33, 2, 12), (120,))
"""The conversation lengths of the batches with which a file is checked."""
OPSET = 18

Arrays = dict[str, npt.NDArray[Any]]


class FlatLayout:
    """A `Layout` that consists of tensors only: all utterances in one sequence, with a mask between conversations.

    Args:
        conversation: [N] the number of the conversation of each utterance.
        position: [N] its position in the conversation.
        context: The context that each utterance attends to.
    """

    max_encoders = 1
    """So that N^2 numbers are kept for one of them only."""

    def __init__(
        self, conversation: Tensor, position: Tensor, context: Context = FULL, participant: Tensor | None = None
    ) -> None:
        self.context = context
        self.readable = conversation[:, None] == conversation[None, :]  # [N, N]
        back = position[:, None] - position[None, :]
        own = None if participant is None else self.readable & (participant[:, None] == participant[None, :])
        if context.causal:
            self.readable = self.readable & (back >= 0)
        if context.window is not None:
            self.readable = self.readable & (back < context.window)
        self.relation: Relation | None = None
        if participant is not None and own is not None:
            before = own & (back > 0)
            places = Places(position, participant, before.long().sum(dim=1))
            self.relation = Relation.of(places[:, None], places[None, :])
            self.readable = self.readable & self.relation.readable(context)  # [H or 1, N, N]

    def keys(self, present: Tensor) -> Keys:
        """The keys of one modality for `present` [N] bool."""
        if self.relation is not None:
            return related_keys(present, (self.readable & present).any(dim=2).t())
        has_context = (self.readable & present[None, :]).any(dim=1)  # [N]
        return Keys(present, has_context[:, None].float(), complete=False)

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, keys: Sequence[Keys], dropout: float, bias: Tensor | None = None
    ) -> Tensor:
        """See `Layout.attend`."""
        (key,) = keys
        q, k, v = (x.permute(1, 2, 0, 3) for x in (q, k, v))  # [1, H, N, d/H]
        # An utterance without context attends to everything, because softmax needs a key; `has_context` masks the
        # result.
        if self.relation is None or key.head_context is None:
            mask = (self.readable & (key.present[None, :] | (key.has_context == 0)))[None, None]  # [1, 1, N, N]
        else:
            mask = mask_missing(self.readable, key.present[None], key.head_context.t())[None]  # [1, H or 1, N, N]
            if bias is not None:
                mask = bias[:, :, self.relation.buckets()].masked_fill(~mask, -torch.inf)  # [1, H, N, N]
        return F.scaled_dot_product_attention(q, k, v, mask, dropout).permute(2, 0, 1, 3)


class ExportableModel(nn.Module):
    """A model whose inputs and outputs are tensors."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        features: Sequence[Tensor],
        present: Sequence[Tensor],
        conversation: Tensor,
        position: Tensor,
        speaker: Tensor,
        participant: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Compute the outputs that the module describes; features and presence are in the order of the modalities."""
        config = self.model.config
        batch = Batch(
            features=dict(zip(config.modalities, features, strict=True)),
            present=dict(zip(config.modalities, present, strict=True)),
            position=position,
            speaker=speaker,
            label=position,
            lengths=position,
            longest=0,
            conversations=(),
            participant=participant,
        )
        layout = FlatLayout(conversation, position, self.model.attention_context, participant)
        return _outputs(config, batch, self.model.forward_with_layout(batch, layout))


def _outputs(config: ModelConfig, batch: Batch, output: Output) -> tuple[Tensor, ...]:
    """The outputs of the file, in order."""
    assert output.weights is not None
    present = torch.stack([batch.present[name] for name in config.modalities], dim=1)  # [N, M]
    has = {FUSED: present.any(dim=1), **batch.present}
    log_probabilities = (
        (output.logits[classifier] / config.temperatures.get(classifier, 1.0))
        .log_softmax(dim=-1)
        .masked_fill(~has[classifier][:, None], torch.nan)
        for classifier in (FUSED, *config.modalities)
    )
    return (*log_probabilities, output.weights.mean(dim=-1).masked_fill(~present, torch.nan))


def export_onnx(model: Model, path: Path, saved: Path | None = None, precision: Precision = "float32") -> float:
    """Export a model to an ONNX file, atomically, and check its outputs against PyTorch.

    Args:
        model: The model.
        path: The file.
        saved: The folder in which the model is saved and the file is written: the file then refers to the weights
            there, see `sdt.graphs`. None for a file with weights.
        precision: Precision of the weights of linear layers: `float16` halves the file and computes in float32; `int8`
            quantises weights per row, and activations when the file runs.

    Returns:
        The largest difference between log-probabilities and weights of the file and of PyTorch; for other precisions
        than float32, between probabilities and weights.

    Raises:
        InputError: The model does not support the export, the outputs differ (in float32), or the file cannot be
            written.
        MissingDependencyError: onnx, onnxscript or onnxruntime are not installed.
    """
    if not model.exports_onnx:
        raise InputError(f"{path}: not written: {model.display_name()} does not support export to ONNX")
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 - required by the exporter of torch, whose error is less clear
    except ImportError as error:
        raise MissingDependencyError(
            f"export to ONNX requires the package {error.name!r}; install it with: pip install 'sdt-erc[onnx]'"
        ) from None
    was_training, device = model.training, next(model.parameters()).device
    model.cpu().eval()
    try:
        with atomic_file(path) as temporary:
            with _quiet():
                _graph(model).save(str(temporary))
            file = onnx.load(temporary)
            _remove_traces(file)
            if saved is not None:
                _refer_to_weights(file, saved)
            elif precision != "float32":
                file = reduce_precision(file, precision)
            set_metadata(file, {"config": model.config.to_dict(), **({"saved": saved_digest(saved)} if saved else {})})
            temporary.write_bytes(file.SerializeToString())
            session = onnxruntime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
            try:
                exact = precision == "float32"
                difference = max(_difference(model, session, lengths, exact=exact) for lengths in CHECKED)
            except Exception as error:  # the errors of onnxruntime have no common base class
                raise InputError(
                    f"{path}: not written: the file cannot be run ({str(error).splitlines()[0]}); custom models must "
                    "take the sizes of tensors from the tensors of the batch"
                ) from None
            if not difference <= (TOLERANCE if exact else 1):
                raise InputError(
                    f"{path}: not written: its outputs differ from PyTorch by up to {difference:.2g}, more than "
                    f"{TOLERANCE}; the parameters may be extreme"
                )
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        model.to(device).train(was_training)
    return difference


def _graph(model: Model) -> ONNXProgram:
    """Export the graph of a model."""
    names = input_names(model.config)
    given = [torch.from_numpy(array) for array in _random_inputs(model.config, (5, 3), seed=0).values()]
    count = len(model.config.modalities)
    n = torch.export.Dim("N", min=1, max=2**20)
    one = {0: n}
    with torch.no_grad():  # in training mode, the graph would depend on the size of the input
        program = torch.onnx.export(
            ExportableModel(model),
            (given[:count], given[count : 2 * count], *given[2 * count :]),
            dynamo=True,
            opset_version=OPSET,
            optimize=False,  # it merges weights, which then no longer have names; onnxruntime optimises, too
            dynamic_shapes=([one] * count, [one] * count, *([one] * (len(names) - 2 * count))),
            input_names=names,
            output_names=output_names(model.config),
            verbose=False,
        )
    assert program is not None
    return program


def _remove_traces(file: onnx.ModelProto) -> None:
    """Remove the notes of the exporter, which are longer than the graph."""
    for node in file.graph.node:
        del node.metadata_props[:]
    for value in (*file.graph.value_info, *file.graph.input, *file.graph.output):
        del value.metadata_props[:]
    del file.graph.metadata_props[:]


def _refer_to_weights(file: onnx.ModelProto, saved: Path) -> None:
    """Replace the values of the weights by their place in `model.safetensors`."""
    stored = stored_tensors(saved, [WEIGHTS])
    for of in file.graph.initializer:
        if (name := of.name.removeprefix("model.")) in stored:
            of.CopyFrom(external_tensor(of.name, stored[name]))


def _random_inputs(config: ModelConfig, lengths: Sequence[int], seed: int) -> Arrays:
    """Random conversations of these lengths, with missing modalities; the last conversation lacks one completely."""
    random = np.random.default_rng(seed)
    size = sum(lengths)
    conversation = np.repeat(np.arange(len(lengths)), lengths)
    names = list(config.modalities)
    present = {name: random.random(size) < 0.7 for name in names}
    present[names[-1]] &= conversation != len(lengths) - 1
    features = {name: random.normal(size=(size, width)) for name, width in config.modalities.items()}
    numbers = {"participant": random.integers(0, 3, size)} if needs_participants(config) else {}
    return {
        **{f"features_{n}": (features[n] * present[n][:, None]).astype(np.float32) for n in names},
        **{f"present_{n}": present[n] for n in names},
        "conversation": conversation.astype(np.int64),
        "position": np.concatenate([np.arange(length) for length in lengths]).astype(np.int64),
        "speaker": random.integers(0, config.speakers.count + 1, size).astype(np.int64),
        **numbers,
    }


def _difference(model: Model, session: InferenceSession, lengths: Sequence[int], *, exact: bool = True) -> float:
    """The largest difference between the outputs of the file and of PyTorch; in probabilities unless `exact`."""
    config = model.config
    given = _random_inputs(config, lengths, seed=sum(lengths))
    tensors = {name: torch.from_numpy(array) for name, array in given.items()}
    batch = Batch(
        features={name: tensors[f"features_{name}"] for name in config.modalities},
        present={name: tensors[f"present_{name}"] for name in config.modalities},
        position=tensors["position"],
        speaker=tensors["speaker"],
        label=tensors["position"],
        lengths=torch.tensor(lengths),
        longest=max(lengths),
        conversations=tuple(map(str, range(len(lengths)))),
        participant=tensors.get("participant"),
    )
    with torch.inference_mode():
        expected = _outputs(config, batch, model(batch))
    found = session.run(output_names(config), given)
    *logs, weights = zip(found, (want.numpy() for want in expected), strict=True)
    pairs = logs if exact else [(np.exp(of), np.exp(want)) for of, want in logs]
    return max(_max_difference(of, want) for of, want in (*pairs, weights))


def _max_difference(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """The largest absolute difference; infinite if NaN is at different positions."""
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return np.inf
    return float(np.nan_to_num(np.abs(one - other)).max())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the messages of the exporter."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
