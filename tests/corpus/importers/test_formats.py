"""Tables and features in the formats that other programs write."""

from __future__ import annotations

import json
import pickle
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch

from sdt.__main__ import main
from sdt.corpus.importers import ImportOptions
from sdt.corpus.importers.tables import read_tables
from sdt.corpus.importing import import_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError, MissingDependencyError
from sdt.formats import read_transcript

ROWS = [
    (f"c{c}", f"u{u}", "AB"[u % 2], ["calm", "glad"][(c + u) % 2], f"“Hé” {c} {u}…", u + 0.5, u + 1.25, u)
    for c in range(6)
    for u in range(4)
]
TABLE = pd.DataFrame(ROWS, columns=["conversation", "utterance", "speaker", "label", "text", "start", "end", "order"])
KEYS = list(TABLE.conversation + "/" + TABLE.utterance)
X = np.random.default_rng(0).standard_normal((len(ROWS), 3)).astype(np.float32)
FEATURES = pd.DataFrame(X, columns=["f0", "f1", "f2"])
VECTORS = dict(zip(KEYS, X, strict=True))
MATRICES = {f"c{c}": X[4 * c : 4 * c + 4] for c in range(6)}
Write = Callable[[Path], object]


@pytest.fixture
def utterances(tmp_path: Path) -> Path:
    TABLE.to_csv(tmp_path / "u.csv", index=False)
    return tmp_path / "u.csv"


def lines(frame: pd.DataFrame) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in frame.to_dict("records"))


def encoded(text: str, encoding: str) -> Write:
    return lambda path: path.write_bytes(text.encode(encoding))


UTTERANCES: dict[str, Write] = {
    "tabs.tsv": lambda path: TABLE.to_csv(path, index=False, sep="\t"),
    "tabs.txt": lambda path: TABLE.to_csv(path, index=False, sep="\t"),
    "bars.csv": lambda path: TABLE.to_csv(path, index=False, sep="|"),
    "decimals.csv": lambda path: TABLE.assign(order=TABLE.order + 0.5).to_csv(path, index=False, sep=";", decimal=","),
    "excel.csv": encoded("sep=;\r\n" + TABLE.to_csv(index=False, sep=";"), "utf-8-sig"),
    "excel16.csv": encoded("sep=\t\n" + TABLE.to_csv(index=False, sep="\t"), "utf-16"),
    "unmarked.csv": encoded(TABLE.to_csv(index=False), "utf-16-be"),
    "windows.csv": encoded(TABLE.to_csv(index=False, sep=";"), "cp1252"),
    "capitals.csv": lambda path: TABLE.rename(columns=str.title).to_csv(path, index=False),
    "lines.jsonl": encoded(lines(TABLE.rename(columns={"text": "Text"})), "utf-16"),
    "windows.jsonl": encoded(lines(TABLE), "cp1252"),
    "array.json": encoded(TABLE.to_json(orient="records", indent=1), "utf-8"),
    "table.parquet": lambda path: TABLE.assign(
        speaker=TABLE.speaker.astype("category"), start=pd.to_timedelta(TABLE.start, unit="s")
    ).to_parquet(path),
}


@pytest.mark.parametrize("name", UTTERANCES)
def test_tables_of_utterances(utterances: Path, tmp_path: Path, name: str) -> None:
    UTTERANCES[name](tmp_path / name)
    options = ImportOptions(text_encoder="words:4")
    found, expected = (import_corpus([path], options) for path in (tmp_path / name, utterances))
    found.check()
    assert list(found.conversations) == list(expected.conversations)
    assert found.splits == expected.splits


@pytest.mark.parametrize("name", ["u.csv", "u.jsonl"])
def test_a_named_encoding(tmp_path: Path, name: str) -> None:
    table = TABLE.assign(text="Hé")
    (tmp_path / name).write_bytes((lines(table) if name == "u.jsonl" else table.to_csv(index=False)).encode("cp437"))
    builder = import_corpus([tmp_path / name], ImportOptions(text_encoder="words:4", encoding="cp437"))
    assert {utterance.text for conversation in builder.conversations for utterance in conversation.utterances} == {"Hé"}


def test_nothing_as_other_programs_write_it(tmp_path: Path) -> None:
    labels = ["nan", "calm", float("nan"), "glad"] * 6
    records = TABLE.assign(label=labels, text=float("nan")).to_dict("records")
    (tmp_path / "u.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    np.save(tmp_path / "x.npy", X)
    builder = import_corpus([tmp_path / "u.jsonl", tmp_path / "x.npy"], ImportOptions())
    assert [(u.label, u.text) for u in builder.conversations[0].utterances] == [
        (None, None), ("calm", None), (None, None), ("glad", None),
    ]  # fmt: skip
    assert builder.labels == ("calm", "glad")


def test_other_names_of_splits(tmp_path: Path) -> None:
    splits = ["Train"] * 8 + ["val"] * 4 + ["VALID"] * 4 + ["validation"] * 4 + ["testing"] * 4
    TABLE.assign(split=splits).to_csv(tmp_path / "u.csv", index=False)
    builder = import_corpus([tmp_path / "u.csv"], ImportOptions(text_encoder="words:4"))
    assert builder.splits == {"train": ["c0", "c1"], "dev": ["c2", "c3", "c4"], "test": ["c5"]}


def values(of: Callable[[npt.NDArray[Any]], object]) -> dict[str, object]:
    """Features as Python values, in every arrangement; `of` makes an array."""
    return {
        "vectors": {key: of(x) for key, x in VECTORS.items()},
        "pairs": {tuple(key.split("/")): of(x) for key, x in VECTORS.items()},
        "matrices": {key: of(x) for key, x in MATRICES.items()},
        "lists": {key: [of(row) for row in x] for key, x in MATRICES.items()},
        "nested": {key: {f"u{n}": of(row) for n, row in enumerate(x)} for key, x in MATRICES.items()},
        "matrix": of(X),
        "list": [of(x) for x in X],
    }


def as_objects(path: Path, value: object) -> None:
    array = np.empty((), dtype=object) if isinstance(value, dict) else np.empty(len(X), dtype=object)
    if isinstance(value, dict):
        array[()] = value
    else:
        array[:] = list(X)
    np.save(path, array, allow_pickle=True)


@pytest.mark.parametrize("arrangement", values(np.asarray))
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.pkl", lambda path, value: path.write_bytes(pickle.dumps(value))),
        ("x.npy", as_objects),
        ("x.joblib", lambda path, value: joblib.dump(value, path)),
        ("x.joblib", lambda path, value: joblib.dump(value, path, compress=("gzip", 3), protocol=2)),
    ],
)
def test_features_in_pickles(
    utterances: Path, tmp_path: Path, name: str, write: Callable[[Path, object], None], arrangement: str
) -> None:
    write(tmp_path / name, values(np.asarray)[arrangement])
    check(utterances, tmp_path / name)


@pytest.mark.parametrize("arrangement", values(torch.from_numpy))
def test_features_of_torch(utterances: Path, tmp_path: Path, arrangement: str) -> None:
    torch.save(values(torch.from_numpy)[arrangement], tmp_path / "x.pt")
    check(utterances, tmp_path / "x.pt")


def folder(path: Path, names: list[str], rows: npt.NDArray[Any] = X) -> None:
    for name, row in zip(names, rows, strict=True):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(path / f"{name}.npy", row)


TABLES: dict[str, Write] = {
    "x.tsv": encoded(TABLE[["conversation", "utterance"]].join(FEATURES).to_csv(sep="\t", index=False), "utf-16"),
    "semi.csv": lambda path: FEATURES.to_csv(path, sep=";", decimal=",", index=False),
    "bare.csv": lambda path: FEATURES.to_csv(path, sep=";", decimal=",", index=False, header=False),
    "excel.csv": encoded("sep=;\r\n" + FEATURES.to_csv(sep=";", index=False), "utf-8-sig"),
    "x.txt": lambda path: np.savetxt(path, X),
    "wide.parquet": lambda path: FEATURES.assign(label=1).to_parquet(path),
    "index.parquet": lambda path: FEATURES.set_index(TABLE.conversation + "_" + TABLE.utterance)[::-1].to_parquet(path),
    "keyed.pq": lambda path: TABLE.join(FEATURES).sample(frac=1, random_state=0).to_parquet(path),
    "vectors.parquet": lambda path: TABLE[["conversation", "utterance"]].assign(x=list(X))[::-1].to_parquet(path),
    "opensmile.csv": lambda path: (
        FEATURES.assign(frameTime=0.0)
        .set_index("'clips/" + TABLE.conversation + "_" + TABLE.utterance + ".wav'")
        .to_csv(path, sep=";", index_label="name")
    ),
    "clips": lambda path: folder(path, [key.replace("/", "_") for key in KEYS]),
    "folders": lambda path: folder(path, KEYS, X[:, None]),
    "numbers": lambda path: folder(path, [f"dia{key[1]}_utt{key[-1]}" for key in KEYS]),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_features(utterances: Path, tmp_path: Path, name: str) -> None:
    TABLES[name](tmp_path / name)
    check(utterances, tmp_path / name)


def check(utterances: Path, path: Path) -> None:
    """The features of a file are those of the utterances, in their order."""
    builder = import_corpus([utterances], ImportOptions(), features={"x": [path]})
    builder.check()
    assert builder.features["x"].present.all()
    np.testing.assert_allclose(builder.features["x"].features, X, rtol=1e-6)


REFUSED: dict[str, tuple[Write, str]] = {
    "mixed.csv": (encoded("a;b\n" + "1,5;2.5\n" * 24, "utf-8"), r"decimal commas \(line 2\) and points \(line 2\)"),
    "thousands.csv": (encoded('a,b\n"1,234",2\n', "utf-8"), "no key matches"),
    "cut.parquet": (lambda path: path.write_bytes(FEATURES.to_parquet()[:300]), "cannot be read as Parquet"),
    "ragged.parquet": (lambda path: pd.DataFrame({"x": [[1.0], [1.0, 2.0]]}).to_parquet(path), "row 2: 'x' has 2"),
    "frames": (lambda path: folder(path, KEYS[:1], X[None]), "c0/u0.npy: 24 rows"),
    "strangers": (lambda path: folder(path, ["a"], X[:1]), "no key matches"),
    "frames.pkl": (lambda path: path.write_bytes(pickle.dumps({KEYS[0]: X})), "'c0/u0' has 24 rows"),
    "short.pkl": (lambda path: path.write_bytes(pickle.dumps({"c0": X[:3]})), "'c0' has 3 rows, but 4 utterances"),
    "evil.npy": (lambda path: np.save(path, np.array([print], dtype=object), allow_pickle=True), "builtins.print"),
    "evil.joblib": (lambda path: joblib.dump([X, print], path), "builtins.print"),
    "cut.joblib": (lambda path: (joblib.dump(X, path), path.write_bytes(path.read_bytes()[:-90])), "truncated"),
    "objects.joblib": (lambda path: joblib.dump(np.array([None]), path), "array of type"),
    "bomb.joblib": (lambda path: path.write_bytes(zlib.compress(bytes(100 * 2**20), 9)), "expands to more than"),
    "model.pt": (lambda path: torch.save(torch.nn.Linear(2, 2), path), "Linear"),
    "expanded.pt": (lambda path: torch.save(torch.zeros(1).expand(10**9), path), "larger than its storage"),
    "old.pt": (lambda path: torch.save(1, path, _use_new_zipfile_serialization=False), "before torch 1.6"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_features_that_are_refused(utterances: Path, tmp_path: Path, name: str) -> None:
    write, message = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        import_corpus([utterances], ImportOptions(), features={"x": [tmp_path / name]})
    assert "\n" not in str(caught.value)


def test_numbers_that_are_ids(tmp_path: Path) -> None:
    ids = np.arange(50, 50 + len(X))
    TABLE.assign(utterance=ids).to_csv(tmp_path / "u.csv", index=False)
    FEATURES.assign(Utterance_ID=ids).sample(frac=1, random_state=1).to_csv(tmp_path / "x.csv", index=False)
    check(tmp_path / "u.csv", tmp_path / "x.csv")


def test_rows_in_another_order_than_their_index(utterances: Path, tmp_path: Path) -> None:
    FEATURES.sample(frac=1, random_state=1).to_csv(tmp_path / "x.csv")
    with pytest.raises(InputError, match="are not in rising order"):
        import_corpus([utterances], ImportOptions(), features={"x": [tmp_path / "x.csv"]})


@pytest.mark.parametrize("name", ["u.parquet", "x.parquet"])
def test_without_pyarrow(utterances: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (TABLE if name == "u.parquet" else FEATURES).to_parquet(tmp_path / name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"sdt-erc\[parquet\]"):
        import_corpus([tmp_path / name] if name == "u.parquet" else [utterances, tmp_path / name], ImportOptions())


def test_a_folder_named_like_its_modality(utterances: Path, tmp_path: Path) -> None:
    folder(tmp_path / "audio", KEYS)
    output = tmp_path / "corpus"
    assert main(["corpus", "import", str(utterances), str(tmp_path / "audio"), "--output", str(output)]) == 0
    corpus = Corpus.open(output)
    np.testing.assert_array_equal(corpus.modalities["audio"].rows(slice(0, len(X))), X)
    assert [file["name"] for file in corpus.provenance["files"]] == ["u.csv", "audio"]


@pytest.mark.parametrize("name", ["u.csv", "u.jsonl"])
def test_recordings_that_windows_names(tmp_path: Path, name: str) -> None:
    table = TABLE.assign(media=r"clips\sub\a.mp3")
    (tmp_path / name).write_text(lines(table) if name == "u.jsonl" else table.to_csv(index=False))
    assert set(read_transcript(tmp_path / name).clips.values()) == {tmp_path / "clips" / "sub" / "a.mp3"}
    _, recordings = read_tables(tmp_path / name, {}, ImportOptions())
    assert set(recordings.values()) == {tmp_path / "clips" / "sub" / "a.mp3"}
