"""`gitloop git`: the drivers and hooks that Git calls."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verbs, pass_console, style
from gitloop.errors import ExitCode

if TYPE_CHECKING:
    from gitloop.steps.git.drivers import MergeReport
    from gitloop.storage.drivers import Finding
    from gitloop.storage.strays import Swept

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group(cls=Verbs)
def git() -> None:
    """Let git diff, log, show, blame and merge speak rows, in this clone."""


@git.command()
@pass_console
def install(console: Console) -> None:
    """Turn the diff and merge drivers and the hooks on, in this clone only."""
    from gitloop.steps.git.clone import install as step

    changed = step(console.directory)
    console.show({"changed": changed}, lambda: _changes(changed, "on"))


@git.command()
@pass_console
def uninstall(console: Console) -> None:
    """Turn the drivers and the hooks off, in this clone only."""
    from gitloop.steps.git.clone import uninstall as step

    changed = step(console.directory)
    console.show({"changed": changed}, lambda: _changes(changed, "off"))


@git.command()
@pass_console
def doctor(console: Console) -> int:
    """Tell what stands in the way of the drivers; exit 1 when something does."""
    from gitloop.steps.git.clone import doctor as step

    findings = step(console.directory)
    console.show({"findings": [asdict(found) for found in findings]}, lambda: _diagnosis(findings))
    return ExitCode.OK if all(found.is_sound for found in findings) else ExitCode.FAILURE


@git.command()
@pass_console
def sweep(console: Console) -> None:
    """Make data/ what the pointers say: strays leave, missing parts come from the cache.

    The post-checkout and post-merge hooks run this. Strays are kept under .git/gitloop/strays.
    """
    from gitloop.steps.git.clone import sweep as step

    swept = step(console.directory)
    console.show(asdict(swept), lambda: _swept(swept))
    if console.is_quiet and console.form == "text":
        for line in _moved(swept):  # a file that went away is a result, quiet or not
            console.result(line)


@git.command()
@click.argument("pointer", type=_FILE)
@pass_console
def textconv(console: Console, pointer: Path) -> None:
    """Print a pointer and the rows that it stands for. Git calls this."""
    from gitloop.steps.git.drivers import textconv as step

    click.echo(step(console.directory, console.directory / pointer), nl=False)


@git.command()
@click.argument("base", type=_FILE)
@click.argument("ours", type=_FILE)
@click.argument("theirs", type=_FILE)
@click.argument("path")
@click.option("--into", type=click.Path(path_type=Path), help="Where the result goes.")
@pass_console
def merge(
    console: Console, *, base: Path, ours: Path, theirs: Path, path: str, into: Path | None
) -> int:
    """Merge the three versions of a part's pointer, row by row. Git calls this.

    Exit 1 when rows conflict; the result then holds conflict markers.
    """
    from gitloop.steps.git.drivers import merge as step

    report = step(console.directory, (base, ours, theirs), path, into or ours)
    console.show(asdict(report), lambda: _merged(report))
    return ExitCode.FAILURE if report.n_conflicts else ExitCode.OK


@git.command("merge-lock")
@click.argument("base", type=_FILE)
@click.argument("ours", type=_FILE)
@click.argument("theirs", type=_FILE)
@click.option("--into", type=click.Path(path_type=Path), help="Where the result goes.")
@pass_console
def merge_lock(
    console: Console, *, base: Path, ours: Path, theirs: Path, into: Path | None
) -> None:
    """Merge the three versions of dvc.lock, stage by stage. Git calls this."""
    from gitloop.steps.git.drivers import merge_lock as step

    report = step((base, ours, theirs), into or ours)
    console.show(asdict(report), lambda: _merged(report))


def _changes(changed: list[str], state: str) -> list[str]:
    return [*changed, f"drivers and hooks are {state} in this clone"]


def _diagnosis(findings: list[Finding]) -> list[str]:
    lines = []
    for found in findings:
        mark = style("ok ", fg="green") if found.is_sound else style("no ", fg="red")
        lines.append(f"{mark} {found.what:<20} {found.fact}")
        lines += [] if found.is_sound else [f"    → {found.hint}"]
    return lines


def _moved(swept: Swept) -> list[str]:
    return [f"gitloop: moved {path} away: no pointer names it" for path in swept.moved]


def _swept(swept: Swept) -> list[str]:
    lines = _moved(swept)
    lines += [f"brought {len(swept.brought)} parts from the cache"] if swept.brought else []
    lines += [f"missing {path}: run dvc pull" for path in swept.missing]
    lines += [f"left {path}: edited by hand, or a broken pointer" for path in swept.left]
    return lines or ["data/ is what the pointers say"]


def _merged(report: MergeReport) -> list[str]:
    if report.n_conflicts:
        return [f"{report.path}: {report.n_conflicts} rows conflict; run: gitloop conflicts"]
    return [f"{report.path}: stage {name} has to run again" for name in report.dropped]
