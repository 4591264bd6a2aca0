"""Label files: read strictly, appended durably."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitloop.errors import ConfigError, DataError
from gitloop.storage.labels import (
    append_labels,
    check_label,
    parse_line,
    read_labels,
    render_label,
    scan_labels,
)
from gitloop.tables import LABELS
from tests.labelled import label


def write(root: Path, annotator: str, *lines: str) -> None:
    """Write a label file line by line, as an editor might."""
    path = root / "labels" / f"{annotator}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def test_nobody_has_labelled_yet(tmp_path: Path) -> None:
    """Without label files there is an empty table with the right columns."""
    assert read_labels(tmp_path).schema == LABELS.schema


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    """Labels come back as they were given, sorted by id, with nullable columns filled."""
    rows = [label("t2", "fail", comment="invented"), label("t1", "pass")]
    append_labels(tmp_path, "amara", rows)
    assert read_labels(tmp_path).to_dicts() == sorted(rows, key=lambda row: row["label_id"])


def test_a_later_line_supersedes(tmp_path: Path) -> None:
    """Of one person's labels of a trace under a rubric the last line counts."""
    append_labels(tmp_path, "amara", [label("t1", "pass"), label("t1", "fail", rubric="polite")])
    append_labels(tmp_path, "amara", [label("t1", "fail")])
    scan = scan_labels(tmp_path)
    found = dict(scan.labels.select("rubric", "label").iter_rows())
    assert (found, scan.n_lines, scan.n_superseded) == (
        {"grounded": "fail", "polite": "fail"},
        3,
        1,
    )


def test_two_people_do_not_supersede_each_other(tmp_path: Path) -> None:
    """Each annotator's word on the same trace stands."""
    append_labels(tmp_path, "amara", [label("t1", "pass")])
    append_labels(tmp_path, "bo", [label("t1", "fail", "bo")])
    assert read_labels(tmp_path)["annotator"].to_list() == ["amara", "bo"]


def test_every_fault_is_told_with_its_place(tmp_path: Path) -> None:
    """All bad lines of all files are named at once."""
    good = render_label(label("t1", "pass"))
    write(tmp_path, "amara", good, "{nonsense\n", '{"trace_id": 7}\n')
    write(tmp_path, "bo", render_label(label("t1", "pass", "carol")))
    with pytest.raises(DataError) as caught:
        read_labels(tmp_path)
    told = caught.value.message
    assert "labels/amara.jsonl:2: not valid JSON" in told
    assert "labels/amara.jsonl:3: trace_id must be text, not 7" in told
    assert "labels/bo.jsonl:1: annotator is 'carol', but the file is bo's" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"score": 2}, "score must be a number in [0, 1], not 2"),
        ({"score": True}, "score must be a number in [0, 1], not true"),
        ({"score": 0.0}, "score is 0.0, but label 'pass' means 1.0"),
        ({"created_at": "2026-05-18T08:00:00"}, "created_at must say its zone"),
        ({"created_at": "yesterday"}, "created_at must be a time such as"),
        ({"role": "boss"}, "role is 'boss'; it takes annotator, senior"),
        ({"rubrik": "x"}, "unknown key rubrik; did you mean rubric?"),
        ({"trace_id": None}, "trace_id is missing (the trace that was labelled, "),
        ({"trace_id": ""}, "trace_id is empty"),
        ({"comment": "\ud800"}, "comment must be valid Unicode text"),
    ],
)
def test_a_faulty_value_is_named(change: dict[str, object], told: str) -> None:
    """Each kind of nonsense in a line has its own sentence."""
    value = json.loads(render_label(label("t1", "pass"))) | change
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the text is asserted below
        check_label(value)
    assert told in caught.value.args[0]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"score": NaN}', "NaN is not a number"),
        (b'{"label": "pass", "label": "fail"}', "key label stands twice"),
        (b"[1]", "not a JSON object"),
        (b"\xff", "not UTF-8 text (byte 0)"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_line_that_is_no_label_is_named(line: bytes, told: str) -> None:
    """What is no JSON object says so."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the text is asserted below
        parse_line(line)
    assert told in caught.value.args[0]


def test_a_verdict_means_its_score(tmp_path: Path) -> None:
    """A line without a score has the one that pass or fail means; a grade has none."""
    rows = [label("t1", "pass", score=None), label("t2", "4", score=None)]
    append_labels(tmp_path, "amara", rows)
    assert read_labels(tmp_path)["score"].to_list() == [1.0, None]


def test_one_id_for_two_labels_is_a_fault(tmp_path: Path) -> None:
    """A label_id copied by hand to another trace is refused, with both places."""
    rows = [label("t1", "pass"), label("t2", "pass", label_id="amara-t1-grounded")]
    append_labels(tmp_path, "amara", rows)
    with pytest.raises(DataError, match=r"amara.jsonl:2: .* is taken by labels/amara.jsonl:1"):
        read_labels(tmp_path)


def test_a_torn_tail_is_reported_and_not_a_fault(tmp_path: Path) -> None:
    """A last line that a killed process left half-written loses nothing and stops nobody."""
    line = render_label(label("t1", "pass"))
    write(tmp_path, "amara", line, line[:40])
    scan = scan_labels(tmp_path)
    assert (scan.labels.height, scan.torn) == (1, ("labels/amara.jsonl:2",))


def test_a_torn_tail_is_set_aside_by_the_next_append(tmp_path: Path) -> None:
    """Appending after a torn tail gives whole lines; the fragment is kept in .gitloop/torn."""
    line = render_label(label("t1", "pass"))
    write(tmp_path, "amara", line, line[:40])
    append_labels(tmp_path, "amara", [label("t2", "fail")])
    scan = scan_labels(tmp_path)
    kept = (tmp_path / ".gitloop/torn/amara.jsonl").read_text(encoding="utf-8")
    assert (scan.labels["trace_id"].to_list(), scan.torn, kept) == (
        ["t1", "t2"],
        (),
        line[:40] + "\n",
    )


def test_a_whole_last_line_without_its_break_is_kept(tmp_path: Path) -> None:
    """An editor that drops the last line break costs no label."""
    write(tmp_path, "amara", render_label(label("t1", "pass")).rstrip("\n"))
    append_labels(tmp_path, "amara", [label("t2", "fail")])
    assert read_labels(tmp_path)["trace_id"].to_list() == ["t1", "t2"]


def test_a_faulty_label_is_not_written(tmp_path: Path) -> None:
    """Of several labels with one faulty, none is appended."""
    with pytest.raises(DataError, match="label 2: role"):
        append_labels(tmp_path, "amara", [label("t1", "pass"), label("t2", "pass", role="boss")])
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize("name", ["", "../x", "a b", "-a", "a/b", "x" * 65, "ümlaut"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    """An annotator's name can be nothing but a file's stem."""
    with pytest.raises(ConfigError, match="cannot name an annotator"):
        append_labels(tmp_path, name, [])


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(comment=TEXT, trace_id=TEXT)
def test_any_text_survives(comment: str, trace_id: str) -> None:
    """Emoji, control characters, line separators: what is written is what is read."""
    line = render_label(label(trace_id, "pass", comment=comment))
    assert line.count("\n") == 1
    found = parse_line(line.encode())
    assert (found["trace_id"], found["comment"]) == (trace_id, comment)


@pytest.mark.slow
def test_killed_at_any_moment_no_acknowledged_label_is_lost(tmp_path: Path) -> None:
    """After kill -9 every label that was acknowledged is there, and the file still takes more."""
    writer = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from gitloop.storage.labels import append_labels
        from tests.labelled import label
        for n in range(100_000):
            append_labels(Path(sys.argv[1]), "amara", [label(f"t{n}", "pass")])
            print(n, flush=True)
        """
    )
    root = Path(__file__).parents[2]
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", writer, str(tmp_path)], stdout=subprocess.PIPE, cwd=root
        ) as process:
            assert process.stdout is not None
            acknowledged = [int(process.stdout.readline()) for _ in range(20)]
            os.kill(process.pid, signal.SIGKILL)
            acknowledged += [int(line) for line in process.stdout.read().split()]
        found = set(read_labels(tmp_path)["trace_id"].to_list())
        assert {f"t{n}" for n in acknowledged} <= found


def test_two_processes_of_one_annotator_lose_nothing(tmp_path: Path) -> None:
    """Two writers on one file, at the same time: every line of both is there, whole."""
    writer = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from gitloop.storage.labels import append_labels
        from tests.labelled import label
        for n in range(40):
            append_labels(Path(sys.argv[1]), "amara", [label(f"{sys.argv[2]}{n}", "pass")])
        """
    )
    command = [sys.executable, "-c", writer, str(tmp_path)]
    root = Path(__file__).parents[2]
    writers = [subprocess.Popen([*command, name], cwd=root) for name in "ab"]
    assert [one.wait() for one in writers] == [0, 0]
    scan = scan_labels(tmp_path)
    assert (scan.n_lines, scan.labels.height, scan.torn) == (80, 80, ())
