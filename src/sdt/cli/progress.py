"""Progress bars on standard error, which several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """One bar; see `bars`.

    Args:
        what: What is counted, in the plural.
        total: How many there are.

    Returns:
        A function that is told how many more are done.
    """
    with bars({what: total}) as advance:
        yield lambda done: advance(what, done)


@contextmanager
def bars(totals: Mapping[str, int]) -> Iterator[Callable[[str, int], object]]:
    """Show how much is done, how fast it goes and how long it will take; only where someone watches, gone at the end.

    Args:
        totals: What is counted, in the plural, to how many there are; a bar each.

    Returns:
        A function that is told of what how many more are done.
    """
    with standard() as shown:
        tasks = {what: shown.add_task(what, total=total) for what, total in totals.items()}
        yield lambda what, done: shown.advance(tasks[what], done)


def standard() -> Progress:
    """Bars that show how much is done, how fast it goes and how long it will take, where someone watches."""
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
