"""Pooling of the token vectors of a text encoder, in PyTorch.

| pooling  | vectors of a text                                       | V      |
|----------|---------------------------------------------------------|--------|
| `first`  | the first token of the last layer                       | 1      |
| `mean`   | the mean of the last layer                              | 1      |
| `layers` | the means and then the maxima of all layers             | 2 (L+1) |

Shapes: n texts; V vectors of a text; `size` width of a token vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sdt.encoders.text_model import Pooling


def pool(how: Pooling, layers: Sequence[Tensor], counted: Tensor) -> Tensor:
    """Pool token vectors.

    Args:
        how: The pooling.
        layers: The token vectors of every layer, each [n, tokens, size].
        counted: [n, tokens] the tokens to pool over.

    Returns:
        [n, D].
    """
    vectors = token_vectors(how, layers, counted)
    if how == "layers":
        vectors = torch.nn.functional.layer_norm(vectors, vectors.shape[-1:])
    return vectors.flatten(1)


def token_vectors(how: Pooling, layers: Sequence[Tensor], counted: Tensor) -> Tensor:
    """The pooled vectors as [n, V, size]: the first token, the mean, or the means and then the maxima of all layers."""
    mask = counted.unsqueeze(-1).bool()  # [n, tokens, 1]

    def mean(hidden: Tensor) -> Tensor:
        return (hidden.float() * mask).sum(1) / mask.sum(1)  # [n, size]

    if how == "first":
        return layers[-1][:, :1].float()
    if how == "mean":
        return mean(layers[-1])[:, None]
    maxima = [hidden.float().masked_fill(~mask, float("-inf")).amax(1) for hidden in layers]
    return torch.stack([*map(mean, layers), *maxima], dim=1)
