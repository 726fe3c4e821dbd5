from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from sdt.errors import InputError
from sdt.evaluation.figure import confusion_figure, write_confusion

CONFUSION = np.array([[900, 100, 0], [0, 0, 0], [1, 2, 1]])
LABELS = ("calm", "$cross_$", "anticipation of something")
TITLE = "fused: 50 % of $1\nsmall, test\nepoch selected on test (protocol 'published')"
MAGIC = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_written_by_suffix_and_reproducible(suffix: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_confusion(tmp_path / f"{name}.{suffix}", CONFUSION, LABELS, TITLE)
    one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert one.startswith(MAGIC[suffix])
    assert one == two
    assert len(list(tmp_path.iterdir())) == 2  # nothing left over


def test_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"confusion\.jpeg: .*\.png, \.svg or \.pdf"):
        write_confusion(tmp_path / "confusion.jpeg", CONFUSION, LABELS, TITLE)
    assert list(tmp_path.iterdir()) == []


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_cells_hold_row_shares_and_counts() -> None:
    figure = confusion_figure(CONFUSION, LABELS, TITLE)
    assert texts(figure)[:5] == ["90.0", "900", "10.0", "100", "0"]
    assert texts(figure)[8:14] == ["25.0", "1", "50.0", "2", "25.0", "1"]
    shares = np.asarray(figure.axes[0].images[0].get_array(), dtype=np.float64)
    np.testing.assert_allclose(shares, np.array([[0.9, 0.1, 0], [0, 0, 0], [0.25, 0.5, 0.25]]))


def test_names_and_title() -> None:
    figure = confusion_figure(CONFUSION, LABELS, TITLE)
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(LABELS)
    assert [tick.get_text() for tick in axes.get_yticklabels()][:2] == ["calm\n1,000", "$cross_$\n0"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "annotated (utterances)")
    assert texts(figure)[-2:] == ["small, test\nepoch selected on test (protocol 'published')", "fused: 50 % of $1"]


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "side"), [(2, 5), (7, 9), (40, 27)])
def test_the_picture_does_not_outgrow_everything(classes: int, side: float) -> None:
    confusion = np.eye(classes, dtype=np.int64) * 1_234_567
    figure = confusion_figure(confusion, [f"class {number}" for number in range(classes)], "fused")
    assert max(figure.get_size_inches()) < side
