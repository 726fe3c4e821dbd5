"""Saving and loading of model folders: `config.json`, `model.safetensors` and `README.md`, the model card.

`config.json` is validated before the model is built: its types, and that the described model is not larger than the
weights.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from sdt.errors import InputError, describe_error, near_miss, printable, quoted
from sdt.files import atomic_folder
from sdt.models.hub import HUB_ID, first_line, model_folder
from sdt.models.registry import MODELS, SDT_NAME, find_imported, label_of
from sdt.models.saved_config import FORMAT, SDT_LABEL, check_config, read_values
from sdt.parameter_limit import limit_parameters, tensor_sizes

if TYPE_CHECKING:
    from sdt.models.base import Model
    from sdt.models.config import ModelConfig


def save(model: Model, folder: Path, card: str, parts: Mapping[str, Path] | None = None) -> None:
    """Write a model folder atomically; an existing folder is replaced.

    Args:
        model: The model.
        folder: The folder to write.
        card: Text of README.md.
        parts: Subfolder name to a folder to copy: an encoder's adapter, to which `config.json` refers.
    """
    with atomic_folder(folder, overwrite=True) as aside:
        name = label_of(type(model))
        config = {"format": FORMAT, "model": SDT_LABEL if name == SDT_NAME else name, **model.config.to_dict()}
        (aside / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        tensors = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
        # save_file would create a file that only its owner can read.
        (aside / "model.safetensors").write_bytes(to_bytes(tensors))
        (aside / "README.md").write_text(card, encoding="utf-8")
        for name, source in (parts or {}).items():
            shutil.copytree(source, aside / name)


def push(model: Model, repo_id: str, card: str, *, private: bool) -> str:
    """Upload a model; see `Model.push_to_hub`."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    if not HUB_ID.fullmatch(repo_id):
        raise InputError(f"{repo_id!r} is not a hub id; expected owner/name")
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside) / "model"
        save(model, folder, card)
        if not card:  # an empty card would replace an existing one
            (folder / "README.md").unlink()
        api = HfApi()
        try:
            url = api.create_repo(repo_id, private=private, exist_ok=True)
            api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=f"Upload {model.display_name()}")
        except (HfHubHTTPError, OSError) as error:
            raise InputError(f"{repo_id}: cannot be uploaded ({first_line(error)})") from None
    return str(url)


def load(path: Path) -> Model:
    """Load a model of any class from a model folder or a run folder, on the CPU and in evaluation mode.

    Raises:
        InputError: The folder has no model, its files are damaged, contradictory or of another format version, or the
            class is custom code that this process has not imported (see `sdt.models.registry`).
    """
    folder = model_folder(path)
    file, weights = folder / "config.json", folder / "model.safetensors"
    try:
        values = read_values(file)
        kind = _class_of(values.get("model", SDT_LABEL))
        check_config(values, kind.settings)
        config = kind.config_class.from_dict(values, kind.settings)
        check_size(kind, config, weights)
        model = kind(config)
    except InputError as error:
        raise InputError(f"{file}: {error}" if str(file) not in str(error) else str(error)) from None
    except (SafetensorError, OSError) as error:
        raise _load_error(weights, error) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, RuntimeError) as error:
        raise InputError(f"{file}: damaged ({describe_error(error)})") from None
    try:
        model.load_state_dict(load_file(weights))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise _load_error(weights, error) from None
    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{weights}: {quoted(name)} contains NaN or infinite values; train the model again")
    return model.eval()


def _load_error(weights: Path, error: Exception) -> InputError:
    return InputError(
        f"{weights}: cannot be loaded into the model that config.json describes ({describe_error(error)})"
    )


def _class_of(name: str) -> type[Model]:
    """Find the class that a configuration names; never imports custom code."""
    if name == SDT_LABEL:
        name = SDT_NAME
    kind = find_imported(name)
    if kind is not None:
        return kind
    if ":" in name:
        shown = printable(name)[:80]
        raise InputError(
            f"the model class {shown} is custom code that is not part of sdt; if you have the code and trust it, add "
            f"--code {shown}"
        )
    raise InputError(f"unknown model {quoted(name)}{near_miss(name, MODELS)}")


def check_size(kind: type[Model], config: ModelConfig, weights: Path) -> None:
    """Check that a configuration does not describe a larger model than its weights, before memory is allocated.

    Raises:
        InputError: The described model is larger.
        SafetensorError, OSError: The file is damaged or missing.
    """
    sizes = tensor_sizes(weights)
    try:
        with limit_parameters(sizes), torch.device("meta"):
            model = kind(config)
    except Exception as error:
        if isinstance(error, InputError) or label_of(kind) in MODELS:
            raise
        return  # a custom model may need real values while it is built, not the meta device
    if (found := sum(tensor.numel() for tensor in model.state_dict().values())) > sum(sizes):
        raise InputError(f"describes a model of {found:,} parameters, but {weights.name} contains {sum(sizes):,}")
