"""Finding the weights of recognisers offline.

A name is looked for in this order: a folder; the packages in `WHISPER`; the cache of the Hugging Face hub; the hub
itself, only if a download is allowed.
"""

from __future__ import annotations

from pathlib import Path

from sdt.errors import InputError, MissingDependencyError, near_miss
from sdt.packaged_weights import WHISPER, PackagedWeights

HERE = Path(__file__).parent / "onnx"
"""The weights that this package carries: see `onnx/README.md`."""
SPEECH_EXTRA = "install it with: pip install 'sdt-erc[speech]'"
NEEDED = ("model.bin", "config.json", "tokenizer.json")
"""Files of a faster-whisper model; without `tokenizer.json` the library would ask the hub for one."""
ON_HUB = "Systran/faster-whisper-{}"
SIZES = ("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en", "large-v2", "large-v3")
"""The names of models on the hub that need no owner."""


def find_recogniser(name: str, *, download: bool = False) -> Path | dict[str, bytes]:
    """Find a faster-whisper model.

    Args:
        name: A folder, a name in `WHISPER`, one of `SIZES`, or a hub id `owner/name`.
        download: Whether the model may be downloaded from the hub.

    Returns:
        Its folder, or the contents of its files by name.

    Raises:
        InputError: The model is not on this machine, or a packaged file has another SHA-256.
        MissingDependencyError: The package that carries it is not installed, and no download is allowed.
    """
    folder = Path(name)
    if folder.is_dir():
        return _complete(name, folder)
    packaged = WHISPER.get(name)
    if packaged and packaged.installed:
        return packaged.read(f"--transcriber {name}")
    if name not in SIZES and name.count("/") != 1:
        known = dict.fromkeys([*WHISPER, *SIZES])
        raise InputError(f"--transcriber {name}: neither a folder nor a known model{near_miss(name, known)}")
    return _on_hub(name, packaged, download=download)


def _on_hub(name: str, packaged: PackagedWeights | None, *, download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository = name if "/" in name else ON_HUB.format(name)
    wanted = ["config.json", "model.bin", "tokenizer.json", "vocabulary.*", "preprocessor_config.json"]
    try:
        found = Path(snapshot_download(repository, allow_patterns=wanted, local_files_only=not download))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        if download:
            raise InputError(
                f"--transcriber {name}: {repository} cannot be downloaded ({type(error).__name__}); go online, or name "
                "a folder"
            ) from None
        package = f"{packaged.command}, or " if packaged else ""
        raise MissingDependencyError(
            f"the speech recogniser {name} is not on this machine; {package}allow its download with --download"
        ) from None
    return _complete(name, found)


def _complete(name: str, folder: Path) -> Path:
    """The folder, if it has the files of a faster-whisper model."""
    missing = [file for file in NEEDED if not (folder / file).is_file()]
    if missing:
        raise InputError(f"--transcriber {name}: {folder} lacks {', '.join(missing)}; name a faster-whisper model")
    return folder
