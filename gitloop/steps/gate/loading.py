"""Everything that the gate reads, and the digests that say what it read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.core.baseline import PinnedRun, parse_baseline
from gitloop.core.gate import BaselineRun, GateInputs, GateRubric
from gitloop.digests import sha256_of
from gitloop.evaluation import judge_name, judge_sha256
from gitloop.records import Threshold, parse_thresholds
from gitloop.storage.files import md5, read_json
from gitloop.storage.golden import Part
from gitloop.storage.runs import LOCK, OUTPUTS, SCORES, bring, lock_outs, read_object
from gitloop.tables import GOLDEN
from gitloop.tables import OUTPUTS as OUTPUTS_TABLE
from gitloop.tables import SCORES as SCORES_TABLE
from gitloop.workspace import Workspace

THRESHOLDS = "loop/calibrate/thresholds.json"
BASELINE = "loop/baseline/baseline.json"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the gate reads.

    Attributes:
        inputs: For the core.
        datasets: Golden set → sha256, version and n_rows of what was read.
        runs: The baseline's runs, oldest first.
        digests: As `input_digests` gives them.
    """

    inputs: GateInputs
    datasets: Mapping[str, Mapping[str, Any]]
    runs: tuple[PinnedRun, ...]
    digests: Mapping[str, str | None]


def load(workspace: Workspace) -> Loaded:
    """Read it all.

    Raises:
        DataError: A file is missing or broken, or a golden set's pinned version is unknown.
        ConfigError: A rubric file or params.yaml is at fault.
    """
    params = workspace.params
    digests = input_digests(workspace)
    golden, datasets = golden_rows(workspace)
    rubrics = gate_rubrics(workspace)
    runs = tuple(parse_baseline(read_json(workspace.root / BASELINE)))
    inputs = GateInputs(
        golden=golden,
        outputs=workspace.read(OUTPUTS, OUTPUTS_TABLE),
        scores=workspace.read(SCORES, SCORES_TABLE),
        rubrics=rubrics,
        policy=params.gate,
        max_error_rate=params.score.max_error_rate,
        baseline=_baseline(workspace, runs, golden),
        seed=params.seed,
    )
    return Loaded(inputs, datasets, runs, digests)


def input_digests(workspace: Workspace) -> dict[str, str | None]:
    """What the verdict depends on, by name and content; equal digests mean an equal gate.json.

    A table that is not in the work tree counts as dvc.lock names it; one that is nowhere is None.
    """
    params = workspace.params
    policy = {
        "gate": params.gate.model_dump(mode="json"),
        "max_error_rate": params.score.max_error_rate,
        "seed": params.seed,
        "sets": dict(params.golden.sets),
    }
    found: dict[str, str | None] = {"params.yaml: gate": sha256_of(policy)}
    for path in (BASELINE, OUTPUTS, SCORES, THRESHOLDS):
        found[path] = _file_md5(workspace, path)
    for name in params.golden.sets:
        for part in _parts(workspace, name):
            found[part.pointer_path] = part.pointer.md5
    for name, pin in params.rubrics.items():
        # How people answer reaches the gate by way of the thresholds, which are among the inputs.
        rubric = workspace.rubric(name).model_dump(mode="json", exclude={"label"})
        judge = pin.judge.model_dump(mode="json")
        found[f"rubrics/{name}.yaml"] = sha256_of({"rubric": rubric, "judge": judge})
    return dict(sorted(found.items()))


def moved(recorded: Mapping[str, str | None], present: Mapping[str, str | None]) -> list[str]:
    """The names of the inputs that differ, sorted."""
    names = sorted({*recorded, *present})
    return [name for name in names if recorded.get(name) != present.get(name)]


def _file_md5(workspace: Workspace, path: str) -> str | None:
    file = workspace.root / path
    if file.is_file():
        return md5(file)
    lock = workspace.root / LOCK
    return lock_outs(workspace.dvc, lock.read_bytes()).get(path) if lock.is_file() else None


def _parts(workspace: Workspace, name: str) -> list[Part]:
    golden = workspace.golden_in_use(name)
    return golden.parts() if golden.exists() else []


def golden_rows(workspace: Workspace) -> tuple[pl.DataFrame, dict[str, dict[str, Any]]]:
    """Rows of all golden sets, and what was read of each."""
    frames, datasets = [GOLDEN.empty()], {}
    for name in sorted(workspace.params.golden.sets):
        golden = workspace.golden_in_use(name)
        rows = golden.read()
        frames.append(rows)
        datasets[name] = {
            "sha256": golden.sha256(),
            "n_rows": rows.height,
            "version": golden.version(),
        }
    return GOLDEN.order(pl.concat(frames)), datasets


def gate_rubrics(workspace: Workspace) -> dict[str, GateRubric]:
    """Rubric → its pins now, with its calibrated threshold where there is one."""
    file = workspace.root / THRESHOLDS
    needed = workspace.params.gate.require_calibration
    known: dict[str, Threshold] = {}
    if needed or file.is_file():
        known = parse_thresholds(read_json(file))
    found = {}
    for name, pin in workspace.params.rubrics.items():
        rubric = workspace.rubric(name)
        found[name] = GateRubric(
            name=name,
            version=rubric.version,
            sha256=rubric.sha256,
            judge=judge_name(pin.judge),
            judge_sha256=judge_sha256(rubric, pin.judge),
            scale=rubric.scale,
            floor=rubric.floor,
            noise_floor=rubric.noise_floor,
            threshold=rubric.threshold,
            calibrated=known.get(name),
        )
    return found


def _baseline(
    workspace: Workspace, runs: tuple[PinnedRun, ...], golden: pl.DataFrame
) -> tuple[BaselineRun, ...]:
    """The pinned runs' tables, from the cache or the remote."""
    tables = [digest for run in runs for digest in (run.scores_md5, run.outputs_md5) if digest]
    sets = workspace.params.golden.sets
    present = {part.pointer.md5 for name in sets for part in _parts(workspace, name)}
    old_parts = {
        digest: name
        for run in runs
        for name, pinned in run.datasets.items()
        for digest in pinned.parts.values()
        if digest not in present
    }
    bring(workspace.root, workspace.dvc, [*tables, *old_parts])
    changed = {
        digest: _changed_rows(workspace, digest, name, golden)
        for digest, name in sorted(old_parts.items())
    }
    found = []
    for run in runs:
        place = f"of {run.commit[:12]}"
        scores = read_object(workspace.dvc, run.scores_md5, SCORES_TABLE, source=f"scores {place}")
        outputs = None
        if run.outputs_md5:
            outputs = read_object(
                workspace.dvc, run.outputs_md5, OUTPUTS_TABLE, source=f"outputs {place}"
            )
        mine = {digest for pinned in run.datasets.values() for digest in pinned.parts.values()}
        rows = frozenset().union(*(changed[digest] for digest in mine if digest in changed))
        found.append(BaselineRun(scores, outputs, rows))
    return tuple(found)


def _changed_rows(
    workspace: Workspace, part_md5: str, name: str, golden: pl.DataFrame
) -> frozenset[str]:
    """Rows of an old part whose reference is another one now: their old scores do not compare."""
    old = read_object(workspace.dvc, part_md5, GOLDEN, source=f"an earlier part of {name}")
    both = old.select("row_id", "reference").join(
        golden.select("row_id", "reference"), on="row_id", suffix="_now"
    )
    differ = both.filter(pl.col("reference").ne_missing(pl.col("reference_now")))
    return frozenset(differ["row_id"].to_list())
