"""Exported files of lower precision: their size, and what they change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from sdt.models.config import Architecture
from sdt.models.graph_precision import PRECISIONS, Precision, reduce_precision
from sdt.models.onnx_export import TOLERANCE, export_onnx
from tests.prediction.models import TEXT_AUDIO, tiny_model

LIMITS = {"float32": TOLERANCE, "float16": 1e-3, "int8": 0.05}


@pytest.mark.slow
def test_size_and_difference(tmp_path: Path) -> None:
    model = tiny_model(TEXT_AUDIO, architecture=Architecture(width=128, heads=2))
    sizes: list[int] = []
    for precision in PRECISIONS:
        path = tmp_path / f"{precision}.onnx"
        assert export_onnx(model, path, precision=precision) <= LIMITS[precision]
        sizes.append(path.stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]
    assert sizes[2] < 0.4 * sizes[0]


def linear(weight: np.ndarray) -> onnx.ModelProto:
    """y = x W^T."""
    helper = onnx.helper
    size = weight.shape
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        "linear",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, size[1]])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, size[0]])],
        [
            onnx.numpy_helper.from_array(weight, "w"),
            onnx.numpy_helper.from_array(np.zeros(size[0], np.float32), "b"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(("precision", "close"), [("float16", 1e-2), ("int8", 0.5)])
def test_a_product(precision: Precision, close: float) -> None:
    import onnxruntime

    random = np.random.default_rng(0)
    weight, x = random.normal(size=(64, 128)).astype(np.float32), random.normal(size=(5, 128)).astype(np.float32)
    reduced = reduce_precision(linear(weight), precision)
    session = onnxruntime.InferenceSession(reduced.SerializeToString())
    (found,) = session.run(None, {"x": x})
    np.testing.assert_allclose(found, x @ weight.T, atol=close)
    assert not np.array_equal(found, x @ weight.T)


def test_numbers_beyond_float16_stay() -> None:
    weight = np.full((64, 128), 1e5, dtype=np.float32)
    reduced = reduce_precision(linear(weight), "float16")
    (kept,) = [of for of in reduced.graph.initializer if of.name == "w"]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(kept), weight)
