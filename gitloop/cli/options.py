"""The options that every command has, and what a command needs to print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click


@dataclass(slots=True)
class Console:
    """Where a command runs and how it speaks. Filled by the shared options, read by commands.

    Attributes:
        directory: Where to run, from -C.
        form: "text", "json", or another form that the command offers, from --format.
        is_quiet: Whether only results and errors are printed.
        is_plain: Whether colour is off.
    """

    directory: Path = field(default_factory=Path)
    form: str = "text"
    is_quiet: bool = False
    is_plain: bool = False

    def say(self, line: str = "") -> None:
        """Print a line for people; --quiet and --format json silence it."""
        if not self.is_quiet and self.form == "text":
            self.result(line)

    def result(self, text: str) -> None:
        """Print what was asked for, quiet or not."""
        click.echo(text, color=False if self.is_plain else None)

    def show(self, value: Mapping[str, Any], lines: Callable[[], list[str]]) -> None:
        """Print a report: `value` as JSON, or the lines that `lines()` makes of it."""
        if self.form == "json":
            self.result(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))
        else:
            for line in lines():
                self.say(line)

    def progress(self, what: str, done: int, total: int, usd: float = 0.0, /) -> None:
        """Show how far a step has come: a bar on stderr, and only on a terminal."""
        if self.is_quiet or not sys.stderr.isatty():
            return
        from gitloop.cli.progress import advance

        advance(what, (done, total), usd, is_plain=self.is_plain)


def style(text: str, **look: Any) -> str:  # noqa: ANN401 -- click's own parameters
    """The text in colour; `Console.result` takes the colour out again where it is not wanted."""
    return click.style(text, **look)


class _Shared(click.Command):
    """A command or group that takes the shared options and keeps them in the context's Console."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 -- click's own
        forms: Sequence[str] = ("text", "json"),
        **kwargs: Any,  # noqa: ANN401 -- click's own
    ) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_shared_options(forms))


class Verb(_Shared):
    """A command with the shared options."""


class Verbs(_Shared, click.Group):
    """A group of commands with the shared options."""

    command_class = Verb
    group_class = type

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """The commands in the order of the loop, as they were added."""
        return list(self.commands)


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401
        console = ctx.ensure_object(Console)
        if value is not None and value is not False:
            setattr(console, name, value)

    return callback


def _shared_options(forms: Sequence[str]) -> list[click.Option]:
    return [
        click.Option(
            ["-C", "start"],
            type=click.Path(file_okay=False, exists=True, path_type=Path),
            metavar="DIR",
            help="Run as if started in DIR.",
            expose_value=False,
            callback=_set("directory"),
        ),
        click.Option(
            ["--format", "form"],
            type=click.Choice(list(forms)),
            help="How to print results.",
            expose_value=False,
            callback=_set("form"),
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            help="Print results and errors only.",
            expose_value=False,
            callback=_set("is_quiet"),
        ),
        click.Option(
            ["--no-color"],
            is_flag=True,
            help="No colour.",
            expose_value=False,
            callback=_set("is_plain"),
        ),
    ]


pass_console = click.pass_obj
