"""Golden sets on disk: parts, pointers, records, and the bytes behind them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.errors import DataError, TableError
from gitloop.records import GoldenRecord, Lineage, PartState
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.steps.verify import verify
from gitloop.storage import golden_parts
from gitloop.storage.golden import GoldenSet, digest
from gitloop.storage.golden_parts import write_parts
from gitloop.storage.lineage import Change, heads, parse_record, render_record, version_of
from gitloop.storage.trees import CommitTree, WorkTree
from gitloop.tables import GOLDEN
from gitloop.workspace import Workspace
from tests.promotable import failure, make_promotable
from tests.repositories import Repository

AT = datetime(2026, 5, 28, tzinfo=UTC)


def rows(n: int, text: str = "question") -> pl.DataFrame:
    """Golden rows."""
    row = {
        "set": "s",
        "split": "train",
        "context": None,
        "reference": "é",
        "bad_output": None,
        "labels": [{"rubric": "r", "expected": "pass"}],
        "route": None,
        "user_cohort": None,
        "prompt_version": None,
        "annotators": ["a"],
        "guidance_version": "1",
        "source_trace_id": "t",
        "source_feedback_ids": ["f"],
        "cluster_id": None,
        "group_id": "g",
        "created_at": AT,
        "promoted_in": "v",
    }
    own = [{"row_id": f"{k:016x}", "input": f"{text} {k}"} for k in range(n)]
    return pl.DataFrame([row | each for each in own], schema=GOLDEN.schema)


def place(repository: Repository, *tables: pl.DataFrame) -> GoldenSet:
    """A set in the work tree with these parts."""
    workspace = Workspace(repository.root)
    for number, table in enumerate(tables):
        for part in write_parts(workspace.dvc, f"part{number}", table):
            repository.gen({part.pointer_path("s"): part.pointer.render()})
    repository.gen({"golden/s/dataset.yaml": "name: s\n"})
    return workspace.golden("s")


def test_set_is_the_union_of_its_parts(repository: Repository) -> None:
    """Rows of all parts are read, sorted by key; the digest does not depend on how they lie."""
    table = rows(10)
    golden = place(repository, table[5:], table[:5].reverse())
    assert golden.read().equals(table)
    assert golden.sha256() == digest(table) == digest(table.reverse())


def test_digest_ignores_the_part_that_holds_a_row() -> None:
    """A row that moves to another part is the same row; one that changes is not."""
    table = rows(3)
    moved = table.with_columns(pl.lit("w").alias("promoted_in"))
    changed = table.with_columns(pl.lit("other").alias("reference"))
    assert digest(moved) == digest(table) != digest(changed)


def test_what_is_remembered_of_a_part_is_believed_only_whole(repository: Repository) -> None:
    """Row digests of which a power cut took some are worked out again, and then right again."""
    golden = place(repository, rows(10))
    digests = golden.row_digests(golden.parts()[0])
    (memory,) = (repository.root / ".git/gitloop").glob("digests-*/*")
    whole = memory.read_bytes()
    for torn in (b"", whole[:100], whole[:-9], b"\0" * len(whole), b"\xff" * 9):
        memory.write_bytes(torn)
        assert golden.row_digests(golden.parts()[0]) == digests
        assert memory.read_bytes() == whole


def test_empty_set_has_no_rows_and_no_version(repository: Repository) -> None:
    """A set with a dataset.yaml and nothing else is read as such."""
    golden = place(repository)
    assert (golden.read().height, golden.version(), golden.exists()) == (0, "", True)


def test_large_parts_are_split(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part has more rows or bytes than the limits, and none is lost."""
    monkeypatch.setattr(golden_parts, "MAX_ROWS", 40)
    monkeypatch.setattr(golden_parts, "MAX_BYTES", 9_000)
    golden = place(repository, rows(100))
    parts = golden.parts()
    assert len(parts) > 2
    assert all((part.pointer.size or 0) <= 9_000 for part in parts)
    assert golden.read().equals(rows(100))


def test_cells_of_a_megabyte_and_any_script_are_kept(repository: Repository) -> None:
    """Long and foreign texts come back as they were, from the work tree and from a commit."""
    table = rows(3, "質問 🌍 \u0301\u200d\r\n" * 60_000)
    golden = place(repository, table)
    assert golden.read().equals(table)
    repository.commit("Add", ".")
    assert Workspace(repository.root).golden("s", "HEAD").sha256() == digest(table)


def test_key_in_two_parts_is_refused(repository: Repository) -> None:
    """A row that two parts hold is an error, whether or not the parts were read before."""
    golden = place(repository, rows(2), rows(1))
    for _ in range(2):
        with pytest.raises(TableError, match="1 keys"):
            golden.read()
        golden.sha256()


def test_stray_is_not_read(repository: Repository) -> None:
    """A Parquet file that no pointer names is never part of the set."""
    golden = place(repository, rows(2))
    rows(5).write_parquet(repository.root / "golden/s/stray.parquet")
    (repository.root / "golden/s/data").mkdir()
    rows(5).write_parquet(repository.root / "golden/s/data/stray.parquet")
    assert golden.read().height == 2
    assert [path.name for path in golden.strays()] == ["stray.parquet"]


@pytest.mark.parametrize(
    ("path", "wdir"),
    [
        ("part0.parquet", "../../../.."),
        ("../../../params.yaml", "../data"),
        ("x.parquet", "../data"),
    ],
)
def test_pointer_out_of_the_set_is_refused(repository: Repository, path: str, wdir: str) -> None:
    """A pointer can only name the part of its own name in the set's own data directory."""
    golden = place(repository, rows(1))
    pointer = repository.root / "golden/s/parts/part0.parquet.dvc"
    text = pointer.read_text().replace("part0.parquet", path).replace("../data", wdir)
    pointer.write_text(text)
    with pytest.raises(DataError, match="points at"):
        golden.read()


def test_damaged_object_is_never_read(repository: Repository) -> None:
    """Bytes that do not have the MD5 that names them are told, not read."""
    golden = place(repository, rows(2))
    (part,) = golden.parts()
    path = golden.locate(part)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"PAR1 but not what it was")
    with pytest.raises(DataError, match="damaged"):
        Workspace(repository.root).golden("s").read()


def test_shallow_clone_reads_and_proves_its_set(repository: Repository, tmp_path: Path) -> None:
    """With one commit of history the set, its version and its proof are whole."""
    make_promotable(repository, [failure(n) for n in range(4)])
    report = promote(repository.root, PromoteRequest((), "support", takes_all=True))
    repository.git("merge", "--quiet", str(report.branch))
    clone = Repository(tmp_path / "clone")
    url = f"file://{repository.root}"
    repository.git("clone", "--quiet", "--depth", "1", url, str(clone.root))
    config = f"[cache]\n    dir = {repository.root / '.dvc/cache'}\n"
    clone.gen({".dvc/config.local": config})
    golden = Workspace(clone.root).golden("support", "HEAD")
    assert (golden.read().height, golden.version()) == (4, report.version)
    assert verify(clone.root, "HEAD").findings == ()


def test_trees_tell_the_same(repository: Repository) -> None:
    """The work tree and the commit of it have the same files, contents and blob ids."""
    place(repository, rows(3))
    repository.commit("Add", ".")
    commit = CommitTree(Workspace(repository.root).git, "HEAD")
    work = WorkTree(repository.root)
    paths = work.files("golden")
    assert commit.files("golden") == paths
    assert commit.read(paths) == work.read(paths)
    assert [commit.blob(path) for path in paths] == [work.blob(path) for path in paths]
    assert (commit.has("golden"), work.has("golden"), commit.files("none")) == (False, False, [])
    with pytest.raises(DataError, match=r"nope is not in commit"):
        commit.read(["nope"])


def change(**fields: object) -> Change:
    """A change of three rows."""
    usual: dict[str, object] = {
        "kind": "edit",
        "set_name": "s",
        "heads": (),
        "base_sha256": None,
        "row_digests": {"1": "a" * 64, "2": "b" * 64},
        "parts": [PartState("p", "0" * 32, "c" * 64, 2)],
        "at": AT,
        "added": ["2"],
        "changed": ["1"],
        "retired": ["3"],
        "why": 'it said: "no"\n# and more',
    }
    return Change(**(usual | fields))  # type: ignore[arg-type]


def test_record_says_what_was_done() -> None:
    """A record that is read again is the change that was written, and equal changes equal bytes."""
    made = change()
    text = render_record(made)
    found = parse_record(text, source=f"golden/s/log/{made.id}.yaml")
    assert (found.added, found.changed, found.retired) == (["2"], {"1": "a" * 64}, ["3"])
    assert (found.version, found.dataset_sha256) == (made.version, made.dataset_sha256)
    assert found.content["why"] == made.why
    assert found.parts == list(made.parts)
    assert render_record(change()) == text


@pytest.mark.parametrize(
    ("fields", "is_same_version"),
    [
        ({"why": "another reason"}, True),
        ({"at": datetime(2026, 5, 29, tzinfo=UTC)}, True),
        ({"row_digests": {"1": "a" * 64, "2": "c" * 64}}, False),
    ],
)
def test_records_of_two_changes_never_share_a_name(
    fields: dict[str, object], is_same_version: bool
) -> None:
    """The version follows from the content; the id also from who came to it, when and why."""
    one, other = change(), change(**fields)
    assert one.id != other.id
    assert (one.version == other.version) is is_same_version


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"\xff", b"<<<<<<< a\n", b"id: x\n", b"schema: [unclosed"]
)
def test_broken_record_is_told(text: bytes) -> None:
    """A record that is cut off, torn or of another kind is a data error with its path."""
    with pytest.raises(DataError, match=r"golden/s/log/x\.yaml"):
        parse_record(text, source="golden/s/log/x.yaml")


def records(parents: dict[str, list[str]]) -> list[GoldenRecord]:
    """Records with these parents; the version is the id."""
    return [
        GoldenRecord(name, tuple(before), "", {"version": name, "created_at": ""})
        for name, before in parents.items()
    ]


def test_heads_are_the_version() -> None:
    """A merge has two heads until a record names both."""
    parents = {"a": [], "b": ["a"], "c": ["a"]}
    assert version_of(records(parents)) == "b+c"
    assert version_of(records(parents | {"d": ["b", "c"]})) == "d"
    assert version_of([]) == ""


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), max_size=20))
def test_parents_come_before_children(edges: list[list[int]]) -> None:
    """Whatever the graph, each record is listed once, after its parents."""
    parents = {
        str(number): [str(parent) for parent in before if parent < number]
        for number, before in enumerate(edges)
    }
    found = [record.id for record in Lineage.of(records(parents)[::-1]).records]
    assert sorted(found) == sorted(parents)
    assert all(found.index(p) < found.index(name) for name in found for p in parents[name])
    assert {head.id for head in heads(records(parents))} == set(parents) - {
        parent for before in parents.values() for parent in before
    }
