"""PyTorch's float32 products, rounded by shape: what differs between processors differs here on any of them.

A kernel adds up in an order that depends on processor, shapes and number of threads. Here the last two bits of inexact
values also depend on shapes, place and number of threads, so that a test of equal bits across shapes fails everywhere.
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
MASKS = torch.tensor([-1, -2, -4], dtype=torch.int32)[
    torch.randint(3, (1 << 16,), generator=torch.Generator().manual_seed(0))
]

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
    """PyTorch's own kernel, and then no, one or two last bits of its float32 results cut off, by shapes and place.

    What is exact stays: zeros, ones, small whole numbers, infinities.
    """
    kernel, number = torch.library.get_kernel(f"aten::{name}", "CPU"), crc32(name.encode())

    def product(keys: torch._C.DispatchKeySet, *operands: object, **options: object) -> object:
        results = kernel.call_boxed(keys, *operands, **options)
        shapes = (x.shape for x in operands if isinstance(x, torch.Tensor))
        start = hash((number, torch.get_num_threads(), *shapes)) % len(MASKS)
        for x in results if isinstance(results, tuple) else (results,):
            if isinstance(x, torch.Tensor) and x.dtype == torch.float32:
                masks = (
                    MASKS if start + x.numel() <= len(MASKS) else MASKS.repeat(1 + (start + x.numel()) // len(MASKS))
                )
                x.view(torch.int32).bitwise_and_(masks[start : start + x.numel()].view(x.shape))
        return results

    return product
