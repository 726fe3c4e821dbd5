"""Tables of utterances with files of features, of every kind that is read."""

from __future__ import annotations

import io
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from sdt.corpus.importers import ImportOptions
from sdt.corpus.importers.feature_tables import SUFFIXES
from sdt.corpus.importing import import_corpus
from tests.fuzz.mutations import TEXTS, mutate_bytes, mutate_lines

_ROWS = [
    ("d0", "0", "Ann", "hi there", "joy", "train"),
    ("d0", "1", "Bob", "oh, no", "anger", "train"),
    ("d1", "0", "Ann", "well", "joy", "dev"),
    ("d2", "0", "Ann", "well", "joy", "test"),
]
_UTTERANCES = "conversation,utterance,speaker,text,label,split\n" + "".join(
    f'{c},{u},{s},"{t}",{label},{split}\n' for c, u, s, t, label, split in _ROWS
)
_MELD = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
    '1,"Hi, you",Ann,joy,positive,0,0,8,21,"00:16:16,059","00:16:21,731"\n'
    '2,No,Bob,anger,negative,0,1,8,21,"00:16:21,940","00:16:23,442"\n'
    '3,No,Bob,anger,negative,1,0,8,21,"00:16:21,940","00:16:23,442"\n'
    '4,No,Bob,anger,negative,2,0,8,21,"00:16:21,940","00:16:23,442"\n'
)
_LINES = "".join(
    f'{{"conversation": "{c}", "utterance": "{u}", "speaker": "{s}", '
    f'"text": "{t}", "label": "{label}", "split": "{split}"}}\n'
    for c, u, s, t, label, split in _ROWS
)
_PIECES = [
    *(
        *TEXTS[:7],
        "NaN",
        "inf",
        "-1",
        "1e999",
        "1_0",
        "0x1",
        "٣",
        "1,5",
        "1;5",
        "12:30",
        "00:00:01,500",
        "sep=;",
        ";",
        "\t",
    ),
    *(
        '"',
        '""',
        "'",
        ",,,,",
        "conversation",
        "utterance",
        "speaker",
        "label",
        "start",
        "end",
        "order",
        "split",
        "media",
    ),
    *("Unnamed: 0", "Dialogue_ID", "Utterance_ID", "train", "validation", "../x.wav", "file:///etc/passwd", "\ufeff"),
    *("9" * 400, "9" * 6000, '{"a": ', "[[[[", "}", "null", "true", "1.5", "é", "\x85", "\u2028", "a" * 140_000),
]


def _features(draw: random.Random, suffix: str, *, meld: bool) -> bytes:
    x = np.arange(12).reshape(4, 3).astype(draw.choice(("f4", "f8", "i8", ">f4", "f2", "?")))
    if draw.random() < 0.1:
        x = draw.choice(
            (x[:2], x[:0], x[:, :0], x.reshape(-1), x[None], np.full((4, 3), np.nan), x.astype("U5"), x.astype("c8"))
        )
    file = io.BytesIO()
    keys = ["dia0_utt0", "dia0_utt1", "dia1_utt0", "dia2_utt0"] if meld else [f"{c}_{u}" for c, u, *_ in _ROWS]
    keyed: dict[str, Any] = dict(zip(keys, x, strict=False))
    match suffix:
        case ".csv":
            header = draw.choice(("", "0,1,2\n", "a,b,c\n"))
            rows = [",".join(map(str, np.ravel(row))) for row in x]
            if meld:
                header, rows = "name,a,b,c\n", [f"{key},{row}" for key, row in zip(keys, rows, strict=False)]
            elif draw.random() < 0.6:
                header = "conversation,utterance,a,b,c\n"
                rows = [f"{c},{u},{row}" for (c, u, *_), row in zip(_ROWS, rows, strict=False)]
            text = header + "".join(f"{row}\n" for row in rows)
            return (mutate_lines(draw, text, _PIECES) if draw.random() < 0.6 else text).encode("utf-8", "surrogatepass")
        case ".npy":
            np.save(file, x)
        case ".npz":
            make = draw.choice((np.savez, np.savez_compressed))
            arrays = {"x": x} if (draw.random() < 0.5 and not meld) or not keyed else keyed
            if draw.random() < 0.05:
                arrays = {"x": np.zeros((20_000, 4_000), np.float32)}
            make(file, **arrays)
        case ".safetensors":
            arrays = {"features": np.zeros(x.shape, "f4"), "present": np.ones(len(x), np.bool_)}
            return save(arrays if draw.random() < 0.5 else {"x": arrays["features"]})
        case _:
            return pickle.dumps(keyed, protocol=draw.randrange(6))
    return file.getvalue()


_BINARY = [
    *(
        b"\x93NUMPY\x01\x00",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\xff\xff\xff\xff",
        b"\x00" * 8,
        b"(4, 3)",
        b"(9999999999, 3)",
    ),
    *(
        b"(0, 9223372036854775807)",
        b"'O'",
        b"'<f8'",
        b"'<U9'",
        b"True",
        b'"shape":[4,3]',
        b'"shape":[0,9223372036854775807]',
    ),
    *(b'"data_offsets":[0,48]', b'"data_offsets":[48,0]', b"F32", b"F64", b"BF16", b"((((((((" * 40, b"[[[[" * 100),
]


def make(draw: random.Random) -> dict[str, bytes]:
    """A table of utterances, and a file of features."""
    name, text = draw.choice(
        (("u.csv", _UTTERANCES), ("u.csv", _UTTERANCES), ("u_train.csv", _MELD), ("u.jsonl", _LINES))
    )
    changed = draw.choice(("lines", "bytes", "features", "features", "all"))
    if changed in ("lines", "all"):
        text = mutate_lines(draw, text, _PIECES)
    table = text.encode(draw.choice((*["utf-8"] * 8, "utf-16", "cp1252")), "replace")
    if changed in ("bytes", "all"):
        table = mutate_bytes(draw, table, [piece.encode("utf-8", "replace") for piece in _PIECES])
    suffix = draw.choice(SUFFIXES if name != "u_train.csv" else (".csv", ".npz", ".pkl"))
    features = _features(draw, suffix, meld=name == "u_train.csv")
    if changed in ("features", "all") and draw.random() < 0.7:
        features = mutate_bytes(draw, features, _BINARY)
    return {name: table, f"audio{suffix}": features}


def check(folder: Path) -> None:
    """Import them as a corpus."""
    table = next(folder.glob("u*"))
    builder = import_corpus([table], ImportOptions(), features={"audio": [next(folder.glob("audio.*"))]})
    builder.check()
