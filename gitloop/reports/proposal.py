"""The optimizer's report: what was tried, and whether it is worth a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_MOST_TRIALS, _MOST_REASONS = 20, 8
_MOST_CHARACTERS = 300


def as_markdown(document: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> str:
    """The report as Markdown; the same search is the same text.

    Args:
        document: metrics.json of the optimize stage.
        trials: Its trials, in order, without their rows.
    """
    parts = [
        f"# Optimize: {_outcome(document)}",
        f"{_sentence(document['message'])}.",
        *([_facts(document)] if document["prompt"] else []),
        *([_holdout(document)] if document["holdout"] else []),
        *([_thresholds(document)] if document["thresholds"] else []),
        *([_trials(trials)] if trials else []),
        *([_failed(trials)] if document["n_failed"] else []),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(document: Mapping[str, Any]) -> str:
    rows = document["n_rows"]
    lines = [
        f"- Prompt: `{document['prompt']['version']}`, optimizer `{document['optimizer']}`",
        (
            f"{_golden(document)}; {rows['train']} train, {rows['val']} validation,"
            f" {rows['holdout']} holdout rows"
        ),
        f"- Space: {document['space_size']:,} declared; {document['n_trials']:,} candidates tried,"
        f" {document['n_failed']} failed attempts, {document['n_evaluations']:,} rows scored,"
        f" {document['n_teacher_calls']:,} questions to the teacher"
        + (f"; ended by {document['finish_reason']}" if document["finish_reason"] else ""),
    ]
    if headroom := document["headroom"]:
        seen = headroom["detectable"]
        shows = "is too small to show any" if seen is None else f"shows {seen:.3f} in 4 of 5 cases"
        lines.append(
            f"- Headroom: {_shown(headroom['room'])} to a perfect score; a gain above"
            f" {_shown(headroom['least'])} would be proposed; the holdout {shows}"
        )
        lines.append(
            f"- Judge noise: {_shown(headroom['judge_noise'])}; "
            + (
                f"best of {headroom['k']} answers: {_shown(headroom['best_of_k'])}"
                if headroom["k"] > 1
                else "one answer per row, since the target is pinned as deterministic or the"
                " budget is small"
            )
        )
    if document["control_mean"] is not None:
        lines.append(
            f"- Random control: {_shown(document['control_mean'])} at best on validation;"
            f" {_shown(document['best_mean'])} in all"
        )
    lines.append(f"- Cost of the search: {_price(document)}")
    return "\n".join(lines)


def _price(document: Mapping[str, Any]) -> str:
    told = [f"{document['n_calls']:,} calls"]
    if document["tokens"]:
        told.append(f"{document['tokens']:,} tokens")
    told.append(f"${document['cost_usd']:.4f}" if document["cost_usd"] else "no price told")
    return ", ".join(told)


def _holdout(document: Mapping[str, Any]) -> str:
    verdict, look = document["holdout"], document["look"]
    lines = [
        "## The one look at the holdout",
        "",
        (
            f"Candidate `{document['finalist']}` against the prompt as it is, on {verdict['n']}"
            f" rows. It is look {look['number']} at this holdout, at a level of"
            f" {look['alpha']:.4f}:"
        ),
        "",
        "| | incumbent | candidate | gain | p | detectable gain | fixed | broken |",
        "|---|---|---|---|---|---|---|---|",
        (
            f"| score | {_shown(verdict['incumbent_mean'])} | {_shown(verdict['finalist_mean'])} |"
            f" {_shown(verdict['gain'], '+.3f')}{_between(verdict)} | {_p(verdict['p'])} |"
            f" {_shown(verdict['mde'])} | {len(verdict['fixed'])} | {len(verdict['broken'])} |"
        ),
    ]
    cost = ""
    if verdict["cost_unit"]:
        unit = {"usd": "dollars", "tokens": "tokens"}[verdict["cost_unit"]]
        cost = f"; its answers take {verdict['cost_ratio']:.2f} times the {unit}"
    lines += ["", f"The prompt is {verdict['length_ratio']:.2f} times as long{cost}."]
    if verdict["reasons"]:
        lines += ["", "Not proposed, because", ""]
        lines += [f"- {reason}" for reason in verdict["reasons"]]
    return "\n".join(lines)


def _thresholds(document: Mapping[str, Any]) -> str:
    lines = [
        "## Thresholds",
        "",
        (
            "Chosen on the calibrated curve over train and validation labels; agreement with"
            " people is that on holdout labels."
        ),
        "",
        "| rubric | outcome | threshold | objective | agreement | gain | p | fixed | broken |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for found in document["thresholds"]:
        choice, verdict = found["choice"], found["holdout"]
        cells = [found["rubric"], found["outcome"], *["–"] * 7]
        if choice:
            is_other = choice["found"] is not None
            cells[2] = f"{choice['incumbent']:g}" + (f" → {choice['found']:g}" if is_other else "")
            cells[3] = f"{found['objective']} {_shown(choice['incumbent_value'])}" + (
                f" → {_shown(choice['found_value'])}" if is_other else ""
            )
        if verdict:
            cells[4] = f"{_shown(verdict['incumbent_mean'])} → {_shown(verdict['finalist_mean'])}"
            cells[5] = f"{_shown(verdict['gain'], '+.3f')}{_between(verdict)}"
            cells[6] = f"{_p(verdict['p'])} (alpha {found['look']['alpha']:.4f})"
            cells[7:] = [str(len(verdict["fixed"])), str(len(verdict["broken"]))]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"- {found['rubric']}: {found['message']}" for found in document["thresholds"])]
    return "\n".join(lines)


def _between(verdict: Mapping[str, Any]) -> str:
    interval = verdict["interval"]
    return f" [{interval['low']:+.3f}, {interval['high']:+.3f}]" if interval else ""


def _trials(trials: Sequence[Mapping[str, Any]]) -> str:
    tried: dict[str, Mapping[str, Any]] = {}
    for trial in trials:
        before = tried.get(trial["candidate"])
        if trial["split"] == "val" and trial["n_new"] and (not before or trial["n"] >= before["n"]):
            tried[trial["candidate"]] = trial
    # A draw that was dropped early was seen on a part of the rows: its score compares with none.
    ranked = sorted(
        tried.values(),
        key=lambda trial: (-trial["n"] - trial["n_errors"], -(trial["mean"] or 0), trial["number"]),
    )
    lines = [
        "## Candidates",
        "",
        (
            "By validation score, those that were dropped early last. The best of many is lucky:"
            " only the holdout decides."
        ),
        "",
        "| trial | candidate | score | rows | errors | instructions |",
        "|---|---|---|---|---|---|",
    ]
    for trial in ranked[:_MOST_TRIALS]:
        added = trial["fault"] or _said(trial)
        lines.append(
            f"| {trial['number']} | `{trial['candidate']}` | {_shown(trial['mean'])} |"
            f" {trial['n']} | {trial['n_errors']} | {_cell(added)} |"
        )
    if len(ranked) > _MOST_TRIALS:
        lines += ["", f"{len(ranked) - _MOST_TRIALS} more are in trials.jsonl."]
    return "\n".join(lines)


def _outcome(document: Mapping[str, Any]) -> str:
    """What came of it all; of the thresholds, where the prompt was no target."""
    lines = {found["outcome"] for found in document["thresholds"]}
    if document["outcome"] != "not asked for":
        return str(document["outcome"])
    return "threshold proposed" if "proposed" in lines else "no improvement"


def _failed(trials: Sequence[Mapping[str, Any]]) -> str:
    """Why attempts came to nothing, the most frequent reason first."""
    reasons = Counter(trial["fault"] for trial in trials if trial["fault"])
    lines = ["## Failed attempts", "", "None of them is a score.", ""]
    lines += [f"- {n} × {_cell(reason)}" for reason, n in reasons.most_common(_MOST_REASONS)]
    if len(reasons) > _MOST_REASONS:
        lines += ["", f"{len(reasons) - _MOST_REASONS} more reasons are in trials.jsonl."]
    return "\n".join(lines)


def _said(trial: Mapping[str, Any]) -> str:
    """What a candidate says or sets, on a line."""
    values = {name: text for name, text in trial["values"].items() if text}
    examples = "examples" if values.pop("demos", "") else ""
    body = trial["body"]
    set_to = [f"{name}: {value}" for name, value in (*values.items(), *trial["parameters"].items())]
    text = "" if body is None else f"the text: {body}"
    return "; ".join(filter(None, (*trial["instructions"], text, *set_to, examples))) or "none"


def as_pull_request(document: Mapping[str, Any], diff: str) -> str:
    """The body of the pull request that a proposal makes, as Markdown.

    Args:
        document: metrics.json of the optimize stage, with something proposed.
        diff: The unified diff of what is proposed.
    """
    pins = ", ".join(
        f"{name} {pin['version']} by {pin['judge']}" for name, pin in document["rubrics"].items()
    )
    parts = []
    if document["outcome"] == "proposed":
        verdict = document["holdout"]
        parts += [
            f"{_sentence(document['message'])} on {verdict['n']} rows, unseen so far.",
            _holdout(document),
            _named("Fixed", verdict["fixed"]) + "\n" + _named("Broken", verdict["broken"]),
        ]
    if document["thresholds"]:
        parts.append(_thresholds(document))
    where = [_facts(document)] if document["prompt"] else [_golden(document)]
    parts += [
        "## Where it comes from",
        "\n".join([*where, f"- Rubrics: {pins}"]),
        "## The change",
        f"````diff\n{diff.rstrip()}\n````",
        "A person decides; the gate runs on this branch as on any other.",
    ]
    return "\n\n".join(parts) + "\n"


def _golden(document: Mapping[str, Any]) -> str:
    sets = ", ".join(
        f"{name} {found['version']} (`{found['sha256'][:16]}`)"
        for name, found in document["golden"].items()
    )
    return f"- Golden sets: {sets or 'none'}"


def _named(what: str, row_ids: Sequence[str]) -> str:
    shown = ", ".join(f"`{row_id}`" for row_id in row_ids[:_MOST_TRIALS]) or "none"
    more = f", … {len(row_ids) - _MOST_TRIALS} more" if len(row_ids) > _MOST_TRIALS else ""
    return f"- {what}: {shown}{more}"


def _cell(text: str) -> str:
    """The text on one line of a table, its beginning where it is long."""
    line = " ".join(text.split()).replace("|", "/")
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]} …"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _p(value: float | None) -> str:
    """A p-value; 0.0004 is no 0."""
    return "< 0.001" if value is not None and value < 0.001 else _shown(value)


def _shown(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)
