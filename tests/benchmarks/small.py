"""A tiny setting, so that the tests are fast."""

from __future__ import annotations

from benchmarks.settings import LengthDistribution, Setting
from sdt.models.config import Architecture, Objective
from sdt.training.settings import Recipe, Training


def small_setting(gate: str = "learned", temperature: float = 2.0, dropout: float = 0.5) -> Setting:
    return Setting(
        Recipe(
            model=Architecture(width=16, heads=2, dropout=dropout, unimodal_gate=gate),  # type: ignore[arg-type]
            objective=Objective(temperature=temperature),
            training=Training(batch_conversations=2, learning_rate=1e-3, class_weights=[1.0, 2.0, 0.5]),
        ),
        widths={"text": 6, "audio": 5, "visual": 4},
        labels=("calm", "cross", "cheerful"),
        speakers=3,
        lengths=LengthDistribution(2.0, 4.0, 1, 9, 12),
    )
