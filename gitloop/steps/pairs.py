"""Build preference pairs from what the loop knows, and export them for a trainer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.pairs import (
    Built,
    Preference,
    build,
    from_clusters,
    from_scores,
    from_thumbs,
    from_votes,
)
from gitloop.errors import DataError
from gitloop.storage.files import replacing, write_json
from gitloop.storage.labels import read_labels
from gitloop.storage.parts import read_parts
from gitloop.storage.votes import read_votes
from gitloop.tables import JOINED, MEMBERS, PAIRS, SCORES, TRACES
from gitloop.workspace import Workspace

SCHEMA = "gitloop.pairs/v1"
_METADATA = ("pair_id", "source", "route", "user_cohort", "cluster_id", "annotators", "split")


@dataclass(frozen=True, slots=True)
class PairsReport:
    """What became a pair.

    Attributes:
        n_pairs: Pairs.
        by_source: Source → pairs.
        by_split: "train" and "holdout" → pairs.
        dropped: Reason → preferences that are no pair.
        longer_chosen_rate: Share of pairs whose chosen answer is the longer one, or None.
    """

    n_pairs: int
    by_source: dict[str, int]
    by_split: dict[str, int]
    dropped: dict[str, int]
    longer_chosen_rate: float | None


def build_pairs(directory: Path) -> PairsReport:
    """Build loop/pairs/pairs.parquet from the sources that params.yaml names.

    Raises:
        DataError: An input is missing or broken; nothing was written.
    """
    workspace = Workspace(directory)
    params = workspace.params.pairs
    found: list[Preference] = []
    dropped: Counter[str] = Counter()
    traces = {
        trace["trace_id"]: trace
        for trace in read_parts(workspace.root, workspace.dvc, "data/traces", TRACES).iter_rows(
            named=True
        )
    }
    for source in params.sources:
        preferences, left_out = _preferences(workspace, source, traces)
        found += preferences
        dropped.update(left_out)
    built = build(found, min_margin=params.min_margin, holdout_rate=params.holdout_rate)
    dropped.update(built.dropped)
    report = _report(Built(built.pairs, dict(sorted(dropped.items()))))
    workspace.write("loop/pairs/pairs.parquet", PAIRS, built.pairs)
    metrics = {
        "schema": SCHEMA,
        "n_pairs": report.n_pairs,
        "by_source": report.by_source,
        "by_split": report.by_split,
        "dropped": report.dropped,
        "longer_chosen_rate": report.longer_chosen_rate,
    }
    write_json(workspace.root / "loop/pairs/metrics.json", metrics)
    return report


def _preferences(
    workspace: Workspace, source: str, traces: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Preference], Mapping[str, int]]:
    if source == "thumbs":
        return from_thumbs(workspace.read("loop/join/joined.parquet", JOINED)), {}
    if source == "clusters":
        members = workspace.read("loop/cluster/members.parquet", MEMBERS)
        return from_clusters(members, traces, _better(workspace)), {}
    if source == "votes":
        return from_votes(read_votes(workspace.root), traces)
    scores = workspace.read("loop/calibrate/scores.parquet", SCORES)
    rubrics = sorted(scores["rubric"].unique().to_list())
    return [one for rubric in rubrics for one in from_scores(scores, traces, rubric)], {}


def _better(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """trace_id → (what a person wrote instead, that person): an edit first, then a label."""
    found: dict[str, tuple[str, ...]] = {}
    labels = read_labels(workspace.root).filter(pl.col("reference").is_not_null())
    newest = labels.sort("created_at", "label_id")
    for trace_id, reference, annotator in newest.select(
        "trace_id", "reference", "annotator"
    ).iter_rows():
        found[trace_id] = (reference, annotator)
    joined = workspace.read("loop/join/joined.parquet", JOINED)
    edited = joined.filter(pl.col("edited_output").is_not_null()).sort("created_at", "feedback_id")
    for trace_id, text in edited.select("trace_id", "edited_output").iter_rows():
        found[trace_id] = (text, "user")
    return found


def _report(built: Built) -> PairsReport:
    pairs = built.pairs
    longer = pairs["chosen"].str.len_chars() > pairs["rejected"].str.len_chars()
    return PairsReport(
        n_pairs=pairs.height,
        by_source=_counted(pairs["source"]),
        by_split=_counted(pairs["split"]),
        dropped=built.dropped,
        longer_chosen_rate=round(int(longer.sum()) / pairs.height, 6) if pairs.height else None,
    )


def _counted(values: pl.Series) -> dict[str, int]:
    return dict(values.value_counts().sort(values.name).iter_rows())


def export_pairs(
    directory: Path, *, form: str, split: str | None, output: Path | None
) -> tuple[int, str]:
    """The pairs as prompt, chosen, rejected, margin and metadata.

    Args:
        directory: A directory in the checkout.
        form: "jsonl" or "parquet".
        split: "train", "holdout", or None for both.
        output: File to write, or None to return the text.

    Returns:
        Number of pairs, and the JSON lines where there is no `output` ("" otherwise).

    Raises:
        DataError: There are no pairs, or Parquet was asked for without a file.
    """
    workspace = Workspace(directory)
    pairs = workspace.read("loop/pairs/pairs.parquet", PAIRS)
    chosen = pairs if split is None else pairs.filter(pl.col("split") == split)
    if chosen.is_empty():
        raise DataError(
            f"there are no {split or ''} pairs to export".replace("  ", " "),
            hint="look at loop/pairs/metrics.json: dropped",
        )
    if form == "parquet":
        if output is None:
            raise DataError("Parquet is not for a terminal", hint="add --output FILE")
        with replacing(output) as temporary:
            chosen.write_parquet(temporary, compression="zstd", compression_level=3)
        return chosen.height, ""
    text = "".join(_line(row) for row in chosen.to_dicts())
    if output is None:
        return chosen.height, text
    with replacing(output) as temporary:
        temporary.write_bytes(text.encode())
    return chosen.height, ""


def _line(row: Mapping[str, Any]) -> str:
    """One pair in the layout that TRL, axolotl, LLaMA-Factory and Unsloth read."""
    value = {name: row[name] for name in ("prompt", "chosen", "rejected", "margin")}
    value["metadata"] = {name: row[name] for name in _METADATA}
    return json.dumps(value, ensure_ascii=False) + "\n"
