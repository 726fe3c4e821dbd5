"""The branches of SDT: each modality attends to all modalities (paper, sections III-C and III-D).

A branch consists of the intra- and inter-modal encoders of a modality and its unimodal fusion. Branches are independent
of each other, as are the encoders of a branch: training on a CPU computes them in threads, otherwise they are stacked.

Shapes: N utterances of the batch, packed end to end; d model width; H heads; E encoders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from sdt.models.dropout import seeded_dropout
from sdt.models.sdt.attention import Keys, Layout
from sdt.models.sdt.encoder import ModalEncoder
from sdt.models.sdt.fusion import UnimodalFusion
from sdt.models.sdt.threads import Task, run_in_threads, should_use_threads

PARALLEL_SIZE = 32768
"""Size of a tensor from which PyTorch splits an operation among the cores of a CPU."""
Pair = tuple[str, str]
"""Target and source modality of an encoder."""


def encode_branches(
    encoders: Mapping[Pair, ModalEncoder],
    fusions: Mapping[str, UnimodalFusion],
    inputs: Mapping[str, Tensor],
    keys: Mapping[str, Keys],
    layout: Layout,
) -> dict[str, Tensor]:
    """Compute the representation H_m of each modality.

    Args:
        encoders: Encoders by target and source; those of a target in the order of the inputs of its fusion.
        fusions: Target modality to its unimodal fusion.
        inputs: Modality to X_m, [N, d].
        keys: Modality to its attention keys.
        layout: Attention layout of the batch.

    Returns:
        Target modality to H_m, [N, d], in the order of `fusions`.
    """
    encode = partial(_encode, keys=keys, layout=layout)
    x = next(iter(inputs.values()))
    if x.requires_grad and x.device.type == "cpu" and x.numel() >= PARALLEL_SIZE and should_use_threads(len(encoders)):
        return _encode_in_threads(encoders, fusions, inputs, encode)
    gated: dict[Pair, Tensor] = {}  # G_{n->m} [N, d]
    for pairs in _chunks(list(encoders), layout.max_encoders):
        encoded = encode({pair: encoders[pair] for pair in pairs}, inputs)
        gated.update({pair: fusions[pair[0]].gated(pair[1], h) for pair, h in encoded.items()})
    return {
        target: fusion([gated[pair] for pair in encoders if pair[0] == target]) for target, fusion in fusions.items()
    }


def _encode(
    encoders: Mapping[Pair, ModalEncoder], inputs: Mapping[str, Tensor], keys: Mapping[str, Keys], layout: Layout
) -> dict[Pair, Tensor]:
    """H_{n->m} [N, d] of encoders, layer by layer, with one call of attention for all encoders."""
    sources = [keys[source] for _, source in encoders]
    streams = [encoder.streams(inputs[target], inputs[source]) for (target, source), encoder in encoders.items()]
    states, memories = [x for x, _ in streams], [memory for _, memory in streams]
    for layers in zip(*(encoder.layers for encoder in encoders.values()), strict=True):
        projected = [layer.before_attention(*x) for layer, *x in zip(layers, states, memories, strict=True)]
        q, k, v = (_stack(x) for x in zip(*projected, strict=True))  # [N, E, H, d/H]
        attention = layers[0].attention
        biases = [layer.attention.relative() for layer in layers if layer.attention.relative is not None]
        bias = torch.stack(biases) if biases else None  # [E, H, buckets]
        attended = layout.attend(q, k, v, sources, attention.dropout if attention.training else 0.0, bias)
        states = [
            layer.after_attention(x, heads, key)
            for layer, x, heads, key in zip(layers, states, attended.unbind(1), sources, strict=True)
        ]
    return dict(zip(encoders, states, strict=True))


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Stack one tensor [N, ...] per encoder to [N, E, ...]; a single tensor is not copied."""
    return tensors[0].unsqueeze(1) if len(tensors) == 1 else torch.stack(list(tensors), dim=1)


def _encode_in_threads(
    encoders: Mapping[Pair, ModalEncoder],
    fusions: Mapping[str, UnimodalFusion],
    inputs: Mapping[str, Tensor],
    encode: Callable[[Mapping[Pair, ModalEncoder], Mapping[str, Tensor]], dict[Pair, Tensor]],
) -> dict[str, Tensor]:
    """Run encoders and fusions in threads; each encoder has its own seed, so results do not depend on thread order."""
    seeds = torch.randint(2**63 - 1, (len(encoders),)).tolist()

    def encoder_task(pair: Pair, seed: int) -> Task:
        encoder, (target, source) = encoders[pair], pair
        names = list(dict.fromkeys(pair))

        def run(*tensors: Tensor) -> Tensor:
            with seeded_dropout(seed):
                h = encode({pair: encoder}, dict(zip(names, tensors, strict=True)))[pair]
                return fusions[target].gated(source, h)

        return Task(run, tuple(inputs[name] for name in names), _cost(encoder))

    def fusion_task(target: str) -> Task:
        fusion = fusions[target]
        gated = tuple(number for number, pair in enumerate(encoders) if pair[0] == target)
        return Task(lambda *tensors: fusion(tensors), gated, _cost(fusion.reduce))

    tasks = [encoder_task(pair, seed) for pair, seed in zip(encoders, seeds, strict=True)]
    results = run_in_threads([*tasks, *(fusion_task(target) for target in fusions)])
    return dict(zip(fusions, results[len(tasks) :], strict=True))


def _cost(module: nn.Module) -> int:
    """Relative run time of a module: the number of parameters, since matrix products dominate."""
    return sum(parameter.numel() for parameter in module.parameters())


def _chunks(pairs: list[Pair], size: int) -> Iterator[list[Pair]]:
    for first in range(0, len(pairs), size):
        yield pairs[first : first + size]
