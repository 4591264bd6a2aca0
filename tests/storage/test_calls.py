"""The call store: nothing is paid for twice, and nothing damaged is taken for an answer."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.errors import StaleError
from gitloop.records import Answer
from gitloop.storage import parquet
from gitloop.storage.calls import CallStore
from gitloop.tables import CALLS

Requests = Sequence[Mapping[str, Any]]


class Model:
    """Answers with the request and how often it was called, like a model that draws."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.n_calls = 0

    def __call__(self, requests: Requests) -> list[Answer]:
        """One answer per request."""
        self.batches.append(len(requests))
        answers = []
        for request in requests:
            self.n_calls += 1
            status = request.get("status", "ok")
            answers.append(Answer(status, {"said": request.get("q"), "draw": self.n_calls}))
        return answers


def questions(*asked: str) -> list[dict[str, Any]]:
    """One request per question."""
    return [{"q": question} for question in asked]


def shards(folder: Path) -> list[Path]:
    """The files of a store."""
    return sorted(folder.glob("*.jsonl"))


def test_a_recorded_answer_is_not_paid_for_again(tmp_path: Path) -> None:
    """A later store of the same folder gives the same answers, and calls nothing."""
    model = Model()
    first = CallStore(tmp_path, "record")
    asked = first.ask("judge", questions("a", "b"), model)
    second = CallStore(tmp_path, "record")
    assert second.ask("judge", questions("a", "b"), model) == asked
    assert (model.n_calls, second.n_hits, second.n_misses) == (2, 2, 0)


def test_a_second_draw_is_a_second_draw(tmp_path: Path) -> None:
    """The nth identical request has its own answer, and a later run gets the same draws."""
    model = Model()
    store = CallStore(tmp_path, "record")
    draws = [a.value["draw"] for a in store.ask("judge", questions("a", "a"), model)]
    draws += [a.value["draw"] for a in store.ask("judge", questions("a"), model)]
    again = CallStore(tmp_path, "replay").ask("judge", questions("a", "a", "a"), model)
    assert draws == [1, 2, 3] == [answer.value["draw"] for answer in again]


def test_kinds_do_not_share_answers(tmp_path: Path) -> None:
    """The same request to a judge and to a target are two calls."""
    model = Model()
    store = CallStore(tmp_path, "record")
    store.ask("judge", questions("a"), model)
    store.ask("target", questions("a"), model)
    assert model.n_calls == 2


def test_errors_are_asked_again(tmp_path: Path) -> None:
    """Only good answers are kept, recorded and counted as used."""
    model = Model()
    store = CallStore(tmp_path, "record")
    bad = store.ask("judge", [{"q": "a", "status": "timeout"}], model)
    assert [answer.status for answer in bad] == ["timeout"]
    assert store.used().is_empty()
    CallStore(tmp_path, "record").ask("judge", [{"q": "a", "status": "timeout"}], model)
    assert model.n_calls == 2


def test_replay_calls_nothing_and_counts_what_is_missing(tmp_path: Path) -> None:
    """A miss in replay is stale; the message says how many of how many."""
    model = Model()
    CallStore(tmp_path, "record").ask("judge", questions("a"), model)
    with pytest.raises(StaleError, match="2 of 3 judge calls were never recorded"):
        CallStore(tmp_path, "replay").ask("judge", questions("a", "b", "c"), model)
    assert model.n_calls == 1


def test_off_always_calls_and_keeps_nothing(tmp_path: Path) -> None:
    """Mode off neither reads nor writes the store, but still tells what it used."""
    model = Model()
    CallStore(tmp_path / "s", "off").ask("judge", questions("a"), model)
    store = CallStore(tmp_path / "s", "off")
    store.ask("judge", questions("a"), model)
    assert model.n_calls == 2
    assert not (tmp_path / "s").exists()
    assert store.used().height == 1


def test_calls_that_came_with_the_commit_answer_alone(tmp_path: Path) -> None:
    """The table of used calls, written and read back, replays without the local store."""
    model = Model()
    store = CallStore(tmp_path / "one", "record")
    asked = store.ask("judge", questions("a", "b"), model)
    parquet.write(tmp_path / "calls.parquet", CALLS, store.used())
    recorded = parquet.read(tmp_path / "calls.parquet", CALLS)
    other = CallStore(tmp_path / "two", "replay", recorded)
    assert other.ask("judge", questions("a", "b"), model) == asked
    assert other.used().equals(recorded)


def test_two_stores_merge_by_set_union(tmp_path: Path) -> None:
    """Shards of two machines, joined line by line in any order, answer what either knew."""
    model = Model()
    for name, asked in (("one", ("a", "b")), ("two", ("b", "c"))):
        CallStore(tmp_path / name, "record").ask("judge", questions(*asked), model)
    merged = tmp_path / "merged"
    merged.mkdir()
    for digit in "0123456789abcdef":
        lines: set[bytes] = set()
        for name in ("one", "two"):
            path = tmp_path / name / f"{digit}.jsonl"
            lines |= set(path.read_bytes().splitlines()) if path.exists() else set()
        (merged / f"{digit}.jsonl").write_bytes(b"\n".join(sorted(lines)))
    answers = CallStore(merged, "replay").ask("judge", questions("a", "b", "c"), model)
    assert [answer.value["said"] for answer in answers] == ["a", "b", "c"]


@pytest.mark.parametrize("keep", [2, 40, 120, -2, -1])
def test_a_torn_tail_costs_one_call_and_no_other_answer(tmp_path: Path, keep: int) -> None:
    """A half-written last line is counted, skipped, and asked again; what follows it is whole."""
    model = Model()
    CallStore(tmp_path, "record").ask("judge", questions("a"), model)
    path = shards(tmp_path)[0]
    path.write_bytes(path.read_bytes().rstrip(b"\n")[:keep])
    store = CallStore(tmp_path, "record")
    store.ask("judge", questions("a"), model)
    assert (model.n_calls, store.n_torn) == (2, 1)
    assert CallStore(tmp_path, "replay").ask("judge", questions("a"), model)[0].value["draw"] == 2


def test_a_flipped_bit_is_never_an_answer(tmp_path: Path) -> None:
    """Whatever bit of a line flips, the line is no answer: it is asked again, or still the same."""
    model = Model()
    CallStore(tmp_path, "record").ask("judge", questions("a"), model)
    path = shards(tmp_path)[0]
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        try:
            found = CallStore(tmp_path, "replay").ask("judge", questions("a"), model)
        except StaleError:
            continue
        assert found[0].value == {"said": "a", "draw": 1}, place


def test_a_line_of_another_version_is_skipped(tmp_path: Path) -> None:
    """A store that a later gitloop wrote is read as far as it is understood."""
    model = Model()
    CallStore(tmp_path, "record").ask("judge", questions("a"), model)
    path = shards(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b"gitloop.call/v1", b"gitloop.call/v9"))
    store = CallStore(tmp_path, "record")
    store.ask("judge", questions("a"), model)
    assert (model.n_calls, store.n_torn) == (2, 1)


@pytest.mark.parametrize("content", [b"\x00\xff\n", b"[]\n{}\n", b"null\n", b"\n\n\n"])
def test_any_other_content_is_no_answer(tmp_path: Path, content: bytes) -> None:
    """Foreign bytes in every shard break nothing."""
    for digit in "0123456789abcdef":
        (tmp_path / f"{digit}.jsonl").write_bytes(content)
    model = Model()
    assert CallStore(tmp_path, "record").ask("judge", questions("a"), model)[0].status == "ok"
    assert CallStore(tmp_path, "replay").ask("judge", questions("a"), model)[0].status == "ok"


def _record(folder: Path, name: str, count: int) -> None:
    asked = [{"q": f"{name} {number}", "text": "x" * 2000} for number in range(count)]
    CallStore(folder, "record").ask("judge", asked, Model(), batch=5)


def test_two_processes_may_record_at_once(tmp_path: Path) -> None:
    """Concurrent writers of the same and of different calls leave whole lines only."""
    context = multiprocessing.get_context("fork")
    names = ("one", "two", "same", "same")
    writers = [context.Process(target=_record, args=(tmp_path, name, 60)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    store = CallStore(tmp_path, "replay")
    for name in set(names):
        asked = [{"q": f"{name} {number}", "text": "x" * 2000} for number in range(60)]
        assert len(store.ask("judge", asked, Model())) == 60
    assert store.n_torn == 0


def _record_and_die(folder: Path) -> None:
    def call(requests: Requests) -> list[Answer]:
        if requests[0]["q"] == "6":
            os.kill(os.getpid(), signal.SIGKILL)
        return [Answer("ok", {"said": request["q"]}) for request in requests]

    CallStore(folder, "record").ask("judge", questions(*"0123456789"), call, batch=2)


def test_a_killed_run_resumes_without_paying_twice(tmp_path: Path) -> None:
    """What was answered before the kill is on disk; only the rest is called."""
    context = multiprocessing.get_context("fork")
    writer = context.Process(target=_record_and_die, args=(tmp_path,))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    model = Model()
    CallStore(tmp_path, "record").ask("judge", questions(*"0123456789"), model)
    assert model.n_calls == 4


def test_progress_counts_answers(tmp_path: Path) -> None:
    """Recorded answers count at once, and each batch as it comes."""
    model = Model()
    CallStore(tmp_path, "record").ask("judge", questions("a"), model)
    told: list[int] = []
    store = CallStore(tmp_path, "record")
    store.ask("judge", questions(*"abcde"), model, batch=2, tell=told.append)
    assert told == [1, 3, 5]
    assert model.batches == [1, 2, 2]


@pytest.mark.parametrize("value", [{"x": float("nan")}, {"x": {1, 2}}, {"x": b"bytes"}])
def test_an_answer_that_json_cannot_hold_is_an_error(tmp_path: Path, value: dict[str, Any]) -> None:
    """It is told as an error of that call, and nothing of it is kept."""
    store = CallStore(tmp_path, "record")
    found = store.ask("judge", questions("a"), lambda _: [Answer("ok", value)])
    assert found[0].status == "error"
    assert found[0].error.startswith("the answer is not JSON")
    assert shards(tmp_path) == []


@given(
    text=st.text(st.characters(codec=None)),
    latency=st.none() | st.floats(0, 1e6),
)
def test_a_replayed_answer_is_the_one_that_came(
    tmp_path_factory: pytest.TempPathFactory, text: str, latency: float | None
) -> None:
    """Any text comes back exactly as it was, neither normalised nor cleaned, and any float too."""
    folder = tmp_path_factory.mktemp("store")
    answer = Answer("ok", {"said": text}, latency_s=latency)
    fresh = CallStore(folder, "record").ask("judge", questions("a"), lambda _: [answer])
    assert fresh == [answer]
    assert CallStore(folder, "replay").ask("judge", questions("a"), lambda _: []) == [answer]


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.none()))
def test_the_key_does_not_depend_on_the_order_of_keys(
    tmp_path_factory: pytest.TempPathFactory, request_: dict[str, Any]
) -> None:
    """A request with its keys in another order is the same request."""
    folder = tmp_path_factory.mktemp("store")
    CallStore(folder, "record").ask("judge", [request_], lambda _: [Answer("ok")])
    turned = dict(reversed(request_.items()))
    assert CallStore(folder, "replay").ask("judge", [turned], lambda _: [])[0].status == "ok"
