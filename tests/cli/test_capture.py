"""gitloop capture and join on the command line: exit codes, words, and their width."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from tests.repositories import Repository

TRACE = {"trace_id": "t1", "input": "?", "route": "refund", "user_cohort": "pro"}


@pytest.fixture
def inside(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository that is the current directory, with a good and a bad file in it."""
    monkeypatch.chdir(repository.root)
    repository.gen(
        {
            "good.jsonl": json.dumps({**TRACE, "prompt_version": "v1"}) + "\n",
            "bad.jsonl": '{"trace_id": "t1"}\n',
            "note.txt": "nothing to import\n",
        }
    )
    return repository


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["capture", "seal"], 0),
        (["capture", "record", "thumbs_down", "--trace-id", "t1"], 0),
        (["capture", "record", "applause"], 4),
        (["capture", "record", "rating", "--value", "many"], 4),
        (["capture", "record", "rating", "--value", "nan"], 5),
        (["capture", "import", "good.jsonl"], 0),
        (["capture", "import", "good.jsonl", "--format", "jsonl"], 0),
        (["capture", "import", "good.jsonl", "--format", "xml"], 4),
        (["capture", "import", "good.jsonl", "--set", "route"], 4),
        (["capture", "import", "good.jsonl", "--set", "rout=x"], 4),
        (["capture", "import", "bad.jsonl"], 5),
        (["capture", "import", "note.txt"], 5),
        (["capture", "import", "absent.jsonl"], 4),
        (["capture", "import"], 4),
        (["capture"], 4),
        (["join"], 0),
    ],
)
def test_exit_codes(inside: Repository, args: list[str], code: int) -> None:
    """Each way to end has the code that the table of exit codes gives it."""
    assert inside.root.is_dir()
    assert invoke(args) == code


def test_the_loop_s_first_two_stages_in_words(
    inside: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Import, record, seal and join tell what they did in lines of at most 80 columns."""
    assert inside.root.is_dir()
    commands = (
        ["capture", "import", "good.jsonl"],
        ["capture", "record", "thumbs_down", "--trace-id", "t1", "--id", "f1"],
        ["capture", "record", "retry", "--trace-id", "t9", "--id", "f2"],
        ["join"],
        ["capture", "seal"],
        ["join"],
    )
    said = []
    for args in commands:
        assert invoke(args) == 0
        said.append(capsys.readouterr().out.splitlines())
    assert said[0][0] == "good.jsonl: jsonl, 1 traces, 0 events"
    assert said[1][0].startswith("recorded f1 in data/feedback/spool/")
    assert "  2 events wait in the spool: gitloop capture seal" in said[3]
    assert "  2 new, 0 there already" in said[4]
    assert said[5][0] == "2 events on 1 traces"
    assert said[5][1] == "  1 joined (50.0%), 1 debug-only"
    assert any("missing_prompt_version 1" in line for line in said[5])
    assert any("import --set prompt_version=…" in line for line in said[5])
    assert said[5][-1] == "next: gitloop cluster"
    assert all(len(line) <= 80 for lines in said for line in lines)
    assert all(len(lines) <= 12 for lines in said)


def test_nothing_joined_leads_to_what_is_missing_and_not_to_the_next_stage(
    inside: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a joined event there is nothing to cluster; every reason is told, on whole lines."""
    events = [
        {"trace_id": f"t{n}", "signal_type": "thumbs_down", "created_at": "2026-05-01T00:00:00Z"}
        for n in range(3)
    ]
    inside.gen({"events.jsonl": "\n".join(json.dumps(event) for event in events)})
    assert invoke(["capture", "import", "events.jsonl"]) == 0
    capsys.readouterr()
    assert invoke(["join"]) == 0
    said = capsys.readouterr().out
    for reason in ("unknown_trace 3", "missing_route 3", "missing_user_cohort 3"):
        assert reason in " ".join(said.split())
    assert "next:" not in said
    assert all(len(line) <= 80 for line in said.splitlines())


def test_a_second_import_with_other_content_leads_to_the_way_out(
    inside: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first import stands, the conflict is kept, and the report says how to replace it."""
    assert inside.root.is_dir()
    assert invoke(["capture", "import", "good.jsonl"]) == 0
    inside.gen({"good.jsonl": json.dumps({**TRACE, "prompt_version": "v2"}) + "\n"})
    capsys.readouterr()
    assert invoke(["capture", "import", "good.jsonl"]) == 0
    said = capsys.readouterr().out
    assert "1 in conflict" in said
    assert "docs/capture.md" in said


def test_reports_are_json_where_that_is_asked_for(
    inside: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """--format json prints the whole report; for import it stands before the command."""
    assert inside.root.is_dir()
    assert invoke(["--format", "json", "capture", "import", "good.jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["traces"]["n_new"] == 1
    assert invoke(["capture", "seal", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_files"] == 0
    assert invoke(["join", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["n_traces"] == 1


def test_files_are_found_from_where_the_user_stands(
    inside: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-C chooses the repository; file names stay relative to the current directory."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "here.jsonl").write_text(json.dumps({**TRACE, "trace_id": "t2"}))
    monkeypatch.chdir(elsewhere)
    assert invoke(["capture", "import", "-C", str(inside.root), "here.jsonl"]) == 0
    assert len(list((inside.root / "data" / "traces").glob("*.dvc"))) == 1


def test_a_store_that_is_behind_is_a_failure(
    inside: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """A seal whose training store failed ends with 1 and says why: a nightly job notices."""
    inside.gen({"data/training": "a file in the way"})
    assert invoke(["capture", "record", "copy", "--trace-id", "t1"]) == 0
    assert invoke(["capture", "seal"]) == 1
    assert "store training: 1 parts behind" in capsys.readouterr().out
