"""`gitloop promote`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.promote import PromoteReport, PullRequest


@click.command(cls=Verb)
@click.argument("clusters", nargs=-1, metavar="[CLUSTER]...")
@click.option("--set", "set_name", required=True, metavar="NAME", help="The golden set.")
@click.option("--all", "takes_all", is_flag=True, help="Take every cluster.")
@click.option(
    "--onto",
    metavar="BRANCH",
    help="Commit on BRANCH instead of a new branch; it must not be checked out.",
)
@click.option("--skip", multiple=True, metavar="TRACE_ID", help="Leave this case out; repeatable.")
@click.option("--keep-near", "keeps_near", is_flag=True, help="Promote near duplicates too.")
@click.option(
    "--dry-run", "is_dry_run", is_flag=True, help="Tell what would be done; write nothing."
)
@click.option(
    "--body/--no-body",
    "shows_body",
    default=None,
    help="Print the pull request's body alone, or leave it out.",
)
@click.option("--pr", "opens", is_flag=True, help="Push, and open the pull request by gh or glab.")
@pass_console
def promote(
    console: Console,
    *,
    clusters: tuple[str, ...],
    set_name: str,
    takes_all: bool,
    onto: str | None,
    skip: tuple[str, ...],
    keeps_near: bool,
    is_dry_run: bool,
    shows_body: bool | None,
    opens: bool,
) -> None:
    """Turn agreed cases of failure clusters into golden rows, as a commit on a branch.

    Your index, work tree and HEAD stay as they are. Prints the pull request's body, the branch,
    and each case that is left out, with its reason. Secrets block a promotion; personal data is
    masked or blocked, as dataset.yaml says.

    Example: gitloop promote 3fa2c1 --set refunds
    """
    from gitloop.steps.promote import PromoteRequest, open_pull_request
    from gitloop.steps.promote import promote as step

    request = PromoteRequest(
        clusters=clusters,
        set_name=set_name,
        onto=onto,
        takes_all=takes_all,
        is_dry_run=is_dry_run,
        skip=skip,
        keeps_near=keeps_near,
    )
    report = step(console.directory, request, progress=console.progress)
    opened = open_pull_request(console.directory, report) if opens and report.branch else None
    if shows_body:
        console.result(report.body)
        return
    value = asdict(report) | {"pull_request": asdict(opened) if opened else None}
    says_body = shows_body is None and (opened is None or opened.url is None)
    body = [*report.body.splitlines(), ""] if says_body else []
    console.show(value, lambda: [*body, *_lines(report, opened)])


def _lines(report: PromoteReport, opened: PullRequest | None) -> list[str]:
    after = report.n_before + report.n_promoted
    verb = "promoted" if report.branch else "would promote"
    head = f"{verb} {report.n_promoted} rows into {report.set} ({report.n_before} → {after})"
    splits = ", ".join(f"{report.splits.get(name, 0)} {name}" for name in _SPLITS)
    lines = [
        style(head, bold=True),
        f"  version   {report.version}  (parent: {' + '.join(report.parents) or 'none'})",
        f"  splits    {splits}",
        f"  clusters  {_listed(report.clusters)}",
    ]
    if report.masked:
        lines.append(f"  masked    {_listed(report.masked)}")
    if report.reasons:
        lines.append(f"left out {len(report.left_out)}:")
    for reason, n in report.reasons.items():
        lines.append(f"  {n:>4}  {reason}")
        shown = [case for case in report.left_out if case.reason == reason and case.detail]
        lines += [f"        {case.trace_id[:16]}  {case.detail}" for case in shown[:3]]
        lines += [f"        … and {len(shown) - 3} more"] if len(shown) > 3 else []
    if not report.is_in_gate:
        lines.append(f"params.yaml: golden.sets does not name {report.set}: no gate looks at it")
    return lines + _next(report, opened)


_SPLITS = ("train", "val", "holdout")


def _next(report: PromoteReport, opened: PullRequest | None) -> list[str]:
    if report.branch is None:
        return ["nothing was written (--dry-run)"]
    lines = [style(f"on branch {report.branch}", bold=True)]
    if opened is not None and opened.url:
        return [*lines, f"  {opened.url}"]
    if opened is not None:
        return [
            *lines,
            "the forge's program (gh or glab) is not here; run:",
            *(f"  → {c}" for c in opened.commands),
        ]
    return [
        *lines,
        f"  → git diff HEAD...{report.branch}",
        f"  → git merge {report.branch}",
        "    or push it and open a pull request",
    ]


def _listed(counts: dict[str, int]) -> str:
    shown = [f"{name} {n}" for name, n in list(counts.items())[:3]]
    return ", ".join(shown) + (f", … ({len(counts)} in all)" if len(counts) > 3 else "")
