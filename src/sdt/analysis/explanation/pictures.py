"""Writes an explanation to a folder: `explanation.json` and its figures."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from sdt.analysis.explanation.explanation import Explanation
from sdt.analysis.explanation.figure_attention import attention_figure
from sdt.analysis.explanation.figure_occlusion import occlusion_figure
from sdt.analysis.explanation.figure_utterances import branches_figure, weights_figure
from sdt.evaluation.figure import save_figure
from sdt.files import atomic_folder, check_folder, write_text

VALUES = "explanation.json"
_PICTURES = re.compile(r"(weights|branches|occlusion|attention(-\d+)?)\.png")


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that `write_explanation` could not write, or that holds anything but an earlier explanation.

    Raises:
        InputError: Says which of these.
    """

    def mine(name: str) -> bool:
        return name == VALUES or _PICTURES.fullmatch(name) is not None

    check_folder(folder, mine, "an explanation", overwrite=overwrite)


def write_explanation(explanation: Explanation, folder: Path, *, overwrite: bool = False) -> list[str]:
    """Write `explanation.json`, `weights.png`, `branches.png`, `occlusion.png` and `attention.png`.

    With several layers of encoders there are `attention-1.png`, `attention-2.png` and so on; what a model does not have
    (weights, attention) has no picture.

    Returns:
        The names of the files.

    Raises:
        InputError: See `check_output`.
    """
    check_output(folder, overwrite=overwrite)
    figures = {
        **({"weights": weights_figure(explanation)} if explanation.weights is not None else {}),
        "branches": branches_figure(explanation),
        "occlusion": occlusion_figure(explanation),
    }
    layers = len(explanation.attention)
    for layer in range(layers):
        figures["attention" if layers == 1 else f"attention-{layer + 1}"] = attention_figure(explanation, layer)
    with atomic_folder(folder, overwrite=overwrite) as aside, warnings.catch_warnings():
        # People write in every script and in pictures of faces; the font has a box for what it lacks.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        write_text(aside / VALUES, explanation.to_json() + "\n")
        for name, figure in figures.items():
            save_figure(aside / f"{name}.png", figure)
        return sorted(path.name for path in aside.iterdir())
