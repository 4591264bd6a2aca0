"""The recorder: what a call promises, and what becomes of an event that cannot be stored."""

from __future__ import annotations

import errno
import io
import json
import math
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop import capture
from gitloop.capture import Batch, Counts, Recorder, files, journal
from gitloop.capture.events import complete, faults, line
from gitloop.errors import DataError
from gitloop.signals import SIGNAL_TYPES
from gitloop.tables import FEEDBACK


def recorded(folder: Path) -> list[dict[str, Any]]:
    """Every event in the folder's files."""
    return [
        json.loads(text)
        for path in sorted(folder.glob("*.jsonl"))
        for text in path.read_text(encoding="utf-8").rstrip("\0").splitlines()
    ]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A spool and a fallback directory."""
    return tmp_path / "spool", tmp_path / "fallback"


def recorder(folders: tuple[Path, Path], **options: Any) -> Recorder:  # noqa: ANN401
    """A recorder that writes into the two directories."""
    return Recorder(str(folders[0]), fallback=str(folders[1]), **options)


def test_an_event_is_on_disk_when_the_call_returns(folders: tuple[Path, Path]) -> None:
    """The line holds the fields that were given, and the id, class, source and time that follow."""
    with_time = datetime(2026, 5, 19, 16, 33, tzinfo=timezone(timedelta(hours=2)))
    receipt = recorder(folders).record(
        {"signal_type": "thumbs_down", "trace_id": "t1", "route": "refund", "created_at": with_time}
    )
    assert recorded(folders[0]) == [
        {
            "created_at": "2026-05-19T14:33:00.000000Z",
            "feedback_id": receipt.feedback_id,
            "route": "refund",
            "score_source": "human",
            "signal_class": "explicit",
            "signal_type": "thumbs_down",
            "trace_id": "t1",
        }
    ]
    assert receipt.state == "durable"
    assert receipt.is_acknowledged
    assert Path(receipt.path).parent == folders[0]


def test_the_words_of_the_recorder_are_those_of_the_table() -> None:
    """Every field of an event is a column of the feedback table, and the other way round."""
    every = complete(dict.fromkeys(FEEDBACK.schema.names(), "x"))
    assert sorted(every) == sorted(FEEDBACK.schema.names())


def test_each_signal_has_its_helper(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The typed helpers cover every signal type, each with what it needs."""
    monkeypatch.setenv("GITLOOP_SPOOL", str(folders[0]))
    capture.configure(is_strict=True)
    capture.thumbs_up("t")
    capture.thumbs_down("t")
    capture.rating("t", 4)
    capture.comment("t", "cited a policy that does not exist")
    capture.retry("t")
    capture.regenerate("t")
    capture.abandon("t")
    capture.copy("t")
    capture.edit("t", "better words")
    capture.escalate("t")
    capture.outcome("t", 1.0, "api")
    capture.rubric_score("t", "grounded@2", 0.25, "auto_grader", metadata={"seen": 1})
    capture.relabel("t", "grounded", "fail")
    capture.configure()
    events = recorded(folders[0])
    assert sorted(event["signal_type"] for event in events) == sorted(SIGNAL_TYPES)
    scored = next(event for event in events if event["signal_type"] == "rubric_score")
    assert scored["metadata"] == {"rubric": "grounded@2", "seen": 1}
    assert {event["trace_id"] for event in events} == {"t"}


def test_only_the_sender_knows_the_source_of_an_outcome(folders: tuple[Path, Path]) -> None:
    """rubric_score and outcome get no score_source that nobody gave."""
    recorder(folders).record({"signal_type": "outcome", "value": 1.0})
    assert "score_source" not in recorded(folders[0])[0]


def test_a_field_of_another_name_moves_into_the_metadata(folders: tuple[Path, Path]) -> None:
    """Nothing that the host said is thrown away."""
    recorder(folders).record(
        {"signal_type": "copy", "screen": "chat", "metadata": {"app": "2.1", "screen": "kept"}}
    )
    assert recorded(folders[0])[0]["metadata"] == {"app": "2.1", "screen": "kept"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "signal_type is missing"),
        ({"signal_type": "thumb_down"}, "signal_type is 'thumb_down'"),
        ({"signal_type": "rating", "value": math.nan}, "value is nan, not a finite number"),
        ({"signal_type": "rating", "value": "four"}, "value is 'four'"),
        ({"signal_type": "rating", "value": True}, "value is True"),
        ({"signal_type": "copy", "trace_id": 7}, "trace_id is int, not text"),
        ({"signal_type": "copy", "score_source": "me"}, "score_source is 'me'"),
        ({"signal_type": "copy", "created_at": "yesterday"}, "created_at is 'yesterday'"),
        ({"signal_type": "copy", "metadata": [1]}, "metadata is list, not a mapping"),
    ],
)
def test_an_event_with_a_fault_is_kept_and_counted(
    folders: tuple[Path, Path], fields: dict[str, Any], words: str
) -> None:
    """A faulty event goes to a fallback file with its faults; the host hears nothing of it."""
    tested = recorder(folders)
    receipt = tested.record(fields)
    assert receipt.state == "refused"
    assert tested.counts().refused == 1
    assert recorded(folders[0]) == []
    assert words in recorded(folders[1] / "refused")[0]["faults"][0]


def test_a_strict_recorder_raises_every_fault_at_once(folders: tuple[Path, Path]) -> None:
    """With is_strict the host gets one DataError that names all faults."""
    with pytest.raises(DataError) as raised:
        recorder(folders, is_strict=True).record({"signal_type": "like", "value": "x"})
    assert "signal_type is 'like'" in raised.value.message
    assert "value is 'x'" in raised.value.message


def test_a_spool_that_fails_is_a_fallback_file_and_a_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the spool cannot be written, the event is durable elsewhere and one line is told."""
    (tmp_path / "file").write_text("in the way")
    tested = Recorder(str(tmp_path / "file" / "spool"), fallback=str(tmp_path / "fallback"))
    states = [tested.record({"signal_type": "copy"}).state for _ in range(3)]
    assert states == ["fallback"] * 3
    assert tested.counts() == Counts(fallback=3)
    assert len(recorded(tmp_path / "fallback" / "events")) == 3
    assert capsys.readouterr().err.count("feedback is not reaching its spool") == 1


def test_an_event_that_nothing_takes_is_counted_as_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the fallback fails as well the host goes on, and the loss is counted and told."""
    (tmp_path / "file").write_text("in the way")
    nowhere = str(tmp_path / "file" / "x")
    tested = Recorder(nowhere, fallback=nowhere)
    receipt = tested.record({"signal_type": "copy"})
    assert receipt.state == "lost"
    assert not receipt.is_acknowledged
    assert tested.counts().lost == 1
    assert "the fallback failed as well" in capsys.readouterr().err


def test_without_a_repository_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside a gitloop repository events go to the fallback, with a word about GITLOOP_SPOOL."""
    monkeypatch.delenv("GITLOOP_SPOOL", raising=False)
    monkeypatch.setenv("GITLOOP_FALLBACK", str(tmp_path / "fallback"))
    monkeypatch.chdir(tmp_path)
    assert Recorder().record({"signal_type": "copy"}).state == "fallback"
    assert "set GITLOOP_SPOOL" in capsys.readouterr().err


def test_the_spool_of_the_repository_around_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that runs somewhere in a gitloop repository needs no setting."""
    monkeypatch.delenv("GITLOOP_SPOOL", raising=False)
    (tmp_path / ".git").mkdir()
    (tmp_path / "params.yaml").write_text("")
    (tmp_path / "app" / "web").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "app" / "web")
    receipt = Recorder().record({"signal_type": "copy"})
    assert Path(receipt.path).parent == tmp_path / "data" / "feedback" / "spool"


def test_threads_share_one_file_and_lose_nothing(folders: tuple[Path, Path]) -> None:
    """Eight threads at once: every event is there once, on a line of its own."""
    tested = recorder(folders)

    def work(n: int) -> None:
        for i in range(40):
            assert tested.record({"signal_type": "copy", "trace_id": f"{n}/{i}"}).is_acknowledged

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sorted(event["trace_id"] for event in recorded(folders[0]))
    assert found == sorted(f"{n}/{i}" for n in range(8) for i in range(40))
    assert len(list(folders[0].glob("*.jsonl"))) == 1
    assert tested.counts().durable == 320


def test_a_file_that_was_taken_away_is_followed_by_a_new_one(folders: tuple[Path, Path]) -> None:
    """After the sealer took the file, the next event starts another; the old one stays as it is."""
    tested = recorder(folders)
    first = Path(tested.record({"signal_type": "copy", "trace_id": "a"}).path)
    taken = first.rename(first.with_suffix(".taken"))
    second = Path(tested.record({"signal_type": "copy", "trace_id": "b"}).path)
    assert second != first
    assert taken.read_text().count("\n") == 1
    assert [event["trace_id"] for event in recorded(folders[0])] == ["b"]


def test_the_batched_mode_says_that_events_are_only_written(folders: tuple[Path, Path]) -> None:
    """A batched event is with the kernel at once, and its receipt claims no more than that."""
    tested = recorder(folders, batch=Batch(max_events=3, max_s=60))
    receipts = [tested.record({"signal_type": "copy"}) for _ in range(4)]
    assert {receipt.state for receipt in receipts} == {"written"}
    assert not receipts[0].is_acknowledged
    assert len(recorded(folders[0])) == 4
    tested.close()


def test_a_forked_child_writes_a_file_of_its_own(folders: tuple[Path, Path]) -> None:
    """After fork, parent and child append to different files."""
    program = (
        "import os, sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from gitloop import capture\n"
        "capture.copy('before')\n"
        "child = os.fork()\n"
        "capture.copy('child' if child == 0 else 'parent')\n"
        "print(capture.counts().durable, flush=True)\n"
        "if child == 0: os._exit(0)\n"
        "os.waitpid(child, 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"GITLOOP_SPOOL": str(folders[0]), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    files = sorted(path.read_text().count("\n") for path in folders[0].glob("*.jsonl"))
    assert files == [1, 2]
    assert sorted(done.stdout.split()) == ["1", "2"]


def test_importing_the_recorder_loads_the_standard_library_alone() -> None:
    """The host application gets no dependency and no heavy module from the recorder."""
    program = (
        "import sys; before = set(sys.modules)\n"
        "from gitloop import capture\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(loaded - set(sys.stdlib_module_names) - {'gitloop'}))\n"
        "heavy = {'asyncio', 'collections', 'dataclasses', 'datetime', 'enum', 'functools',\n"
        "         'json', 'inspect', 'logging', 'pathlib', 're', 'threading', 'typing', 'uuid'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_a_disk_that_is_full_leaves_whole_lines_and_loses_nothing(
    folders: tuple[Path, Path],
) -> None:
    """A write that the disk cuts short is undone; the event goes to the fallback, later ones too.

    A limit on the file's size stands in for the disk's end: the kernel writes what fits, and fails.
    """
    program = (
        "import json, resource, sys\n"
        "from gitloop.capture import Recorder\n"
        "recorder = Recorder(sys.argv[1], fallback=sys.argv[2])\n"
        "event = {'signal_type': 'copy', 'comment': 'x' * 300}\n"
        "first = [recorder.record(event).state for _ in range(3)]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))\n"
        "then = [recorder.record(event).state for _ in range(4)]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "last = [recorder.record(event).state for _ in range(2)]\n"
        "print(json.dumps([first, then, last]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
    )
    first, then, last = json.loads(done.stdout)
    assert (set(first), set(last)) == ({"durable"}, {"durable"})
    assert then[-1] == "fallback"
    n_kept = then.count("fallback")
    assert len(recorded(folders[0])) == 9 - n_kept
    assert len(recorded(folders[1] / "events")) == n_kept
    assert "feedback is not reaching its spool" in done.stderr


def test_a_spool_that_may_only_be_read_is_no_loss(tmp_path: Path) -> None:
    """On a file system without rights to write, the event is durable in the fallback."""
    tested = Recorder("/proc/self/gitloop-spool", fallback=str(tmp_path / "fallback"))
    assert tested.record({"signal_type": "copy"}).state == "fallback"
    assert len(recorded(tmp_path / "fallback" / "events")) == 1


def test_a_file_that_has_grown_large_is_followed_by_a_new_one(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file of the spool grows without bound, and no event is lost between two of them."""
    monkeypatch.setattr(journal, "MAX_FILE_BYTES", 500)
    tested = recorder(folders)
    for n in range(12):
        assert tested.record({"signal_type": "copy", "trace_id": f"{n}"}).is_acknowledged
    files = list(folders[0].glob("*.jsonl"))
    assert len(files) > 2
    tested.close()
    assert max(path.stat().st_size for path in files) < 1000
    assert {event["trace_id"] for event in recorded(folders[0])} == {f"{n}" for n in range(12)}


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*FEEDBACK.schema.names(), "other"]), _ANYTHING))
def test_whatever_is_recorded_is_one_line_of_strict_json(fields: dict[str, Any]) -> None:
    """Any fields become one line of UTF-8 JSON without NaN, and their faults are sentences."""
    event = complete(fields)
    encoded = line(event)
    assert encoded.count(b"\n") == 1
    json.loads(encoded, parse_constant=lambda _name: pytest.fail("not strict JSON"))
    assert all(faults(event))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.text(), _JSON))
def test_a_line_is_what_the_standard_library_writes(value: dict[str, Any]) -> None:
    """What the recorder puts together by hand is `json.dumps` with sorted keys, byte for byte."""
    expected = json.dumps(value, ensure_ascii=False, sort_keys=True)
    assert line(value) == expected.encode("utf-8", "replace") + b"\n"


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), float("inf"), True, "4"])
def test_a_value_is_a_finite_number(value: object) -> None:
    """What no double can hold is a fault, and so is what is no number at all."""
    event = complete({"signal_type": "rating", "value": value})
    assert faults(event) == [f"value is {value!r}, not a finite number"]


def test_a_host_without_stderr_hears_nothing_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written anywhere, the complaint neither: the call returns, the loss counts."""
    (tmp_path / "file").touch()
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    tested = Recorder(str(tmp_path / "file"), fallback=str(tmp_path / "file"))
    assert tested.record({"signal_type": "copy"}).state == "lost"
    monkeypatch.setattr(sys, "stderr", None)
    tested = Recorder(str(tmp_path / "file"), fallback="\0")
    assert tested.record({"signal_type": "copy", "metadata": {"a": {1, 2}}}).state == "lost"
    assert tested.counts().lost == 1


def test_a_file_that_is_closed_holds_its_lines_and_nothing_else(folders: tuple[Path, Path]) -> None:
    """Room is reserved ahead while a file is open, and given back when it is closed."""
    tested = recorder(folders)
    path = Path(tested.record({"signal_type": "copy"}).path)
    open_length = path.stat().st_size
    tested.close()
    content = path.read_bytes()
    assert content.endswith(b"}\n")
    assert open_length >= len(content)


def test_where_nothing_can_be_reserved_files_grow_as_they_are_written(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that reserves no room costs time, and no event."""

    def refuse(_descriptor: int, _start: int, _n: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(files, "_reserve", refuse)
    tested = recorder(folders)
    path = Path([tested.record({"signal_type": "copy"}) for _ in range(3)][-1].path)
    assert path.read_bytes().count(b"\n") == 3
    assert path.read_bytes().endswith(b"}\n")


def test_hostile_values_become_text(folders: tuple[Path, Path]) -> None:
    """A bottomless list, a lone surrogate and an object that cannot be shown are survived."""

    class Silent:
        def __str__(self) -> str:
            raise RuntimeError("no")

    bottomless: list[Any] = []
    bottomless.append(bottomless)
    metadata = {"deep": bottomless, "half": "\ud800", "silent": Silent(), "at": datetime.now(UTC)}
    receipt = recorder(folders).record({"signal_type": "copy", "metadata": metadata})
    assert receipt.state == "durable"
    assert recorded(folders[0])[0]["metadata"]["silent"] == "<Silent>"
