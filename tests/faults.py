"""Small files that were read wrong once; see the tests that name them."""

from __future__ import annotations

from pathlib import Path

FAULTS = Path(__file__).parent / "data" / "faults"
