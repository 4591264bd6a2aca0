"""Where the loop stands, from small files alone: no table is opened, no DVC process started."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gitloop.errors import DataError, WorkspaceError
from gitloop.storage import spool
from gitloop.storage.dvc import Dvc
from gitloop.storage.files import read_json
from gitloop.storage.staleness import StageState, stage_states

_ID = re.compile(rb'^id: "?([^"\n]+?)"?$', re.MULTILINE)
_VERSION = re.compile(rb'^version: "?([^"\n]+?)"?$', re.MULTILINE)
_PARENT = re.compile(rb'^ *- record: "?([^"\n]+?)"?$', re.MULTILINE)
_ROWS = re.compile(rb"^n_rows: ([0-9]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GoldenState:
    """One golden set.

    Attributes:
        name: The set.
        version: Its version; two joined by "+" after a merge, "" before the first promotion.
        n_rows: Rows, as its newest record says; None where two records have to be added up.
        n_parts: Parts.
    """

    name: str
    version: str
    n_rows: int | None
    n_parts: int


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Where the loop stands. A figure that no stage has produced yet is None.

    Attributes:
        n_waiting_events: Feedback events that wait to be sealed.
        n_waiting_requests: Requests of spans that the collector took in and that wait to be sealed.
        n_trace_parts: Sealed trace files.
        n_feedback_parts: Sealed feedback files.
        n_joined: Events that met their trace.
        n_debug_only: Events that did not.
        join_rate: n_joined over both, [0, 1].
        n_clusters: Open clusters.
        noise_rate: Share of failures in no cluster, [0, 1].
        n_labels: Label lines per annotator.
        n_labels_wanted: Cluster representatives with fewer labels than params.yaml wants.
        golden: The golden sets.
        gate_verdict: Verdict of the last gate run, or None.
        gate_failures: What failed in it.
        stages: Each stage and whether it is stale.
        next: The commands that move the loop on, most urgent first.
    """

    n_waiting_events: int
    n_waiting_requests: int
    n_trace_parts: int
    n_feedback_parts: int
    n_joined: int | None
    n_debug_only: int | None
    join_rate: float | None
    n_clusters: int | None
    noise_rate: float | None
    n_labels: dict[str, int]
    n_labels_wanted: int | None
    golden: tuple[GoldenState, ...]
    gate_verdict: str | None
    gate_failures: tuple[str, ...]
    stages: tuple[StageState, ...]
    next: tuple[str, ...]


def status(directory: Path) -> StatusReport:
    """The state of the repository that `directory` lies in.

    Raises:
        WorkspaceError: Not in a gitloop repository.
        GitloopError: A small file that holds the state cannot be read.
    """
    root = _root(directory)
    join = _metrics(root, "join")
    cluster = _metrics(root, "cluster")
    gate = _read(root / "loop/gate/gate.json")
    golden = tuple(_golden(path.parent) for path in sorted(root.glob("golden/*/dataset.yaml")))
    stages = tuple(stage_states(root, Dvc(root, root / ".git")))
    labels = {path.stem: _count_lines(path) for path in sorted(root.glob("labels/*.jsonl"))}
    report = StatusReport(
        n_waiting_events=spool.count_waiting(root / spool.FOLDERS["feedback"]),
        n_waiting_requests=spool.count_waiting(root / spool.FOLDERS["traces"]),
        n_trace_parts=len(list(root.glob("data/traces/*.dvc"))),
        n_feedback_parts=len(list(root.glob("data/feedback/*.dvc"))),
        n_joined=join.get("n_joined"),
        n_debug_only=join.get("n_debug_only"),
        join_rate=join.get("join_rate"),
        n_clusters=cluster.get("n_clusters"),
        noise_rate=cluster.get("noise_rate"),
        n_labels=labels,
        n_labels_wanted=_labels_wanted(root, cluster),
        golden=golden,
        gate_verdict=gate.get("verdict"),
        gate_failures=tuple(gate.get("failures", ())),
        stages=stages,
        next=(),
    )
    return _with_next(report)


def _root(directory: Path) -> Path:
    """The nearest directory upwards with both Git and params.yaml, found without starting git."""
    start = directory.resolve()
    for candidate in (start, *start.parents):
        if (candidate / ".git").exists():
            if (candidate / "params.yaml").is_file():
                return candidate
            raise WorkspaceError("this repository has no params.yaml", hint="run: gitloop init")
    raise WorkspaceError(f"{directory} is not in a Git repository", hint="run: git init")


def _metrics(root: Path, stage: str) -> dict[str, Any]:
    return _read(root / f"loop/{stage}/metrics.json")


def _read(path: Path) -> dict[str, Any]:
    value = read_json(path) if path.is_file() else {}
    if not isinstance(value, dict):
        raise DataError(f"{path.name} does not hold a JSON object", hint="run: dvc repro")
    return value


def _count_lines(path: Path) -> int:
    return sum(1 for line in path.read_bytes().split(b"\n") if line.strip())


def _golden(folder: Path) -> GoldenState:
    """The set's state from its records, by their rendered form: opening tables would cost more."""
    found: dict[str, tuple[str, int | None]] = {}
    parents: set[str] = set()
    for path in sorted((folder / "log").glob("*.yaml")):
        content = path.read_bytes()
        rows = _ROWS.search(content)
        own = _first(_ID, content) or path.stem
        found[own] = (_first(_VERSION, content) or own, int(rows[1]) if rows else None)
        parents |= {parent.decode() for parent in _PARENT.findall(content)}
    heads = [found[record] for record in found if record not in parents]
    versions = sorted({version for version, _ in heads})
    n_rows = heads[0][1] if len(versions) == 1 else None
    n_parts = len(list((folder / "parts").glob("*.parquet.dvc")))
    return GoldenState(folder.name, "+".join(versions), n_rows if heads else 0, n_parts)


def _first(pattern: re.Pattern[bytes], content: bytes) -> str:
    match = pattern.search(content)
    return match[1].decode() if match else ""


def _labels_wanted(root: Path, cluster: Mapping[str, Any]) -> int | None:
    """Representatives that fewer than two people have labelled."""
    if "clusters" not in cluster:
        return None
    shown = {trace for one in cluster["clusters"].values() for trace in one["representatives"]}
    seen: dict[str, set[str]] = {}
    for path in root.glob("labels/*.jsonl"):
        for trace_id in re.findall(rb'"trace_id": ?"([^"]+)"', path.read_bytes()):
            seen.setdefault(trace_id.decode(), set()).add(path.stem)
    return sum(1 for trace_id in shown if len(seen.get(trace_id, ())) < 2)


def _with_next(report: StatusReport) -> StatusReport:
    """The report with the commands that move the loop on."""
    states = {stage.name: stage.state for stage in report.stages}
    upstream = [name for name in ("join", "cluster") if states.get(name) != "fresh"]
    is_empty = not any(golden.n_parts for golden in report.golden)
    wishes = [
        (report.n_trace_parts == report.n_waiting_requests == 0,
         "gitloop capture import TRACES.jsonl"),
        (report.n_waiting_events + report.n_waiting_requests > 0, "gitloop capture seal"),
        (report.n_trace_parts > 0 and bool(upstream), "dvc repro cluster"),
        (bool(report.n_labels_wanted), "gitloop label"),
        (bool(report.n_clusters) and not report.n_labels_wanted and is_empty,
         "gitloop promote --all --set " + (report.golden[0].name if report.golden else "NAME")),
        (not is_empty and any(state != "fresh" for state in states.values()), "dvc repro"),
        (report.gate_verdict not in (None, "pass"), "gitloop gate --check"),
    ]  # fmt: skip
    commands = tuple(command for is_due, command in wishes if is_due)
    return replace(report, next=commands)
