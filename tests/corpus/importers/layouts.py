"""Small files of exactly the layouts in which published features are shared.

Every builder gives the content of one file; `write` pickles it as Python 3 does, `write_python2` as Python 2 did.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Content = tuple[Any, ...]

IEMOCAP_LENGTHS = {
    "Ses01F_impro01": 3,
    "Ses01M_impro01": 2,  # one of the usual dev conversations
    "Ses04F_script01_1": 4,
    "Ses02M_impro03": 2,
    "Ses05F_impro04": 3,
}
IEMOCAP_TRAIN = ["Ses01F_impro01", "Ses01M_impro01", "Ses04F_script01_1", "Ses02M_impro03"]
IEMOCAP_TEST = ["Ses05F_impro04"]
MELD_LENGTHS = {0: 3, 1: 1, 2: 4, 1039: 2, 1153: 2, 1432: 1}
MELD_TRAIN = [0, 1, 2, 1039]
MELD_TEST = [1153, 1432]
WIDTHS = {"text": 12, "audio": 7, "visual": 5}
"""The real widths are 1024, 1582 (300 for MELD) and 342; the layouts do not depend on them."""

Lengths = Mapping[Any, int]


def features(lengths: Lengths, width: int, seed: int) -> dict[Any, list[npt.NDArray[np.float32]]]:
    """A list of vectors for each conversation."""
    random = np.random.default_rng(seed)
    return {c: list(random.normal(size=(n, width)).astype(np.float32)) for c, n in lengths.items()}


def labels(lengths: Lengths, classes: int) -> dict[Any, list[int]]:
    return {c: [(place + n) % classes for place in range(n)] for c, n in lengths.items()}


def letters(lengths: Lengths) -> dict[Any, list[str]]:
    return {c: ["FM"[place % 2] for place in range(n)] for c, n in lengths.items()}


def one_hots(lengths: Lengths) -> dict[Any, list[list[int]]]:
    """Two speakers by turns, in MELD's one-hots for nine."""
    return {c: [[int(place % 2 == k) for k in range(9)] for place in range(n)] for c, n in lengths.items()}


def ids(lengths: Lengths) -> dict[Any, list[str]]:
    return {c: [f"{c}_{'FM'[place % 2]}{place:03d}" for place in range(n)] for c, n in lengths.items()}


def sentences(lengths: Lengths) -> dict[Any, list[str]]:
    return {c: [f"Sentence {place} of {c}, isn\x92t it?" for place in range(n)] for c, n in lengths.items()}


def text_layers(lengths: Lengths) -> list[dict[Any, Any]]:
    """RoBERTa's last four layers, the last first."""
    return [features(lengths, WIDTHS["text"], seed) for seed in (1, 11, 12, 13)]


def sdt_iemocap(lengths: Lengths = IEMOCAP_LENGTHS) -> Content:
    return (
        *(ids(lengths), letters(lengths), labels(lengths, 6), *text_layers(lengths)),
        *(features(lengths, WIDTHS["audio"], 2), features(lengths, WIDTHS["visual"], 3), sentences(lengths)),
        *(IEMOCAP_TRAIN, IEMOCAP_TEST),
    )


def sdt_meld(lengths: Lengths = MELD_LENGTHS) -> Content:
    return (
        *(ids(lengths), one_hots(lengths), labels(lengths, 7), *text_layers(lengths)),
        *(features(lengths, WIDTHS["audio"], 2), features(lengths, WIDTHS["visual"], 3), sentences(lengths)),
        *(MELD_TRAIN, MELD_TEST, "whatever"),
    )


def mmgcn_iemocap(lengths: Lengths = IEMOCAP_LENGTHS) -> Content:
    """Its text is narrower than RoBERTa's."""
    return (
        *(ids(lengths), letters(lengths), labels(lengths, 6), features(lengths, 4, 4)),
        *(features(lengths, WIDTHS["audio"], 2), features(lengths, WIDTHS["visual"], 3), sentences(lengths)),
        *(IEMOCAP_TRAIN, IEMOCAP_TEST),
    )


def mmgcn_meld(lengths: Lengths = MELD_LENGTHS) -> Content:
    return (
        *(ids(lengths), one_hots(lengths), labels(lengths, 7), features(lengths, 4, 4)),
        *(features(lengths, WIDTHS["audio"], 2), features(lengths, WIDTHS["visual"], 3), sentences(lengths)),
        *(MELD_TRAIN, MELD_TEST, [1, 2]),
    )


def graphsmile_meld(lengths: Lengths = MELD_LENGTHS) -> Content:
    return (
        *(ids(lengths), one_hots(lengths), labels(lengths, 7), labels(lengths, 3), *text_layers(lengths)),
        *(features(lengths, WIDTHS["audio"], 2), features(lengths, WIDTHS["visual"], 3), sentences(lengths)),
        *(MELD_TRAIN, MELD_TEST, None),
    )


def cosmic_iemocap(lengths: Lengths = IEMOCAP_LENGTHS) -> Content:
    """It has a dev list of its own, and sets for lists."""
    return (
        *(letters(lengths), labels(lengths, 6), *text_layers(lengths), sentences(lengths)),
        *({"Ses01F_impro01", "Ses01M_impro01", "Ses04F_script01_1"}, set(IEMOCAP_TEST), {"Ses02M_impro03"}),
    )


def cosmic_meld(lengths: Lengths = MELD_LENGTHS) -> Content:
    """Its conversation ids are text where other files have numbers."""
    as_text = {str(c): n for c, n in lengths.items()}
    return (
        *(one_hots(as_text), labels(as_text, 7), labels(as_text, 3), *text_layers(as_text), sentences(as_text)),
        *(["0", "1", "2"], ["1153", "1432"], ["1039"]),
    )


def multiemo(lengths: Lengths, modality: str) -> dict[Any, Any]:
    """One dictionary of one modality, of MultiEMO's widths."""
    width = {"text": 768, "audio": 512, "visual": 1000}[modality]
    return {c: np.stack(rows) for c, rows in features(lengths, width, 5).items()}


BUILDERS = {
    "sdt-iemocap": sdt_iemocap,
    "sdt-meld": sdt_meld,
    "mmgcn-iemocap": mmgcn_iemocap,
    "mmgcn-meld": mmgcn_meld,
    "graphsmile-meld": graphsmile_meld,
    "cosmic-iemocap": cosmic_iemocap,
    "cosmic-meld": cosmic_meld,
}
"""Layout name to the builder of its content."""


def write(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def write_python2(path: Path, content: object) -> Path:
    """Write as Python 2 with its numpy did: byte strings, and numpy's old names."""
    path.write_bytes(b"\x80\x02" + python2_opcodes(content) + b".")
    return path


def python2_opcodes(value: Any) -> bytes:
    """The opcodes of protocol 2 by which Python 2 rebuilds a value."""
    if value is None:
        return b"N"
    if isinstance(value, str):
        raw = value.encode("latin1")
        return b"T" + len(raw).to_bytes(4, "little") + raw
    if isinstance(value, int | np.integer):
        return b"J" + int(value).to_bytes(4, "little", signed=True)
    if isinstance(value, np.ndarray):
        return _python2_array(value)
    if isinstance(value, dict):
        return b"}(" + b"".join(python2_opcodes(part) for item in value.items() for part in item) + b"u"
    if isinstance(value, set):
        return b"c__builtin__\nset\n" + python2_opcodes([sorted(value)])[:-1].replace(b"](", b"(", 1) + b"tR"
    assert isinstance(value, list | tuple)
    return b"(" + _items(value) + b"t" if isinstance(value, tuple) else b"](" + _items(value) + b"e"


def _items(values: Sequence[Any]) -> bytes:
    return b"".join(python2_opcodes(value) for value in values)


def _python2_array(array: npt.NDArray[Any]) -> bytes:
    code, order = array.dtype.str[1:], array.dtype.str[0]
    empty = b"cnumpy.core.multiarray\n_reconstruct\n" + b"(cnumpy\nndarray\n" + _items([(0,), "b"]) + b"tR"
    dtype = (
        b"cnumpy\ndtype\n" + _items([(code, 0, 1)]) + b"R" + _items([(3, order, None, None, None, -1, -1, 0)]) + b"b"
    )
    raw = array.tobytes().decode("latin1")
    state = b"(" + _items([1, array.shape]) + dtype + b"\x89" + python2_opcodes(raw) + b"t"
    return empty + state + b"b"
