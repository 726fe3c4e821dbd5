"""The structure of JSON, found before it is parsed."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from sdt.serving import bounded_json
from sdt.serving.bounded_json import Outline, TooManyItems, check_bounds, outline
from sdt.serving.errors import APIError

MARK = b'["instead"]'
KEY = "list"


def divided(body: bytes, items: int = 1000, values: int = 1000) -> Outline:
    return outline(memoryview(body), KEY, placeholder=MARK, items=items, values=values)


def is_json(body: bytes) -> bool:
    try:
        from_json(body)
    except ValueError:
        return False
    return True


texts = st.text(alphabet='ab\\"{}[],: \n\té\N{HERB}', max_size=12)
leaves = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | texts
values = st.recursive(leaves, lambda v: st.lists(v, max_size=4) | st.dictionaries(texts, v, max_size=4), max_leaves=12)
objects = st.dictionaries(texts | st.just(KEY), values, max_size=4)
written = st.builds(
    lambda value, indent, ascii: json.dumps(value, indent=indent, ensure_ascii=ascii).encode(),
    objects,
    st.sampled_from([None, 1]),
    st.booleans(),
)


@pytest.mark.parametrize("piece", [64, bounded_json.PIECE])
@settings(max_examples=60, deadline=None)
@given(body=written)
def test_the_parts_are_the_whole(monkeypatch_module: pytest.MonkeyPatch, piece: int, body: bytes) -> None:
    monkeypatch_module.setattr(bounded_json, "PIECE", piece)
    value = json.loads(body)
    found = divided(body)
    items = [json.loads(body[begin:end]) for begin, end in found.items]
    if isinstance(value.get(KEY), list) and value[KEY]:
        assert items == value[KEY]
        assert json.loads(found.rest) == value | {KEY: ["instead"]}
    else:
        assert items == []
        assert found.rest == body


@settings(max_examples=150, deadline=None)
@given(body=written, seed=st.integers(0, 2**32))
def test_what_is_no_json_is_not_made_of_parts_that_are(body: bytes, seed: int) -> None:
    """A few bytes are changed: where it is refused, it is no JSON; where all parts are JSON, the whole is, too."""
    generator = random.Random(seed)
    changed = bytearray(body)
    for _ in range(generator.randrange(1, 4)):
        place = generator.randrange(len(changed) + 1)
        changed[place : place + generator.randrange(3)] = bytes(
            generator.choices(b'{}[],:"\\ 1a', k=generator.randrange(3))
        )
    found, refused = None, ""
    try:
        found = divided(bytes(changed))
    except APIError as refusal:
        refused = refusal.code
    if found is None:
        assert refused == "invalid" or not is_json(bytes(changed))
        return
    parts = [bytes(changed[begin:end]) for begin, end in found.items]
    assert all(map(is_json, [found.rest, *parts])) == is_json(bytes(changed))


@pytest.fixture(scope="module")
def monkeypatch_module() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


MANY = b"0," * 10**6 + b"0"
REFUSED = {
    "nothing": (b"", "malformed"),
    "an open list": (b'{"list": [1', "malformed"),
    "an open string": (b'{"list": ["1]}', "malformed"),
    "a list that ends as an object": (b'{"list": [1}}', "malformed"),
    "a list with a colon": (b'{"list": [1:2]}', "malformed"),
    "many open lists": (b"[" * 10**6, "malformed"),
    "deep objects": (b'{"list": [' + b'{"a":' * 50 + b"1" + b"}" * 50 + b"]}", "malformed"),
    "a long number": (b'{"list": [' + b"1" * 10**5 + b"]}", "malformed"),
    "a long word": (b'{"list": [' + b"a" * 200 + b"]}", "malformed"),
    "two lists": (b'{"list": [1], "list": [2]}', "invalid"),
    "two lists, one in escapes": (b'{"list": [1], "\\u006cist": [2]}', "invalid"),
    "a large item": (b'{"list": [1, {"a":[' + MANY + b"]}]}", "invalid"),
    "many keys": (b'{"list": [1],' + b",".join(b'"%d":0' % n for n in range(10**5)) + b"}", "invalid"),
    "a list alone": (b"[" + MANY + b"]", "invalid"),
    "an object instead of the list": (b'{"list":{"a":[' + MANY + b"]}}", "invalid"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_before_it_is_parsed(kind: str) -> None:
    body, code = REFUSED[kind]
    with pytest.raises(APIError) as refused:
        divided(body, values=500)
    assert refused.value.code == code
    assert len(refused.value.message) < 200


def test_items_are_counted_before_they_are_parsed() -> None:
    body = b'{"list": [' + b"{}," * 9 + b"{}]}"
    assert len(divided(body, items=10).items) == 10
    with pytest.raises(TooManyItems):
        divided(body, items=9)
    with pytest.raises(TooManyItems):
        divided(b'{"list": [' + b"0," * 10**6)  # nor is the end looked for


def test_a_body_is_looked_at_once_and_in_pieces() -> None:
    """A long one leaves others their turn."""
    body = memoryview(b'{"list": ["' + b'\\"[{,' * 200_000 + b'"]}')
    pieces = [(tokens.places.tolist(), tokens.levels.tolist()) for tokens in bounded_json._scan(body, "")]
    assert len(pieces) == -(-len(body) // bounded_json.PIECE)
    assert pieces[0] == ([0, 7, 9], [1, 1, 2])
    assert pieces[-1] == ([len(body) - 2, len(body) - 1], [2, 1])
    assert not any(places for places, _ in pieces[1:-1])


def test_messages_without_a_list_are_bounded() -> None:
    check_bounds(memoryview(b'{"type":"utterance","text":"' + b"," * 10**6 + b'"}'), 10)
    with pytest.raises(APIError):
        check_bounds(memoryview(b'{"a":[' + b"0," * 1000 + b"0]}"), 1000)
