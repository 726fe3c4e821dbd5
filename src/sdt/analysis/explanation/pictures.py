"""Output of an explanation to a folder: `explanation.json` and figures."""

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
    """Check that `write_explanation` can write a folder.

    Raises:
        InputError: The folder cannot be written or contains other files than those of an earlier explanation.
    """

    def is_own(name: str) -> bool:
        return name == VALUES or _PICTURES.fullmatch(name) is not None

    check_folder(folder, is_own, "an explanation", overwrite=overwrite)


def write_explanation(explanation: Explanation, folder: Path, *, overwrite: bool = False) -> list[str]:
    """Write `explanation.json`, `weights.png`, `branches.png`, `occlusion.png` and `attention.png`.

    With several encoder layers, the files are `attention-1.png`, `attention-2.png` and so on. Models without fusion
    weights or attention weights have no figure of them.

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
        # Text may contain any script and emoji; the font shows a box for missing glyphs.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        write_text(aside / VALUES, explanation.to_json() + "\n")
        for name, figure in figures.items():
            save_figure(aside / f"{name}.png", figure)
        return sorted(path.name for path in aside.iterdir())
