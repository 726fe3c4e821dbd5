"""The pictures hold the numbers, and stay of a sane size."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from sdt.analysis.explanation.explanation import Explanation
from sdt.analysis.explanation.figure_attention import attention_figure
from sdt.analysis.explanation.figure_occlusion import occlusion_figure
from sdt.analysis.explanation.figure_utterances import branches_figure, weights_figure
from sdt.analysis.explanation.occlusion import Effect
from sdt.analysis.explanation.pictures import check_output, write_explanation
from sdt.conversation import Conversation, Utterance
from sdt.errors import InputError
from tests.analysis.explanation.build import explained


def images(figure: Figure) -> list[Any]:
    return [np.ma.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


def texts(figure: Figure) -> str:
    found = [text.get_text() for axes in figure.axes for text in (*axes.texts, *axes.get_yticklabels())]
    return "\n".join([*found, *(axes.get_xlabel() for axes in figure.axes), *(t.get_text() for t in figure.texts)])


def test_attention_maps_are_means_over_heads_with_missing_keys_masked() -> None:
    found, *_ = explained(5, missing=0.4)
    assert not found.present.all()
    maps = images(attention_figure(found, 0))[:9]
    pairs = [(target, source) for target in found.modalities for source in found.modalities]
    for picture, (target, source) in zip(maps, pairs, strict=True):
        there = found.present[:, found.modalities.index(source)]
        np.testing.assert_array_equal(np.ma.getmaskarray(picture), np.broadcast_to(~there, (5, 5)))
        expected = found.attention[0][target, source].mean(axis=0)[:, there]
        np.testing.assert_allclose(np.asarray(picture)[:, there], expected, atol=1e-6)


def test_attention_maps_hatch_what_lies_beyond_the_context() -> None:
    found, *_ = explained(5, context="window(2)")
    figure = attention_figure(found, 0)
    hatched = [area for area in figure.axes[0].collections if area.get_hatch()]
    beyond = ~np.tri(5, dtype=bool) | np.tri(5, k=-2, dtype=bool)  # later utterances, and those before the window
    for i, j in itertools.product(range(5), repeat=2):
        inside = any(path.contains_point((j, i)) for area in hatched for path in area.get_paths())
        assert inside == beyond[i, j], (i, j)
    assert "hatched: outside the context" in texts(figure)
    assert "the context of the model is window(2); later utterances do not affect predictions" in found.notes
    whole, *_ = explained(2)
    assert not any(area.get_hatch() for area in attention_figure(whole, 0).axes[0].collections)


def test_occlusion_shows_the_three_matrices() -> None:
    found, *_ = explained(4)
    own, everywhere, others = images(occlusion_figure(found))[:3]
    of = found.occlusion
    np.testing.assert_allclose(own[:, 0], np.diagonal(of.utterances.probability))
    np.testing.assert_allclose(own[:, 1:], of.here.probability)
    np.testing.assert_allclose(everywhere, of.everywhere.probability)
    np.testing.assert_array_equal(np.ma.getmaskarray(others), np.eye(4, dtype=bool))
    np.testing.assert_allclose(others[0, 1:], of.utterances.probability[0, 1:])


@pytest.mark.parametrize(("length", "named"), [(1, True), (30, True), (300, False)])
def test_sizes(length: int, named: bool) -> None:
    short, *_ = explained(2)
    found = short if length == 2 else stretched(short, length)
    for figure in (weights_figure(found), branches_figure(found), attention_figure(found, 0), occlusion_figure(found)):
        width, height = figure.get_size_inches()
        assert max(width, height) < 26
        assert ("too many for" in texts(figure)) != named
        assert (f"{length} speaker{(length - 1) % 2}" in texts(figure)) == named


def stretched(short: Explanation, length: int) -> Explanation:
    """An explanation of so many utterances, made of nothing: a real one of 300 takes long."""
    T, M = length, len(short.modalities)
    said = tuple(Utterance(str(i), f"speaker{i % 2}", "$so_it^goes 😀") for i in range(T))
    rows = np.arange(T) % 2

    def wide(effect: Effect) -> Effect:
        return replace(effect, **{key: np.resize(of, (T, T)) for key, of in vars(effect).items()})

    of = short.occlusion
    assert short.weights is not None
    return replace(
        short,
        conversation=Conversation("long", said),
        present=short.present[rows],
        probabilities={head: p[rows] for head, p in short.probabilities.items()},
        weights=replace(short.weights, **{key: x[rows] for key, x in vars(short.weights).items()}),
        attention=[{pair: np.full((2, T, T), 1 / T, np.float32) for pair in short.attention[0]}],
        occlusion=replace(
            of,
            everywhere=replace(of.everywhere, **{key: x[rows] for key, x in vars(of.everywhere).items()}),
            here=replace(of.here, **{key: np.resize(x, (T, M)) for key, x in vars(of.here).items()}),
            utterances=wide(of.utterances),
        ),
    )


@pytest.mark.parametrize(
    ("length", "options"),
    [
        (1, {"widths": {"text": 6}}),
        (1, {"layers": 2}),
        (3, {"layers": 2}),
        (3, {"intra_modal": False}),
        (3, {"inter_modal": False}),
        (3, {"fusion": "addition"}),
    ],
)
def test_written_for_every_kind_of_model(length: int, options: dict[str, object], tmp_path: Path) -> None:
    found, *_ = explained(length, missing=0.3 if length > 1 else 0.0, **options)
    found = replace(found, conversation=Conversation("$c_", (*found.conversation.utterances[:-1], STRANGE)))
    names = write_explanation(found, tmp_path / "out")
    attention = ["attention-1.png", "attention-2.png"] if options.get("layers") == 2 else ["attention.png"]
    assert names == [*attention, "branches.png", "explanation.json", "occlusion.png", "weights.png"]
    assert all((tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG") for name in names if ".png" in name)


STRANGE = Utterance("last", "Ann\nB", "私は $怒って_いる^ 😀\n" * 20, "no label of the model")


def test_folders_that_are_refused(tmp_path: Path) -> None:
    found, *_ = explained(1)
    folder = tmp_path / "out"
    write_explanation(found, folder)
    with pytest.raises(InputError, match="exists already"):
        check_output(folder, overwrite=False)
    write_explanation(found, folder, overwrite=True)
    (folder / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"'thesis\.tex'"):
        write_explanation(found, folder, overwrite=True)
