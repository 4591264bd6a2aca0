"""Export what may train, and its holdout, in the layouts that trainers read."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.pairs.agreement import position_report
from gitloop.core.pairs.card import CardFacts, card
from gitloop.core.pairs.cleaning import clean_rewards
from gitloop.core.pairs.fates import Fate
from gitloop.core.pairs.layouts import LAYOUTS, Layout, companion, frame
from gitloop.core.pairs.masking import mask_rows
from gitloop.core.pairs.reports import length_report, source_reports
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import judge_name
from gitloop.records import as_json
from gitloop.steps.pairs.constitution import constitution
from gitloop.steps.pairs.standing import (
    METRICS_PATH,
    PATH,
    REWARDS_PATH,
    Standing,
    every_golden_row,
    exportable,
    first_side,
    scan_of,
    standing,
)
from gitloop.storage.exports import Export, Exported, pairs_digests, write_export
from gitloop.storage.files import md5, read_json, replacing
from gitloop.tables import PAIR_SPLITS, REWARDS
from gitloop.workspace import Workspace

_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,63}$")
_HINTS = {
    "no stratum's agreement is measured": "run: gitloop pairs label, then gitloop pairs agree;"
    " or set pairs.agreement.required: false in params.yaml",
}


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What to export.

    Attributes:
        layouts: Names in `layouts.LAYOUTS`.
        form: "plain" or "conversational".
        kind: "jsonl" or "parquet".
        name: The preference set.
    """

    layouts: tuple[str, ...] = ("trl-dpo",)
    form: str = "conversational"
    kind: str = "jsonl"
    name: str = "pairs"


@dataclass(frozen=True, slots=True)
class Selected:
    """What may be exported.

    Attributes:
        pairs: Rows of `tables.PAIRS` with stratum, agreement and labelled_by beside them.
        rewards: Rows of `tables.REWARDS` of the groups on each side, with `split`.
        left_out: Reason → pairs that were built and are not exported.
        rewards_left_out: Reason → answers with a reward that are not exported.
        masked: Kind of personal data → how often it was masked in the pairs.
        golden: Golden set → (version, dataset digest).
    """

    pairs: tuple[dict[str, Any], ...]
    rewards: tuple[dict[str, Any], ...]
    left_out: dict[str, int]
    rewards_left_out: dict[str, int]
    masked: dict[str, int]
    golden: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported.

    Attributes:
        exported: The version of the preference set; None where a plain file was written.
        splits: Split → pairs.
        left_out: Reason → pairs that were built and are not exported.
        rewards_left_out: Reason → answers with a reward that are not exported.
        masked: Kind of personal data → how often it was masked in the pairs.
        path: The directory or file.
    """

    exported: Exported | None
    splits: dict[str, int]
    left_out: dict[str, int]
    rewards_left_out: dict[str, int]
    masked: dict[str, int]
    path: str


def export_pairs(directory: Path, plan: ExportPlan) -> ExportReport:
    """Write a version of a preference set: preferences/<name>/ with card, record and data.

    Raises:
        ConfigError: The name or a layout is unknown, or a layout has no such form.
        DataError: Nothing may be exported; the message says why.
    """
    workspace = Workspace(directory)
    _check(plan)
    where = standing(workspace)
    selected = select(workspace, where)
    splits = dict(Counter(pair["split"] for pair in selected.pairs))
    data, companions, files = _files(workspace, selected, plan)
    facts = _facts(workspace, where, selected, plan, files)
    details = _details(workspace, where, selected, plan, files)
    export = Export(
        name=plan.name,
        digests=pairs_digests(selected.pairs),
        data=data,
        card=lambda version: card(facts, version),
        companions=companions,
        details=details,
        at=workspace.now(),
    )
    exported = write_export(workspace.root, workspace.dvc, export)
    return _report(selected, plan, splits, f"preferences/{plan.name}", exported)


def export_file(
    directory: Path, plan: ExportPlan, *, split: str | None, output: Path | None
) -> tuple[ExportReport, str]:
    """One layout in one file, which nobody tracks; the JSON lines as text without a file.

    Raises:
        ConfigError: More than one layout, an unknown one, or one without that form.
        DataError: Nothing may be exported, or Parquet was asked for without a file.
    """
    _check(plan)
    if len(plan.layouts) != 1:
        raise ConfigError("one file holds one layout", hint="leave out -o, or name one --layout")
    if output is None and plan.kind == "parquet":
        raise DataError("Parquet is not for a terminal", hint="add --output FILE")
    workspace = Workspace(directory)
    selected = select(workspace, standing(workspace))
    layout = LAYOUTS[plan.layouts[0]]
    chosen = [
        one
        for one in (selected.pairs if layout.of == "pairs" else selected.rewards)
        if split in (None, one["split"])
    ]
    if not chosen:
        raise DataError(f"there are no {split or ''} {layout.of}".replace("  ", " "), hint="")
    content = _encoded(layout, chosen, plan)
    splits = dict(Counter(one["split"] for one in chosen))
    report = _report(selected, plan, splits, str(output or "-"))
    if output is None:
        return report, content.decode()
    with replacing(output) as temporary:
        temporary.write_bytes(content)
    return report, ""


def _report(
    selected: Selected,
    plan: ExportPlan,
    splits: dict[str, int],
    path: str,
    exported: Exported | None = None,
) -> ExportReport:
    without = _rewards_left_out(selected, plan)
    return ExportReport(exported, splits, selected.left_out, without, selected.masked, path)


def _rewards_left_out(selected: Selected, plan: ExportPlan) -> dict[str, int]:
    """Why answers with a reward are not exported, where a layout would hold them."""
    has_rewards = any(LAYOUTS[name].of == "rewards" for name in plan.layouts)
    return selected.rewards_left_out if has_rewards else {}


def _check(plan: ExportPlan) -> None:
    if not _NAME.match(plan.name):
        raise ConfigError(
            f"{plan.name!r} cannot name a preference set: lower case letters, digits and dashes",
            hint="run: gitloop pairs export --set NAME",
        )
    for name in plan.layouts:
        if name not in LAYOUTS:
            known = ", ".join(LAYOUTS)
            raise ConfigError(f"no layout is called {name}", hint=f"one of {known}")
        if plan.form not in LAYOUTS[name].forms:
            forms = " or ".join(LAYOUTS[name].forms)
            raise ConfigError(f"{name} is {forms}, not {plan.form}", hint=f"add --form {forms}")


def select(workspace: Workspace, where: Standing) -> Selected:
    """The pairs that may train, with their holdout, clean; and the rewards of the same sides.

    Raises:
        DataError: There is none; the message says why.
    """
    if where.pairs.is_empty():
        raise DataError(f"there are no pairs to export: {_why_none(workspace)}", hint="")
    golden, versions = every_golden_row(workspace)
    found = exportable(workspace, where, golden)
    if found.pairs.is_empty():
        common = Counter(found.left_out).most_common()
        told = "; ".join(f"{n} × {reason}" for reason, n in common)
        hint = next((_HINTS[reason] for reason, _ in common if reason in _HINTS), "")
        raise DataError(f"none of {where.pairs.height} pairs may train: {told}", hint=hint)
    known = {fate.pair_id: fate for fate in where.fates}
    pairs = tuple(_told(pair, known[pair["pair_id"]]) for pair in found.pairs.to_dicts())
    rewards, without = _rewards(workspace, golden)
    return Selected(pairs, rewards, found.left_out, without, found.masked, versions)


def _told(pair: dict[str, Any], fate: Fate) -> dict[str, Any]:
    figure = None if fate.agreement is None else round(fate.agreement, 6)
    return pair | {
        "stratum": fate.stratum or None,
        "agreement": figure,
        "labelled_by": list(fate.annotators),
    }


def _why_none(workspace: Workspace) -> str:
    """Why no preference became a pair, as the build counted it."""
    dropped: Counter[str] = Counter()
    for reasons in read_json(workspace.root / METRICS_PATH).get("dropped", {}).values():
        dropped.update(reasons)
    told = "; ".join(f"{n} × {reason}" for reason, n in dropped.most_common())
    return told or "no source gave any"


def _rewards(
    workspace: Workspace, golden: pl.DataFrame
) -> tuple[tuple[dict[str, Any], ...], dict[str, int]]:
    """Rewarded answers that may train, with the side of their group; and why others may not."""
    if not (workspace.root / REWARDS_PATH).is_file():
        return (), {}
    params = workspace.params.pairs
    rewards = workspace.read(REWARDS_PATH, REWARDS)
    masked = mask_rows(rewards, scan_of(workspace), key="trace_id")
    rate, near = params.holdout_rate, params.near_duplicate
    rows, dropped = clean_rewards(masked.rows, golden, holdout_rate=rate, near_duplicate=near)
    counts = Counter([*masked.dropped.values(), *dropped.values()])
    return tuple(rows), dict(sorted(counts.items()))


def _files(
    workspace: Workspace, selected: Selected, plan: ExportPlan
) -> tuple[dict[str, bytes], dict[str, str], dict[str, dict[str, str]]]:
    """What DVC keeps, what Git keeps, and layout → split → file name."""
    data: dict[str, bytes] = {}
    companions: dict[str, str] = {}
    files: dict[str, dict[str, str]] = {}
    for name in plan.layouts:
        layout = LAYOUTS[name]
        rows = selected.pairs if layout.of == "pairs" else selected.rewards
        own: dict[str, str] = {}
        for split in PAIR_SPLITS:
            chosen = [row for row in rows if row["split"] == split]
            if chosen:
                own[split] = f"{name}-{split}.{plan.kind}"
                data[own[split]] = _encoded(layout, chosen, plan)
        files[name] = own
        beside = companion(name, plan.form, {k: f"data/{v}" for k, v in own.items()})
        if beside is not None:
            companions[beside[0]] = beside[1]
    if found := constitution(workspace):
        companions["constitution.json"] = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    return data, companions, files


def _encoded(layout: Layout, rows: Sequence[Mapping[str, Any]], plan: ExportPlan) -> bytes:
    """The rows in the layout, as JSON lines or Parquet; the same rows are the same bytes."""
    found = layout.rows(rows, plan.form)
    if plan.kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found).encode()
    buffer = io.BytesIO()
    frame(found, layout.of).write_parquet(buffer, compression="zstd", compression_level=3)
    return buffer.getvalue()


def _facts(
    workspace: Workspace,
    where: Standing,
    selected: Selected,
    plan: ExportPlan,
    files: Mapping[str, Mapping[str, str]],
) -> CardFacts:
    policy = workspace.params.pairs.agreement
    ids = [pair["pair_id"] for pair in selected.pairs]
    exported = where.pairs.filter(pl.col("pair_id").is_in(ids))
    metrics = read_json(workspace.root / METRICS_PATH)
    return CardFacts(
        name=plan.name,
        files=files,
        form=plan.form,
        splits={
            split: sum(pair["split"] == split for pair in selected.pairs) for split in PAIR_SPLITS
        },
        sources=source_reports(exported),
        length=length_report(exported),
        position=position_report(where.said_of_pairs(), partial(first_side, workspace.params.seed)),
        order=metrics.get("order"),
        strata=where.strata,
        policy=(policy.statistic, policy.drop_below, policy.train_from),
        left_out=selected.left_out,
        rewards_left_out=_rewards_left_out(selected, plan),
        masked=selected.masked,
        golden={name: version for name, (version, _) in selected.golden.items()},
        rubrics=_rubrics(workspace),
    )


def _rubrics(workspace: Workspace) -> dict[str, str]:
    pins = workspace.params.rubrics
    return {name: f"version {pin.version}, {judge_name(pin.judge)}" for name, pin in pins.items()}


def _details(
    workspace: Workspace,
    where: Standing,
    selected: Selected,
    plan: ExportPlan,
    files: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """What the record says besides digests and parents."""
    policy = workspace.params.pairs.agreement
    return {
        "splits": dict(sorted(Counter(pair["split"] for pair in selected.pairs).items())),
        "sources": dict(sorted(Counter(pair["source"] for pair in selected.pairs).items())),
        "form": plan.form,
        "files": {layout: dict(own) for layout, own in files.items()},
        "inputs": {PATH: md5(workspace.root / PATH)},
        "golden": {
            name: {"version": version, "dataset_sha256": sha}
            for name, (version, sha) in selected.golden.items()
        },
        "rubrics": _rubrics(workspace),
        "agreement": {
            "policy": policy.model_dump(),
            "strata": [
                {
                    "stratum": f"{one.kind} {one.name}".rstrip(),
                    "n": one.n_labelled,
                    "band": one.band,
                    "figure": as_json(asdict(getattr(one, policy.statistic))),
                }
                for one in where.strata
                if one.n_labelled
            ],
        },
        "left_out": selected.left_out,
        "rewards_left_out": _rewards_left_out(selected, plan),
        "masked": selected.masked,
    }
