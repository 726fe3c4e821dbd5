"""ONNX graphs with weights in float16 or int8."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    import onnx

Precision = Literal["float32", "float16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MIN_SIZE = 4096
"""Smaller weights stay in float32."""
FLOAT16_MAX = 65504.0


def reduce_precision(model: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    """Store the weights of a graph in another precision.

    Args:
        model: A graph with weights.
        precision: `float16`: a cast follows each weight, and the graph computes in float32. `int8`: the matrix products
            compute with integers: weights have a scale per output, activations one per product, which is computed when
            the graph runs (dynamic quantisation).
    """
    return _int8(model) if precision == "int8" else _float16(model)


def _float16(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        array = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or array.size < MIN_SIZE or np.abs(array).max() > FLOAT16_MAX:
            continue
        name = f"{weight.name}.float16"
        casts.append(helper.make_node("Cast", [name], [weight.name], to=TensorProto.FLOAT))
        weight.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _int8(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as aside:
        source, target = Path(aside) / "float32.onnx", Path(aside) / "int8.onnx"
        onnx.save(model, source)
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)  # advice for other models
        try:
            quantize_dynamic(
                source,
                target,
                op_types_to_quantize=["MatMul", "Gemm"],
                per_channel=True,
                # Weights of 7 bits: processors without VNNI add two products in 16 bits, which 8 bits would exceed.
                reduce_range=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        finally:
            logging.disable(level)
        return onnx.load(target)
