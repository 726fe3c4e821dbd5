"""Settings of the benchmarks: the two published ones, random features, and conversation lengths of the corpora."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sdt.batch import Batch, pack
from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from sdt.models.base import Model
from sdt.models.config import SDTConfig
from sdt.models.registry import find
from sdt.speakers import Speakers
from sdt.training.recipe import load_recipe, resolved
from sdt.training.settings import Recipe

RECIPES = Path(__file__).resolve().parent.parent / "recipes"


@dataclass(frozen=True)
class LengthDistribution:
    """Random lengths of conversations: a rounded gamma distribution, truncated by rejection."""

    shape: float
    """Shape of the gamma distribution; lengths vary less with a larger shape."""
    mean: float
    """Mean of the gamma distribution."""
    shortest: int
    longest: int
    count: int
    """Number of conversations."""

    def draw(self, seed: int) -> list[int]:
        """Draw the lengths of all conversations."""
        generator = np.random.default_rng(seed)
        found: list[int] = []
        while len(found) < self.count:
            length = round(generator.gamma(self.shape, self.mean / self.shape))
            if self.shortest <= length <= self.longest:
                found.append(length)
        return found

    def __str__(self) -> str:
        return (
            f"gamma-distributed with shape {self.shape:g} and mean {self.mean:g}, rounded, "
            f"within {self.shortest} to {self.longest}"
        )


@dataclass(frozen=True)
class Setting:
    """A model, its training settings, and the shape of its data."""

    recipe: Recipe
    widths: Mapping[str, int]
    """Modality to feature width D_m."""
    labels: tuple[str, ...]
    speakers: int
    lengths: LengthDistribution

    @property
    def config(self) -> SDTConfig:
        """The configuration of SDT."""
        return SDTConfig(self.widths, self.labels, Speakers("appearance", self.speakers), self.recipe.model)

    def model(self) -> Model:
        """Create the model that the recipe names."""
        recipe = resolved(self.recipe)
        kind, speakers = find(recipe.architecture), Speakers("appearance", self.speakers)
        return kind(kind.config_class(self.widths, self.labels, speakers, recipe.settings_of_model))


_CORPORA: dict[str, tuple[dict[str, int], tuple[str, ...], int, LengthDistribution]] = {
    "meld": (
        {"text": 1024, "audio": 300, "visual": 342},
        ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
        9,
        LengthDistribution(2.5, 9.8, 1, 33, 1038),
    ),
    "iemocap": (
        {"text": 1024, "audio": 1582, "visual": 342},
        ("happy", "sad", "neutral", "angry", "excited", "frustrated"),
        2,
        LengthDistribution(8, 48, 8, 110, 108),
    ),
}
NAMES = tuple(_CORPORA)


def published(name: str) -> Setting:
    """A published setting, `meld` or `iemocap`; the model and the training are those of `recipes/`.

    The mean length is about 9.6 for MELD and 48 for IEMOCAP, as in the corpora.
    """
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    widths, labels, speakers, lengths = _CORPORA[name]
    return Setting(recipe, widths, labels, speakers, lengths)


def read_lengths(path: Path, column: str = "Dialogue_ID") -> list[int]:
    """Count each value of a column: the lengths of MELD's conversations in `train_sent_emo.csv`.

    Raises:
        InputError: The file cannot be read, or lacks the column.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.DictReader(file)
            if column not in (rows.fieldnames or ()):
                raise InputError(f"{path}: has no column {column!r}")
            counts = Counter(row[column] for row in rows)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not counts:
        raise InputError(f"{path}: has no rows")
    return list(counts.values())


def draw_batches(lengths: Sequence[int], batches: int, size: int, seed: Sequence[int]) -> list[list[int]]:
    """Draw batches of conversation lengths, as after shuffling; starts again when all conversations are used."""
    generator = np.random.default_rng(list(seed))
    order: list[int] = []
    while len(order) < batches * size:
        order += generator.permutation(len(lengths)).tolist()
    return [[lengths[i] for i in order[first : first + size]] for first in range(0, batches * size, size)]


def random_batch(setting: Setting, lengths: Sequence[int], seed: int) -> Batch:
    """Create a packed batch of conversations of these lengths, with normal features, uniform labels and speakers."""
    generator = torch.Generator().manual_seed(seed)
    N = sum(lengths)
    label = iter(torch.randint(len(setting.labels), (N,), generator=generator).tolist())
    speaker = iter(torch.randint(setting.speakers, (N,), generator=generator).tolist())
    conversations = [
        Conversation(
            f"c{number}",
            tuple(Utterance(str(i), str(next(speaker)), "", setting.labels[next(label)]) for i in range(length)),
        )
        for number, length in enumerate(lengths)
    ]
    features = {
        name: (torch.randn(N, width, generator=generator), torch.ones(N, dtype=torch.bool))
        for name, width in setting.widths.items()
    }
    return pack(conversations, features, setting.labels, setting.config.speakers)
