"""`gitloop optimize`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.optimize import OptimizeReport, Proposal


@click.command(cls=Verb)
@click.option(
    "--apply",
    "applies",
    is_flag=True,
    help="Put the last search's proposal on a branch; no search.",
)
@click.option("--body", "shows_body", is_flag=True, help="With --apply: print the body alone.")
@pass_console
def optimize(console: Console, *, applies: bool, shows_body: bool) -> None:
    """Search for a better prompt, or thresholds; propose them, or say that none was found.

    A stage of the loop: writes loop/optimize/. "No improvement" is a normal result. With --apply,
    the proposal becomes a commit on a branch; your index, work tree and HEAD stay as they are.
    """
    from gitloop.records import as_json
    from gitloop.steps.optimize import optimize as step
    from gitloop.steps.optimize import propose

    if applies:
        proposal = propose(console.directory, is_again=shows_body)
        if shows_body:
            console.result(proposal.body)
        else:
            console.show(as_json(proposal), lambda: _proposed(proposal))
        return
    if shows_body:
        raise click.UsageError("--body goes with --apply")
    report = step(console.directory, progress=console.progress)
    console.show(as_json(report), lambda: _lines(report))


def _proposed(proposal: Proposal) -> list[str]:
    return [
        style(proposal.title, bold=True),
        f"on branch {proposal.branch}: {', '.join(proposal.changes)}",
        f"  → git diff HEAD...{proposal.branch}",
        "  → gitloop optimize --apply --body, for the pull request",
    ]


def _lines(report: OptimizeReport) -> list[str]:
    colour = "green" if report.is_proposing else "yellow"
    lines = [f"{style(report.outcome, fg=colour, bold=True)}: {report.message}"]
    if report.outcome == "not asked for":  # the thresholds, below, are all that was
        lines = []
    if report.n_trials:
        lines.append(
            f"{_tried(report)} with {report.optimizer}, {report.n_evaluations:,} rows scored;"
            f" ended by {report.finish_reason}"
        )
        lines.append(
            f"validation score {_shown(report.incumbent_mean)} as it is,"
            f" {_shown(report.best_mean)} at best"
        )
    if report.n_failed:
        lines.append(f"{report.n_failed:,} attempts came to nothing, and are no scores")
    if report.holdout is not None:
        found = report.holdout
        lines.append(
            f"holdout, {found.n} rows: {_shown(found.incumbent_mean)} as it is,"
            f" {_shown(found.finalist_mean)} found; {len(found.fixed)} fixed,"
            f" {len(found.broken)} broken"
        )
    for line in report.thresholds:
        colour = "green" if line.outcome == "proposed" else "yellow"
        shown = style(line.outcome, fg=colour)
        lines.append(f"threshold of {line.rubric}, {shown}: {line.message}")
    if report.outcome == "proposed":
        lines.append(f"  → loop/optimize/candidates/{report.finalist}.md")
    if report.is_proposing:
        lines.append("  → gitloop optimize --apply, for a branch with it")
    if report.look is not None or any(found.look for found in report.thresholds):
        lines.append("  → commit loop/optimize/ledger.jsonl: it counts the looks at the holdout")
    return [*lines, "  → loop/optimize/report.md"]


def _tried(report: OptimizeReport) -> str:
    """How many candidates were tried, and of how many where the prompt declares them."""
    if report.space_size == 1:
        return f"{report.n_trials:,} candidates tried"
    return f"{report.n_trials:,} candidates tried, {report.space_size:,} declared,"


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
