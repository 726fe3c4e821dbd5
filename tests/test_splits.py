from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.errors import InputError
from sdt.splits import IEMOCAP_DEV, hold_out, iemocap_session, meld_by_number


def test_meld_by_number_has_the_published_sizes() -> None:
    splits = meld_by_number(str(n) for n in range(1433) if n != 60)
    assert {name: len(ids) for name, ids in splits.items()} == {"train": 1038, "dev": 114, "test": 280}
    assert splits["dev"][0] == "1039"
    assert splits["test"][0] == "1153"


@pytest.mark.parametrize("id", ["Ses01F_impro01", "1433", "-1", "dia3", ""])
def test_meld_by_number_refuses_other_ids(id: str) -> None:
    with pytest.raises(InputError, match="not a MELD conversation"):
        meld_by_number([id])


def test_usual_dev_of_iemocap() -> None:
    train, dev = hold_out(["Ses01F_impro01", *IEMOCAP_DEV, "Ses04M_impro01"], "usual")
    assert tuple(dev) == IEMOCAP_DEV
    assert len(dev) == 12
    assert train == ["Ses01F_impro01", "Ses04M_impro01"]


def test_usual_dev_of_meld() -> None:
    assert hold_out(["0", "1038", "1039", "1152"], "usual") == (["0", "1038"], ["1039", "1152"])


def test_session_4() -> None:
    train, dev = hold_out(["Ses01F_impro01", "Ses04F_script01_1", "Ses03M_impro05a", "Ses04M_impro02"], "session4")
    assert train == ["Ses01F_impro01", "Ses03M_impro05a"]
    assert dev == ["Ses04F_script01_1", "Ses04M_impro02"]
    assert iemocap_session("Ses05M_script03_2") == 5
    assert iemocap_session("1039") is None


@pytest.mark.parametrize("rule", ["usual", "session4"])
def test_a_rule_needs_its_corpus(rule: str) -> None:
    with pytest.raises(InputError, match=f"dev '{rule}'.*2 conversations, first 'talk1'"):
        hold_out(["talk1", "talk2"], rule)  # type: ignore[arg-type]


def test_nothing_left() -> None:
    with pytest.raises(InputError, match="train would be empty"):
        hold_out(["Ses04F_impro01"], "session4")
    with pytest.raises(InputError, match="no conversations"):
        hold_out([], "usual")
    with pytest.raises(InputError, match="at least two"):
        hold_out(["a"], "share")
    with pytest.raises(InputError, match="not between 0 and 1"):
        hold_out(["a", "b"], "share", share=1.0)


@settings(max_examples=40, deadline=None)
@given(
    ids=st.lists(st.text("abc0123", min_size=1, max_size=5), min_size=2, max_size=30, unique=True),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
)
def test_a_share_is_seeded_whole_and_independent_of_order(ids: list[str], share: float, seed: int) -> None:
    train, dev = hold_out(ids, "share", share=share, seed=seed)
    assert train
    assert dev
    assert sorted(train + dev) == sorted(ids)
    assert abs(len(dev) - share * len(ids)) <= 1
    again = hold_out(ids[::-1], "share", share=share, seed=seed)
    assert set(again[1]) == set(dev)


def test_another_seed_draws_others() -> None:
    ids = [str(n) for n in range(100)]
    assert hold_out(ids, "share", seed=1) != hold_out(ids, "share", seed=2)
