from __future__ import annotations

import collections
import copyreg
import pickle
import resource
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdt.__main__ import main
from sdt.errors import InputError
from sdt.formats.parsing.pickles import reader as unpickle
from sdt.formats.parsing.pickles.reader import load
from tests.corpus.importers.layouts import cosmic_iemocap, mmgcn_meld, python2_opcodes
from tests.shared import ROOT, SHARED_DATA, needs_meld

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

HARMLESS: dict[str, Any] = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">i4"),
    "flags": np.array([True, False]),
    "no dimension": np.array(2.5),
    "empty": np.zeros((0, 4)),
    "text": np.array(["née", "b"]),
    "bytes": np.array([b"q", b"rs"]),
    "objects": np.array([{"a": 1}, [2.0], None], dtype=object),
    "scalar": np.float32(1.5),
    "integer scalar": np.int64(-3),
    "text scalar": np.str_("Ses01"),
    "ordered": collections.OrderedDict(b=1, a=2),
    "default": collections.defaultdict(list, {"k": [1]}),
    "sets": [{1, 2}, frozenset("ab")],
    "raw": [b"", b"\xff\x00", bytearray(b"xy"), bytearray()],
    "numbers": [1, -(10**30), 1.5, 1j, True, None, float("inf")],
    "range": range(2, 9, 3),
}


def _write(folder: Path, content: bytes) -> Path:
    path = folder / "features.pkl"
    path.write_bytes(content)
    return path


def _refusal(folder: Path, content: bytes) -> str:
    path = _write(folder, content)
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and one.shape == two.shape and bool(one.tolist() == two.tolist())
    return bool(list(one) == two if isinstance(one, range) else one == two)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_harmless_content_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    read = load(_write(tmp_path, pickle.dumps(HARMLESS, protocol=protocol)))
    assert isinstance(read, dict)
    assert list(read) == list(HARMLESS)
    for key, value in HARMLESS.items():
        assert _same(value, read[key]), key


@pytest.mark.parametrize(("old", "new"), [(b"numpy._core", b"numpy.core"), (b"numpy.core", b"numpy._core")])
def test_old_and_new_names_of_numpy(tmp_path: Path, old: bytes, new: bytes) -> None:
    # Protocol 2 ends names with newlines, so that their lengths may change.
    content = pickle.dumps([np.arange(3.0), np.float64(2)], protocol=2).replace(old, new)
    read = load(_write(tmp_path, content))
    assert isinstance(read, list)
    assert read[0].tolist() == [0, 1, 2]
    assert read[1] == 2


def test_a_python_2_pickle(tmp_path: Path) -> None:
    value = {"Ses01F_impro01": [np.array([[1.5, -2.0]]), "caf\xe9"], "ids": {"a", "b"}}
    read = load(_write(tmp_path, b"\x80\x02" + python2_opcodes(value) + b"."))
    assert isinstance(read, dict)
    array, text = read["Ses01F_impro01"]
    assert array.tolist() == [[1.5, -2.0]]
    assert text == "caf\xe9"
    assert read["ids"] == {"a", "b"}


def test_protocol_0_of_python_2(tmp_path: Path) -> None:
    read = load(_write(tmp_path, b"(dp0\nS'Ses01F'\np1\n(lp2\nI3\naF2.5\naS'it\\x92s'\np3\nas."))
    assert read == {"Ses01F": [3, 2.5, "it\x92s"]}


class _Calls:
    """Pickles as a call of a name with arguments."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.name = name
        self.arguments = arguments

    def opcodes(self) -> bytes:
        module, _, name = self.name.rpartition(".")
        arguments = pickle.dumps(self.arguments, protocol=0).removesuffix(b".")
        return f"c{module}\n{name}\n".encode() + arguments + b"R."


@pytest.mark.parametrize(
    "name",
    [
        *("os.system", "posix.system", "nt.system", "subprocess.Popen", "builtins.eval", "__builtin__.eval"),
        *("builtins.exec", "builtins.getattr", "builtins.__import__", "builtins.open", "builtins.type"),
        *("builtins.object", "builtins.map", "operator.attrgetter", "functools.partial", "importlib.import_module"),
        *("copyreg._reconstructor", "copy_reg._reconstructor", "copyreg.__newobj__", "types.CodeType"),
        *("numpy.load", "numpy.fromfile", "numpy.core.multiarray.fromfile", "numpy.testing._private.utils.runstring"),
        *("numpy.memmap", "numpy.matrix", "pickle.loads", "_codecs.decode", "codecs.encode", "collections.deque"),
        *("sdt.formats.parsing.pickles.reader.load", "pandas.core.frame.DataFrame", "__main__.Thing"),
    ],
)
def test_a_forbidden_constructor_is_named(tmp_path: Path, name: str) -> None:
    message = _refusal(tmp_path, _Calls(name, "touch /tmp/never").opcodes())
    assert f"'{name}'" in message
    assert "nothing was run" in message


def test_a_forbidden_constructor_deep_in_a_long_file(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("never",))

    content = pickle.dumps([*cosmic_iemocap(), {"x": [Evil()]}])
    assert "'builtins.print'" in _refusal(tmp_path, content)


def test_a_dotted_name_leads_nowhere(tmp_path: Path) -> None:
    content = b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93."
    assert "'collections.OrderedDict.fromkeys'" in _refusal(tmp_path, content)


def test_torch_tensors_come_with_advice(tmp_path: Path) -> None:
    message = _refusal(tmp_path, _Calls("torch._utils._rebuild_tensor_v2").opcodes())
    assert "'torch._utils._rebuild_tensor_v2'" in message
    assert "tensor.numpy()" in message


def test_persistent_ids_and_extension_codes_are_refused(tmp_path: Path) -> None:
    assert "persistent id" in _refusal(tmp_path, b"Pstorage\n.")
    assert "persistent id" in _refusal(tmp_path, b"\x80\x02K\x01Q.")
    copyreg.add_extension("os", "system", 99)
    try:
        for opcode in (b"\x82\x63", b"\x83\x63\x00", b"\x84\x63\x00\x00\x00"):
            assert "extension code" in _refusal(tmp_path, b"\x80\x02" + opcode + b".")
    finally:
        copyreg.remove_extension("os", "system", 99)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("builtins.bytes", (10**12,)),
        ("builtins.bytearray", (10**12,)),
        ("builtins.range", (10**12,)),
        ("builtins.list", (range(3).__class__.__name__,)),
        ("builtins.set", ("abc",)),
        ("builtins.int", ("9" * 5000,)),
        ("_codecs.encode", ("abc", "rot13")),
        ("numpy.ndarray", ((10**6, 10**6),)),
        ("numpy.dtype", ("V8",)),
        ("numpy.dtype", ("M8",)),
        ("numpy.dtype", ("f8,O",)),
        ("numpy.dtype", ([("a", "O")],)),
        ("numpy.core.multiarray.scalar", ("f8", b"12345678")),
        ("collections.OrderedDict", (3,)),
    ],
)
def test_admitted_constructors_take_harmless_arguments_only(tmp_path: Path, name: str, arguments: Any) -> None:
    _refusal(tmp_path, _Calls(name, *arguments).opcodes())


def _array(code: bytes, shape: bytes, content: bytes, dtype_state: bytes = b"") -> bytes:
    """The opcodes of an array whose parts do not belong together."""
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    return (
        empty
        + b"(I1\n"
        + shape
        + b"cnumpy\ndtype\n(S'"
        + code
        + b"'\nI0\nI1\ntR"
        + dtype_state
        + b"I00\n"
        + content
        + b"tb."
    )


@pytest.mark.parametrize(
    ("code", "shape", "content"),
    [
        (b"f8", b"(I1000000\nI1000000\nt", b"S'12345678'\n"),
        (b"f8", b"(I-1\nt", b"S''\n"),
        (b"f8", b"(S'x'\nt", b"S''\n"),
        (b"f8", b"I3\n", b"S''\n"),
        (b"f8", b"(I2\nt", b"S'12345678'\n"),
        (b"f8", b"(I1\nt", b"(lI1\na"),
        (b"S0", b"(I1000000000000\nt", b"S''\n"),
        (b"O8", b"(I1\nt", b"S'12345678'\n"),
        (b"O8", b"(I2\nt", b"(lI1\na"),
        (b"f8", b"(" + b"I1\n" * 40 + b"t", b"S'12345678'\n"),
    ],
)
def test_an_array_is_exactly_what_its_bytes_are(tmp_path: Path, code: bytes, shape: bytes, content: bytes) -> None:
    _refusal(tmp_path, _array(code, shape, content))


def test_an_object_array_with_cleared_flags_reads_no_pointers(tmp_path: Path) -> None:
    state = b"(I3\nS'|'\nNNNI8\nI8\nI0\ntb"
    message = _refusal(tmp_path, _array(b"O8", b"(I1\nt", b"S'AAAAAAAA'\n", state))
    assert "does not fit" in message


def test_an_array_of_records_is_refused(tmp_path: Path) -> None:
    records = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    assert "dtype 'V12'" in _refusal(tmp_path, pickle.dumps(records))


@pytest.mark.parametrize(
    "target", [b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"c__builtin__\nset\n", b"c_codecs\nencode\n"]
)
def test_what_a_name_leads_to_cannot_be_changed(tmp_path: Path, target: bytes) -> None:
    for state in (b"}S'x'\nI1\nsb.", b"(N}S'_call'\nI1\nstb."):
        assert "changes" in _refusal(tmp_path, target + state)
    assert load(_write(tmp_path, pickle.dumps({1}, protocol=2))) == {1}


def test_a_name_is_no_class(tmp_path: Path) -> None:
    _refusal(tmp_path, b"\x80\x02c__builtin__\nset\n)\x81.")
    _refusal(tmp_path, b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)}\x92.")


@pytest.mark.parametrize("content", [b"\x80\x02]r\xff\xff\xff\xff.", b"]p4294967295\n."])
def test_a_high_memo_number_fills_no_memory(tmp_path: Path, content: bytes) -> None:
    assert load(_write(tmp_path, content)) == []


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"abc",
        b"\x80\x03B\xff\xff\xff\xffabc",
        b"\x80\x02T\xff\xff\xff\x7fa",
    ],
)
def test_an_announced_size_beyond_the_file_is_a_truncation(tmp_path: Path, content: bytes) -> None:
    assert "truncated" in _refusal(tmp_path, content)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_every_truncation_is_said(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps(({"a": [1.5, "text"]}, np.arange(2.0)), protocol=protocol)
    for size in range(len(content)):
        assert "truncated" in _refusal(tmp_path, content[:size])


def test_bytes_after_the_end(tmp_path: Path) -> None:
    assert "7 bytes follow the end" in _refusal(tmp_path, pickle.dumps([1]) + b"garbage")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"PK\x03\x04rest", "torch.save"),
        (b"\x1f\x8b\x08rest", "gzip"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"<html><body>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x93NUMPY\x01\x00", ".npy"),
        (b"conversation,utterance\n1,2\n", "not on the list"),
    ],
)
def test_files_that_are_no_pickles(tmp_path: Path, content: bytes, expected: str) -> None:
    message = _refusal(tmp_path, content)
    assert any(part in message for part in expected.split("|"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load(tmp_path / "none.pkl")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)


def _doubled(first: bytes, last: bytes, times: int = 40) -> bytes:
    """A container of a container ..., each of which holds the one before twice."""
    return first + b"".join(b"\x94h" + bytes([n]) + last for n in range(times))


_RANGE = b"c__builtin__\nrange\n"
_ZEROS = pickle.dumps(np.zeros(100_000, np.int8), protocol=2)[2:-1]
HOSTILE = {
    "shared tuples as a key": b"}" + _doubled(b"K\x01", b"\x86") + b"Ns.",
    "shared lists": b"}X\x01\x00\x00\x00a" + _doubled(b"]", b"h\x00\x86") + b"s.",
    "a deep key": b"}N" + b"\x85" * 9_000 + b"Ns.",
    "a deep list": b"]" * 9_000 + b"a" * 8_999 + b".",
    "many sets": b"\x8f" * 500_000 + b".",
    "ranges": b"](" + _RANGE + b"\x94" + b"h\x00J\x40\x42\x0f\x00\x85R" * 500 + b"e.",
    "a long range": _RANGE + b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85R.",
    "copies of a list": b"](" + _RANGE + b"M\xff\xff\x85R\x94" + b"c__builtin__\nset\nh\x00\x85R" * 50 + b"e.",
    "a shared text": b"](X\x00\x00\x01\x00" + b"a" * 2**16 + b"\x94" + b"h\x00" * 9000 + b"e.",
    "a shared array": b"](" + _ZEROS + b"2" * 900 + b"e.",
    "a long empty array": pickle.dumps(np.zeros((0, 77)), protocol=2).replace(b"KM", b"J\xff\xff\xff\x7f"),
    "a list in itself": b"]\x94h\x00a.",
    "a list that changes later": b"]\x94(h\x00h\x00K\x01ae.",
    "a huge integer": b"\x8b\x00\x10\x00\x00" + b"\x7f" * 4096 + b".",
    "many digits": b"I" + b"9" * 5000 + b"\n.",
    "a float of many digits": b"F" + b"9" * 5000 + b"\n.",
    "half a character": b"V\\ud800\n.",
    "half a character in UTF-8": b"X\x03\x00\x00\x00\xed\xa0\x80.",
    "keys of the same hash": b"}"
    + b"".join(b"\x8a\x09" + (n * (2**61 - 1)).to_bytes(9, "little") + b"Ns" for n in range(9)),
    "a long key": b"}(K\x01K\x02K\x03K\x04K\x05tNs.",
    "a frozenset as a key": b"}(K\x01\x91Ns.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    _refusal(tmp_path, HOSTILE[name])


FAULTY = {
    **{path.stem: path for path in (ROOT / "tests/data/faults/pickles").iterdir()},
    "deep-tuple-key-200000": None,
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_file_that_took_all_memory_or_time_ends_the_command_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = FAULTY[name] or _write(tmp_path, b"}N" + b"\x85" * 200_000 + b"K\x01s.")
    began, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = main(["corpus", "import", str(path), "--output", str(tmp_path / "corpus")])
    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert time.process_time() - began < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 500_000  # kB


PLAIN: dict[str, Any] = {
    "small numbers": np.zeros((1000, 100), np.int8),
    "doubles": np.zeros((100, 1000)),
    "bools": [True] * 50_000,
    "nothing": [None] * 50_000,
    "integers": list(range(200)) * 200,
    "floats": [0.5] * 20_000,
    "short lists": [[0.5, 1.5, float(number)] for number in range(5_000)],
    "short arrays": {f"dia{number}_utt0": np.arange(3.0) for number in range(2_000)},
    "texts": {f"dia{number}_utt0": "joy" for number in range(2_000)},
    "vectors": {f"dia{number}_utt0": np.zeros(100, np.float32) for number in range(500)},
    "one label": ["joy"] * 20_000,
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("protocol", range(6))
def test_what_nothing_is_shared_in_may_be_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, protocol: int
) -> None:
    monkeypatch.setattr(unpickle, "max_expanded_bytes", lambda size: 100 * size)
    read: Any = load(_write(tmp_path, pickle.dumps(PLAIN[name], protocol)))
    assert len(read) == len(PLAIN[name])


def test_what_real_files_share_is_read(tmp_path: Path) -> None:
    zeros, labels = np.zeros(300, np.float32), [0, 1]
    value = {"text": {"a": [zeros] * 50}, "labels": {"a": labels, "b": labels}, "ids": {("D", 1): "x", (0, 2): "x"}}
    read: Any = load(_write(tmp_path, pickle.dumps(value)))
    assert read["labels"] == {"a": [0, 1], "b": [0, 1]}
    assert len(read["text"]["a"]) == 50
    assert list(read["ids"]) == [("D", 1), (0, 2)]


def test_halves_of_a_character_are_joined(tmp_path: Path) -> None:
    assert load(_write(tmp_path, b"V\\ud83d\\ude00\n.")) == "\U0001f600"


def _harmless(value: object, depth: int = 0) -> bool:
    """Whether a value consists of what the reader may build."""
    if depth > 20:
        return True
    if isinstance(value, dict):
        return type(value) is dict and all(_harmless(v, depth + 1) for pair in value.items() for v in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return all(_harmless(item, depth + 1) for item in value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufcSUO"
    kinds = (str, bytes, bytearray, bool, int, float, complex, np.generic)
    return value is None or isinstance(value, kinds) or type(value).__module__.startswith("sdt.formats.parsing.pickles")


def _survives(folder: Path, content: bytes) -> None:
    path = _write(folder, content)
    message = ""
    try:
        value = load(path)
    except InputError as error:
        value, message = None, str(error)
    assert _harmless(value)
    assert "\n" not in message
    assert not message or message.startswith(str(path))


SEEDS = [
    *(pickle.dumps(HARMLESS, protocol=protocol) for protocol in (0, 2, 4, 5)),
    pickle.dumps(mmgcn_meld({0: 2, 1: 1}), protocol=2),
    b"\x80\x02" + python2_opcodes(mmgcn_meld({0: 2, 1: 1})) + b".",
]


@QUICK
@given(data=st.data())
def test_mutated_pickles_give_one_line_or_harmless_values(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        change = data.draw(st.sampled_from(["set", "insert", "delete", "repeat"]))
        if change == "set":
            content[place] = data.draw(st.integers(0, 255))
        elif change == "insert":
            content[place:place] = data.draw(st.binary(min_size=1, max_size=4))
        elif change == "delete":
            del content[place : place + data.draw(st.integers(1, 8))]
        else:
            content[place:place] = content[place : place + data.draw(st.integers(1, 40))]
    _survives(tmp_path, bytes(content))


OPCODES = [
    *(bytes([code]) for code in range(256)),
    *(b"c__builtin__\nset\n", b"c__builtin__\nlist\n", b"c__builtin__\nrange\n", b"c__builtin__\nbytearray\n"),
    *(b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n"),
    *(b"cnumpy.core.multiarray\nscalar\n", b"cnumpy.core.numeric\n_frombuffer\n", b"c_codecs\nencode\n"),
    *(
        b"ccollections\ndefaultdict\n",
        b"ccollections\nOrderedDict\n",
        b"U\x02f8",
        b"U\x01<",
        b"K\x03",
        b"(",
        b")R",
        b"tR",
        b"b",
    ),
]


@QUICK
@given(st.lists(st.sampled_from(OPCODES), max_size=25))
def test_random_opcodes_give_one_line_or_harmless_values(tmp_path: Path, opcodes: list[bytes]) -> None:
    _survives(tmp_path, b"".join(opcodes) + b".")


@QUICK
@given(st.binary(max_size=60))
def test_random_bytes_give_one_line_or_harmless_values(tmp_path: Path, content: bytes) -> None:
    _survives(tmp_path, content)


@needs_meld
def test_the_real_legacy_pickle() -> None:
    assert SHARED_DATA is not None
    path = SHARED_DATA / "meld" / "meld_dev_openface_aus.pickle"
    read = load(path)
    assert isinstance(read, dict)
    with path.open("rb") as file:
        expected: dict[str, npt.NDArray[np.float64]] = pickle.load(file)
    assert list(read) == list(expected)
    assert all(np.array_equal(read[key], expected[key], equal_nan=True) for key in expected)
    assert {value.shape for value in read.values()} == {(105,)}
