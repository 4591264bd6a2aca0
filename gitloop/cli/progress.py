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
        TimeRemainingColumn(),
        console=Console(stderr=True, no_color=is_plain),
        transient=True,
    )


def advance(what: str, done: int, total: int, *, is_plain: bool) -> None:
    """Move the bar of `what` to `done` of `total`; the bar goes away when all are done."""
    bar = _bar(is_plain=is_plain)
    task = next((task.id for task in bar.tasks if task.description == what), None)
    if task is None:
        bar.start()
        task = bar.add_task(what, total=total)
    bar.update(task, completed=done, total=total)
    if all(task.finished for task in bar.tasks):
        bar.stop()
