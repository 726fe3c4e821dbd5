from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path

import pytest
import torch

from benchmarks.settings import NAMES, draw_batches, published, random_batch, read_lengths
from sdt.errors import InputError
from sdt.models.config import PRESETS
from sdt.models.sdt.model import SDT
from tests.benchmarks.small import small_setting


@pytest.mark.parametrize(("name", "mean", "bounds"), [("meld", 9.6, (1, 33)), ("iemocap", 48, (8, 110))])
def test_lengths_are_like_those_of_the_corpora(name: str, mean: float, bounds: tuple[int, int]) -> None:
    lengths = published(name).lengths
    drawn = [length for seed in range(10) for length in lengths.draw(seed)]
    assert statistics.mean(drawn) == pytest.approx(mean, rel=0.03)
    assert bounds[0] <= min(drawn) <= max(drawn) <= bounds[1]
    assert lengths.draw(3) == lengths.draw(3) != lengths.draw(4)


@pytest.mark.parametrize("name", NAMES)
def test_the_model_is_the_published_one(name: str) -> None:
    setting = published(name)
    assert setting.recipe.model == PRESETS[name]
    with torch.device("meta"):
        model = SDT(setting.config)
    # What the published program trains, without the layer norms that it never uses.
    expected = {"meld": 68_949_020, "iemocap": 79_687_704}[name] - 18_432
    assert sum(p.numel() for p in model.parameters()) == expected


def test_lengths_from_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("Dialogue_ID,Utterance\n0,a\n0,b\n7,c\n0,d\n")
    assert read_lengths(path) == [3, 1]
    with pytest.raises(InputError, match="no column 'Scene'"):
        read_lengths(path, "Scene")
    with pytest.raises(InputError, match="cannot be read"):
        read_lengths(tmp_path / "other.csv")
    path.write_text("Dialogue_ID,Utterance\n")
    with pytest.raises(InputError, match="no rows"):
        read_lengths(path)


def test_batches_go_through_all_conversations() -> None:
    lengths = list(range(1, 13))
    once = draw_batches(lengths, 4, 3, (0, 1))
    assert sorted(length for batch in once for length in batch) == lengths
    assert once == draw_batches(lengths, 4, 3, (0, 1)) != draw_batches(lengths, 4, 3, (0, 2))
    twice = Counter(length for batch in draw_batches(lengths, 8, 3, (0, 1)) for length in batch)
    assert set(twice.values()) == {2}


def test_random_batches() -> None:
    setting = small_setting()
    batch, again = (random_batch(setting, [3, 1, 4], seed=2) for _ in range(2))
    assert batch.lengths.tolist() == [3, 1, 4]
    assert batch.position.tolist() == [0, 1, 2, 0, 0, 1, 2, 3]
    for name, width in setting.widths.items():
        assert batch.features[name].shape == (8, width)
        assert torch.equal(batch.features[name], again.features[name])
    assert not torch.equal(batch.features["text"], random_batch(setting, [3, 1, 4], seed=3).features["text"])
    assert set(batch.label.tolist()) <= {0, 1, 2}
