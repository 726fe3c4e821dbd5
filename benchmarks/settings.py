"""What is measured: the two published settings with random features, and conversations as long as the real ones."""

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
class Lengths:
    """Utterances per conversation, drawn: gamma-distributed, rounded, what is out of bounds drawn again."""

    shape: float
    """Of the gamma distribution; the larger, the more alike the lengths."""
    mean: float
    """Of the gamma distribution."""
    shortest: int
    longest: int
    count: int
    """How many conversations there are to choose from."""

    def draw(self, seed: int) -> list[int]:
        """The lengths of the conversations."""
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
    """A model, how it is trained, and what its conversations are like."""

    recipe: Recipe
    widths: Mapping[str, int]
    """Modality to feature width D_m."""
    labels: tuple[str, ...]
    speakers: int
    lengths: Lengths

    @property
    def config(self) -> SDTConfig:
        """The configuration of SDT."""
        return SDTConfig(self.widths, self.labels, Speakers("appearance", self.speakers), self.recipe.model)

    def model(self) -> Model:
        """The model that the recipe names, new."""
        recipe = resolved(self.recipe)
        kind, speakers = find(recipe.architecture), Speakers("appearance", self.speakers)
        return kind(kind.config_class(self.widths, self.labels, speakers, recipe.settings_of_model))


_CORPORA: dict[str, tuple[dict[str, int], tuple[str, ...], int, Lengths]] = {
    "meld": (
        {"text": 1024, "audio": 300, "visual": 342},
        ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
        9,
        Lengths(2.5, 9.8, 1, 33, 1038),
    ),
    "iemocap": (
        {"text": 1024, "audio": 1582, "visual": 342},
        ("happy", "sad", "neutral", "angry", "excited", "frustrated"),
        2,
        Lengths(8, 48, 8, 110, 108),
    ),
}
NAMES = tuple(_CORPORA)


def published(name: str) -> Setting:
    """A published setting, `meld` or `iemocap`; the model and the training are those of `recipes/`.

    The lengths are drawn such that MELD's have mean 9.6 and IEMOCAP's mean 48, about, as the corpora's.
    """
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    widths, labels, speakers, lengths = _CORPORA[name]
    return Setting(recipe, widths, labels, speakers, lengths)


def lengths_from_csv(path: Path, column: str = "Dialogue_ID") -> list[int]:
    """How often each value of a column occurs: the lengths of MELD's conversations, from `train_sent_emo.csv`.

    Raises:
        InputError: The file cannot be read or has no such column.
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


def choose(lengths: Sequence[int], batches: int, size: int, seed: Sequence[int]) -> list[list[int]]:
    """The lengths of the conversations of some batches, as after shuffling; begins again where there are too few."""
    generator = np.random.default_rng(list(seed))
    order: list[int] = []
    while len(order) < batches * size:
        order += generator.permutation(len(lengths)).tolist()
    return [[lengths[i] for i in order[first : first + size]] for first in range(0, batches * size, size)]


def random_batch(setting: Setting, lengths: Sequence[int], seed: int) -> Batch:
    """A packed batch of conversations of these lengths; normal features, uniform labels and speakers."""
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
