"""SVG figures for HTML pages: small, reproducible, and in colours that the page controls.

Figures are drawn in the colours of `PALETTE`. SVG files keep them, on white. In a page, each becomes a variable of the
style sheet, so that a figure is readable in light and dark mode.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

INK, FAINT, RULE = "#1b2a41", "#5c6875", "#dde3ea"
"""Text, secondary text, and grid lines."""
GROUND = "#fdfefe"
"""The background of the page: edges of points."""
SERIES = ("#2a6f97", "#c8553d", "#4f9d69", "#b7791f", "#7b5ea7", "#4c6a78")
"""Series, in this order; used cyclically."""
HEAT, COLD = "#7fb4d8", "#e8a08e"
"""Cells of matrices, with varying opacity: positive and negative values."""
PALETTE = {
    INK: "ink",
    FAINT: "faint",
    RULE: "rule",
    GROUND: "ground",
    **{colour: f"series-{number}" for number, colour in enumerate(SERIES, start=1)},
    HEAT: "heat",
    COLD: "cold",
}
"""Colour to its variable in a page."""

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_RC = {
    "svg.fonttype": "none",  # text remains text: searchable, accessible and small
    "text.parse_math": False,  # a label with two dollar signs is not a formula
    "font.size": 9.5,
    "axes.linewidth": 0.8,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": FAINT,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "path.simplify": True,
}


def style() -> Any:  # noqa: ANN401 - matplotlib is not typed
    """The context in which figures are made and drawn."""
    return mpl.rc_context(_RC)  # type: ignore[arg-type]


def colour(number: int) -> str:
    """The colour of a series; numbers start at 0."""
    return SERIES[number % len(SERIES)]


def plain(axes: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Draw grid lines behind the data instead of a frame."""
    axes.grid(axis=grid, color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def render(figure: Drawing, name: str) -> str:
    """The SVG of a figure, without metadata and styles.

    Args:
        figure: Made and drawn within `style`.
        name: The name of the figure; a prefix of its ids, so that ids are unique in a page.
    """
    file = io.StringIO()
    with style(), mpl.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # The browser draws the text with its own fonts; glyphs that matplotlib's font lacks do not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(
            file, format="svg", transparent=True, bbox_inches="tight", pad_inches=0.04, metadata={"Date": None}
        )
    return _cleaned(file.getvalue(), name)


def in_page(svg: str) -> str:
    """The SVG with variables for its colours."""
    return re.sub(
        r"#[0-9a-f]{6}\b",
        lambda found: f"var(--{PALETTE[found[0]]})" if found[0] in PALETTE else found[0],
        svg,
    )


def on_white(svg: str) -> str:
    """The content of an SVG file, on a white background."""
    head, end, rest = svg.partition(">")
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n{head}{end}<rect width="100%" height="100%" fill="#ffffff"/>{rest}\n'
    )


def _cleaned(text: str, name: str) -> str:
    # A label may contain characters that XML forbids.
    root = ET.fromstring(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", text))  # noqa: S314 - our own
    for parent in list(root.iter()):
        for child in list(parent):
            # The style would apply to the whole page.
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    for element in root.iter():
        _tidy(element, used, name)
    width, height = root.attrib["viewBox"].split()[2:]
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    # Points of the figure are points of the page.
    root.set("width", f"{float(width) * 4 / 3:.0f}")
    root.set("height", f"{float(height) * 4 / 3:.0f}")
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _LINK)
    return re.sub(r">\s+<", "><", ET.tostring(root, encoding="unicode")).strip()


def _tidy(element: ET.Element, used: set[str], name: str) -> None:
    """Keep only ids that are referred to, with the name as prefix; round coordinates to a hundredth of a pixel."""
    if element.get("id") in used:
        element.set("id", f"{name}-{element.get('id')}")
    else:
        element.attrib.pop("id", None)
    for key, value in element.attrib.items():
        if "#" in value and ("url(" in value or key.endswith("href")):
            value = value.replace("url(#", f"url(#{name}-")
            value = f"#{name}-{value[1:]}" if key.endswith("href") else value
        if key in ("d", "x", "y", "transform", "width", "height"):
            value = re.sub(r"-?\d+\.\d+", _short, value)
        element.set(key, value)
    if element.tag == f"{{{_SVG}}}text":
        # A page has its own fonts; a file uses any sans-serif font.
        element.set("style", re.sub(r"'DejaVu Sans'(, '[^']*')*, sans-serif", "sans-serif", element.get("style", "")))
        if element.get("transform", "").startswith("rotate(0 "):
            del element.attrib["transform"]


def _short(number: re.Match[str]) -> str:
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
