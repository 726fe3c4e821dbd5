from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.importers import ImportOptions, feature_tables
from sdt.corpus.importers.feature_tables import read_table
from sdt.corpus.importing import import_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError

CSV = """conversation,utterance,order,speaker,label,split,text,start,end
b,u1,2,Ann,calm,train,Second,1.5,00:00:02.500
a,x,1,Ann,glad,dev,Alone,,
b,u0,1,Bob,glad,train,"First, of two",0,1
"""
FEATURES = np.array([[10, 11], [20, 21], [30, 31]], dtype=np.float32)
"""A row for each line of CSV."""
ORDERED = FEATURES[[2, 0, 1]]
"""The same order of the corpus: b/u0, b/u1, a/x."""


@pytest.fixture
def utterances(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    path = tmp_path / "audio.npy"
    np.save(path, FEATURES)
    return path


PREDICTED = """conversation,utterance,speaker,text,start,end,label,review,emotion,probability
a,0,Ann,One,0,1.0000000001,glad,corrected,calm,0.9
b,0,Ann,Two,1e0,2.5,calm,confirmed,calm,0.8
c,0,Bob,Three,3,4,,,glad,0.7
d,0,Bob,Four,,,glad,,calm,0.6
"""


def test_saved_predictions_give_people_s_labels_alone(tmp_path: Path) -> None:
    (tmp_path / "talks.csv").write_text(PREDICTED, encoding="utf-8")
    names, *rows = (line.split(",") for line in PREDICTED.splitlines())
    records = [{k: v for k, v in zip(names, row, strict=True) if v} for row in rows]
    (tmp_path / "talks.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    np.save(tmp_path / "audio.npy", np.ones((4, 2), dtype=np.float32))
    for name in ("talks.csv", "talks.jsonl"):
        builder = import_corpus([tmp_path / name, tmp_path / "audio.npy"], ImportOptions())
        said = [u for c in builder.conversations for u in c.utterances]
        assert [u.label for u in said] == ["glad", "calm", None, "glad"]
        assert [u.start for u in said] == [0.0, 1.0, 3.0, None]
        assert builder.labels == ("calm", "glad")


def many(folder: Path, conversations: int = 20) -> Path:
    """A JSON Lines file with none of the optional keys."""
    path = folder / "many.jsonl"
    lines = [
        {"conversation": c, "speaker": f"s{u % 2}", "label": ["glad", "calm"][(c + u) % 2]}
        for c in range(conversations)
        for u in range(3)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_a_csv_file_and_a_matrix(utterances: Path, audio: Path) -> None:
    builder = import_corpus([audio, utterances], ImportOptions())
    builder.check()
    assert builder.name == "corpus"
    assert list(builder.utterance_keys()) == [("b", "u0"), ("b", "u1"), ("a", "x")]
    first, second = builder.conversations[0].utterances
    assert (first.speaker, first.label, first.text, first.start, first.end) == (
        "Bob",
        "glad",
        "First, of two",
        0.0,
        1.0,
    )
    assert (second.start, second.end) == (1.5, 2.5)
    assert builder.conversations[1].utterances[0].start is None
    assert builder.splits == {"train": ["b"], "dev": ["a"]}
    assert builder.labels == ("calm", "glad")
    np.testing.assert_array_equal(builder.features["audio"].features, ORDERED)
    assert any("alphabetical" in note for note in builder.notes)


def test_json_lines_say_the_same(utterances: Path, audio: Path, tmp_path: Path) -> None:
    path = tmp_path / "other" / "corpus.jsonl"
    path.parent.mkdir()
    names, *rows = (line.split(",", 8) for line in CSV.replace('"First, of two"', "First; of two").splitlines())
    records = [{k: v.replace(";", ",") or None for k, v in zip(names, row, strict=True)} for row in rows]
    for record in records:
        record["order"] = int(record["order"] or 0)  # type: ignore[assignment] # a number, not a text
    path.write_text("\n\n".join(map(json.dumps, records)) + "\n")
    assert (
        import_corpus([path, audio], ImportOptions()).conversations
        == import_corpus([utterances, audio], ImportOptions()).conversations
    )


def test_features_in_every_form(utterances: Path, audio: Path, tmp_path: Path) -> None:
    keys = ["b/u1", "a/x", "b/u0"]
    np.savez(tmp_path / "whole.npz", features=FEATURES)
    np.savez(tmp_path / "keyed.npz", **dict(zip(keys, FEATURES, strict=True)))
    (tmp_path / "plain.csv").write_text("\n".join(f"{a},{b}" for a, b in FEATURES))
    (tmp_path / "headed.csv").write_text("f0,f1\n" + "\n".join(f"{a},{b}" for a, b in FEATURES))
    pairs = [f"{key.replace('/', ',')},{a},{b}" for key, (a, b) in zip(keys, FEATURES, strict=True)]
    (tmp_path / "pairs.csv").write_text("conversation,utterance,f0,f1\n" + "\n".join(pairs[::-1]))
    names = ["whole.npz", "keyed.npz", "plain.csv", "headed.csv", "pairs.csv"]
    builder = import_corpus([utterances, *(tmp_path / name for name in names)], ImportOptions())
    builder.check()
    assert list(builder.features) == ["whole", "keyed", "plain", "headed", "pairs"]
    for name, table in builder.features.items():
        np.testing.assert_array_equal(table.features, ORDERED, err_msg=name)
        assert table.present.all()


def test_missing_rows(utterances: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.where([[True], [False], [True]], FEATURES, np.nan))
    np.savez(tmp_path / "b.npz", **{"b/u1": FEATURES[0], "b/u0": FEATURES[2], "c/none": FEATURES[2]})
    builder = import_corpus([utterances, tmp_path / "a.npy", tmp_path / "b.npz"], ImportOptions())
    builder.check()
    for name in "ab":
        assert builder.features[name].present.tolist() == [True, True, False]
        assert not builder.features[name].features[2].any()
    assert any("1 rows without an utterance ignored, first 'c/none'" in note for note in builder.notes)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_single_bad_values_are_refused_or_missing(utterances: Path, tmp_path: Path, value: float) -> None:
    x = FEATURES.astype(np.float64)
    x[0, 1] = value
    np.save(tmp_path / "a.npy", x)
    builder = import_corpus([utterances, tmp_path / "a.npy"], ImportOptions())
    with pytest.raises(InputError, match=r"a.npy: modality 'a': 1 NaN or infinite.*'b', utterance 'u1', column 1"):
        builder.check()
    builder.check(treat_as_missing=True)
    assert builder.features["a"].present.tolist() == [True, False, True]


def test_splits_are_drawn_where_no_column_says_them(tmp_path: Path) -> None:
    path = many(tmp_path)
    np.save(tmp_path / "x.npy", np.ones((60, 2)))
    files = [path, tmp_path / "x.npy"]
    builders = [import_corpus(files, ImportOptions(seed=seed, dev_share=0.2)) for seed in (0, 0, 1)]
    sizes = {split: len(ids) for split, ids in builders[0].splits.items()}
    assert sizes == {"train": 13, "dev": 3, "test": 4}
    assert builders[0].splits == builders[1].splits
    assert builders[0].splits != builders[2].splits
    for builder in builders:
        builder.check()
    assert any("4 conversations chosen as test" in note for note in builders[0].notes)


def test_dev_is_drawn_from_train_where_the_column_has_none(tmp_path: Path) -> None:
    path = many(tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("\n".join(json.dumps({**x, "split": "test" if x["conversation"] > 14 else "train"}) for x in lines))
    np.save(tmp_path / "x.npy", np.ones((60, 2)))
    builder = import_corpus([path, tmp_path / "x.npy"], ImportOptions())
    assert {split: len(ids) for split, ids in builder.splits.items()} == {"train": 13, "dev": 2, "test": 5}
    assert builder.splits["test"] == [str(c) for c in range(15, 20)]


def test_labels_as_the_user_orders_them(utterances: Path, audio: Path) -> None:
    builder = import_corpus([utterances, audio], ImportOptions(labels=("glad", "sad", "calm")))
    assert builder.labels == ("glad", "sad", "calm")
    with pytest.raises(InputError, match=r"line 2: label 'calm' is not among --labels; did you mean 'clam'"):
        import_corpus([utterances, audio], ImportOptions(labels=("glad", "clam")))


def test_text_alone_is_enough_and_comes_first(utterances: Path, audio: Path) -> None:
    builder = import_corpus([utterances], ImportOptions(text_encoder="words:4"))
    builder.check()
    assert list(builder.features) == ["text"]
    assert list(import_corpus([utterances, audio], ImportOptions(text_encoder="words:4")).features) == ["text", "audio"]
    with pytest.raises(InputError, match="at least one modality"):
        import_corpus([utterances], ImportOptions())


def test_text_that_is_not_there_cannot_be_encoded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no text"):
        import_corpus([many(tmp_path)], ImportOptions(text_encoder="words:4"))


def test_utterances_are_numbered_where_they_have_no_id(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **{f"{c}/{u}": np.ones(2) for c in range(20) for u in range(2)})  # type: ignore[arg-type]
    builder = import_corpus([many(tmp_path), tmp_path / "x.npz"], ImportOptions())
    assert [u.id for u in builder.conversations[0].utterances] == ["0", "1", "2"]
    assert builder.features["x"].present.tolist() == [True, True, False] * 20


def test_speakers_by_identity(utterances: Path, audio: Path) -> None:
    assert import_corpus([utterances, audio], ImportOptions()).speakers.mode == "appearance"
    assert import_corpus([utterances, audio], ImportOptions(speakers="identity")).speakers.names == ("Ann", "Bob")


def test_unknown_columns_are_ignored_aloud(utterances: Path, audio: Path) -> None:
    utterances.write_text(CSV.replace(",text,", ",season,"))
    builder = import_corpus([utterances, audio], ImportOptions())
    assert any("ignored: season" in note for note in builder.notes)
    assert builder.conversations[0].utterances[0].text is None


def test_further_columns_are_kept(utterances: Path, audio: Path, tmp_path: Path) -> None:
    utterances.write_text(CSV.replace(",text,", ",season,"))
    builder = import_corpus([utterances, audio], ImportOptions(keep=("season",)))
    assert not any("ignored" in note for note in builder.notes)
    write_corpus(builder, tmp_path / "kept")
    kept = [*Corpus.open(tmp_path / "kept").conversations.values()]
    assert kept == list(builder.conversations)
    extras = [[one.extra for one in conversation.utterances] for conversation in kept]
    assert extras == [[{"season": "First, of two"}, {"season": "Second"}], [{"season": "Alone"}]]
    with pytest.raises(InputError, match="column 'episode' is missing"):
        import_corpus([utterances, audio], ImportOptions(keep=("episode",)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("speaker,", "speakr,", "unknown column 'speakr'; did you mean 'speaker'"),
        ("utterance,", "utterance_id,", "unknown column 'utterance_id'; did you mean 'utterance'"),
        (",label,", ",emotion,", "column 'label' is missing; found are: conversation"),
        (",text,", ",label,", "column 'label' occurs twice"),
        ("a,x,1,Ann", "a,x,1,", "line 3: speaker is empty"),
        ("a,x,1", ",x,1", "line 3: conversation is empty"),
        ("a,x,1", "a,x,one", "line 3: order 'one' is not a number"),
        ("a,x,1", "a,x,inf", "line 3: order 'inf' is not a number"),
        ("b,u0,1", "b,u0,2", "line 4: order 2 in conversation 'b' is already used in line 2"),
        ("b,u0,1", "b,u0,", "line 4: order is empty"),
        ("b,u0,1", "b,u1,1", "line 2: utterance 'u1' of conversation 'b' is already used in line 4"),
        (",dev,", ",eval,", "line 3: split 'eval' is unknown; known are: train .or training, trn., dev .or "),
        (
            "glad,train",
            "glad,dev",
            "line 4: conversation 'b' is in split 'dev' here, but in 'train' in line 2",
        ),
        (",0,1\n", ",1,0\n", "line 4: end 0.0 is before start 1.0"),
        (",0,1\n", ",soon,1\n", "line 4: start 'soon' is not a time"),
        (",0,1\n", ",0\n", "line 4: 8 cells, but line 1 has 9"),
        ('"First', 'F"irst', "line 4: 10 cells"),
        ('two"', "two", "line 4: not CSV"),
        ("glad", "calm", "at least two different labels"),
    ],
)
def test_a_csv_file_that_is_wrong(utterances: Path, audio: Path, old: str, new: str, message: str) -> None:
    assert old in CSV
    utterances.write_text(CSV.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        import_corpus([utterances, audio], ImportOptions()).check()
    assert str(utterances) in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"conversation": "b"', "line 2: not JSON"),
        ("[1, 2]", "line 2: expected an object"),
        ('{"conversation": "b", "speaker": ["Ann"], "label": "x"}', r'line 2: speaker is \["Ann"\]; expected text'),
        ('{"conversation": true, "speaker": "Ann", "label": "x"}', "line 2: conversation is true"),
        ('{"conversation": "b", "label": "x"}', "line 2: speaker is empty"),
        (
            '{"conversation": "\\ud800", "speaker": "Ann", "label": "x"}',
            "line 2: conversation contains an unpaired surrogate",
        ),
        ("[" * 100_000, "line 2: not JSON"),
        ("9" * 5000, "line 2: not JSON"),
    ],
)
def test_json_lines_that_are_wrong(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "u.jsonl"
    path.write_text('{"conversation": "a", "speaker": "Ann", "label": "x"}\n' + line)
    with pytest.raises(InputError, match=message):
        import_corpus([path], ImportOptions(text_encoder="words:4"))


def test_matrices_that_do_not_fit(utterances: Path, tmp_path: Path) -> None:
    def refused(array: object, message: str) -> None:
        path = tmp_path / "x.npy"
        np.save(path, np.asarray(array))
        with pytest.raises(InputError, match=message) as caught:
            import_corpus([utterances, path], ImportOptions()).check()
        assert str(path) in str(caught.value)

    refused(FEATURES[:2], r"2 rows, but .* has 3 utterances")
    refused(FEATURES[0], r"expected a matrix \[utterances, width\], got shape \(2,\)")
    refused(np.zeros((3, 0)), "got shape")
    refused([["a"], ["b"], ["c"]], "expected numbers")
    refused(FEATURES.astype(np.complex64), "expected numbers")
    refused([[{}], [{}], [{}]], r"x\.npy, row 1, value 1: expected a number, found {}")
    refused([[1.0, 2.0], [3.0, None], [5.0, 6.0]], r"x\.npy, row 2, value 2: .* found None; write NaN")
    vectors = np.empty(3, dtype=object)
    vectors[:] = [[1.0, 2.0], None, [5.0, 6.0]]
    refused(vectors, r"x\.npy, row 2: expected a number, found None; write NaN")
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:90])
    with pytest.raises(InputError, match="cannot be read"):
        import_corpus([utterances, tmp_path / "x.npy"], ImportOptions())


def test_archives_that_do_not_fit(utterances: Path, tmp_path: Path) -> None:
    def refused(message: str, **arrays: object) -> None:
        np.savez(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=message):
            import_corpus([utterances, tmp_path / "x.npz"], ImportOptions()).check()

    refused("no key matches an utterance", **{"c_u0": FEATURES[0]})
    refused("key 'b/u1': width 1, but key 'b/u0' has 2", **{"b/u0": FEATURES[0], "b/u1": FEATURES[0, :1]})
    refused(r"key 'b/u1': expected a matrix \[utterances", **{"b/u0": FEATURES, "b/u1": FEATURES[0]})
    refused("the archive is empty")
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(InputError, match="cannot be read"):
        import_corpus([utterances, tmp_path / "x.npz"], ImportOptions())


def test_names_and_files_that_do_not_fit(utterances: Path, audio: Path, tmp_path: Path) -> None:
    dashed = audio.rename(tmp_path / "my-audio.npy")
    with pytest.raises(InputError, match="--features NAME="):
        import_corpus([utterances, dashed], ImportOptions())
    builder = import_corpus([utterances], ImportOptions(), features={"audio": [dashed]})
    assert list(builder.features) == ["audio"]
    with pytest.raises(InputError, match="give one file per modality"):
        import_corpus([utterances], ImportOptions(), features={"audio": [dashed, dashed]})
    with pytest.raises(InputError, match=r"none\.npy: file not found"):
        import_corpus([utterances, tmp_path / "none.npy"], ImportOptions())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        import_corpus([utterances, tmp_path / "empty"], ImportOptions())
    with pytest.raises(InputError, match="no table of utterances found"):
        import_corpus([dashed], ImportOptions())
    with pytest.raises(InputError, match="second table of utterances"):
        import_corpus([utterances, many(tmp_path)], ImportOptions())
    (tmp_path / "audio.wav").write_bytes(b"")
    with pytest.raises(InputError, match="unknown suffix"):
        import_corpus([utterances, tmp_path / "audio.wav"], ImportOptions())
    with pytest.raises(InputError, match="'tabel' is unknown; did you mean 'table'"):
        import_corpus([utterances, dashed], ImportOptions(layout="tabel"))
    with pytest.raises(InputError, match="use --features"):
        import_corpus([utterances], ImportOptions(take={"audio": dashed}))


@pytest.mark.parametrize("blank", ["", "\n", "   \r\n\n"])
def test_lines_of_a_conversation_need_not_stand_together(tmp_path: Path, blank: str) -> None:
    lines = [
        {
            "conversation": c,
            "order": u,
            "speaker": f"s{u % 2}",
            "label": ["glad", "calm"][(c + u) % 2],
            "text": f"{c}-{u}",
        }
        for c in range(12)
        for u in range(c % 3 + 1)
    ]
    order = np.random.default_rng(0).permutation(len(lines))
    matrix = np.arange(2 * len(lines), dtype=np.float64).reshape(-1, 2)
    builders = []
    for name, some in (("grouped", np.arange(len(lines))), ("mixed", order)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "u.jsonl"
        path.write_text("\ufeff" + "".join(json.dumps(lines[i], ensure_ascii=False) + "\n" + blank for i in some))
        np.save(tmp_path / name / "x.npy", matrix[some])
        builders.append(import_corpus([path, tmp_path / name / "x.npy"], ImportOptions()))
        builders[-1].check()
    grouped, mixed = (
        {
            c.id: (c, builder.features["x"].features[first : first + len(c)])
            for c, first in zip(builder.conversations, starts(builder), strict=True)
        }
        for builder in builders
    )
    assert grouped.keys() == mixed.keys()
    assert list(grouped) != list(mixed)  # the order in which they first occur
    for id, (conversation, x) in grouped.items():
        assert mixed[id][0] == conversation
        np.testing.assert_array_equal(mixed[id][1], x)
    assert [u.text for u in grouped["2"][0].utterances] == ["2-0", "2-1", "2-2"]


def starts(builder: CorpusBuilder) -> list[int]:
    """The first row of each conversation."""
    return [sum(map(len, builder.conversations[:number])) for number in range(len(builder.conversations))]


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, np.bool_])
def test_mapped_matrices_of_any_numbers_and_layout(utterances: Path, tmp_path: Path, dtype: type) -> None:
    x: npt.NDArray[Any] = FEATURES.astype(dtype)
    np.save(tmp_path / "rows.npy", x)
    np.save(tmp_path / "columns.npy", np.asfortranarray(x))
    files = [tmp_path / "rows.npy", tmp_path / "columns.npy"]
    if dtype in (np.float64, np.float16):
        save_file({"anything": x}, tmp_path / "tensor.safetensors")
        files.append(tmp_path / "tensor.safetensors")
    builder = import_corpus([utterances, *files], ImportOptions())
    for table in builder.features.values():
        np.testing.assert_array_equal(table.features, ORDERED.astype(dtype).astype(np.float32))
        assert table.features.dtype == np.float32


def test_a_modality_of_another_corpus(utterances: Path, tmp_path: Path) -> None:
    present = np.array([True, False, True])
    save_file({"features": FEATURES, "present": present}, tmp_path / "audio.safetensors")
    with pytest.raises(InputError, match="order of the corpus"):
        import_corpus([utterances, tmp_path / "audio.safetensors"], ImportOptions())
    header, *lines = CSV.splitlines()
    utterances.write_text("\n".join([header, lines[2], lines[0], lines[1]]))
    builder = import_corpus([utterances, tmp_path / "audio.safetensors"], ImportOptions())
    builder.check()
    assert builder.features["audio"].present.tolist() == present.tolist()
    np.testing.assert_array_equal(builder.features["audio"].features, np.where(present[:, None], FEATURES, 0))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a": FEATURES, "b": FEATURES}, "expected one matrix, or 'features' and 'present'; found a, b"),
        ({"features": FEATURES, "present": np.ones(3, np.float32)}, "'present' has type float32"),
        ({"features": FEATURES, "present": np.ones(2, np.bool_)}, r"'present' has type bool and shape \(2,\)"),
        ({"features": FEATURES[0]}, r"got shape \(2,\)"),
    ],
)
def test_tensors_that_do_not_fit(utterances: Path, tmp_path: Path, tensors: dict[str, Any], message: str) -> None:
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=message):
        import_corpus([utterances, tmp_path / "x.safetensors"], ImportOptions())


def test_the_lines_are_read_again_when_the_corpus_is_written(tmp_path: Path) -> None:
    path = many(tmp_path)
    np.save(tmp_path / "x.npy", np.ones((60, 2)))
    builder = import_corpus([path, tmp_path / "x.npy"], ImportOptions())
    assert len(builder.conversations) == 20
    assert builder.conversations[-1] == list(builder.conversations)[19]
    assert builder.conversations[3:5] == [builder.conversations[3], builder.conversations[4]]
    corpus = write_corpus(builder, tmp_path / "corpus")
    assert list(corpus.conversations.values()) == builder.conversations
    corpus.verify()


@pytest.mark.parametrize("name", ["corpus.csv", "corpus.jsonl"])
def test_an_encoding(tmp_path: Path, name: str) -> None:
    rows = [("a", "Ann", "glad", "你好"), ("b", "Bob", "calm", "真的吗"), ("c", "Bob", "glad", "好")]
    keys = ("conversation", "speaker", "label", "text")
    lines = {
        "corpus.csv": [",".join(row) for row in (keys, *rows)],
        "corpus.jsonl": [json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=False) for row in rows],
    }[name]
    (tmp_path / name).write_bytes("\n".join(lines).encode("gb2312"))
    builder = import_corpus([tmp_path / name], ImportOptions(encoding="gb2312", text_encoder="words:8"))
    assert [conversation.utterances[0].text for conversation in builder.conversations] == ["你好", "真的吗", "好"]


def _npy(shape: str, dtype: str = "<f4") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


def _safetensors(shape: str, end: int) -> bytes:
    header = f'{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}'.encode()
    return len(header).to_bytes(8, "little") + header


HOSTILE = {
    "long.npy": _npy("(1000000000000, 8)"),
    "wide.npy": _npy("(4, 1000000000000)"),
    "overflow.npy": _npy("(9223372036854775807, 9223372036854775807)"),
    "empty.npy": _npy("(0, 9223372036854775807)"),
    "negative.npy": _npy("(-1, 4)"),
    "deep.npy": _npy("(" * 5000 + ")" * 5000),
    "texts.npy": _npy("(1000000000,)", "<U0"),
    "long.safetensors": _safetensors("[1000000000000,8]", 32_000_000_000_000),
    "empty.safetensors": _safetensors("[0,9223372036854775807]", 0),
    "header.safetensors": b"\xff" * 7 + b"\x7f{}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_header_that_promises_too_much_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(HOSTILE[name])
    with pytest.raises(InputError) as error:
        read_table(tmp_path / name)
    assert "\n" not in str(error.value)


def test_an_archive_that_expands_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.zeros((500, 500), np.float32))
    assert read_table(path).size == 500
    monkeypatch.setattr(feature_tables, "max_expanded_bytes", lambda size: 100 * size)
    with pytest.raises(InputError, match="expands to"):
        read_table(path)
