"""Pretrained Hugging Face models: how their names pin weights, and how they are downloaded and loaded.

    FOLDER                   a model on this machine
    FOLDER@1a2b3c4d          the same; the SHA-256 of its weights must begin with these digits
    owner/name@REVISION      a revision on the hub, by its 40 hexadecimal digits; only such revisions are downloaded

Corpora and models record the name of a folder with the digits of its weights, so that a name always stands for the same
features. This module finds models of speech and images; see `text_model` for text.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sdt.encoders.int8_weights import is_int8, load_int8
from sdt.errors import InputError, quoted
from sdt.files import sha256

HASH_DIGITS = 8
"""Hexadecimal digits of the SHA-256 of weights in the name of an encoder."""
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
EXACT = re.compile(rf"@[0-9a-f]{{{HASH_DIGITS}}}$")
_PICKLED_TENSOR = 10_000
"""Bytes; a small estimate of the mean size of a tensor in pickled weights."""
FILES = ["config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json"]
"""The files that are downloaded. Pickled weights and code are not among them, because they can run programs."""


def find_model(encoder: str, name: str) -> tuple[Path, Any, str]:
    """Find and load a model of speech or images.

    Args:
        encoder: The kind of encoder, for error messages.
        name: A folder, with or without the digits of its weights, or a pinned revision, which is downloaded if needed.

    Returns:
        The folder; the model, ready for inference; and the name with the digits of the weights.

    Raises:
        InputError: The name is invalid, the model cannot be downloaded or loaded, or its weights do not match the name.
    """
    encoder = f"feature encoder '{encoder}:{name}'"
    if PINNED.fullmatch(name):
        folder = fetch_revision(name, FILES, encoder)
        return folder, _load(encoder, folder), name
    path, at, digits = name.rpartition("@") if EXACT.search(name) else (name, "", "")
    folder = Path(path)
    if not path or not folder.is_dir():
        raise InputError(
            f"{encoder}: neither an existing folder nor a pinned revision; give a model folder, or owner/name@ and the "
            "40 hexadecimal digits of a revision, since the content of a name alone can change"
        )
    model = _load(encoder, folder)
    found = weights_sha256(folder)[:HASH_DIGITS]
    if at and found != digits:
        raise InputError(
            f"{encoder}: the weights in {folder} have another SHA-256, which begins with {found}; give the folder with "
            "the right weights"
        )
    return folder, model, f"{path}@{found}"


def _load(encoder: str, folder: Path) -> Any:  # noqa: ANN401 - transformers has no types
    import torch

    try:
        loaded = load_model(folder, use_safetensors=True)
    except Exception as error:  # damaged files make the loader raise any error
        raise InputError(
            f"{encoder}: no Hugging Face model can be loaded from {folder} "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); it needs config.json, "
            "preprocessor_config.json and the weights as safetensors"
        ) from None
    return loaded.float().eval().to("cuda" if torch.cuda.is_available() else "cpu")


def fetch_revision(name: str, patterns: Sequence[str], encoder: str) -> Path:
    """Download a pinned revision from the hub, unless it is in the local cache.

    Args:
        name: `owner/name@REVISION`.
        patterns: The files to download.
        encoder: The encoder, for error messages.

    Raises:
        InputError: The download fails.
    """
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # no network, unknown repository or revision, no space
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{encoder}: cannot be fetched from the hub ({type(error).__name__}: {reason})") from None


def weights_sha256(folder: Path) -> str:
    """The SHA-256 of the weights in a folder: of the file, or of the concatenated SHA-256 of several files.

    Raises:
        InputError: The folder has no weights.
    """
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    if not files:
        started = " (fine-tuning is not finished; continue with --resume)" if (folder / "checkpoint").is_dir() else ""
        raise InputError(
            f"text encoder {folder}: no Hugging Face model can be loaded from this folder: it has no weights{started}"
        )
    sums = [sha256(path) for path in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def load_model(folder: Path, **options: object) -> Any:  # noqa: ANN401 - transformers has no types
    """Load a Hugging Face model from a folder, unless its configuration describes a larger model than the weights.

    Args:
        folder: The folder with config.json and the weights.
        options: Options of `AutoModel.from_pretrained`.

    Raises:
        Exception: Damaged files make the loader raise any error.
    """
    from transformers import AutoModel

    from sdt.parameter_limit import limit_parameters, tensor_sizes

    if files := list(folder.glob("*.safetensors")):
        sizes = [size for file in files for size in tensor_sizes(file)]
    else:  # pickled weights, whose tensor sizes are unknown
        sizes = [_PICKLED_TENSOR] * (sum(file.stat().st_size for file in folder.glob("*.bin")) // _PICKLED_TENSOR)
    layers = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("num_hidden_layers", 0)
    if layers > len(sizes):  # some configurations allocate a list of this length
        raise InputError(f"{quoted(layers)} layers, but the weights have {len(sizes):,} tensors")
    with quiet_transformers(), limit_parameters(sizes):
        if is_int8(folder):
            return load_int8(folder)
        return AutoModel.from_pretrained(folder, local_files_only=True, **options)


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Suppress the progress bars and warnings that transformers prints while it loads a model."""
    logging: Any = importlib.import_module("transformers.utils.logging")  # its functions are not typed
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
