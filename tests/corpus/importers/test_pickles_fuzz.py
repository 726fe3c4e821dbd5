"""Files of a published layout in which anything may stand anywhere: a corpus, or one line of what is wrong."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.pickles import read_pickles
from sdt.errors import InputError
from tests.corpus.importers import layouts

SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.binary(max_size=4)),
    *(st.just(1j), st.just(np.float32(2)), st.just(np.int64(1)), st.just(np.str_("M")), st.just(np.bool_(True))),
)
SHAPES: list[tuple[int, ...]] = [(), (0,), (0, 7), (3, 0), (2,), (2, 7), (2, 1, 7), (3, 7)]
DTYPES = ["f4", "f8", "f2", ">i4", "b1", "U3", "S2", "O", "c8"]
ARRAYS = st.builds(lambda shape, dtype: np.zeros(shape, dtype), st.sampled_from(SHAPES), st.sampled_from(DTYPES))
VALUES = st.recursive(
    st.one_of(SCALARS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.integers(0, 3), st.text(max_size=2)), inner, max_size=2),
        st.sets(st.integers(0, 3), max_size=2),
    ),
    max_leaves=6,
)
CONTENTS = {name: pickle.dumps(build()) for name, build in layouts.BUILDERS.items()}


def _replace_somewhere(value: Any, data: st.DataObject) -> Any:
    """The same value with something else in one place, at any depth."""
    if not isinstance(value, dict | list | tuple) or not value or data.draw(st.integers(0, 5)) == 0:
        return data.draw(VALUES)
    if isinstance(value, dict):
        key = data.draw(st.sampled_from(list(value)))
        if data.draw(st.integers(0, 5)) == 0:
            other = data.draw(st.one_of(st.integers(0, 2), st.text(max_size=3), st.none(), st.binary(max_size=2)))
            return {(other if k == key else k): v for k, v in value.items()}
        return {**value, key: _replace_somewhere(value[key], data)}
    place = data.draw(st.integers(0, len(value) - 1))
    changed = [*value[:place], _replace_somewhere(value[place], data), *value[place + 1 :]]
    return tuple(changed) if isinstance(value, tuple) else changed


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_anything_anywhere(tmp_path: Path, data: st.DataObject) -> None:
    content = pickle.loads(CONTENTS[data.draw(st.sampled_from(list(CONTENTS)))])
    for _ in range(data.draw(st.integers(1, 2))):
        content = _replace_somewhere(content, data)
    path = layouts.write(tmp_path / "file.pkl", content)
    message = ""
    try:
        builder = read_pickles([path], ImportOptions())
        builder.check()
    except InputError as error:
        message = str(error)
    assert "\n" not in message
