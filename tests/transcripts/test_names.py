from __future__ import annotations

import pytest

from sdt.transcripts.names import believed_names, split_name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Joey: Hey!", "Joey"),
        ("Monica Geller: Hi", "Monica Geller"),
        ("Dr. O'Neil-Smith: So?", "Dr. O'Neil-Smith"),
        ("Man #2: Who?", "Man #2"),
        ("SPEAKER_01: Well", "SPEAKER_01"),
        ("2: Two", "2"),
        ("Ann & Bob: We do!", "Ann & Bob"),
        ("Ross (laughing): No", "Ross (laughing)"),
        ("Joey:", "Joey"),
        ("Joey :hey", "Joey"),
        ("Joey:hey", "Joey"),
        ("Zoë: Ça va", "Zoë"),
        ("नीना: नमस्ते", "नीना"),
        ("王小明：你好", "王小明"),
        ("Joey:  10:30: fine", "Joey"),
    ],
)
def test_shape_of_a_name(line: str, name: str) -> None:
    assert split_name(line)[0] == name


@pytest.mark.parametrize(
    "line",
    [
        "10:30",
        "It's 10:30 already",
        "http://example.org: a page",
        "see https://example.org",
        "He said: no",
        "And then she asked me: why?",
        "Note: the door is open",
        "P.S.: I love you",
        "There are five words here: no",
        "A name that is much too long for one: no",
        "Well, Joey: no",
        "Stop! Joey: no",
        ": no",
        "- Joey: no",
        "[Joey]: no",
        "ratio 3:2",
        r"C:\folder",
        "",
    ],
)
def test_shape_of_no_name(line: str) -> None:
    assert split_name(line) == (None, line)


def test_words_are_what_follows() -> None:
    assert split_name("Monica   Geller:  It's 10:30: go! ") == ("Monica Geller", "It's 10:30: go!")


def test_only_believed_names_are_split() -> None:
    assert split_name("Joey: Hey", {"Ross"}) == (None, "Joey: Hey")
    assert split_name("Ross: Hey", {"Ross"}) == ("Ross", "Hey")


def test_all_lines_with_a_name_are_believed() -> None:
    assert believed_names(["joey: hey", "the other one: hi"]) == {"joey", "the other one"}


def test_recurring_names_bring_the_capitalised_ones() -> None:
    lines = ["Scene 1", "joey: hey", "Ross Geller: hi", "joey: how are you", "one thing: no", "fine", "really"]
    assert believed_names(lines) == {"joey", "Ross Geller"}


def test_half_capitalised_names_are_believed() -> None:
    assert believed_names(["Ludwig van Beethoven: hm", "so", "Ann: ah", "yes"]) == {"Ludwig van Beethoven", "Ann"}


def test_prose_has_no_speakers() -> None:
    lines = ["We met at noon.", "One word: no.", "Attention: this is new.", "It was late.", "Go on."]
    assert believed_names(lines) == frozenset()
    assert believed_names(["He said: no", "He said: yes"]) == frozenset()


def test_capitals_are_believed_where_asked_for() -> None:
    lines = ["MONICA: Hi", "oh", "well", "A: no", "Attention: what", "no", "yes"]
    assert believed_names(lines) == frozenset()
    assert believed_names(lines, capitals=True) == {"MONICA"}
