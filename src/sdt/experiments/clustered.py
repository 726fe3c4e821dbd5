"""Runs of an experiment on a cluster: each in its own process, in a shared folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sdt.cluster.work import Channel, Cluster, LostUnitsError, WorkUnit
from sdt.experiments.plan import Job
from sdt.experiments.workers import PATIENCE, Failure, RunListener, job_values

Event = Mapping[str, Any]


def make_runs_on(cluster: Cluster, jobs: Sequence[Job], watcher: RunListener, log: Sequence[str] = ()) -> list[Failure]:
    """Make runs, some at once. One that fails does not stop the others; one whose machine is lost goes on elsewhere.

    Args:
        cluster: Connected; a worker has as many threads as a run.
        jobs: In the order in which they begin. A run that is finished already is left as it is.
        watcher: Who is told.
        log: Trackers of each run, see `sdt.training.trackers`.

    Raises:
        InputError: A machine of the cluster cannot do it.
        KeyboardInterrupt: Ctrl-C. The runs have stopped then, and every one can go on from its checkpoint.
    """
    following = _Following({job.name: job for job in jobs}, watcher)
    channel = cluster.channel()
    units = (WorkUnit(job.name, (job.name, job_values(job, log))) for job in jobs)
    try:
        for unit, event in cluster.run(
            make_maker,
            (channel,),
            units,
            between=lambda: following.hear(channel.receive()),
            fresh=True,
            patience=PATIENCE,
        ):
            following.hear(channel.receive())
            following.end(unit.name, event)
    except LostUnitsError as error:
        for unit, how in error.lost:
            following.end(unit.name, {"kind": "failed", "error": f"given up after several tries: {how}"})
    return following.failures


def make_maker(channel: Channel) -> Callable[[tuple[str, Event]], Event]:
    """In a worker: returns what makes a run, and then says how it ended."""
    from sdt.experiments.worker import Reporter, make

    def run(given: tuple[str, Event]) -> Event:
        name, job = given
        channel.send((name, {"kind": "begun"}))
        return make(job, Reporter(lambda event: channel.send((name, event))))

    return run


class _Following:
    """Tells a watcher of what it hears of runs."""

    def __init__(self, jobs: Mapping[str, Job], watcher: RunListener) -> None:
        self._jobs, self._watcher = jobs, watcher
        self._going: set[str] = set()
        self.failures: list[Failure] = []

    def hear(self, said: Sequence[tuple[str, Event]]) -> None:
        """What workers have said."""
        for name, event in said:
            if event["kind"] == "begun":
                self._begin(name)
            elif name in self._going:
                self._watcher.event(self._jobs[name], event)

    def end(self, name: str, event: Event) -> None:
        """A run has ended."""
        self._begin(name)  # if its worker could not say so
        job = self._jobs[name]
        failure = Failure(job, event["error"], event.get("traceback", "")) if event["kind"] == "failed" else None
        if failure:
            self.failures.append(failure)
        self._going.discard(name)
        self._watcher.ended(job, failure)

    def _begin(self, name: str) -> None:
        if name not in self._going:  # one that was begun again elsewhere is on the board already
            self._going.add(name)
            self._watcher.started(self._jobs[name])
