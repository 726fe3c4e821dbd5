"""Record of failed runs of an experiment, in `failures.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdt.errors import InputError
from sdt.experiments.plan import Job
from sdt.experiments.workers import Failure, RunListener
from sdt.files import write_text

FILE = "failures.json"


def read_failures(folder: Path) -> dict[str, str]:
    """Read the failed runs: `ROW/seed-N` to the error in one line.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(failure["error"]) for name, failure in values.items()}
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged ({error}); remove the file, which only records the errors of runs") from None


class FailureRecorder:
    """A listener that records failures, and removes them when a run starts again.

    Args:
        watcher: Another listener to which events are forwarded.
        folder: The experiment's folder.
    """

    def __init__(self, watcher: RunListener, folder: Path) -> None:
        self._watcher, self._folder = watcher, folder

    def started(self, job: Job) -> None:
        """See `RunListener`."""
        self._record(job, None)
        self._watcher.started(job)

    def event(self, job: Job, event: Mapping[str, Any]) -> None:
        """See `RunListener`."""
        self._watcher.event(job, event)

    def ended(self, job: Job, failure: Failure | None) -> None:
        """See `RunListener`."""
        self._record(job, failure)
        self._watcher.ended(job, failure)

    def _record(self, job: Job, failure: Failure | None) -> None:
        before = read_failures(self._folder)
        errors = {name: error for name, error in before.items() if name != job.name}
        if failure:
            errors[job.name] = failure.error
        if errors != before:
            values = {name: {"error": error} for name, error in sorted(errors.items())}
            write_text(self._folder / FILE, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
