"""Model lookup by name: a folder, a bundled model, or a model on the Hugging Face hub."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from sdt.errors import InputError, near_miss

FILES = ("config.json", "model.safetensors", "README.md")
"""The files of every model folder."""
DEFAULT = "english-text-audio-small"
"""The bundled model that is used by default."""
FORMER_NAMES = {"meld-text-audio-small": DEFAULT}
"""Name of a bundled model in an earlier release to the name of its successor."""
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def find_model(name: str | Path, revision: str | None = None) -> Path:
    """Find the folder of a model; downloads it from the hub if necessary.

    A string `owner/name` is looked up on the hub only if there is no local folder `owner`, so that a misspelt path
    causes no network request. A `Path` is never looked up.

    Args:
        name: A model folder, a run folder, the name of a bundled model, or a hub id `owner/name`.
        revision: A branch, tag or commit of a model on the hub.

    Raises:
        InputError: The model does not exist, or the hub cannot be reached.
    """
    path = Path(name)
    remote = isinstance(name, str) and HUB_ID.fullmatch(name) is not None and not path.parent.exists()
    if revision is not None and not remote:
        raise InputError(f"{name}: --revision needs a model on the hub (owner/name)")
    if remote:
        return _download(str(name), revision)
    if not path.exists() and len(path.parts) == 1:
        return _bundled_model(str(name))
    return model_folder(path)


def model_folder(path: Path) -> Path:
    """Find the model folder of a path: the folder itself, or `model` inside a run folder.

    Raises:
        InputError: The path is neither.
    """
    for folder in (path, path / "model"):
        if (folder / "config.json").is_file():
            return folder
    if (path / "checkpoint").is_dir():
        raise InputError(f"{path}: this run is not finished; resume it: sdt train RECIPE --resume")
    raise InputError(f"{path}: neither a model folder (config.json, model.safetensors) nor a finished run")


def bundled_models() -> dict[str, Path]:
    """List the bundled models: name to folder."""
    folder = Path(str(resources.files("sdt"))) / "models" / "bundled"
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/config.json"))}


def bundled_model(name: str) -> Path | None:
    """Find a bundled model by its name or a former name; None if there is none."""
    return bundled_models().get(FORMER_NAMES.get(name, name))


def _bundled_model(name: str) -> Path:
    if found := bundled_model(name):
        return found
    if name == DEFAULT:
        raise InputError(f"model {name!r}: not part of this installation; pass a model folder or a run with --model")
    raise InputError(f"model {name!r}: neither a folder nor a bundled model{near_miss(name, bundled_models())}")


def _download(name: str, revision: str | None) -> Path:
    """Return the folder of a model in the hub's cache; downloads it on first use."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    # Subfolders contain parts of feature encoders, such as adapters.
    wanted = [*FILES, "*.onnx", *(f"*/*.{suffix}" for suffix in ("safetensors", "json", "txt"))]
    try:
        return model_folder(Path(snapshot_download(name, revision=revision, allow_patterns=wanted)))
    except (HfHubHTTPError, HFValidationError) as error:
        raise InputError(
            f"model {name!r}: not found, neither as a folder nor on the hub ({first_line(error)})"
        ) from None
    except (LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"model {name!r}: folder not found, and the hub cannot be reached ({type(error).__name__}); connect to the "
            "internet, or pass a local model folder"
        ) from None


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its type."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
