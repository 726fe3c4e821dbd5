"""Training of the runs of an experiment on a cluster, each in a separate process, in a shared folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sdt.cluster.work import Channel, Cluster, LostUnitsError, WorkUnit
from sdt.experiments.plan import Job
from sdt.experiments.workers import PATIENCE, Failure, RunListener, encode_job

Event = Mapping[str, Any]


def train_runs_on_cluster(
    cluster: Cluster, jobs: Sequence[Job], watcher: RunListener, log: Sequence[str] = ()
) -> list[Failure]:
    """Train runs, several at once. A failed run does not stop the others; runs of lost machines resume on others.

    Args:
        cluster: A connected cluster whose workers have the number of threads of a run.
        jobs: The runs in the order in which they start. Finished runs are not changed.
        watcher: Listener of the runs.
        log: Trackers of each run; see `sdt.training.trackers`.

    Returns:
        The failed runs.

    Raises:
        InputError: A machine of the cluster cannot run the jobs.
        KeyboardInterrupt: Ctrl-C; all runs are stopped and can resume from their checkpoints.
    """
    forwarder = _EventForwarder({job.name: job for job in jobs}, watcher)
    channel = cluster.channel()
    units = (WorkUnit(job.name, (job.name, encode_job(job, log))) for job in jobs)
    try:
        for unit, event in cluster.run(
            make_trainer,
            (channel,),
            units,
            between=lambda: forwarder.receive(channel.receive()),
            fresh=True,
            patience=PATIENCE,
        ):
            forwarder.receive(channel.receive())
            forwarder.end(unit.name, event)
    except LostUnitsError as error:
        for unit, how in error.lost:
            forwarder.end(unit.name, {"kind": "failed", "error": f"failed after several attempts: {how}"})
    return forwarder.failures


def make_trainer(channel: Channel) -> Callable[[tuple[str, Event]], Event]:
    """Create the function with which a worker trains a run; it returns the last event of the run."""
    from sdt.experiments.worker import EventDisplay, train_job

    def run(unit: tuple[str, Event]) -> Event:
        name, job = unit
        channel.send((name, {"kind": "begun"}))
        return train_job(job, EventDisplay(lambda event: channel.send((name, event))))

    return run


class _EventForwarder:
    """Forwards events of workers to a listener."""

    def __init__(self, jobs: Mapping[str, Job], watcher: RunListener) -> None:
        self._jobs, self._watcher = jobs, watcher
        self._active: set[str] = set()
        self.failures: list[Failure] = []

    def receive(self, events: Sequence[tuple[str, Event]]) -> None:
        """Handle events of workers."""
        for name, event in events:
            if event["kind"] == "begun":
                self._begin(name)
            elif name in self._active:
                self._watcher.event(self._jobs[name], event)

    def end(self, name: str, event: Event) -> None:
        """Handle the last event of a run."""
        self._begin(name)  # the first event of its worker may be missing
        job = self._jobs[name]
        failure = Failure(job, event["error"], event.get("traceback", "")) if event["kind"] == "failed" else None
        if failure:
            self.failures.append(failure)
        self._active.discard(name)
        self._watcher.ended(job, failure)

    def _begin(self, name: str) -> None:
        if name not in self._active:  # a run restarted on another machine is already active
            self._active.add(name)
            self._watcher.started(self._jobs[name])
