"""Where the real data, golden values and faulty inputs are, if this machine has them."""

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
FAULTS = None if SHARED_DATA is None else _found("SDT_SHARED_FAULTS", SHARED_DATA.parent / "faults")
"""Inputs that were once misread."""

AMI = None if SHARED_DATA is None else SHARED_DATA / "ami"
"""Recordings of telephone talk and of meetings."""

needs_sample = pytest.mark.skipif(
    AMI is None or not (AMI / "sample.wav").is_file(),
    reason="needs the telephone sample: set SDT_SHARED_DATA to the folder that holds ami/",
)
needs_faults = pytest.mark.skipif(
    FAULTS is None, reason="needs the inputs that were once misread: set SDT_SHARED_FAULTS to their folder"
)


def needs_shared(corpus: str) -> pytest.MarkDecorator:
    """Skip a test where the real files of a corpus are not there."""
    return pytest.mark.skipif(
        SHARED_DATA is None or not (SHARED_DATA / corpus).is_dir(),
        reason=f"needs the files of {corpus}: set SDT_SHARED_DATA to the folder that holds {corpus}/",
    )


needs_meld = needs_shared("meld")
