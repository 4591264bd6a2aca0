"""The `gitloop` command: which verbs there are, and how an exception becomes an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

import click

from gitloop import __version__
from gitloop.cli.options import Console, Verbs
from gitloop.errors import ExitCode, GitloopError


@click.group(
    cls=Verbs,
    name="gitloop",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(__version__, "-V", "--version", message="gitloop %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """The LLM-evaluation feedback loop that lives in your Git repository.

    capture → join → cluster → label → calibrate → promote → gate → optimize
    """
    ctx.ensure_object(Console)


def run(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(int(invoke(sys.argv[1:] if args is None else args)))


def invoke(args: Sequence[str]) -> int:  # noqa: PLR0911 -- one return per kind of failure
    """The exit code of the command line `args`; every failure is told on stderr, none escapes."""
    try:
        code = main.main(list(args), prog_name="gitloop", standalone_mode=False)
    except GitloopError as error:
        return _tell(error.message, error.hint, error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return ExitCode.CONFIG
    except click.ClickException as error:
        usage = isinstance(error, click.UsageError) and error.ctx is not None
        hint = f"run: {error.ctx.command_path} --help" if usage and error.ctx else ""  # type: ignore[attr-defined]
        return _tell(error.format_message(), hint, ExitCode.CONFIG)
    except (click.Abort, KeyboardInterrupt):
        return _tell("interrupted", "what was written is whole; run the command again", 130)
    except BrokenPipeError:
        # Whoever read our output has left; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception:  # noqa: BLE001 -- the last line of defence: a bug is told as one
        return _bug()
    return int(code or 0)


def _tell(message: str, hint: str, code: int) -> int:
    click.echo(f"gitloop: {message}", err=True)
    if hint:
        click.echo(f"  → {hint}", err=True)
    return code


def _bug() -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="gitloop-bug-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(f"gitloop {__version__}, Python {sys.version}\n{traceback.format_exc()}")
    last = traceback.format_exc().strip().splitlines()[-1]
    return _tell(f"a bug: {last}", f"please report it with {log.name}", ExitCode.INTERNAL)
