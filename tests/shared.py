"""Where the real data and golden values lie, if they are here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KERNELS = [] if os.environ.get("SDT_TEST_KERNELS") == "plain" else [str(ROOT / "tests/kernels")]
"""What `PYTHONPATH` needs for PyTorch's products to be rounded by shape; see tests/kernels/rounding.py."""


def _found(variable: str, default: Path) -> Path | None:
    folder = Path(os.environ.get(variable, default))
    return folder if folder.is_dir() else None


SHARED_DATA = _found("SDT_SHARED_DATA", ROOT.parent / "shared" / "data")

needs_meld = pytest.mark.skipif(
    SHARED_DATA is None or not (SHARED_DATA / "meld").is_dir(),
    reason="needs the MELD files: set SDT_SHARED_DATA to the folder that holds meld/",
)
