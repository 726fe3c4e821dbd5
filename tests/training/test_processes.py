"""What is told where torchrun has started several processes, without starting them."""

from __future__ import annotations

import pytest

from sdt.__main__ import main
from sdt.errors import InputError, ReportedElsewhereError
from sdt.training import distributed
from sdt.training.processes import SINGLE_PROCESS, LostProcessError, process_count


@pytest.fixture(params=[0, 1])
def rank(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """This process is one of two."""
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("WORLD_SIZE", "2"), ("RANK", str(request.param))):
        monkeypatch.setenv(name, value)
    return int(request.param)


def code_of(arguments: list[str]) -> object:
    try:
        return main(arguments)
    except SystemExit as ended:
        return ended.code


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["corpus", "show", "mine"], "start it without torchrun"),
        (["experiment", "x.yaml"], "start it without torchrun"),
        (["train", "x.yaml", "--training.epoch", "3"], "did you mean '--training.epochs'?"),
        (["train", "x.yaml", "--log", "nothing"], "invalid choice"),
    ],
)
def test_what_all_of_them_would_say_the_first_says(
    rank: int, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert (expected in said.err) if rank == 0 else said.err == ""


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_that_is_none(rank: int, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(distributed.TIMEOUT, text)
    expected = (InputError, "is not a number of seconds") if rank == 0 else (SystemExit, "2")
    with pytest.raises(expected[0], match=expected[1]), distributed.join_processes():
        pass


@pytest.mark.parametrize(
    "text",
    [
        "[/a/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:4490. This is typically caused by",
        "Application timeout caused pair closure",
    ],
)
def test_what_gloo_throws_in_a_step_is_the_loss_of_a_process(text: str) -> None:
    processes = distributed.DistributedProcesses.__new__(distributed.DistributedProcesses)  # without connections
    expected = r"cannot be reached \((Connection closed|Application)"
    with pytest.raises(LostProcessError, match=expected) as caught, processes.detecting_lost():
        raise RuntimeError(text)
    assert caught.value.reports_error
    assert "typically" not in str(caught.value)
    with pytest.raises(RuntimeError, match="shapes") as error, processes.detecting_lost():
        raise RuntimeError("shapes do not fit")
    assert not isinstance(error.value, LostProcessError)


def test_what_another_process_tells_is_not_told_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(arguments: list[str]) -> int:
        raise ReportedElsewhereError("process 0 tells why")

    monkeypatch.setattr("sdt.cli.run", fails)
    assert main(["train"]) == 2
    assert capsys.readouterr().err == ""


def test_without_torchrun_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")  # of something else
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert process_count() == SINGLE_PROCESS.size == 1
    assert SINGLE_PROCESS.first
    with pytest.raises(InputError, match="no"):
        SINGLE_PROCESS.raise_once(InputError("no"))
