"""Importing: files become tracked parts, once, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gitloop.capture import Recorder
from gitloop.errors import ConfigError, DataError, PluginError
from gitloop.schema import Table
from gitloop.steps.capture import import_files
from gitloop.storage.dvc import Dvc
from gitloop.storage.parts import FOLDERS, read_parts
from gitloop.tables import FEEDBACK, TRACES
from tests.repositories import Repository


def trace(name: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """A plain trace."""
    return {"trace_id": name, "input": "?", "created_at": "2026-05-19T14:33:00Z", **other}


def event(name: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """A plain event."""
    return {
        "feedback_id": name,
        "trace_id": "t1",
        "signal_type": "copy",
        "created_at": "2026-05-20T09:00:00Z",
        **other,
    }


def file(folder: Path, name: str, *rows: dict[str, Any]) -> Path:
    """A JSON-lines file of the rows."""
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def table(repository: Repository, of: Table) -> pl.DataFrame:
    """The table, as a step reads it."""
    dvc = Dvc(repository.root, repository.root / ".git")
    return read_parts(repository.root, dvc, FOLDERS[of.name], of)


def everything(repository: Repository) -> list[str]:
    """Every file under data, but for the lock."""
    found = (path for path in (repository.root / "data").rglob("*") if path.is_file())
    return sorted(path.name for path in found if path.name != ".seal.lock")


def test_traces_and_events_become_parts(repository: Repository, tmp_path: Path) -> None:
    """Each table gets a part of its own, named by its newest day; Git sees the pointers alone."""
    files = [
        file(tmp_path, "t.jsonl", trace("t2"), trace("t1")),
        file(tmp_path, "f.jsonl", event("f1")),
    ]
    report = import_files(repository.root, files)
    assert table(repository, TRACES)["trace_id"].to_list() == ["t1", "t2"]
    assert table(repository, FEEDBACK)["feedback_id"].to_list() == ["f1"]
    assert [(it.name, it.form, it.n_traces, it.n_events) for it in report.files] == [
        ("t.jsonl", "jsonl", 2, 0),
        ("f.jsonl", "jsonl", 0, 1),
    ]
    assert report.traces.parts[0].startswith("data/traces/2026-05-19-")
    assert report.feedback.parts[0].startswith("data/feedback/2026-05-20-")
    assert report.stores[0].n_copied == 1
    seen = [line[3:] for line in repository.status().splitlines()]
    assert not [path for path in seen if path.endswith(".parquet")]
    assert {Path(path).name for path in seen} >= {
        Path(report.traces.parts[0]).name + ".dvc",
        Path(report.feedback.parts[0]).name + ".dvc",
    }


def test_importing_again_changes_nothing(repository: Repository, tmp_path: Path) -> None:
    """The same rows, in another file and order, are there already; the tree stays as it was."""
    import_files(repository.root, [file(tmp_path, "t.jsonl", trace("t1"), trace("t2"))])
    before = everything(repository)
    again = import_files(
        repository.root, [file(tmp_path, "u.jsonl", trace("t2", model=None), trace("t1"))]
    )
    assert (again.traces.n_new, again.traces.n_repeated, again.traces.n_conflicts) == (0, 2, 0)
    assert everything(repository) == before


def test_what_is_new_comes_in_what_contradicts_is_kept_apart(
    repository: Repository, tmp_path: Path
) -> None:
    """The first content of an id stays; the other lies in data/conflicts, once, and is counted."""
    import_files(repository.root, [file(tmp_path, "a.jsonl", trace("t1", output="one"))])
    second = file(tmp_path, "b.jsonl", trace("t1", output="two"), trace("t2"))
    report = import_files(repository.root, [second])
    again = import_files(repository.root, [second])
    assert (report.traces.n_new, report.traces.n_conflicts) == (1, 1)
    assert (again.traces.n_conflicts, again.traces.conflict_parts) == (1, ())
    assert table(repository, TRACES)["output"].to_list() == ["one", None]
    kept = pl.read_parquet(repository.root / report.traces.conflict_parts[0])
    assert kept["output"].to_list() == ["two"]
    assert (repository.root / f"{report.traces.conflict_parts[0]}.dvc").is_file()


def test_the_first_of_two_files_wins(repository: Repository, tmp_path: Path) -> None:
    """Files are read in the order in which they are given."""
    files = [
        file(tmp_path, "b.jsonl", trace("t1", output="first")),
        file(tmp_path, "a.jsonl", trace("t1", output="second")),
    ]
    report = import_files(repository.root, files)
    assert table(repository, TRACES)["output"].to_list() == ["first"]
    assert report.traces.n_conflicts == 1


def test_a_fault_anywhere_means_that_nothing_is_written(
    repository: Repository, tmp_path: Path
) -> None:
    """All faults of all files are told, and the good files are not imported either."""
    files = [
        file(tmp_path, "good.jsonl", trace("t1")),
        file(tmp_path, "bad.jsonl", trace("t2", latency_s="x"), trace("t2")),
        file(tmp_path, "worse.jsonl", event("f1", signal_type="applause")),
    ]
    with pytest.raises(DataError) as raised:
        import_files(repository.root, files)
    assert "in bad.jsonl has 2 problems" in raised.value.message
    assert "in worse.jsonl has 1 problem" in raised.value.message
    assert raised.value.message.endswith("nothing was written")
    assert everything(repository) == []


def test_rows_get_what_they_lack(repository: Repository, tmp_path: Path) -> None:
    """Constants of the command line and columns of params.yaml meet in one import."""
    repository.gen({"params.yaml": "capture: {columns: {value: score, route: product}}\n"})
    path = file(
        tmp_path,
        "f.jsonl",
        {"feedback_id": "f1", "signal_type": "rating", "score": 3, "product": "refund"},
    )
    import_files(
        repository.root, [path], constants={"created_at": "2026-05-19", "score_source": "human"}
    )
    row = table(repository, FEEDBACK).row(0, named=True)
    assert (row["value"], row["route"], row["score_source"]) == (3.0, "refund", "human")


def test_the_same_rows_are_the_same_part(tmp_path: Path) -> None:
    """Two repositories that import the same rows in another order hold the same bytes."""
    names = []
    for n, ids in enumerate((["t1", "t2", "t3"], ["t3", "t1", "t2"])):
        repository = Repository.create(tmp_path / str(n))
        path = file(tmp_path, f"{n}.jsonl", *(trace(name) for name in ids))
        names.append(import_files(repository.root, [path]).traces.parts)
    assert names[0] == names[1]


def test_rows_without_a_time_make_an_undated_part(repository: Repository, tmp_path: Path) -> None:
    """No clock gets into a part's name."""
    path = file(tmp_path, "t.jsonl", {"trace_id": "t1", "input": "?"})
    assert "undated-" in import_files(repository.root, [path]).traces.parts[0]


def test_what_a_killed_import_left_is_removed(repository: Repository, tmp_path: Path) -> None:
    """The hidden room of an import that died does not stay for ever."""
    left = repository.root / "data" / ".capture.dead.tmp"
    left.mkdir(parents=True)
    import_files(repository.root, [file(tmp_path, "t.jsonl", trace("t1"))])
    assert not left.exists()


def test_a_fallback_file_of_the_recorder_can_be_imported(
    repository: Repository, tmp_path: Path
) -> None:
    """What the spool did not take comes back with --format feedback, under its own id."""
    (tmp_path / "in-the-way").write_text("")
    recorder = Recorder(str(tmp_path / "in-the-way" / "x"), fallback=str(tmp_path / "kept"))
    receipt = recorder.record({"signal_type": "copy", "trace_id": "t1"})
    import_files(repository.root, [Path(receipt.path)], "feedback")
    assert table(repository, FEEDBACK)["feedback_id"].to_list() == [receipt.feedback_id]


def test_what_cannot_be_an_import_is_refused(repository: Repository, tmp_path: Path) -> None:
    """An unknown format, an unknown column, a file of no format: each has its own word."""
    path = file(tmp_path, "t.jsonl", trace("t1"))
    with pytest.raises(PluginError, match="there is no source named json"):
        import_files(repository.root, [path], "json")
    with pytest.raises(ConfigError, match="cohort is no column"):
        import_files(repository.root, [path], constants={"cohort": "pro"})
    picture = tmp_path / "x.png"
    picture.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(DataError, match=r"x\.png is in no format that is known here"):
        import_files(repository.root, [picture])
