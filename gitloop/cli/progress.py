"""A progress bar on stderr, drawn by rich."""

from __future__ import annotations

from functools import cache

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@cache
def _bar(*, is_plain: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *columns,
        TextColumn("{task.fields[cost]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True, no_color=is_plain),
        transient=True,
    )


def advance(what: str, done: tuple[int, int], usd: float, *, is_plain: bool) -> None:
    """Move the bar of `what`; the bar goes away when all are done.

    Args:
        what: What is being done.
        done: How many of how many.
        usd: US dollars that the run has spent so far; 0 is not shown.
        is_plain: Whether colour is off.
    """
    bar = _bar(is_plain=is_plain)
    cost = f"${usd:,.4f}" if usd else ""
    task = next((task.id for task in bar.tasks if task.description == what), None)
    if task is None:
        bar.start()
        task = bar.add_task(what, total=done[1], cost=cost)
    bar.update(task, completed=done[0], total=done[1], cost=cost)
    if all(task.finished for task in bar.tasks):
        bar.stop()
