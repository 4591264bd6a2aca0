"""The `gitloop` command: which verbs there are, and how an exception becomes an exit code."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from importlib import import_module

import click

from gitloop import __version__
from gitloop.cli.options import Console, Verbs
from gitloop.errors import ExitCode, GitloopError

VERBS = {
    "init": "Turn this Git repository into a gitloop repository.",
    "demo": "Walk the whole loop in a new repository, in under a minute.",
    "status": "Say in one screen where the loop stands, and what to run next.",
    "capture": "Bring traces and feedback in: record, import, serve, seal, derive.",
    "join": "Join every feedback event with its trace and its context.",
    "cluster": "Group the failures into named clusters; one-offs stay in a noise bucket.",
    "triage": "Write a brief per failure cluster: what it is, why, and what to do about it.",
    "label": "Say pass or fail on cases; every answer is saved at once in labels/.",
    "labels": "Bring labels in from files of other tools, and take them out.",
    "agree": "Show how far annotators agree per rubric, beyond chance, and on what they do not.",
    "rubric": "Look at the rubrics: what is scored, and how.",
    "judge": ("Look at the judges: what each needs, and what it returns; teach those that learn."),
    "calibrate": "Find the score from which each judge's verdict agrees best with people.",
    "promote": "Turn agreed cases of failure clusters into golden rows, as a commit on a branch.",
    "golden": "Look at golden sets, correct them, and bring sets in and out.",
    "diff": "Show what changed in the golden sets: rows, labels, cells, schema.",
    "log": "Show the versions of a golden set, the newest first.",
    "blame": "Show which version last changed each row of a golden set, and who labelled it.",
    "why": "Show why a golden row is there: feedback, trace, cluster, labels, records, gate runs.",
    "calls": "Look into the call store: every answer that was paid for.",
    "score": "Run the application on every golden row, and judge what it says.",
    "baseline": "Pin the main line's recent runs: what every gate compares with from now on.",
    "gate": "Decide whether this commit may pass, and say why.",
    "import-fi": "Turn a fi-evaluation.yaml into a gate policy for params.yaml.",
    "optimize": (
        "Search for a better prompt, or thresholds; propose them, or say that none was found."
    ),
    "prompt": "Look at the prompt: as the application is sent it, and what a change changes.",
    "pairs": "Preference pairs for DPO and reward models, from what the loop knows.",
    "verify": "Prove that golden sets, records, cache and gate result of a commit agree.",
    "git": "Let git diff, log, show, blame and merge speak rows, in this clone.",
    "sync": "Merge the base branch into yours here, row by row: forges run no merge drivers.",
    "conflicts": "Show the golden rows that stand in the way of the merge in progress.",
    "resolve": "Decide a golden row that is in conflict.",
}
"""Verb → the first sentence of its help, in the order of the loop.

`gitloop.cli.<verb>` is imported when the verb is run: thirty modules would double the time that
`gitloop --help` takes.
"""


class _Index(Verbs):
    """The group of all verbs: it knows them by name, and imports the one that is asked for."""

    def list_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 -- click's signature
    ) -> list[str]:
        """The verbs in the order of the loop."""
        return list(VERBS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 -- click's signature
        name: str,
    ) -> click.Command | None:
        """The verb, imported now, or None where there is no such verb."""
        if name not in VERBS:
            return None
        word = name.replace("-", "_")
        command: click.Command = getattr(import_module(f"gitloop.cli.{word}"), word)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 -- click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write each verb with the first sentence of its help."""
        width = formatter.width - 6 - max(map(len, VERBS))
        rows = [
            (name, textwrap.shorten(text, width, placeholder=" …")) for name, text in VERBS.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=_Index,
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
    # Imported here because they cost every command 10 ms and serve none that works.
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="gitloop-bug-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        log.write(f"gitloop {__version__}, Python {sys.version}\n{traceback.format_exc()}")
    last = traceback.format_exc().strip().splitlines()[-1]
    return _tell(f"a bug: {last}", f"please report it with {log.name}", ExitCode.INTERNAL)
