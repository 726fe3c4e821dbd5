from __future__ import annotations

import pytest

from sdt.formats.parsing.names import detect_names, split_name


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
        ("[SPEAKER_00]: Well", "SPEAKER_00"),
        ("(BEN): Well", "BEN"),
        ("**Ann:** Well", "Ann"),
        ("**Ann Lee**: Well", "Ann Lee"),
        ("<Ann>: Well", "Ann"),
        ("<ann> well", "ann"),
        ("BEN (ON PHONE): Well", "BEN (ON PHONE)"),
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
        "[Joey] no",
        "(laughs) no",
        "Remember: be kind",
        "1. Eggs: two",
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
    assert detect_names(["joey: hey", "the other one: hi"]) == {"joey", "the other one"}


def test_recurring_names_bring_the_capitalised_ones() -> None:
    lines = ["Scene 1", "joey: hey", "Ross Geller: hi", "joey: how are you", "one thing: no", "fine", "really"]
    assert detect_names(lines) == {"joey", "Ross Geller"}


def test_half_capitalised_names_are_believed() -> None:
    assert detect_names(["Ludwig van Beethoven: hm", "so", "Ann: ah", "yes"]) == {"Ludwig van Beethoven", "Ann"}


def test_prose_has_no_speakers() -> None:
    lines = ["We met at noon.", "One word: no.", "Attention: this is new.", "It was late.", "Go on."]
    assert detect_names(lines) == frozenset()
    assert detect_names(["He said: no", "He said: yes"]) == frozenset()


def test_capitals_are_believed_where_asked_for() -> None:
    lines = ["MONICA: Hi", "oh", "well", "A: no", "Attention: what", "no", "yes"]
    assert detect_names(lines) == frozenset()
    assert detect_names(lines, capitals=True) == {"MONICA"}


def rows(*lines: str) -> list[str | None]:
    """Whom a file of these lines names, line by line."""
    names = detect_names(lines)
    return [split_name(line, names)[0] for line in lines]


@pytest.mark.parametrize(
    "name",
    [
        "Anna Maria de la Cruz", "Lee, Ann", "Lee, Ann (Acme)", "Ann Lee | Acme", "+49 170 1234567", "+49170123****",
        "Dr. Ann Lee, MD", "Ann Lee [Host]", "Lee Ann Maria Josephine Elisabeth",
    ],
)  # fmt: skip
def test_unusual_names_that_recur(name: str) -> None:
    assert rows(f"{name}: Hi", "Ben: Ho", f"{name}: No", "Ben: Yes") == [name, "Ben", name, "Ben"]
    assert rows(f"{name}: Hi", "so", "it goes", "on", "and on", "until here") == [None] * 6


@pytest.mark.parametrize("shape", ["[{}] {}", "({}) {}", "**{}** {}", "[{}]: {}", "<{}> {}", "**{}:** {}"])
def test_names_in_brackets(shape: str) -> None:
    lines = [shape.format(*said) for said in (("ANN", "Hi"), ("Ben", "Ho"), ("ANN", "[laughs] No"))]
    assert rows(*lines) == ["ANN", "Ben", "ANN"]
    assert split_name(lines[2], {"ANN"})[1] == "[laughs] No"


def test_a_remark_after_a_name_is_left_out_where_the_name_occurs_without() -> None:
    assert rows("BEN: Hi", "ANN: Ho", "BEN (ON PHONE): No", "ANN [crying, loudly]: Oh") == ["BEN", "ANN", "BEN", "ANN"]
    assert rows("Ann (Host): Hi", "Ann (Guest): Ho", "Ann (Host): No") == ["Ann (Host)", "Ann (Guest)", "Ann (Host)"]


@pytest.mark.parametrize(
    "lines",
    [
        ["Remember: be kind.", "It was late.", "Remember: be quick.", "Go on."],
        ["There is one rule: win.", "It was late.", "There is one rule: win.", "Go on.", "So."],
        ["[Music] la", "[Music] lo", "[Applause] so"],
        ["[laughs] Hi", "[laughs] Ho", "No"],
        ["Look: a bird.", "Look: a cat.", "It was late.", "Go on."],
        ["The end: no.", "We went.", "The end: yes.", "We ran.", "We sat.", "We slept.", "We ate."],
        ["At 10:30 we left: fine.", "At 10:30 we ate: fine.", "See http://example.org: good."],
    ],
)
def test_words_with_colons_and_brackets_are_words(lines: list[str]) -> None:
    assert rows(*lines) == [None] * len(lines)
