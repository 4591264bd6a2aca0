"""A person sits down to label: who they are, where they are asked, and what is told in the end."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from gitloop.cli.options import Console, style
from gitloop.cli.terminal import session_lines, tell
from gitloop.errors import ConfigError

if TYPE_CHECKING:
    from gitloop.core.label import Session
    from gitloop.steps.label import LabelReport

_OPTIONS = (
    click.option(
        "--as",
        "annotator",
        metavar="NAME",
        help='Who you are, or "Name <address>"; default: the Git user.',
    ),
    click.option(
        "--terminal", is_flag=True, help="Ask here in the terminal: over SSH, for instance."
    ),
    click.option("--port", type=click.IntRange(1, 65535), help="Serve the page on this port."),
    click.option("--no-browser", is_flag=True, help="Print the link; open no browser."),
    click.option("--no-commit", is_flag=True, help="Leave the labels uncommitted."),
)


@dataclass(frozen=True, slots=True)
class Sitting:
    """Who labels, and where they are asked.

    Attributes:
        annotator: Their name, or "Name <address>", or None for the Git user's.
        in_terminal: Whether they are asked here, and not on a page.
        port: The page's port; 0 for any that is free.
        opens: Whether a browser is opened.
        is_committed: Whether the labels are committed when the session ends.
    """

    annotator: str | None
    in_terminal: bool
    port: int
    opens: bool
    is_committed: bool


def asks_people(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with the options of every verb that asks people, as one argument `sitting`."""

    @functools.wraps(command)
    def seated(
        *args: object,
        annotator: str | None,
        terminal: bool,
        port: int | None,
        no_browser: bool,
        no_commit: bool,
        **own: object,
    ) -> Any:  # noqa: ANN401 -- what the command returns
        given = Sitting(annotator, terminal, port or 0, not no_browser, not no_commit)
        return command(*args, sitting=given, **own)

    for option in reversed(_OPTIONS):
        seated = option(seated)
    return seated


def sit(
    console: Console,
    given: Sitting,
    command: str,
    *,
    in_terminal: Callable[[], LabelReport],
    on_page: Callable[[], Callable[[Announcer], LabelReport]],
    when_done: Callable[[LabelReport], str],
) -> None:
    """Ask in the terminal or on the page, and print what came of it.

    Args:
        console: Where to tell it.
        given: Who labels, and where.
        command: What they typed.
        in_terminal: Asks here.
        on_page: Loads what serves the page; that takes links to tell.
        when_done: What is said where nothing is left.

    Raises:
        ConfigError: The extra that the page needs is not installed.
    """
    if given.in_terminal:
        report = in_terminal()
    else:
        try:
            serve = on_page()
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"the page needs the extra [label]: {error.name} is not installed",
                hint=f"run: pip install 'gitloop[label]', or: {command} --terminal",
            ) from error
        report = serve(Announcer(console, opens=given.opens))
    console.show(asdict(report), lambda: session_lines(report, when_done=when_done(report)))


class Announcer:
    """Tells links, the first one to the browser as well.

    Args:
        console: Where to tell them.
        opens: Whether a browser is opened.
    """

    def __init__(self, console: Console, *, opens: bool) -> None:
        self._console = console
        self._opens = opens and _has_screen()
        self._told = 0

    def __call__(self, link: str, session: Session, n_open: int) -> None:
        """Tell the link."""
        self._told += 1
        if self._told > 1:
            tell(self._console, style(f"  for another browser: {link}", dim=True))
            return
        role = ", senior" if session.role == "senior" else ""
        tell(self._console, style(f"{session.annotator}{role}: {n_open} questions open", bold=True))
        tell(self._console, f"  {link}")
        tell(self._console, "  The link works once. Finish on the page, or press Ctrl-C here.")
        if self._opens:
            click.launch(link)


def _has_screen() -> bool:
    """Whether a browser that is opened here would be seen, and would not take over a terminal."""
    if sys.platform.startswith(("win", "darwin")):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
