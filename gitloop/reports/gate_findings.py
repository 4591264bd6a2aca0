"""What a reviewer has to look at, as findings at a place: the ground of SARIF and annotations."""

from __future__ import annotations

from dataclasses import dataclass

from gitloop.digests import sha256
from gitloop.errors import DataError
from gitloop.reports import gate_figures as figures
from gitloop.reports.gate_figures import Json

MAX_ROWS = 100
RULES = {
    "data": "The golden set, the scores and the thresholds belong together.",
    "errors": "Few enough calls failed for a verdict.",
    "judge": "A judge differs from people no more than they from each other.",
    "floor": "A rubric's pass rate holds its floor.",
    "delta": "A rubric's pass rate is not below the baseline's on the same rows.",
    "ratchet": "A row that passes on the main line passes here.",
    "assertion": "A condition of params.yaml holds.",
    "route": "No route loses against the baseline.",
    "cohort": "No cohort loses against the baseline.",
    "cell": "No route of a cohort loses against the baseline.",
    "cluster": "No failure cluster comes back.",
    "veto": "A tuned model loses nothing on a rubric that is not traded.",
    "gain": "A tuned model's rubric scores are better on average than its base's.",
    "holdout": "A tuned model prefers the chosen answers of the holdout.",
    "ahead": "A tuned model is right about more of the holdout than its base.",
    "row-lost": "A golden row that passes on the main line passes here.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at.

    Attributes:
        rule: Key of `RULES`.
        level: "error", "warning" or "note".
        message: The fact, in a line.
        path: File that it is shown at, relative to the repository.
        fingerprint: The same for the same finding in every run, hex.
    """

    rule: str
    level: str
    message: str
    path: str
    fingerprint: str


def findings(value: Json) -> list[Finding]:
    """Everything but the passed checks, the gravest first, then the rows that were lost.

    Raises:
        DataError: The value is no gate document.
    """
    if value.get("schema") != "gitloop.gate/v1":
        raise DataError(f"there are no findings in {value.get('schema')}")
    order = ("error", "warning", "note")
    checks = [_of_check(check) for check in value["checks"] if check["outcome"] != "pass"]
    rows = [_of_row(row) for row in value["rows"]["lost"][:MAX_ROWS]]
    return sorted([*checks, *rows], key=lambda found: order.index(found.level))


def _of_check(check: Json) -> Finding:
    outcome, kind = check["outcome"], check["kind"]
    level = "error" if check["exit_code"] not in {0, 3} else "warning"
    if outcome == "inconclusive" and kind in figures.SLICES:
        level = "note"
    named = f"{kind} {figures.subject(check)}"
    path = "params.yaml" if kind == "assertion" or not check["rubric"] else _rubric(check["rubric"])
    details = figures.details(check)
    message = f"{named}: {check['message']}" + (f" ({details})" if details else "")
    mark = check["message"] if kind in {"assertion", "data"} else ""
    return Finding(kind, level, message, path, sha256(f"{named}\n{mark}"))


def _of_row(row: Json) -> Finding:
    message = f"golden row {row['row_id']} is lost on {row['rubric']}: {figures.trail(row)}"
    mark = f"row-lost {row['row_id']} {row['rubric']}"
    path = f"golden/{row['set']}/dataset.yaml"
    return Finding("row-lost", "warning", message, path, sha256(mark))


def _rubric(name: str) -> str:
    return f"rubrics/{name}.yaml"
