"""The spool's files: claimed whole, read with nothing dropped, discarded only when told."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from gitloop.capture import Recorder
from gitloop.errors import DataError
from gitloop.storage import spool


def test_a_claimed_file_gets_no_further_line(tmp_path: Path) -> None:
    """A recorder that goes on after the claim writes to a new file."""
    recorder = Recorder(str(tmp_path))
    recorder.record({"signal_type": "copy", "feedback_id": "a"})
    claimed = spool.claim(tmp_path)
    recorder.record({"signal_type": "copy", "feedback_id": "b"})
    assert [event["feedback_id"] for _, event in spool.read(claimed[0]).events] == ["a"]
    assert spool.count_waiting(tmp_path) == 2
    assert len(spool.claim(tmp_path)) == 2


def test_a_torn_last_line_is_told_from_the_whole_ones(tmp_path: Path) -> None:
    """Lines before the tear are events; the torn one keeps its number and its bytes."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"feedback_id":"a"}\n\n{"feedback_id":"b"}\n{"feedback_i')
    found = spool.read(path)
    assert [(n, event["feedback_id"]) for n, event in found.events] == [(1, "a"), (3, "b")]
    assert found.broken == (4,)
    assert found.is_torn
    aside = spool.set_aside(tmp_path, found, [4])
    assert aside.read_bytes() == b'{"feedback_i\n'
    assert spool.count_aside(tmp_path) == 1


@pytest.mark.parametrize("last", [b"", b'{"feedback_id":"b'])
def test_room_that_a_killed_process_had_reserved_is_no_line(tmp_path: Path, last: bytes) -> None:
    """Zero bytes behind the lines are no torn line, and do not hide one either."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"feedback_id":"a"}\n' + last + bytes(4096))
    found = spool.read(path)
    assert [n for n, _ in found.events] == [1]
    assert found.broken == ((2,) if last else ())
    assert found.is_torn == bool(last)
    assert found.lines[1:] == ((last,) if last else ())


@pytest.mark.parametrize(
    "content", [b"\x00\x00\x00\n", b"\xff\xfe\n", b"[" * 9999 + b"\n", b"5\n", b'{"a":NaN}\n']
)
def test_a_broken_line_in_the_middle_hides_no_other(tmp_path: Path, content: bytes) -> None:
    """Zeros, no UTF-8, a nested bomb, no object, NaN: set apart, and the rest is read."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n' + content + b'{"a":2}\n')
    found = spool.read(path)
    assert [n for n, _ in found.events] == [1, 3]
    assert found.broken == (2,)
    assert not found.is_torn


def test_one_process_seals_at_a_time(tmp_path: Path) -> None:
    """A second sealer is told to wait, and gets its turn when the first is done."""
    context = multiprocessing.get_context("spawn")
    with spool.sealing(tmp_path):
        other = context.Process(target=_seal_in_vain, args=(tmp_path,))
        other.start()
        other.join()
        assert other.exitcode == 0
    with spool.sealing(tmp_path):
        pass


def _seal_in_vain(folder: Path) -> None:
    with pytest.raises(DataError, match="sealing or importing"), spool.sealing(folder):
        pass


def test_discarding_removes_nothing_but_the_files_it_is_given(tmp_path: Path) -> None:
    """What was claimed after the files were read stays."""
    recorder = Recorder(str(tmp_path))
    recorder.record({"signal_type": "copy"})
    first = spool.claim(tmp_path)
    recorder.record({"signal_type": "copy"})
    spool.claim(tmp_path)
    spool.discard(first)
    assert len(spool.claimed(tmp_path)) == 1
