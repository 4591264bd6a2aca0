"""Build preference pairs from what the loop knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.pairs import (
    Found,
    OrderReport,
    Remedies,
    build,
    comparisons,
    failures_of,
    from_clusters,
    from_scores,
    from_sessions,
    from_thumbs,
    from_verdicts,
    from_votes,
    order_report,
    outcomes_of,
    rewards,
    worth_judging,
)
from gitloop.core.pairs.reports import LengthReport, SourceReport, length_report, source_reports
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import keep_calls
from gitloop.protocols import Progress, silent
from gitloop.records import as_json
from gitloop.steps.pairs.standing import METRICS_PATH, PATH, REWARDS_PATH
from gitloop.steps.pairs.world import CALLS_PATH, SCORES_PATH, World
from gitloop.storage.files import write_json
from gitloop.storage.votes import read_votes
from gitloop.tables import MEMBERS, PAIRS, REWARDS
from gitloop.workspace import Workspace

SCHEMA = "gitloop.pairs/v2"


@dataclass(frozen=True, slots=True)
class PairsReport:
    """What became a pair.

    Attributes:
        n_pairs: Pairs.
        n_review: Those that a person looks at before they train.
        n_prompts: Prompt classes with a pair.
        n_rewards: Answers with a reward.
        by_source: Source → pairs.
        by_split: "train" and "holdout" → pairs.
        verified_by: How chosen answers of clusters were verified → pairs.
        sources: One report per source.
        length: Whether chosen answers are simply longer.
        order: What the order of two answers does to the judge, or None where none judged.
        dropped: Source, or "build" → reason → candidates that are no pair.
    """

    n_pairs: int
    n_review: int
    n_prompts: int
    n_rewards: int
    by_source: dict[str, int]
    by_split: dict[str, int]
    verified_by: dict[str, int]
    sources: tuple[SourceReport, ...]
    length: LengthReport
    order: OrderReport | None
    dropped: dict[str, dict[str, int]]


def build_pairs(directory: Path, progress: Progress = silent) -> PairsReport:
    """Build loop/pairs/pairs.parquet from the sources that params.yaml names, and the rewards.

    Raises:
        ConfigError: A source lacks what it needs in params.yaml.
        DataError: An input is missing or broken; nothing was written.
        StaleError: Mode replay, and a call was never recorded.
        ApiError: More calls failed than `score.max_error_rate` allows.
    """
    workspace = Workspace(directory)
    params = workspace.params.pairs
    _check(workspace)
    world = World(workspace, progress)
    if params.max_judged:
        world.judge(worth_judging(world.traces, params.max_judged))
    order: list[OrderReport] = []
    found = {name: _SOURCES[name](world, order) for name in params.sources}
    built = build(
        (one for source in found.values() for one in source.preferences),
        min_margin=params.min_margin,
        holdout_rate=params.holdout_rate,
    )
    judging = {name: world.lines[name] for name in world.judging}
    rewarded = rewards(world.known, world.traces, judging, params.weights)
    report = _report(built.pairs, rewarded.height, order[0] if order else None)
    report.dropped.update({name: dict(sorted(one.dropped.items())) for name, one in found.items()})
    report.dropped["build"] = built.dropped
    workspace.write(PATH, PAIRS, built.pairs)
    workspace.write(REWARDS_PATH, REWARDS, rewarded)
    keep_calls(workspace, CALLS_PATH, world.store)
    write_json(workspace.root / METRICS_PATH, _metrics(report))
    return report


def _check(workspace: Workspace) -> None:
    params = workspace.params.pairs
    unknown = sorted(set(params.weights) - set(workspace.params.rubrics))
    if unknown:
        raise ConfigError(
            f"pairs.weights names {', '.join(unknown)}, which params.yaml does not pin",
            hint="edit params.yaml: pairs.weights",
        )
    has_scores = (workspace.root / SCORES_PATH).is_file()
    if "scores" in params.sources and not params.max_judged and not has_scores:
        raise DataError(
            "the source scores has no scores: calibrate has not run and pairs.max_judged is 0",
            hint="run: dvc repro calibrate, or set pairs.max_judged in params.yaml",
        )


def _clusters(world: World, _: list[OrderReport]) -> Found:
    params = world.workspace.params.pairs
    members = world.workspace.read("loop/cluster/members.parquet", MEMBERS)
    failures = failures_of(members, world.traces)
    written = world.written()
    reruns = {}
    if params.rerun:
        wanting = [trace_id for trace_id, _ in failures if trace_id not in written]
        world.judge(wanting)
        reruns = world.rerun(wanting)
    remedies = Remedies(written, world.known, reruns, frozenset(members["trace_id"].to_list()))
    return from_clusters(
        failures, world.traces, remedies, world.lines, holdout_rate=params.holdout_rate
    )


def _thumbs(world: World, _: list[OrderReport]) -> Found:
    return from_thumbs(world.joined, holdout_rate=world.workspace.params.pairs.holdout_rate)


def _votes(world: World, _: list[OrderReport]) -> Found:
    return from_votes(read_votes(world.workspace.root), world.traces)


def _scores(world: World, _: list[OrderReport]) -> Found:
    params = world.workspace.params.pairs
    return from_scores(
        world.known,
        world.traces,
        world.lines,
        holdout_rate=params.holdout_rate,
        most=params.max_per_prompt,
    )


def _sessions(world: World, _: list[OrderReport]) -> Found:
    params = world.workspace.params.pairs
    ended = outcomes_of(world.joined.iter_rows(named=True), world.traces)
    return from_sessions(
        ended, world.traces, holdout_rate=params.holdout_rate, most=params.max_per_prompt
    )


def _judged(world: World, order: list[OrderReport]) -> Found:
    params = world.workspace.params.pairs
    if params.judge is None:
        raise ConfigError("the source judge needs pairs.judge", hint="edit params.yaml: pairs")
    asked = comparisons(
        world.traces,
        seed=world.workspace.params.seed,
        holdout_rate=params.holdout_rate,
        most=params.judge.max_pairs,
        most_per_prompt=params.max_per_prompt,
    )
    verdicts = world.verdicts(asked, params.judge)
    order.append(order_report(verdicts))
    return from_verdicts(asked, verdicts)


_SOURCES: dict[str, Callable[[World, list[OrderReport]], Found]] = {
    "clusters": _clusters,
    "votes": _votes,
    "thumbs": _thumbs,
    "scores": _scores,
    "judge": _judged,
    "sessions": _sessions,
}


def _report(pairs: pl.DataFrame, n_rewards: int, order: OrderReport | None) -> PairsReport:
    return PairsReport(
        n_pairs=pairs.height,
        n_review=pairs.height - pairs["review"].null_count(),
        n_prompts=pairs["prompt_class"].n_unique(),
        n_rewards=n_rewards,
        by_source=_counted(pairs["source"]),
        by_split=_counted(pairs["split"]),
        verified_by=_counted(pairs["verified_by"].drop_nulls()),
        sources=tuple(source_reports(pairs)),
        length=length_report(pairs),
        order=order,
        dropped={},
    )


def _counted(values: pl.Series) -> dict[str, int]:
    return dict(values.value_counts().sort(values.name).iter_rows())


def _metrics(report: PairsReport) -> dict[str, Any]:
    """What metrics.json says; lists become objects, because DVC compares those alone."""
    value = asdict(report) | {"sources": {one.source: asdict(one) for one in report.sources}}
    return {"schema": SCHEMA, **as_json(value)}
