"""Hugging Face models of sound and pictures: what a name means, which weights it stands for, how they are loaded.

    FOLDER                   a model on this machine
    FOLDER@1a2b3c4d          the same, and its weights must have a SHA-256 that begins like this
    owner/name@REVISION      a revision on the hub, all 40 hexadecimal digits of it: the only thing ever fetched

A folder's name is recorded with its `@`, so that the same name always means the same numbers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sdt.encoders.text_model import DIGITS, load_encoder, weights_sha256
from sdt.errors import InputError

PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
EXACT = re.compile(rf"@[0-9a-f]{{{DIGITS}}}$")
FILES = ["config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json"]
"""What is fetched of a repository: no pickled weights, which are programs, and no code."""


def find_model(encoder: str, name: str) -> tuple[Path, Any, str]:
    """A model's folder, the model ready for inference, and its name with what pins its weights.

    Args:
        encoder: The kind of encoder that wants it, for messages.
        name: A folder, with or without the digits of its weights; or a pinned revision, fetched if not yet there.

    Raises:
        InputError: It is neither, cannot be fetched or loaded, or the weights are not those that the name says.
    """
    said = f"feature encoder '{encoder}:{name}'"
    if PINNED.fullmatch(name):
        folder = _fetched(said, name)
        return folder, _load(said, folder), name
    path, at, digits = name.rpartition("@") if EXACT.search(name) else (name, "", "")
    folder = Path(path)
    if not path or not folder.is_dir():
        raise InputError(
            f"{said}: neither a folder that exists nor a pinned revision; give a model folder, or owner/name@ and the "
            "40 hexadecimal digits of a revision, since a name alone can change meaning"
        )
    model = _load(said, folder)
    found = weights_sha256(folder)[:DIGITS]
    if at and found != digits:
        raise InputError(
            f"{said}: the weights in {folder} are others (their SHA-256 begins with {found}); give the folder whose "
            "weights are meant"
        )
    return folder, model, f"{path}@{found}"


def _fetched(said: str, name: str) -> Path:
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=FILES))
    except Exception as error:  # no network, no such repository, no such revision, no space: all end here
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{said}: cannot be fetched from the hub ({type(error).__name__}: {reason})") from None


def _load(said: str, folder: Path) -> Any:  # noqa: ANN401 - transformers has no types
    import torch

    try:
        loaded = load_encoder(folder, use_safetensors=True)
    except Exception as error:  # whatever a folder of strangers' files can make the loader raise
        raise InputError(
            f"{said}: no Hugging Face model can be loaded from {folder} "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); it needs config.json, "
            "preprocessor_config.json and the weights as safetensors"
        ) from None
    return loaded.float().eval().to("cuda" if torch.cuda.is_available() else "cpu")
