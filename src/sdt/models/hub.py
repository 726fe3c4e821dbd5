"""Where a model's name leads: to a folder, into the box that comes with this program, or to the Hugging Face hub."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from sdt.errors import InputError, near_miss

FILES = ("config.json", "model.safetensors", "README.md")
"""What a model folder holds."""
DEFAULT = "meld-text-audio-small"
"""The bundled model that is used where none is named."""
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def find_model(name: str | Path, revision: str | None = None) -> Path:
    """The model folder that a name means.

    Only a text `owner/name` is looked for on the hub, and only where no folder `owner` is here, so that a misspelt
    path does not ask the network; a `Path` never is.

    Args:
        name: A model folder, a run folder, the name of a bundled model, or a hub id `owner/name`.
        revision: Of a model on the hub: a branch, tag or commit.

    Raises:
        InputError: The model does not exist; or the hub cannot be reached or has none of this name.
    """
    path = Path(name)
    remote = isinstance(name, str) and HUB_ID.fullmatch(name) is not None and not path.parent.exists()
    if revision is not None and not remote:
        raise InputError(f"{name}: a revision is of a model on the hub (owner/name), and this is none")
    if remote:
        return _downloaded(str(name), revision)
    if not path.exists() and len(path.parts) == 1:
        return _in_box(str(name))
    return model_folder(path)


def model_folder(path: Path) -> Path:
    """The model folder that a path means: the folder itself, or `model` inside a run folder.

    Raises:
        InputError: It is neither.
    """
    for folder in (path, path / "model"):
        if (folder / "config.json").is_file():
            return folder
    if (path / "checkpoint").is_dir():
        raise InputError(f"{path}: this run is not finished; resume it: sdt train RECIPE --resume")
    raise InputError(f"{path}: neither a model folder (config.json, model.safetensors) nor a finished run")


def box() -> dict[str, Path]:
    """The bundled models: name to folder."""
    folder = Path(str(resources.files("sdt"))) / "models" / "bundled"
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/config.json"))}


def _in_box(name: str) -> Path:
    models = box()
    if name in models:
        return models[name]
    if name == DEFAULT:
        raise InputError(f"model {name!r}: is not in this installation; name a model folder or a run with --model")
    raise InputError(f"model {name!r}: neither a folder here nor a bundled model{near_miss(name, models)}")


def _downloaded(name: str, revision: str | None) -> Path:
    """The model's folder in the hub's cache; downloads it if it is not there yet."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    # A model may carry parts of its feature encoders in folders of its own.
    wanted = [*FILES, *(f"*/*.{suffix}" for suffix in ("safetensors", "json", "txt"))]
    try:
        return model_folder(Path(snapshot_download(name, revision=revision, allow_patterns=wanted)))
    except (HfHubHTTPError, HFValidationError) as error:
        raise InputError(
            f"model {name!r}: there is no such folder, and not on the hub either ({first_line(error)})"
        ) from None
    except (LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"model {name!r}: there is no such folder, and the hub cannot be reached ({type(error).__name__}); go "
            "online, or name a model folder on this machine"
        ) from None


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its type."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
