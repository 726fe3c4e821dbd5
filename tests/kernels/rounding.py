"""PyTorch's float32 products, rounded by shape: what differs between processors differs here on any of them.

A kernel adds up in an order that depends on processor, shapes and number of threads. Here the last bit of every inexact
value also depends on shapes, place and number of threads, so that a test of equal bits across shapes fails everywhere.
The same product in the same shapes keeps its bits.

`import torch` calls `install` through the entry point beside this file, in all processes that have this folder in
`PYTHONPATH`; tests/conftest.py puts it there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from zlib import crc32

import torch
from torch.library import Library

PRODUCTS = (
    *("mm", "addmm", "_addmm_activation", "bmm", "baddbmm", "addmv", "dot"),
    *("convolution", "convolution_backward", "mkldnn_rnn_layer", "mkldnn_rnn_layer_backward"),
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention_for_cpu_backward",
)
EXACT = 0xFF
"""A float32 whose last bits are zero counts as exact: zeros, ones, small whole numbers and infinities stay."""

library = Library("aten", "IMPL")  # what it replaces lasts as long as it


def install() -> None:
    """Replace the kernels; older versions of PyTorch cannot."""
    if not hasattr(torch.library, "get_kernel"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they are replaced
        for name in PRODUCTS:
            library.impl(name, rounded(name), "CPU", with_keyset=True, allow_override=True)


def rounded(name: str) -> Callable[..., object]:
    """PyTorch's own kernel, and then its float32 results moved to a neighbouring number or not, by shape and place."""
    kernel = torch.library.get_kernel(f"aten::{name}", "CPU")

    def product(keys: torch._C.DispatchKeySet, *operands: object, **options: object) -> object:
        results = kernel.call_boxed(keys, *operands, **options)
        shapes = [tuple(x.shape) for x in operands if isinstance(x, torch.Tensor)]
        seed = crc32(repr((name, shapes, torch.get_num_threads())).encode())
        for x in results if isinstance(results, tuple) else (results,):
            if isinstance(x, torch.Tensor) and x.dtype == torch.float32:
                steps = torch.randint(-1, 2, x.shape, dtype=torch.int32, generator=torch.Generator().manual_seed(seed))
                bits = x.view(torch.int32)
                bits += steps * ((bits & EXACT) != 0)
        return results

    return product
