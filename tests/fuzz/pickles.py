"""Pickles: of published layouts and of dictionaries, with anything anywhere; and programs of opcodes."""

from __future__ import annotations

import collections
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np

from sdt.corpus.importers import ImportOptions
from sdt.corpus.importers.feature_tables import read_table
from sdt.corpus.importing import import_corpus
from sdt.errors import InputError
from tests.corpus.importers import layouts
from tests.fuzz.mutations import NUMBERS, TEXTS, mutate_bytes

Files = dict[str, bytes]
_LENGTHS = {"Ses01F_impro01": 2, "Ses05M_script03": 1}
_SHARED = np.zeros(300, np.float32)
_VALUES: list[Any] = [
    *[number for number in NUMBERS if number != 10**5000],
    *[text for text in TEXTS if text != "\ud800"],
    *(None, True, 1j, b"", b"x" * 300, bytearray(b"x"), [], {}, (), set(), frozenset((1, "a")), range(9), range(10**9)),
    *(np.float32(2), np.int64(1), np.str_("M"), np.bool_(True), np.datetime64("2020"), _SHARED, [_SHARED] * 2000),
    *(np.zeros(shape, dtype) for shape in [(), (0,), (0, 7), (3, 0), (2, 7), (2, 1, 7)] for dtype in ("f4", "U3", "O")),
    *(np.zeros(2, "i4,f8"), collections.OrderedDict(a=1), collections.defaultdict(list, {"a": [1]})),
    *([[1.0, 2.0], [3.0]], [["a"]], {("D", 1): [1.0]}, {(1, (2, 3)): 1}, {1.5: [1]}, {None: [2]}),
]
_PIECES = [
    *(b"(", b")", b"]", b"}", b"\x8f", b"0", b"1", b"2", b"N", b"K\x01", b"J\xff\xff\xff\x7f", b"t", b"l", b"d", b"e"),
    *(b"a", b"s", b"u", b"\x85", b"\x86", b"\x87", b"\x90", b"\x91", b"\x94", b"R", b"b", b"h\x00", b"q\x00", b"g0\n"),
    *(b"p0\n", b"I99\n", b"L99L\n", b"F1e999\n", b"S'a'\n", b"Va\\ud800\n", b"X\x01\x00\x00\x00a", b"\x8c\x01a", b"."),
    *(
        b"\x8a\x09" + b"\xff" * 8 + b"\x7f",
        b"\x8b\xff\xff\xff\x7f",
        b"G\x7f\xf8\0\0\0\0\0\0",
        b"C\x01a",
        b"\x93",
        b"\x81",
    ),
    *(
        b"h\x00h\x00\x86\x94" * 8,
        b"(h\x00h\x00e" * 8,
        b"2" * 40,
        b"\x85" * 100,
        b"]" * 100,
        b"\x80\x04",
        b"P1\n",
        b"\x82\x01",
    ),
    *(b"c__builtin__\n" + name + b"\n" for name in (b"set", b"xrange", b"list", b"bytearray", b"complex", b"bytes")),
    *(b"ccollections\nOrderedDict\n", b"ccollections\ndefaultdict\n", b"c_codecs\nencode\n", b"cnumpy\ndtype\n"),
    *(b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.multiarray\nscalar\n", b"cnumpy\nndarray\n"),
    b"c__builtin__\nxrange\n(J\x40\x42\x0f\x00tR",
    # Whoever runs one of these is found out by the audit hook.
    *(
        b"cos\nsystem\n(S'touch canary'\ntR",
        b"cbuiltins\nopen\n(S'canary'\nS'w'\ntR",
        b"csubprocess\nPopen\n(S'ls'\ntR",
    ),
]


def make(draw: random.Random) -> Files:
    """A pickle."""
    if draw.random() < 0.15:  # a program
        pieces = draw.choices(_PIECES, k=draw.randint(1, 60))
        return {"f.pkl": b"".join(pieces) + b"."}
    content: Any
    if draw.random() < 0.6:
        name = draw.choice(list(layouts.BUILDERS))
        content = layouts.BUILDERS[name]()
    else:
        content = {f"dia{i}_utt0": np.arange(3.0) for i in range(3)}
    for _ in range(draw.choice((0, 1, 1, 2))):
        content = _replace(draw, content)
    try:
        data = pickle.dumps(content, protocol=draw.randrange(pickle.HIGHEST_PROTOCOL + 1))
        if draw.random() < 0.2:
            data = b"\x80\x02" + layouts.python2_opcodes(content) + b"."
    except (AssertionError, OverflowError, UnicodeError):  # what Python 2's helper does not know
        pass
    return {"f.pkl": mutate_bytes(draw, data, _PIECES) if draw.random() < 0.5 else data}


def check(folder: Path) -> None:
    """Read it as a feature file of a published layout, and as a table of vectors."""
    path = folder / "f.pkl"
    try:
        builder = import_corpus([path], ImportOptions())
    except InputError:
        read_table(path)
    else:
        builder.check()


def _replace(draw: random.Random, value: Any) -> Any:
    """The same value with something else in one place, at any depth."""
    if not isinstance(value, dict | list | tuple) or not value or draw.random() < 0.15:
        return draw.choice(_VALUES)
    if isinstance(value, dict):
        key = draw.choice(list(value))
        if draw.random() < 0.15:
            other = draw.choice((0, 1, "", None, b"x", ("a", 1), 10**30, "a" * 900))
            return {(other if k == key else k): v for k, v in value.items()}
        return {**value, key: _replace(draw, value[key])}
    place = draw.randrange(len(value))
    changed = [*value[:place], _replace(draw, value[place]), *value[place + 1 :]]
    return tuple(changed) if isinstance(value, tuple) else changed
