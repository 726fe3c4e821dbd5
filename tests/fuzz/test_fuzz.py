"""A short run of the fuzzer; `python -m tests.fuzz --help` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.language import most_likely_language
from tests.fuzz import __main__ as command
from tests.fuzz import attempt as fuzz
from tests.fuzz import pickles

INPUTS = 40


@pytest.fixture(autouse=True, scope="module")
def watched() -> None:
    most_likely_language(
        "Bonjour, comment allez-vous ?"
    )  # its model is unpacked to a temporary file once, which is no fault
    fuzz.install()


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_every_input_gives_a_result_or_an_input_error(kind: str) -> None:
    outcomes = {number: fuzz.attempt(kind, fuzz.make(kind, "ci", number)) for number in range(INPUTS)}
    assert {number: outcome for number, outcome in outcomes.items() if outcome[0] not in ("result", "refused")} == {}
    assert {outcome for outcome, _ in outcomes.values()} == {"result", "refused"}


def test_inputs_follow_from_the_seed() -> None:
    assert fuzz.make("table", "1", 5) == fuzz.make("table", "1", 5)
    assert fuzz.make("table", "1", 5) != fuzz.make("table", "2", 5)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("raise InputError('a\\nb')", "message of several lines"),
        ("raise InputError('a' * 2000)", "message too long"),
        ("{}[1]", "KeyError"),
        ("while True: pass", "hang"),
        ("open('/etc/passwd').close()", "forbidden: open /etc/passwd"),
        ("import os; os.system('true')", "forbidden: os.system"),
    ],
)
def test_what_no_reader_may_do_is_found(monkeypatch: pytest.MonkeyPatch, code: str, outcome: str) -> None:
    monkeypatch.setattr(fuzz, "SECONDS", 0.1)
    monkeypatch.setattr(pickles, "check", lambda _folder: exec(code, {"InputError": InputError}))
    assert fuzz.attempt("pickle", {"f.pkl": b""})[0].startswith(outcome)


class Failing:
    """A worker that finds fault with every third input."""

    def attempt(self, seed: str, kind: str, number: int, *, smaller: bool = False) -> tuple[str, str, object]:
        return ("result", "", None) if number % 3 else (f"KeyError {seed}", kind, {"f.pkl": b"x"} if smaller else None)

    def stop(self) -> None:
        pass


def test_the_command_counts_outcomes_and_saves_what_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "Worker", Failing)
    arguments = ["--minutes", "0.0005", "--kind", "pickle", "--seed", "7", "--first", "3", "--output", str(tmp_path)]
    assert command.main(arguments) == 1
    assert (tmp_path / "pickle-7-3" / "input" / "f.pkl").read_bytes() == b"x"
    assert "x pickle: KeyError 7" in capsys.readouterr().out
