"""`gitloop status`: one screen from small files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitloop import scaffold
from gitloop.cli.main import invoke
from gitloop.documents import dump
from gitloop.errors import ExitCode, WorkspaceError
from gitloop.steps.status import status
from gitloop.storage.dvc import Dvc
from gitloop.storage.staleness import stage_states
from tests.repositories import Repository


@pytest.fixture
def fresh(repository: Repository) -> Repository:
    """A repository right after init."""
    repository.gen(scaffold.new_files("support", "none"), commit="Set up")
    return repository


def test_a_fresh_repository_asks_for_traces(fresh: Repository) -> None:
    """Nothing has run, the set is empty, and the first command is the import."""
    report = status(fresh.root)
    assert report.n_joined is None
    assert [golden.version for golden in report.golden] == [""]
    assert {stage.state for stage in report.stages} == {"never run"}
    assert report.next[0] == "gitloop capture import TRACES.jsonl"


def test_waiting_events_labels_and_versions_are_counted(fresh: Repository) -> None:
    """The spool, the label files, the records and the gate's verdict are read as they are."""
    clusters = {"c-1": {"representatives": ["t1", "t2"], "name": "n", "size": 9}}
    first, second = "2026.05-aaaaaa-0001", "2026.06-bbbbbb-0002"
    record = {"id": first, "version": first[:14], "parents": [], "n_rows": 40}
    child = {"id": second, "version": second[:14], "parents": [{"record": first}], "n_rows": 54}
    fresh.gen(
        {
            "data/feedback/spool/a.jsonl": "{}\n{}\n",
            "labels/amara.jsonl": '{"trace_id": "t1"}\n',
            "labels/bo.jsonl": '{"trace_id": "t1"}\n{"trace_id": "t2"}\n',
            "loop/cluster/metrics.json": json.dumps(
                {"n_clusters": 1, "noise_rate": 0.25, "clusters": clusters}
            ),
            "golden/support/log/2026.05-aaaaaa.yaml": dump(record),
            "golden/support/log/2026.06-bbbbbb.yaml": dump(child),
        }
    )
    report = status(fresh.root)
    assert report.n_waiting_events == 2
    assert report.n_labels == {"amara": 1, "bo": 2}
    assert report.n_labels_wanted == 1
    assert (report.golden[0].version, report.golden[0].n_rows) == ("2026.06-bbbbbb", 54)
    assert "gitloop capture seal" in report.next


def test_what_waits_in_either_spool_is_counted(
    fresh: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Open and claimed files count, of events and of spans; room that is reserved is no line."""
    for name, lines in {
        "feedback/spool/a.jsonl": 2,
        "feedback/spool/sealing/b.jsonl": 1,
        "traces/spool/a.jsonl": 3,
    }.items():
        path = fresh.root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}\n" * lines + bytes(4096))
    report = status(fresh.root)
    assert (report.n_waiting_events, report.n_waiting_requests) == (3, 3)
    assert report.next == ("gitloop capture seal",)
    monkeypatch.chdir(fresh.root)
    assert invoke(["status"]) == 0
    shown = capsys.readouterr().out
    assert "3 waiting to be sealed; 0 trace and 0 feedback files sealed" in shown
    assert "3 requests of spans waiting to be sealed" in shown


def test_two_heads_are_two_versions(fresh: Repository) -> None:
    """After a merge of two promotions no single record knows the row count."""
    fresh.gen(
        {
            f"golden/support/log/{name}.yaml": dump({"version": name, "parents": [], "n_rows": 1})
            for name in ("2026.05-aaaaaa", "2026.05-bbbbbb")
        }
    )
    golden = status(fresh.root).golden[0]
    assert (golden.version, golden.n_rows) == ("2026.05-aaaaaa+2026.05-bbbbbb", None)


@pytest.mark.slow
def test_staleness_is_what_dvc_says(repository: Repository) -> None:
    """A stage is fresh after repro, stale after a change, and what follows it waits."""
    pipeline = {
        "stages": {
            "one": {
                "cmd": "mkdir -p out && cat in/a > out/one.txt",
                "deps": ["in"],
                "params": ["seed"],
                "outs": ["out/one.txt"],
            },
            "two": {
                "cmd": "cat out/one.txt > two.json",
                "deps": ["out/one.txt"],
                "metrics": [{"two.json": {"cache": False}}],
            },
        }
    }
    repository.gen({"dvc.yaml": dump(pipeline), "in/a": "1", "in/sub/b": "2"}, commit="Pipeline")
    dvc = Dvc(repository.root, repository.root / ".git")

    def states() -> list[str]:
        return [state.state for state in stage_states(repository.root, dvc)]

    assert states() == ["never run", "never run"]
    repository.dvc("repro")
    assert states() == ["fresh", "fresh"]
    repository.gen({"in/sub/b": "3"})
    assert states() == ["stale", "waiting"]
    repository.gen({"in/sub/b": "2", "params.yaml": "seed: 1\n"})
    assert [(s.state, s.reason) for s in stage_states(repository.root, dvc)] == [
        ("stale", "params.yaml: seed"),
        ("waiting", "for one"),
    ]


def test_status_elsewhere_is_an_error(tmp_path: Path) -> None:
    """Outside Git, and in a repository without params.yaml, the next command differs."""
    with pytest.raises(WorkspaceError, match="not in a Git repository"):
        status(tmp_path)
    (tmp_path / ".git").mkdir()
    with pytest.raises(WorkspaceError, match=r"params\.yaml"):
        status(tmp_path)


def test_status_speaks_json_and_fits_a_terminal(
    fresh: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--format json` is the report; the text is at most 80 columns wide."""
    assert invoke(["-C", str(fresh.root), "status", "--format", "json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["n_waiting_events"] == 0
    assert invoke(["-C", str(fresh.root), "status"]) == ExitCode.OK
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
