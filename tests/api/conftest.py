"""The tiny corpus of the training tests."""

from __future__ import annotations

from tests.training.conftest import corpus, recipe

__all__ = ["corpus", "recipe"]
