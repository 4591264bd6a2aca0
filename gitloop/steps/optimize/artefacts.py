"""What a search leaves in loop/optimize/: the same search, the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from gitloop.core.optimize import History, Trial
from gitloop.digests import canonical_json
from gitloop.evaluation import judge_name, keep_calls
from gitloop.reports.proposal import as_markdown
from gitloop.reports.proposal_plots import as_csv, as_svg, history, pareto, pareto_svg
from gitloop.steps.optimize.searched import FOLDER, Searched
from gitloop.storage.calls import CallStore
from gitloop.storage.files import write_json, write_text
from gitloop.workspace import Workspace

SCHEMA = "gitloop.optimize/v1"


def save(
    workspace: Workspace,
    searched: Searched | None,
    report: Mapping[str, Any],
    searches: History | None,
    store: CallStore,
) -> None:
    """Write the trials, the candidates as prompt files, the report and the metrics.

    Args:
        workspace: The checkout.
        searched: What the search was about, or None where prompts were no target.
        report: What it came to, as JSON.
        searches: What was tried, or None where nothing was.
        store: Whose calls it used.
    """
    folder = workspace.root / FOLDER
    shutil.rmtree(folder / "candidates", ignore_errors=True)
    (folder / "candidates").mkdir(parents=True)
    trials = searches.trials if searches else ()
    prompt = searched.prompt if searched else None
    texts = {
        trial.candidate.id: prompt.changed(trial.candidate).text() if prompt else ""
        for trial in trials
    }
    for candidate in {trial.candidate.id for trial in trials if trial.rows}:
        write_text(folder / "candidates" / f"{candidate}.md", texts[candidate])
    write_text(folder / "trials.jsonl", "".join(map(_trial_line, trials)))
    document = {"schema": SCHEMA, **report, **_lineage(workspace, searched)}
    summaries = [_summary(trial) for trial in trials]
    write_text(folder / "report.md", as_markdown(document, summaries))
    _save_plots(workspace, summaries, {name: len(text) for name, text in texts.items()})
    keep_calls(workspace, f"{FOLDER}/calls.parquet", store)
    write_json(folder / "metrics.json", document)


def _lineage(workspace: Workspace, searched: Searched | None) -> dict[str, Any]:
    """What the result belongs to: golden sets, prompt, rubrics and judges."""
    sets = {name: workspace.golden_in_use(name) for name in sorted(workspace.params.golden.sets)}
    prompt = searched.prompt if searched else None
    return {
        "golden": {
            name: {"version": golden.version(), "sha256": golden.sha256()}
            for name, golden in sets.items()
            if golden.exists()
        },
        "prompt": {"version": prompt.version_id, "sha256": prompt.sha256} if prompt else None,
        "rubrics": {
            name: {"version": pin.version, "judge": judge_name(pin.judge)}
            for name, pin in sorted(workspace.params.rubrics.items())
        },
    }


def _save_plots(
    workspace: Workspace, summaries: Sequence[Mapping[str, Any]], lengths: Mapping[str, int]
) -> None:
    """Write the history and the Pareto front, as CSV and SVG."""
    folder = workspace.root / FOLDER
    points = history(summaries)
    front = pareto(summaries, lengths)
    columns = ("n_rows", "mean", "best", "candidate", "arm")
    write_text(folder / "history.csv", as_csv(points, columns))
    write_text(folder / "history.svg", as_svg(points))
    write_text(folder / "pareto.csv", as_csv(front, ("n_characters", "mean", "candidate")))
    write_text(folder / "pareto.svg", pareto_svg(points, front, lengths))


def _trial_line(trial: Trial) -> str:
    rows = [
        {
            "row_id": row.row_id,
            "score": row.score,
            "status": row.status,
            "reason": row.reason,
            "tokens": row.tokens,
            "cost_usd": row.cost_usd,
        }
        for row in trial.rows
    ]
    return canonical_json({**_summary(trial), "rows": rows}) + "\n"


def _summary(trial: Trial) -> dict[str, Any]:
    candidate = trial.candidate
    return {
        "number": trial.number,
        "candidate": candidate.id,
        "instructions": list(candidate.instructions),
        "values": dict(candidate.values),
        "parameters": dict(candidate.parameters),
        "body": candidate.body,
        "note": candidate.note,
        "arm": trial.arm,
        "split": trial.split,
        "mean": trial.mean,
        "n": trial.n,
        "n_errors": trial.n_errors,
        "n_new": trial.n_new,
        "fault": trial.fault,
    }
