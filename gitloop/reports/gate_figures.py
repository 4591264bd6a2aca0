"""How the gate's figures are written for people: one way in every format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARKS = {
    "pass": "✓",
    "fail": "✗",
    "warn": "!",
    "inconclusive": "?",
    "stale": "~",
    "error": "E",
}
"""Outcome → one column wide."""

VERDICTS = {
    "pass": "PASS",
    "warn": "WARN",
    "fail": "FAIL",
    "none": "NO VERDICT",
}
SLICES = ("route", "cohort", "cell", "cluster")
PAIRED = ("delta", "veto", "gain", "ahead", *SLICES)

Json = Mapping[str, Any]


def percent(rate: float | None) -> str:
    """A rate: "87.5 %", or "–" for none."""
    return "–" if rate is None else f"{100 * rate:.1f} %"


def points(effect: float | None) -> str:
    """A difference of rates in points: "−12.5", or "–" for none."""
    if effect is None:
        return "–"
    size = f"{abs(100 * effect):.1f}"
    if float(size) == 0:
        return "±0.0"
    return f"{'−' if effect < 0 else '+'}{size}"


def probability(p: float | None) -> str:
    """A p-value: "0.0039", "<0.0001", or "–" for none."""
    if p is None:
        return "–"
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


def interval(check: Json) -> str:
    """The check's interval in percent or points: "[−21.0, −4.9]", or "–" for none."""
    found = check["interval"]
    if found is None:
        return "–"
    if check["kind"] in PAIRED:
        return f"[{points(found['low'])}, {points(found['high'])}]"
    if is_rate(check):
        return f"[{100 * found['low']:.1f}, {100 * found['high']:.1f}]"
    ends = ["∞" if end is None else f"{end:.4g}" for end in (found["low"], found["high"])]
    low = ends[0] if found["low"] is not None else "−∞"
    return f"[{low}, {ends[1]}]"


def is_rate(check: Json) -> bool:
    """Whether what the check observed is a rate in [0, 1]."""
    return check["kind"] != "assertion" or str(check["method"]).endswith("pass_rate")


def observed(check: Json) -> str:
    """What the check measured: "71.9 %", "12", or "–" for nothing."""
    value = check["observed"]
    if value is None or check["kind"] == "ratchet":
        return "–"
    return percent(value) if is_rate(check) else f"{value:.4g}"


def subject(check: Json) -> str:
    """Whom the check speaks of: "grounded", "grounded · refund", or "all rubrics"."""
    parts = [part for part in (check["rubric"], check["slice"]) if part]
    return " · ".join(parts) or "all rubrics"


def details(check: Json) -> str:
    """The rest of the figures: discordant pairs, p, detectable loss, method."""
    parts = []
    if check["n_discordant"] is not None and check["kind"] in PAIRED:
        parts.append(f"{check['n_discordant']} discordant")
    if check["p"] is not None:
        parts.append(f"p {probability(check['p'])}")
    if check["mde"] is not None:
        parts.append(f"sees losses from {100 * check['mde']:.1f} points")
    if check["method"] and check["method"] not in {"none", "count", "pins"}:
        parts.append(check["method"])
    return "; ".join(parts)


def corrected(value: Json, check: Json) -> str:
    """A floor's rate as people would give it: "people would pass 84.4 % [73, 99]", or ""."""
    if check["kind"] != "floor":
        return ""
    for summary in value["rubrics"]:
        if summary["name"] == check["rubric"] and summary["corrected_pass_rate"] is not None:
            ends = summary["corrected_interval"]
            told = f"people would pass {percent(summary['corrected_pass_rate'])}"
            return told + (f" [{100 * ends['low']:.0f}, {100 * ends['high']:.0f}]" if ends else "")
    return ""


def trail(row: Json) -> str:
    """Where a row came from: "refund · enterprise · cluster c12 · trace t9"."""
    parts = [row["route"], row["user_cohort"]]
    parts.append(f"cluster {row['cluster_id']}" if row["cluster_id"] else None)
    parts.append(f"trace {row['source_trace_id']}")
    return " · ".join(part for part in parts if part)


def headline(value: Json) -> str:
    """The verdict as one sentence."""
    counts, checks = value["n_checks"], value["checks"]
    total = len(checks)
    if value["verdict"] == "none":
        broken = [check for check in checks if check["exit_code"] >= 5]
        return str(broken[0]["message"]) if broken else "nothing could be decided"
    if value["verdict"] == "fail":
        return f"{counts['fail']} of {total} checks failed"
    n_open = counts["warn"] + counts["inconclusive"] + counts["stale"]
    if not n_open:
        return f"all {total} checks pass"
    return f"{counts['pass']} of {total} checks pass, {n_open} open, none failed"


def basis(value: Json) -> str:
    """What was compared with what, as one line."""
    sets = ", ".join(
        f"{name} {dataset['version'] or '(empty)'}"
        for name, dataset in sorted(value.get("datasets", {}).items())
    )
    runs = value.get("baseline", [])
    against = f"{len(runs)} run{'s' if len(runs) != 1 else ''} of the main line" if runs else ""
    rows = f"{value['n_rows']} golden row{'s' if value['n_rows'] != 1 else ''}"
    rows += f" ({sets})" if sets else ""
    if policies := value.get("policies"):
        rows += (
            f" and {policies['n_holdout_pairs']} holdout pairs, the tuned model against its base"
        )
        return rows + _look_told(policies["look"])
    return f"{rows} against {against}" if against else f"{rows}, no baseline"


def _look_told(look: Json | None) -> str:
    """Which look at a holdout it is, and the level that is left for it; "" where none was taken."""
    if look is None:
        return ""
    return f"; look {look['number']} at this holdout, held against {look['alpha']:.2g}"


def shown_checks(value: Json) -> tuple[list[Json], list[Json]]:
    """(checks that are shown one by one, slices that are only counted)."""
    one_by_one: list[Json] = []
    counted: list[Json] = []
    for check in value["checks"]:
        is_quiet = check["kind"] in SLICES and check["outcome"] in {"pass", "inconclusive"}
        is_quiet = is_quiet and not _looks_worse(check)
        (counted if is_quiet else one_by_one).append(check)
    return one_by_one, counted


def _looks_worse(check: Json) -> bool:
    """Whether the interval lies below zero: a reader wants to see it, though it decides nothing."""
    return bool(check["interval"]) and check["interval"]["high"] < 0


def slices_told(counted: list[Json]) -> str:
    """The counted slices in one sentence, or ""."""
    if not counted:
        return ""
    n_open = sum(check["outcome"] == "inconclusive" for check in counted)
    n_pass = len(counted) - n_open
    parts = [f"{n_pass} pass"] if n_pass else []
    parts += [f"{n_open} too small to tell"] if n_open else []
    return f"{len(counted)} slices by route, cohort or cluster: {', '.join(parts)}"


def next_step(value: Json) -> str:
    """The command or place to go to next."""
    checks = value["checks"]
    if value["verdict"] == "none":
        stale = any(check["outcome"] == "stale" for check in checks)
        return "run: dvc repro" if stale else "mend what is named above, then run: dvc repro"
    if value.get("policies"):
        return _release_step(value)
    if value["verdict"] == "fail":
        return "open loop/gate/report.html: rows lost, with their outputs then and now"
    if not value.get("baseline"):
        return "on the main line, run: gitloop baseline"
    return "merge; then on the main line, run: gitloop baseline"


def _release_step(value: Json) -> str:
    """What to do with a tuned model."""
    if value["verdict"] == "fail":
        return "keep the base model; open loop/pairs/release.html: rows lost, then and now"
    return (
        "commit loop/pairs; ship to a small share first, and keep the base model ready to take over"
    )


def title(value: Json) -> str:
    """Which gate it is: "gitloop gate", or "gitloop release" of a tuned model."""
    return "gitloop release" if value.get("policies") else "gitloop gate"


def before(value: Json) -> str:
    """What the run is compared with: "the main line", or "the base model"."""
    return "the base model" if value.get("policies") else "the main line"


def place(value: Json) -> str:
    """The file that the whole document is in."""
    return "loop/pairs/release.json" if value.get("policies") else "loop/gate/gate.json"
