"""Checkpoints of the published program: files, sizes, and what is refused. (Values: `test_golden.py`.)"""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sdt.errors import InputError
from sdt.models.config import Architecture, SDTConfig
from sdt.models.sdt.model import SDT
from sdt.models.sdt.published import from_published, load_published, to_published
from sdt.speakers import Speakers


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    sizes = {"text": 6, "audio": 5, "visual": 4}
    return to_published(
        SDT(SDTConfig(sizes, ("a", "b", "c"), Speakers("appearance", 2), Architecture(width=16, heads=2)))
    )


def test_a_checkpoint_file_of_either_kind_loads(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "model.pt")
    save_file(state, tmp_path / "model.safetensors")
    for name in ("model.pt", "model.safetensors"):
        model = from_published(load_published(tmp_path / name), heads=2, labels=("a", "b", "c"))
        assert model.config.modalities == {"text": 6, "audio": 5, "visual": 4}
        assert model.config.speakers.count == 2
        back = to_published(model)
        assert all(torch.equal(back[key], state[key]) for key in state)


def test_frozen_gates_are_recognised(state: dict[str, Tensor]) -> None:
    for name in state:
        if name.endswith("_gate.fc.weight") and not name.startswith("last"):
            state[name] = torch.eye(16)
    assert from_published(state, heads=2).config.architecture.unimodal_gate == "frozen"


def test_a_pickled_program_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return eval, ("1/0",)

    path = tmp_path / "model.pt"
    torch.save({"w": Evil()}, path)
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        load_published(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        load_published(path)
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        load_published(tmp_path / "absent.pt")
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="expected a dictionary of tensors"):
        load_published(path)


def test_what_does_not_fit_is_named(state: dict[str, Tensor]) -> None:
    with pytest.raises(InputError, match=r"'t_v\.transformer_inter\.0\.feed_forward\.w_1\.bias' is missing"):
        from_published({k: v for k, v in state.items() if k != "t_v.transformer_inter.0.feed_forward.w_1.bias"})
    with pytest.raises(InputError, match="'extra' is unknown"):
        from_published({**state, "extra": torch.zeros(1)})
    with pytest.raises(InputError, match=r"t_t\.transformer_inter\.1"):
        from_published({**state, "t_t.transformer_inter.1.layer_norm.weight": torch.zeros(16)})
    with pytest.raises(InputError, match=r"'features_reduce_t\.bias' has shape \[3\], expected \[16\]"):
        from_published({**state, "features_reduce_t.bias": torch.zeros(3)}, heads=2)
    with pytest.raises(InputError, match="3 classes and 2 speakers, but 2 labels"):
        from_published(state, heads=2, labels=("a", "b"))


@pytest.mark.parametrize(
    "change",
    [
        *({"layers": 2}, {"fusion": "addition"}, {"positions": False}, {"intra_modal": False}, {"context": "past"}),
        *(
            {"head_patterns": "own"},
            {"relative_positions": True},
            {"gate_temperature": 0.5},
            {"fusion": "selective"},
            {"reliability": True},
        ),
    ],
)
def test_only_the_published_model_can_be_written(change: dict[str, object]) -> None:
    settings = Architecture(width=16, heads=2, **change)  # type: ignore[arg-type]
    model = SDT(SDTConfig({"a": 2, "b": 2, "c": 2}, ("x", "y"), Speakers("appearance", 2), settings))
    with pytest.raises(InputError, match="cannot be converted"):
        to_published(model)
