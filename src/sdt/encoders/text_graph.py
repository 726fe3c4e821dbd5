"""ONNX graphs of text encoders: BERT and RoBERTa with the pooling of `text_pooling`, without weights.

The graph is written from the definition of the encoder (Devlin et al., NAACL 2019; Liu et al., arXiv 1907.11692), so
that every initializer is a tensor of the encoder's own safetensors file, see `sdt.graphs`. Encoders of other
architectures have no graph and run on PyTorch.

| input     | type            | content                                                        |
|-----------|-----------------|----------------------------------------------------------------|
| `tokens`  | int64 [u, t]    | token numbers of u texts, padded to t tokens                   |
| `mask`    | bool [u, t]     | False for padding                                              |
| `counted` | bool [n, t]     | the tokens to pool over, for each of n pieces of the texts     |
| `row`     | int64 [n]       | the text of each piece                                         |

The output `vectors` is float32 [n, V, size], see `text_pooling.token_vectors`. Weights in float16 and int8 are
converted to float32 when the graph is loaded; of the embeddings, only the rows that are used.

Shapes: u texts; n pieces; t tokens; H heads; `size` width of a token vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sdt.encoders.int8_weights import SCALE
from sdt.encoders.text_model import Pooling
from sdt.graphs import StoredTensor, external_tensor

if TYPE_CHECKING:
    import onnx

ARCHITECTURES = ("bert", "roberta", "xlm-roberta", "camembert")
"""Values of `model_type` in config.json."""
ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
"""`hidden_act` in config.json to the approximation of the operator Gelu."""
OPSET = 20


Adapter = Mapping[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]
"""Linear layer to its low-rank update A [rank, in] and B [out, rank], with the scale in B: W + B A."""


class UnsupportedGraphError(Exception):
    """No graph can be written of this encoder; the message says why."""


def text_graph(
    config: Mapping[str, Any], tensors: Mapping[str, StoredTensor], pooling: Pooling, adapter: Adapter | None = None
) -> onnx.ModelProto:
    """Write the graph of an encoder.

    Args:
        config: Its config.json.
        tensors: Name to tensor of its safetensors files.
        pooling: The pooling of token vectors.
        adapter: A low-rank adapter of its linear layers, whose weights the graph contains.

    Raises:
        UnsupportedGraphError: The architecture is not supported.
    """
    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        raise UnsupportedGraphError(f"architecture {kind!r}; supported are {', '.join(ARCHITECTURES)}")
    activation = config.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        raise UnsupportedGraphError(f"activation {activation!r}; supported are {', '.join(ACTIVATIONS)}")
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        raise UnsupportedGraphError("only encoders with absolute positions are supported")
    prefix = next((f"{of}." for of in ("bert", "roberta") if f"{of}.embeddings.word_embeddings.weight" in tensors), "")
    return _Writer(config, tensors, prefix, adapter).write(pooling)


@dataclass
class _Writer:
    """Collects the nodes of a graph; methods return the name of their result."""

    config: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]
    prefix: str
    adapter: Adapter | None
    nodes: list[Any] = field(default_factory=list)
    used: dict[str, str] = field(default_factory=dict)
    """Name of each tensor to its value in float32, or to itself."""
    constants: list[Any] = field(default_factory=list)

    def write(self, pooling: Pooling) -> onnx.ModelProto:
        """Write the whole graph."""
        from onnx import TensorProto, helper

        layers = [self._embeddings()]
        bias = self._attention_bias()
        for index in range(int(self.config["num_hidden_layers"])):
            layers.append(self._layer(f"encoder.layer.{index}.", layers[-1], bias))
        vectors = self._pool(pooling, layers)
        self.nodes.append(helper.make_node("Identity", [vectors], ["vectors"]))
        inputs = [
            helper.make_tensor_value_info("tokens", TensorProto.INT64, ["u", "t"]),
            helper.make_tensor_value_info("mask", TensorProto.BOOL, ["u", "t"]),
            helper.make_tensor_value_info("counted", TensorProto.BOOL, ["n", "t"]),
            helper.make_tensor_value_info("row", TensorProto.INT64, ["n"]),
        ]
        output = helper.make_tensor_value_info(
            "vectors", TensorProto.FLOAT, ["n", None, int(self.config["hidden_size"])]
        )
        initializers = [*self.constants, *(external_tensor(n, self.tensors[n]) for n in self.used)]
        graph = helper.make_graph(self.nodes, "text_encoder", inputs, [output], initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - of any operator
        """Add a node with one output."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, values: float | Sequence[int]) -> str:
        """A float scalar, or a list of integers."""
        from onnx import TensorProto, helper

        name = f"constant_{len(self.constants)}"
        kind = TensorProto.INT64 if isinstance(values, Sequence) else TensorProto.FLOAT
        shape = [len(values)] if isinstance(values, Sequence) else []
        flat = values if isinstance(values, Sequence) else [values]
        self.constants.append(helper.make_tensor(name, kind, shape, flat))
        return name

    def _array(self, values: npt.NDArray[np.float32]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, name: str, *, stored: bool = False) -> str:
        """A tensor of the encoder in float32; `stored` for the type in which it is stored."""
        full = self.prefix + name
        if full not in self.tensors:
            raise UnsupportedGraphError(f"the weights have no tensor {full!r}")
        dtype = self.tensors[full].dtype
        if dtype not in ("F32", "F16", "I8"):
            raise UnsupportedGraphError(f"weights of type {dtype}; supported are F32, F16 and I8")
        if full not in self.used:
            self.used[full] = full
        if stored or dtype == "F32":
            return full
        if self.used[full] == full:
            self.used[full] = self._restored(full, self.weight(name + SCALE) if dtype == "I8" else None)
        return self.used[full]

    def row(self, name: str, index: str) -> str:
        """The rows of a table at an index in float32; only these are converted."""
        stored = self.node("Gather", self.weight(name, stored=True), index, axis=0)
        dtype = self.tensors[self.prefix + name].dtype
        if dtype == "F32":
            return stored
        scale = self.node("Gather", self.weight(name + SCALE), index, axis=0) if dtype == "I8" else None
        return self._restored(stored, scale)

    def _restored(self, value: str, scale: str | None) -> str:
        """A stored value in float32; that of int8 times the scales of its rows, see `int8_weights`."""
        number = self._float(value)
        if scale is None:
            return number
        return self.node("Mul", number, self.node("Unsqueeze", scale, self.constant([-1])))

    def _float(self, value: str) -> str:
        from onnx import TensorProto

        return self.node("Cast", value, to=TensorProto.FLOAT)

    def _linear(self, name: str, x: str) -> str:
        """[N, in] to [N, out]; the weight is stored as [out, in]. A low-rank update is computed apart: x A^T B^T."""
        y = self.node("Gemm", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1)
        if self.adapter is None or name not in self.adapter:
            return y
        first, second = (self._array(matrix.T) for matrix in self.adapter[name])
        return self.node("Add", y, self.node("MatMul", self.node("MatMul", x, first), second))

    def _norm(self, name: str, x: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        epsilon = float(self.config.get("layer_norm_eps", 1e-12))
        return self.node("LayerNormalization", x, scale, bias, epsilon=epsilon, axis=-1)

    def _embeddings(self) -> str:
        """The sum of the embeddings of words, positions and the only segment, normalised, [u, t, size]."""
        from onnx import TensorProto

        mask = self.node("Cast", "mask", to=TensorProto.INT64)
        position = self.node("CumSum", mask, self.constant([1]))  # 1 for the first token
        if self.config["model_type"] == "bert":
            position = self.node("Sub", position, self.constant([1]))
            position = self.node("Max", position, self.constant([0]))  # any position will do for padding
        else:  # RoBERTa counts from the number after that of padding
            pad = self.constant([int(self.config.get("pad_token_id", 1))])
            position = self.node("Add", self.node("Mul", position, mask), pad)
        tables = (("word", "tokens"), ("position", position))
        rows = [self.row(f"embeddings.{table}_embeddings.weight", index) for table, index in tables]
        segments = self.weight("embeddings.token_type_embeddings.weight")
        segment = self.node("Gather", segments, self.constant([0]), axis=0)  # [1, size]
        return self._norm("embeddings.LayerNorm", self.node("Add", self.node("Add", *rows), segment))

    def _attention_bias(self) -> str:
        """0 for tokens and a large negative number for padding, [u, 1, 1, t]."""
        bias = self.node("Where", "mask", self.constant(0.0), self.constant(-3e38))
        return self.node("Unsqueeze", bias, self.constant([1, 2]))

    def _layer(self, name: str, x: str, bias: str) -> str:
        """A layer of the encoder, [u, t, size] to [u, t, size]."""
        size, heads = int(self.config["hidden_size"]), int(self.config["num_attention_heads"])
        shape = self.node("Shape", x)
        flat = self.node("Reshape", x, self.constant([-1, size]))  # [n * t, size]
        apart = self.node("Concat", self.node("Slice", shape, self.constant([0]), self.constant([2])),
                          self.constant([heads, size // heads]), axis=0)  # fmt: skip

        def part(of: str, order: Iterable[int]) -> str:
            split = self.node("Reshape", self._linear(f"{name}attention.self.{of}", flat), apart)
            return self.node("Transpose", split, perm=list(order))

        query, value = (part(of, (0, 2, 1, 3)) for of in ("query", "value"))  # [u, H, t, size/H]
        scores = self.node("MatMul", query, part("key", (0, 2, 3, 1)))  # [u, H, t, t]
        scores = self.node("Add", self.node("Mul", scores, self.constant((size // heads) ** -0.5)), bias)
        read = self.node("MatMul", self.node("Softmax", scores, axis=-1), value)
        read = self.node("Transpose", read, perm=[0, 2, 1, 3])
        read = self._linear(f"{name}attention.output.dense", self.node("Reshape", read, self.constant([-1, size])))
        state = self._norm(f"{name}attention.output.LayerNorm", self.node("Add", read, flat))
        how = ACTIVATIONS[self.config.get("hidden_act", "gelu")]
        inner = self.node("Gelu", self._linear(f"{name}intermediate.dense", state), approximate=how)
        output = self.node("Add", self._linear(f"{name}output.dense", inner), state)
        return self.node("Reshape", self._norm(f"{name}output.LayerNorm", output), shape)

    def _pool(self, pooling: Pooling, layers: list[str]) -> str:
        """The vectors of `text_pooling.token_vectors`, [n, V, size]."""
        layers = [
            self.node("Gather", layer, "row", axis=0) for layer in (layers if pooling == "layers" else layers[-1:])
        ]
        if pooling == "first":
            return self.node("Slice", layers[-1], self.constant([0]), self.constant([1]), self.constant([1]))
        counted = self.node("Unsqueeze", "counted", self.constant([2]))  # [n, t, 1]
        weight = self._float(counted)
        total = self.node("ReduceSum", weight, self.constant([1]), keepdims=1)  # [n, 1, 1]
        found = [
            self.node("Div", self.node("ReduceSum", self.node("Mul", layer, weight), self.constant([1])), total)
            for layer in layers
        ]
        if pooling == "layers":
            lowest = self.constant(-3e38)
            found += [
                self.node("ReduceMax", self.node("Where", counted, layer, lowest), self.constant([1]))
                for layer in layers
            ]
        return found[0] if len(found) == 1 else self.node("Concat", *found, axis=1)
