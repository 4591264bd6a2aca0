"""A golden set of ten thousand parts, which years of promotions without a compaction would make."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from gitloop.digests import dataset_digest, row_id
from gitloop.steps.diff import DiffRequest, diff
from gitloop.steps.golden import ChangeRequest, compact, edit
from gitloop.steps.verify import verify
from gitloop.storage.dvc import Pointer
from gitloop.storage.golden_commits import NEW, GoldenWriter, Rewrite
from gitloop.storage.lineage import SCHEMA, PartState, render_record
from gitloop.tables import GOLDEN
from gitloop.workspace import Workspace
from tests.repositories import Repository

N = 10_000
MARK = "N%04d"
"""Stands in every cell that tells one row from another, so that a file can be made from another."""


def golden_rows() -> pl.DataFrame:
    """Ten thousand rows, in the order of their numbers."""
    row = {
        "set": "large",
        "split": "train",
        "labels": [{"rubric": "grounded", "expected": "fail"}],
        "annotators": ["amara", "bo"],
        "guidance_version": "1",
        "created_at": datetime(2026, 5, 28, tzinfo=UTC),
    }
    marks = [MARK % number for number in range(N)]
    own = {
        "row_id": [row_id(input=f"Where is {mark}?", context=None, route=None) for mark in marks],
        "input": [f"Where is {mark}?" for mark in marks],
        "source_trace_id": [f"t-{mark}" for mark in marks],
        "source_feedback_ids": [[f"f-{mark}"] for mark in marks],
        "group_id": [f"g-{mark}" for mark in marks],
        "promoted_in": [""] * N,
    }
    shared = {name: [value] * N for name, value in row.items()}
    return GOLDEN.order(GOLDEN.complete(pl.DataFrame(own | shared, schema_overrides=GOLDEN.schema)))


def part_files(rows: pl.DataFrame) -> list[bytes]:
    """The bytes of each row's part: one Parquet file without compression, its cells replaced."""
    buffer = io.BytesIO()
    rows[:1].write_parquet(buffer, compression="uncompressed", statistics=False)
    first, mark = rows["row_id"][0].encode(), rows["group_id"][0][2:].encode()
    pieces = zip(rows["row_id"], rows["group_id"], strict=True)
    return [
        buffer.getvalue().replace(mark, group[2:].encode()).replace(first, name.encode())
        for name, group in pieces
    ]


@pytest.fixture
def large(repository: Repository) -> Repository:
    """A repository with a golden set of ten thousand parts of a row each, made in one promotion."""
    repository.gen({"golden/large/dataset.yaml": "name: large\n"}, commit="A set")
    workspace = Workspace(repository.root)
    writer = GoldenWriter(workspace.git, workspace.dvc)
    golden = workspace.golden("large", "HEAD")
    rows = golden_rows()
    rewrite = Rewrite({NEW: rows}, added=rows["row_id"].to_list())
    plan = writer.plan(golden, rewrite, kind="promote", at=datetime(2026, 5, 28, tzinfo=UTC))
    (stamped,) = plan.parts.values()
    states, files = [], {}
    for number, content in enumerate(part_files(stamped)):
        name = f"{plan.change.id}.{number}"
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        target = repository.root / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        row = plan.change.row_digests[stamped["row_id"][number]]
        states.append(PartState(name, md5, dataset_digest([row], SCHEMA), 1))
        pointer = Pointer(md5, len(content), f"{name}.parquet", "../data")
        files[f"golden/large/parts/{name}.parquet.dvc"] = pointer.render().encode()
    record = replace(plan.change, parts=states)
    files[f"golden/large/log/{record.id}.yaml"] = render_record(record)
    repository.import_commit(files, "Ten thousand parts")
    return repository


@pytest.mark.slow
def test_ten_thousand_parts_are_proved_compared_changed_and_compacted(large: Repository) -> None:
    """Every verb that walks over all parts does its work on a set of ten thousand."""
    workspace = Workspace(large.root)
    stray = large.root / "golden/large/data/stray.parquet"
    stray.parent.mkdir()
    stray.write_bytes(b"another branch left me")
    report = verify(large.root, "HEAD")
    assert report.findings == ()
    assert [(found.n_parts, found.n_rows) for found in report.sets] == [(N, N)]
    before = workspace.golden("large")  # in the work tree, whose data/ is swept
    assert not stray.exists()
    assert before.sha256() == report.sets[0].sha256
    row, other = before.records()[0].added[:2]

    edit(large.root, ChangeRequest("large", "A slip", onto="edited"), [row], ["reference=Here."])
    (entry,) = diff(large.root, DiffRequest("HEAD", "edited"))["sets"]
    assert (entry["before"]["n_rows"], entry["after"]["n_rows"]) == (N, N)
    assert [cell["row_id"] for cell in entry["cells"]] == [row]
    assert entry["counts"]["changed"] == 1

    compact(large.root, ChangeRequest("large", "Fewer", onto="fewer"))
    after = workspace.golden("large", "fewer")
    assert len(after.parts()) == 1
    assert after.sha256() == before.sha256()
    assert other in after.row_digests(after.parts()[0])
