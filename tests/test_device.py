from __future__ import annotations

from typing import Literal

import pytest
import torch

import sdt.device as device_module
from sdt.device import autocast, choose_device, precision_note
from sdt.errors import InputError

CPU = torch.device("cpu")


def product(precision: Literal["auto", "float32", "bfloat16"], width: int = 512) -> torch.dtype:
    with autocast(CPU, precision, torch.nn.Linear(width, 300)):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_precision_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_processor", lambda: {"amx_bf16": False, "avx512_bf16": True})
    assert product("auto") is torch.float32
    assert product("float32") is torch.float32
    assert product("bfloat16") is torch.bfloat16


def test_auto_is_bfloat16_for_wide_models_on_cpus_with_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_processor", lambda: {"amx_bf16": True})
    assert product("auto") is torch.bfloat16
    assert product("auto", width=128) is torch.float32
    assert product("float32") is torch.float32
    monkeypatch.undo()
    monkeypatch.delattr("torch.cpu.get_capabilities", raising=False)  # as in old versions
    assert product("auto") is torch.float32


def test_bfloat16_is_advised_against_where_it_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_processor", lambda: {"amx_bf16": False, "avx512_bf16": False})
    assert precision_note(CPU, "bfloat16")
    assert not precision_note(CPU, "float32")
    assert not precision_note(torch.device("cuda"), "bfloat16")
    for fast in ({"avx512_bf16": True}, {"amx_bf16": True, "avx512_bf16": False}, {}):
        monkeypatch.setattr(device_module, "_processor", lambda fast=fast: fast)
        assert not precision_note(CPU, "bfloat16")


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_device("cpu") == CPU
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(InputError, match="no CUDA device"):
        choose_device("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda() -> None:
    device = choose_device("auto")
    assert device.type == "cuda"
    with autocast(device, "auto", torch.nn.Linear(2, 2)):
        product = torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)
    fast = torch.cuda.get_device_capability(device) >= (8, 0)
    assert product.dtype is (torch.bfloat16 if fast else torch.float32)
