"""The branches of SDT: each modality gathers from all modalities (paper, sections III-C and III-D).

A branch is the intra- and inter-modal encoders of a modality and then its unimodal fusion. Branches do not depend on
each other, nor do the encoders of one: in training on a CPU they are computed in threads, elsewhere side by side.

Shapes: N utterances of the batch, packed end to end; d model width; H heads; E encoders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from sdt.models.dropout import drawing_with
from sdt.models.sdt.attention import Keys, Layout
from sdt.models.sdt.encoder import ModalEncoder
from sdt.models.sdt.fusion import UnimodalFusion
from sdt.models.sdt.threads import Task, in_threads, threads_pay

DIVIDED = 32768
"""Numbers of a tensor from which on PyTorch divides an operation among the cores of a CPU."""
Pair = tuple[str, str]
"""Target and source modality of an encoder."""


def encode_branches(
    encoders: Mapping[Pair, ModalEncoder],
    fusions: Mapping[str, UnimodalFusion],
    inputs: Mapping[str, Tensor],
    keys: Mapping[str, Keys],
    layout: Layout,
) -> dict[str, Tensor]:
    """What each branch gathers.

    Args:
        encoders: By target and source; those of a target in the order in which its fusion takes them.
        fusions: Target modality to its unimodal fusion.
        inputs: Modality to X_m, [N, d].
        keys: Modality to which utterances have it.
        layout: Of the batch.

    Returns:
        Target modality to H_m, [N, d], in the order of `fusions`.
    """
    read = partial(_side_by_side, keys=keys, layout=layout)
    x = next(iter(inputs.values()))
    if x.requires_grad and x.device.type == "cpu" and x.numel() >= DIVIDED and threads_pay(len(encoders)):
        return _in_threads(encoders, fusions, inputs, read)
    gated: dict[Pair, Tensor] = {}  # G_{n->m} [N, d]
    for pairs in _chunks(list(encoders), layout.encoders_together):
        encoded = read({pair: encoders[pair] for pair in pairs}, inputs)
        gated.update({pair: fusions[pair[0]].gated(pair[1], h) for pair, h in encoded.items()})
    return {
        target: fusion([gated[pair] for pair in encoders if pair[0] == target]) for target, fusion in fusions.items()
    }


def _side_by_side(
    encoders: Mapping[Pair, ModalEncoder], inputs: Mapping[str, Tensor], keys: Mapping[str, Keys], layout: Layout
) -> dict[Pair, Tensor]:
    """H_{n->m} [N, d] of encoders, layer by layer, the attention of all in one call."""
    sources = [keys[source] for _, source in encoders]
    streams = [encoder.streams(inputs[target], inputs[source]) for (target, source), encoder in encoders.items()]
    states, memories = [x for x, _ in streams], [memory for _, memory in streams]
    for layers in zip(*(encoder.layers for encoder in encoders.values()), strict=True):
        asked = [layer.before_attention(x, memory) for layer, x, memory in zip(layers, states, memories, strict=True)]
        q, k, v = (_stacked(of) for of in zip(*asked, strict=True))  # [N, E, H, d/H]
        attention = layers[0].attention
        read = layout.attend(q, k, v, sources, attention.dropout if attention.training else 0.0)
        states = [
            layer.after_attention(x, of, key)
            for layer, x, of, key in zip(layers, states, read.unbind(1), sources, strict=True)
        ]
    return dict(zip(encoders, states, strict=True))


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    """[N, ...] of each of E encoders to [N, E, ...]; one alone is not copied."""
    return tensors[0].unsqueeze(1) if len(tensors) == 1 else torch.stack(list(tensors), dim=1)


def _in_threads(
    encoders: Mapping[Pair, ModalEncoder],
    fusions: Mapping[str, UnimodalFusion],
    inputs: Mapping[str, Tensor],
    read: Callable[[Mapping[Pair, ModalEncoder], Mapping[str, Tensor]], dict[Pair, Tensor]],
) -> dict[str, Tensor]:
    """Encoders, then fusions; each encoder draws for itself, so that it does not matter which thread is first."""
    seeds = torch.randint(2**63 - 1, (len(encoders),)).tolist()

    def encoding(pair: Pair, seed: int) -> Task:
        encoder, (target, source) = encoders[pair], pair
        names = list(dict.fromkeys(pair))

        def run(*given: Tensor) -> Tensor:
            with drawing_with(seed):
                h = read({pair: encoder}, dict(zip(names, given, strict=True)))[pair]
                return fusions[target].gated(source, h)

        return Task(run, tuple(inputs[name] for name in names), _work(encoder))

    def fusing(target: str) -> Task:
        fusion = fusions[target]
        gated = tuple(number for number, pair in enumerate(encoders) if pair[0] == target)
        return Task(lambda *given: fusion(given), gated, _work(fusion.reduce))

    parts = [encoding(pair, seed) for pair, seed in zip(encoders, seeds, strict=True)]
    results = in_threads([*parts, *(fusing(target) for target in fusions)])
    return dict(zip(fusions, results[len(parts) :], strict=True))


def _work(module: nn.Module) -> int:
    """How long a module takes beside others: nearly all of it are products with its parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def _chunks(pairs: list[Pair], size: int) -> Iterator[list[Pair]]:
    for first in range(0, len(pairs), size):
        yield pairs[first : first + size]
