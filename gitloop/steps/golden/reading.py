"""Golden sets for reading: what there is, what stands in a row, and files for other tools."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.digests import json_line
from gitloop.errors import ConfigError, DataError
from gitloop.storage.files import replacing
from gitloop.storage.golden import GoldenSet
from gitloop.storage.golden_versions import split_name
from gitloop.storage.trees import WorkTree
from gitloop.workspace import Workspace

FORMATS = ("parquet", "jsonl", "csv", "hf")


@dataclass(frozen=True, slots=True)
class SetReport:
    """A golden set.

    Attributes:
        name: The set.
        version: Its version; both heads' after a merge.
        sha256: Its dataset digest.
        n_rows: Its rows.
        n_parts: Its parts.
        splits: Split → rows.
        routes: Route → rows.
        labels: "rubric: verdict" → rows.
        n_groups: Groups that its rows come from.
        n_records: Promotions, corrections, retirements and compactions so far.
        pin: Version that params.yaml pins, or None.
        is_in_gate: Whether params.yaml names it.
    """

    name: str
    version: str
    sha256: str
    n_rows: int
    n_parts: int
    splits: dict[str, int]
    routes: dict[str, int]
    labels: dict[str, int]
    n_groups: int
    n_records: int
    pin: str | None
    is_in_gate: bool


def open_set(workspace: Workspace, text: str, revision: str | None = None) -> GoldenSet:
    """The set that NAME or NAME@VERSION names, in the work tree or at a revision.

    Raises:
        ConfigError: Both a version and a revision are given.
        DataError: There is no such set, or no commit has that version.
    """
    name, version = split_name(text)
    if version and revision:
        raise ConfigError("name a version or a revision, not both", hint="leave --rev out")
    golden = workspace.golden_at(name, version) if version else workspace.golden(name, revision)
    if not golden.exists():
        raise DataError(f"there is no golden set {name}", hint="run: gitloop golden list")
    return golden


def list_sets(directory: Path, revision: str | None = None) -> list[SetReport]:
    """Every golden set of the work tree or the revision."""
    workspace = Workspace(directory)
    tree = WorkTree(workspace.root) if revision is None else None
    if tree is None:
        paths = list(workspace.git.files(workspace.git.resolve(revision or "HEAD"), "golden"))
    else:
        paths = tree.files("golden")
    names = sorted({path.split("/")[1] for path in paths if path.endswith("/dataset.yaml")})
    return [_report(workspace, workspace.golden(name, revision)) for name in names]


def show(directory: Path, text: str, revision: str | None = None) -> SetReport:
    """One golden set: NAME or NAME@VERSION."""
    workspace = Workspace(directory)
    return _report(workspace, open_set(workspace, text, revision))


def show_row(
    directory: Path, text: str, row_id: str, revision: str | None = None
) -> Mapping[str, Any]:
    """One row, by its id or a clear beginning of it, as JSON values.

    Raises:
        DataError: No row, or more than one, has an id that begins so.
    """
    workspace = Workspace(directory)
    rows = open_set(workspace, text, revision).read()
    found = rows.filter(pl.col("row_id").str.starts_with(row_id))
    if found.height != 1:
        raise DataError(
            f"{found.height or 'no'} rows of {text} begin with {row_id!r}",
            hint=f"run: gitloop golden export {text} --format jsonl",
        )
    value: Mapping[str, Any] = json.loads(json_line(found.row(0, named=True)))
    return value


def export(
    directory: Path, text: str, form: str, *, output: Path | None, revision: str | None = None
) -> bytes:
    """The set in another tool's format; also written to `output` where one is given.

    Args:
        directory: A directory in the work tree.
        text: NAME or NAME@VERSION.
        form: One of `FORMATS`. "hf" is a directory that `datasets.load_dataset` reads: one Parquet
            file per split and a README.md that names them.
        output: Where to; needed for "hf".
        revision: A commit, or None for the work tree.

    Raises:
        ConfigError: "hf" without an output.
    """
    workspace = Workspace(directory)
    golden = open_set(workspace, text, revision)
    rows = golden.read()
    if form == "hf":
        if output is None:
            raise ConfigError("the format hf is a directory", hint="add: --output DIR")
        _write_hub(output, golden, rows)
        return b""
    content = _encoded(rows, form)
    if output is not None:
        with replacing(output) as temporary:
            temporary.write_bytes(content)
    return content


def _encoded(rows: pl.DataFrame, form: str) -> bytes:
    if form == "jsonl":
        return "".join(f"{json_line(row)}\n" for row in rows.iter_rows(named=True)).encode()
    target = BytesIO()
    if form == "csv":
        nested = [name for name, dtype in rows.schema.items() if dtype == pl.List]
        texts = [
            pl.Series(name, [json_line(cell) for cell in rows[name].to_list()], pl.String)
            for name in nested
        ]
        rows.with_columns(texts).write_csv(target, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    else:
        rows.write_parquet(target, compression="zstd", compression_level=3)
    return target.getvalue()


def _write_hub(folder: Path, golden: GoldenSet, rows: pl.DataFrame) -> None:
    """The layout of the Hugging Face Hub: data/<split>-00000-of-00001.parquet and a card."""
    splits = [name for name in ("train", "val", "holdout") if name in set(rows["split"])]
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        path = f"data/{split}-00000-of-00001.parquet"
        with replacing(folder / path) as temporary:
            temporary.write_bytes(_encoded(rows.filter(pl.col("split") == split), "parquet"))
        lines += [f"  - split: {split}", f"    path: {path}"]
    lines += ["---", "", f"# {golden.name}", "", f"Version {golden.version()}: {rows.height} rows."]
    lines += [f"Dataset digest: {golden.sha256()}", ""]
    with replacing(folder / "README.md") as temporary:
        temporary.write_bytes("\n".join(lines).encode())


def _report(workspace: Workspace, golden: GoldenSet) -> SetReport:
    rows = golden.read()
    sets = workspace.params.golden.sets
    verdicts = Counter(
        f"{label['rubric']}: {label['expected']}" for labels in rows["labels"] for label in labels
    )
    return SetReport(
        name=golden.name,
        version=golden.version(),
        sha256=golden.sha256(),
        n_rows=rows.height,
        n_parts=len(golden.parts()),
        splits=_counts(rows["split"]),
        routes=_counts(rows["route"]),
        labels=dict(sorted(verdicts.items())),
        n_groups=rows["group_id"].n_unique(),
        n_records=len(golden.record_paths()),
        pin=sets.get(golden.name),
        is_in_gate=golden.name in sets,
    )


def _counts(values: pl.Series) -> dict[str, int]:
    counted = Counter("–" if value is None else str(value) for value in values.to_list())
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
