"""Sealing: whatever is killed, every acknowledged event ends in the table once."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from gitloop.capture import Recorder
from gitloop.errors import DataError
from gitloop.steps.capture import SealReport, seal
from gitloop.storage import spool
from gitloop.storage.dvc import Dvc
from gitloop.storage.parts import read_parts
from gitloop.tables import FEEDBACK
from tests.repositories import Repository

WRITER = """
import itertools, sys
from gitloop.capture import Recorder
spool, name, acknowledged = sys.argv[1:]
recorder = Recorder(spool, is_strict=True)
with open(acknowledged, "a", buffering=1) as told:
    for n in itertools.count():
        event = {"signal_type": "copy", "trace_id": "t", "feedback_id": f"{name}-{n}"}
        if recorder.record(event).is_acknowledged:
            told.write(f"{name}-{n}\\n")
"""


def record(repository: Repository, *ids: str, **fields: object) -> None:
    """Record an event for each id in the repository's spool."""
    recorder = Recorder(str(repository.root / spool.FOLDERS["feedback"]), is_strict=True)
    for name in ids:
        recorder.record(
            {
                "signal_type": "thumbs_down",
                "feedback_id": name,
                "trace_id": f"t-{name}",
                "created_at": "2026-05-19T14:33:00Z",
                **fields,
            }
        )
    recorder.close()


def sealed(repository: Repository) -> pl.DataFrame:
    """The feedback table, as a step reads it."""
    dvc = Dvc(repository.root, repository.root / ".git")
    return read_parts(repository.root, dvc, "data/feedback", FEEDBACK)


def store(repository: Repository) -> list[str]:
    """The ids in the training store."""
    files = sorted((repository.root / "data" / "training").glob("*.parquet"))
    return sorted(name for path in files for name in pl.read_parquet(path)["feedback_id"])


def test_the_spool_becomes_a_tracked_part(repository: Repository) -> None:
    """The events are in a part that DVC tracks and Git ignores, and the spool is empty."""
    record(repository, "b", "a", route="refund", metadata={"app": 2})
    report = seal(repository.root)
    rows = sealed(repository)
    assert rows["feedback_id"].to_list() == ["a", "b"]
    assert rows["route"].to_list() == ["refund", "refund"]
    assert rows["signal_class"].to_list() == ["explicit", "explicit"]
    assert [json.loads(text) for text in rows["metadata"]] == [{"app": 2}, {"app": 2}]
    assert (report.n_files, report.n_lines, report.n_new) == (1, 2, 2)
    assert [Path(path).name[:11] for path in report.parts] == ["2026-05-19-"]
    assert spool.count_waiting(repository.root / spool.FOLDERS["feedback"]) == 0
    untracked = [line[3:] for line in repository.status().splitlines()]
    assert not [path for path in untracked if path.endswith(".parquet")]


def test_a_clock_that_goes_backwards_loses_and_orders_nothing_wrongly(
    repository: Repository,
) -> None:
    """Events whose times run backwards, or lie far away, are all there with the times they had."""
    times = ["2026-05-19T14:33:00Z", "2026-05-18T00:00:00Z", "1970-01-01T00:00:00Z", "2031-01-01"]
    for n, at in enumerate(times):
        record(repository, f"{n}", created_at=at)
    report = seal(repository.root)
    assert (report.n_new, report.n_aside) == (4, 0)
    found = sealed(repository).sort("feedback_id")["created_at"].dt.strftime("%Y-%m-%d").to_list()
    assert found == ["2026-05-19", "2026-05-18", "1970-01-01", "2031-01-01"]


def test_an_empty_spool_seals_to_nothing(repository: Repository) -> None:
    """Nothing waits: nothing is written, and that is no error."""
    report = seal(repository.root)
    assert (report.n_files, report.parts) == (0, ())
    assert sealed(repository).is_empty()


def test_the_same_events_are_the_same_part(tmp_path: Path) -> None:
    """Whatever the order of arrival and the number of writers, the bytes are the same."""
    names = []
    for n, groups in enumerate((("a", "b", "c"), ("c",), ("b",))):
        repository = Repository.create(tmp_path / str(n))
        for name in sorted({"a", "b", "c"} - set(groups)):
            record(repository, name)
        record(repository, *groups)
        names.append(seal(repository.root).parts)
    assert len(set(names)) == 1


def test_an_event_that_was_resent_counts_once(repository: Repository) -> None:
    """One id with the same content, in one file or two, now or earlier, is a repetition."""
    record(repository, "a", "a")
    record(repository, "a", created_at="2026-05-20T09:00:00Z")
    first = seal(repository.root)
    record(repository, "a")
    second = seal(repository.root)
    assert sealed(repository)["feedback_id"].to_list() == ["a"]
    assert (first.n_new, first.n_repeated, second.n_new, second.n_repeated) == (1, 2, 0, 1)


def test_an_id_with_other_content_is_kept_apart(repository: Repository) -> None:
    """The first event stays; the other is in data/conflicts, once, however often it comes."""
    record(repository, "a")
    record(repository, "a", comment="another", created_at="2026-05-20T09:00:00Z")
    report = seal(repository.root)
    record(repository, "a", comment="another")
    again = seal(repository.root)
    kept = sorted((repository.root / "data/conflicts/feedback").glob("*.parquet"))
    conflicts = pl.concat(pl.read_parquet(path) for path in kept)
    assert sealed(repository).height == 1
    assert conflicts.height == 1
    assert (report.n_new, report.n_conflicts, again.n_conflicts) == (1, 1, 1)
    comments = {sealed(repository)["comment"].item(), conflicts["comment"].item()}
    assert comments == {None, "another"}


def test_lines_that_are_no_events_are_set_aside(repository: Repository) -> None:
    """A torn line and one that fits no table are kept byte for byte, counted, and told."""
    folder = repository.root / spool.FOLDERS["feedback"]
    record(repository, "a")
    path = next(folder.glob("*.jsonl"))
    with path.open("ab") as handle:
        handle.write(b'{"feedback_id":"b","signal_type":"applause"}\n{"feedback_id":"c","si')
    report = seal(repository.root)
    assert sealed(repository)["feedback_id"].to_list() == ["a"]
    assert (report.n_lines, report.n_new, report.n_aside, report.n_torn) == (3, 1, 2, 1)
    assert any("signal_type is 'applause'" in reason for reason in report.reasons)
    assert "cut off" in report.reasons[-1]
    aside = (folder / "aside" / path.name).read_bytes()
    assert aside == (b'{"feedback_id":"b","signal_type":"applause"}\n{"feedback_id":"c","si\n')


@pytest.mark.slow
def test_a_seal_that_dies_is_finished_by_the_next(tmp_path: Path) -> None:
    """Dead before any of its changes to the file system, nothing is lost or doubled afterwards."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gitloop.steps.capture"])
    n_deaths = 0
    while True:
        repository = Repository.create(tmp_path / str(n_deaths))
        record(repository, "a", "b")
        child = context.Process(target=_seal_until_death, args=(repository.root, n_deaths))
        child.start()
        child.join()
        record(repository, "c")
        seal(repository.root)
        assert sealed(repository)["feedback_id"].to_list() == ["a", "b", "c"]
        assert sorted(set(store(repository))) == ["a", "b", "c"]
        assert seal(repository.root).n_files == 0
        if child.exitcode == 0:
            break
        n_deaths += 1
    assert n_deaths >= 6  # claim, store, part, object, pointer, discard


def _seal_until_death(root: Path, n_changes: int) -> None:
    """Seal, but die before the change to the file system that follows `n_changes` others."""
    left = n_changes

    def die_in_time(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        is_discard = event == "os.remove" and str(arguments[0]).endswith(".jsonl")
        if event == "os.rename" or is_discard:
            if left == 0:
                os._exit(9)
            left -= 1

    sys.addaudithook(die_in_time)
    seal(root)


def test_a_store_that_is_down_catches_up(repository: Repository) -> None:
    """While the training store fails the evaluation store has all; later the first catches up."""
    training = repository.root / "data" / "training"
    training.parent.mkdir(parents=True, exist_ok=True)
    training.write_text("a file in the way")
    record(repository, "a")
    down: SealReport = seal(repository.root)
    assert sealed(repository)["feedback_id"].to_list() == ["a"]
    assert (down.stores[0].n_behind, down.is_complete) == (1, False)
    assert down.stores[0].reason
    training.unlink()
    record(repository, "b")
    up = seal(repository.root)
    assert (up.stores[0].n_behind, up.stores[0].n_copied, up.is_complete) == (0, 2, True)
    assert store(repository) == ["a", "b"]


def test_the_training_store_has_what_the_evaluation_store_could_not_take(
    repository: Repository,
) -> None:
    """While data/feedback cannot be written the events are in the other store and in the spool."""
    record(repository, "a")
    cache = repository.root / ".dvc" / "cache"
    cache.write_text("a file in the way")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        seal(repository.root)
    assert store(repository) == ["a"]
    assert spool.count_waiting(repository.root / spool.FOLDERS["feedback"]) == 1
    cache.unlink()
    seal(repository.root)
    assert sealed(repository)["feedback_id"].to_list() == ["a"]
    assert store(repository) == ["a"]


def test_a_broken_part_stops_the_seal_before_anything_is_written(repository: Repository) -> None:
    """Where the table cannot be read, the spool stays as it was."""
    record(repository, "a")
    repository.gen({"data/feedback/2026-05-18-aaaaaaaa.parquet.dvc": "outs:\n- md5:"})
    with pytest.raises(DataError):
        seal(repository.root)
    assert spool.count_waiting(repository.root / spool.FOLDERS["feedback"]) == 1


@pytest.mark.slow
def test_kill_9_of_eight_writers_loses_and_doubles_nothing(
    repository: Repository, tmp_path: Path
) -> None:
    """Every event that a killed writer saw acknowledged is in the table once, sealing meanwhile."""
    folder = repository.root / spool.FOLDERS["feedback"]
    told = [tmp_path / f"acknowledged-{n}" for n in range(8)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(folder), f"w{n}", str(path)])
        for n, path in enumerate(told)
    ]
    for wanted in (5, 15, 25):
        while min(_lines(path) for path in told) < wanted:
            time.sleep(0.01)
        seal(repository.root)
    for writer in writers:
        os.kill(writer.pid, signal.SIGKILL)
    for writer in writers:
        writer.wait()
    seal(repository.root)
    acknowledged = {name for path in told for name in path.read_text().split()}
    found = Counter(sealed(repository)["feedback_id"])
    assert acknowledged <= set(found)
    assert set(found.values()) == {1}
    assert len(found) <= len(acknowledged) + len(writers)  # the one that was under way in each


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
