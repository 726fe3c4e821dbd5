"""What a report calls the heads of a model."""

from __future__ import annotations

from sdt.models.config import FUSED


def head_name(head: str, *, distilled: bool) -> str:
    """A head in words: teacher and students exist only where the branches learn from the fused prediction."""
    if head == FUSED:
        return "teacher (fused)" if distilled else "fused"
    return f"{'student' if distilled else 'branch'} {head}"
