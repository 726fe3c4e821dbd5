"""Progress bars on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def bar(unit: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show one bar; see `bars`.

    Args:
        unit: What is counted, in the plural.
        total: Their number.

    Returns:
        A function to call with the number of further finished units.
    """
    with bars({unit: total}) as advance:
        yield lambda done: advance(unit, done)


@contextmanager
def bars(totals: Mapping[str, int]) -> Iterator[Callable[[str, int], object]]:
    """Show a bar for each unit until the end of the block; see `progress_bars`.

    Args:
        totals: What is counted, in the plural, to their number.

    Returns:
        A function to call with a unit and the number of further finished ones.
    """
    with progress_bars() as shown:
        tasks = {unit: shown.add_task(unit, total=total) for unit, total in totals.items()}
        yield lambda unit, done: shown.advance(tasks[unit], done)


def progress_bars() -> Progress:
    """Temporary bars with done and total units, rate and remaining time, if standard error is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeRemainingColumn as Left
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.speed or task.finished_speed or 0.0
            return Text(f"{speed:,.{0 if speed >= 10 else 1}f}/s" if speed else "")

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), Left())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
