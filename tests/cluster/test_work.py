"""Units on a cluster: each is done once, whoever dies."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdt.cluster import work
from sdt.cluster.connection import connect_cluster
from sdt.cluster.work import Cluster, LostUnitsError, WorkUnit
from sdt.errors import InputError, MissingDependencyError
from tests.cluster.units import ALWAYS, ASKED, VICTIM, killing, make_square, make_surroundings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]


@pytest.fixture(scope="module")
def cluster(head: str) -> Iterator[Cluster]:
    with connect_cluster(head) as connection:
        yield connection


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def units(*numbers: int) -> Iterator[WorkUnit[int]]:
    return (WorkUnit(f"unit {number}", number) for number in numbers)


def test_every_unit_is_done_once_by_workers_that_stay(cluster: Cluster) -> None:
    done = [(unit.content, *result) for unit, result in cluster.run(make_square, (1,), units(*range(30)))]
    assert sorted(number for number, _, _ in done) == list(range(30))
    assert all(square == number * number + 1 for number, square, _ in done)
    assert 1 <= len({process for _, _, process in done}) <= 3


def test_units_are_taken_as_they_are_needed(cluster: Cluster) -> None:
    taken: list[int] = []

    def without_end() -> Iterator[WorkUnit[int]]:
        for number in itertools.count():
            taken.append(number)
            yield WorkUnit(str(number), number)

    results = cluster.run(make_square, (0,), without_end())
    for _ in range(5):
        next(results)
    results.close()
    assert len(taken) <= 5 + 2 * 2 + 1


def test_a_worker_that_is_killed_loses_nothing_and_repeats_nothing(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    with killing("unit 3") as killed:
        done = list(cluster.run(make_square, (0,), units(*range(8))))
    assert len(killed) == 1
    assert sorted(unit.content for unit, _ in done) == list(range(8))
    assert killed[0] not in [process for _, (_, process) in done[-4:]]
    said = capsys.readouterr()
    assert said.err == "sdt: unit 3: its worker crashed, possibly because of low memory; restarted\n"
    assert said.out == ""


def test_a_unit_that_ends_every_worker_is_given_up_and_named(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    ALWAYS.write_text("unit 2")
    done: list[int] = []
    message = r"given up after 3 tries: unit 2: its worker crashed, "
    with pytest.raises(LostUnitsError, match=message):  # noqa: PT012 - all others are done before
        for unit, _ in cluster.run(make_square, (0,), units(*range(5))):
            done.append(unit.content)
    assert sorted(done) == [0, 1, 3, 4]
    assert ASKED.read_text().count("unit 2\n") == work.TRIES == 3
    assert capsys.readouterr().err.count("restarted") == work.TRIES - 1


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (101, InputError, "^the unit is no good; give another$"),
        (102, MissingDependencyError, "^install it$"),
        (103, ZeroDivisionError, "a bug"),
    ],
)
def test_errors_are_those_of_one_process(cluster: Cluster, number: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        list(cluster.run(make_square, (0,), units(1, number)))


def test_workers_are_in_the_folder_of_the_command_and_have_their_threads(cluster: Cluster, place: Path) -> None:
    [(_, found)] = cluster.run(make_surroundings, (), units(0))
    assert found == (str(place), 1, "1")


def test_a_folder_that_is_not_shared_is_named(cluster: Cluster, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "cwd", lambda: place / "elsewhere")
    with pytest.raises(InputError, match=r"the folder .*elsewhere, .* cannot be used"):
        list(cluster.run(make_square, (0,), units(0)))


def test_other_versions_are_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "versions", lambda: {"torch": "1.0"})
    with pytest.raises(InputError, match=r"has torch .*, and the command runs with 1\.0; install the same versions"):
        list(cluster.run(make_square, (0,), units(0)))


def test_what_is_broken_off_stops(cluster: Cluster) -> None:
    VICTIM.write_text("unit 1")  # waits for a minute, and nobody kills it
    results = cluster.run(make_square, (0,), units(0, 1), patience=0.5)
    next(results)
    while not VICTIM.read_text().isdecimal():
        time.sleep(0.02)
    process = int(VICTIM.read_text())
    began = time.monotonic()
    results.close()
    while time.monotonic() < began + 40 and _works(process):
        time.sleep(0.05)
    assert time.monotonic() < began + 40


def _works(process: int) -> bool:
    try:
        return b"ray::serve" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def test_no_room_for_a_worker(head: str, cluster: Cluster) -> None:
    few = Cluster(cluster._ray, head, workers=None, threads=3, gpus=0)
    with pytest.raises(InputError, match=r"no machine has the 3 processor cores"):
        few.check_resources()
    with pytest.raises(InputError, match=r"1 processor cores and 0\.5 GPUs"):
        Cluster(cluster._ray, head, workers=None, threads=1, gpus=0.5).check_resources()
