from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from sdt.errors import InputError
from sdt.training.checkpoint import TrainingState, copy_parameters, last_epoch, load_checkpoint, save_checkpoint


def made(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    model[0].bias.requires_grad_(False)
    return model, torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.arange(6.0).reshape(2, 3)).square().sum().backward()
    optimizer.step()


def test_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    model, optimizer = made(0)
    state = TrainingState()
    for number in (1, 2, 3):
        step(model, optimizer)
        state.history.append({"epoch": number})
        if number == 2:
            state.best_epoch, state.best_score, state.best = number, 0.25, copy_parameters(model)
        if number > 1:
            save_checkpoint(tmp_path / "checkpoint", state, model, optimizer)
    assert sorted(p.name for p in (tmp_path / "checkpoint").iterdir()) == ["best-0002.safetensors", "epoch-0003"]
    assert last_epoch(tmp_path / "checkpoint") == 3

    other, other_optimizer = made(1)
    loaded = load_checkpoint(tmp_path / "checkpoint", other, other_optimizer)
    assert (loaded.epoch, loaded.best_epoch, loaded.best_score) == (3, 2, 0.25)
    assert loaded.history == state.history
    assert all(torch.equal(loaded.best[name], tensor) for name, tensor in state.best.items())
    for _ in range(2):
        step(model, optimizer)
        step(other, other_optimizer)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_only_plain_files(tmp_path: Path) -> None:
    model, optimizer = made(0)
    step(model, optimizer)
    save_checkpoint(tmp_path / "c", TrainingState([{}], 1, 0.5, copy_parameters(model)), model, optimizer)
    assert {path.suffix for path in (tmp_path / "c").rglob("*") if path.is_file()} == {".safetensors", ".json"}


def test_none(tmp_path: Path) -> None:
    model, optimizer = made(0)
    assert load_checkpoint(tmp_path / "none", model, optimizer) == TrainingState()
    assert last_epoch(tmp_path / "none") == 0


def test_what_a_kill_left_goes(tmp_path: Path) -> None:
    model, optimizer = made(0)
    step(model, optimizer)
    save_checkpoint(tmp_path, TrainingState([{}], 1, 0.5, copy_parameters(model)), model, optimizer)
    (tmp_path / "best-0002.safetensors").write_bytes(b"of an epoch that never ended")
    (tmp_path / ".epoch-0002.x.partial").mkdir()
    load_checkpoint(tmp_path, model, optimizer)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best-0001.safetensors", "epoch-0001"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "of another model"])
def test_damage_is_said(tmp_path: Path, name: str, damage: str) -> None:
    model, optimizer = made(0)
    step(model, optimizer)
    save_checkpoint(tmp_path, TrainingState([{}], 1, 0.5, copy_parameters(model)), model, optimizer)
    file = tmp_path / "epoch-0001" / name
    if damage == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "gone":
        file.unlink()
    else:
        model = nn.Sequential(nn.Linear(4, 4))
        optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(InputError, match=r"epoch-0001: damaged .*--overwrite") as caught:
        load_checkpoint(tmp_path, model, optimizer)
    assert "\n" not in str(caught.value)
