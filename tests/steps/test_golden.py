"""Corrections, retirements, compactions, migrations, exports, pins and histories of golden sets."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ConfigError, DataError, TableError
from gitloop.steps.golden import (
    ChangeRequest,
    compact,
    edit,
    export,
    list_sets,
    migrate,
    pin,
    retire,
    show,
    show_row,
)
from gitloop.steps.log import blame, log
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.steps.verify import verify
from gitloop.steps.why import why
from gitloop.storage.golden import GoldenSet, digest
from gitloop.workspace import Workspace
from tests.promotable import failure, make_promotable
from tests.repositories import Repository

FAILURES = [failure(n, f"c{n % 2}") for n in range(6)]
IDS = [found.row_id for found in FAILURES]
WHY = ChangeRequest("support", "misread the policy")


@pytest.fixture
def filled(repository: Repository) -> Repository:
    """A golden set of two parts with three rows each, merged into main."""
    make_promotable(repository, FAILURES)
    requests = [PromoteRequest((name,), "support", onto=f"side-{name}") for name in ("c0", "c1")]
    for commit in [promote(repository.root, request).commit for request in requests]:
        repository.git("merge", "--quiet", "--no-edit", str(commit))
    return repository


def at(repository: Repository, revision: str = "HEAD") -> GoldenSet:
    """The set at a revision."""
    return Workspace(repository.root).golden("support", revision)


def row(repository: Repository, revision: str, row_id: str) -> dict[str, object]:
    """A row at a revision."""
    found = at(repository, revision).read().filter(pl.col("row_id") == row_id)
    return found.row(0, named=True)


def test_edit_rewrites_only_the_part_that_holds_the_row(filled: Repository) -> None:
    """A correction is a commit with one pointer and one record; the row keeps id, split, trail."""
    before = row(filled, "HEAD", IDS[0])
    report = edit(filled.root, WHY, [IDS[0][:6]], ["labels.grounded=pass", "reference=Ask first."])
    changed = filled.git("diff", "--name-only", "HEAD", str(report.branch)).splitlines()
    assert [Path(path).parent.name for path in changed] == ["log", "parts"]
    after = row(filled, str(report.branch), IDS[0])
    assert after == before | {
        "labels": [{"rubric": "grounded", "expected": "pass"}],
        "reference": "Ask first.",
    }
    (record,) = at(filled, str(report.branch)).heads()
    assert (record.kind, list(record.changed), record.content["why"]) == (
        "edit",
        [IDS[0]],
        "misread the policy",
    )
    assert verify(filled.root, report.branch).findings == ()


def test_retire_takes_rows_and_empty_parts_away(filled: Repository) -> None:
    """Retired rows are gone from the set and stay in its history; an empty part goes with them."""
    report = retire(filled.root, WHY, [IDS[0], IDS[2], IDS[4]])
    assert (report.n_rows, len(report.removed_parts)) == (3, 1)
    assert at(filled, str(report.branch)).read()["row_id"].to_list() == sorted(IDS[1::2])
    assert verify(filled.root, report.branch).findings == ()


def test_retired_row_can_come_back(filled: Repository) -> None:
    """A promotion after a retirement brings the row in again under a record of its own."""
    filled.git("merge", "--quiet", str(retire(filled.root, WHY, [IDS[0]]).branch))
    report = promote(filled.root, PromoteRequest(("c0",), "support"))
    filled.git("merge", "--quiet", str(report.branch))
    assert report.row_ids == (IDS[0],)
    assert verify(filled.root, "HEAD").findings == ()


def test_same_content_again_is_the_same_version(filled: Repository) -> None:
    """An edit that is made, taken back and made again is one version with two records."""
    for verdict in ("pass", "fail", "pass"):
        report = edit(filled.root, WHY, [IDS[0]], [f"labels.grounded={verdict}"])
        filled.git("merge", "--quiet", str(report.branch))
    newest, between, older, *_ = log(filled.root, "support")
    assert newest.version == older.version != between.version
    assert newest.record != older.record
    assert verify(filled.root, "HEAD").findings == ()


def test_compact_joins_parts_and_keeps_the_digest(filled: Repository) -> None:
    """Small parts become one, rows keep their trail, and the dataset digest does not move."""
    report = compact(filled.root, WHY)
    after = at(filled, str(report.branch))
    assert (len(at(filled).parts()), len(after.parts())) == (2, 1)
    assert after.sha256() == at(filled).sha256()
    assert after.read().equals(at(filled).read())
    assert verify(filled.root, report.branch).findings == ()
    filled.git("merge", "--quiet", str(report.branch))
    with pytest.raises(DataError, match="cannot be joined"):
        compact(filled.root, WHY)


@pytest.mark.parametrize(
    ("rows", "assignments", "error", "fact"),
    [
        (["zzz"], ["reference=x"], DataError, "no rows of support begin with 'zzz'"),
        ([""], ["reference=x"], DataError, "6 rows of support begin with ''"),
        ([IDS[0]], ["input=x"], ConfigError, "input cannot be edited"),
        ([IDS[0]], ["labels=x"], ConfigError, r"labels\.RUBRIC"),
        ([IDS[0]], ["labels.grounded=maybe"], ConfigError, "takes pass, fail"),
        ([IDS[0]], ["reference"], ConfigError, "is not COLUMN=VALUE"),
        ([IDS[0]], ["annotators=amara"], ConfigError, "list of texts as JSON"),
        ([IDS[0]], ["guidance_version="], ConfigError, "cannot be empty"),
        ([IDS[0]], ["labels.grounded=fail"], DataError, "nothing would change"),
        ([IDS[0]], ["reference=AKIA" + "IOSFODNN7EXAMPLA"], DataError, "column reference: AWS"),
    ],
)
def test_wrong_edit_is_refused(
    filled: Repository, rows: list[str], assignments: list[str], error: type[Exception], fact: str
) -> None:
    """Unknown rows, columns and verdicts, secrets, and edits of nothing write nothing."""
    refs = filled.git("for-each-ref")
    with pytest.raises(error, match=fact):
        edit(filled.root, WHY, rows, assignments)
    assert filled.git("for-each-ref") == refs


def test_every_fault_of_an_edit_is_told(filled: Repository) -> None:
    """Two wrong assignments are two lines of one error."""
    with pytest.raises(ConfigError) as caught:
        edit(filled.root, WHY, [IDS[0]], ["input=x", "labels.grounded=maybe"])
    assert len(caught.value.message.splitlines()) == 2


def test_change_needs_a_reason(filled: Repository) -> None:
    """A blank reason is none, and a reason with a secret in it would stay for ever."""
    with pytest.raises(ConfigError, match="needs its reason"):
        retire(filled.root, ChangeRequest("support", "  "), [IDS[0]])
    with pytest.raises(DataError, match="secret"):
        retire(filled.root, ChangeRequest("support", "AKIA" + "IOSFODNN7EXAMPLA"), [IDS[0]])


def test_new_text_is_masked(filled: Repository) -> None:
    """Personal data in a correction is masked as in a promotion; other texts stay as they are."""
    report = edit(filled.root, WHY, [IDS[0]], ["reference=Write to ada@example.org"])
    assert row(filled, str(report.branch), IDS[0])["reference"] == "Write to <EMAIL>"


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_export_holds_every_row(filled: Repository, form: str, tmp_path: Path) -> None:
    """Each format holds all rows, lists as JSON where it has none, the same bytes twice."""
    path = tmp_path / f"out.{form}"
    content = export(filled.root, "support", form, output=path)
    assert path.read_bytes() == content
    assert export(filled.root, "support", form, output=None) == content
    if form == "parquet":
        assert digest(pl.read_parquet(path)) == at(filled).sha256()
    elif form == "jsonl":
        ids = [json.loads(line)["row_id"] for line in content.decode().splitlines()]
        assert ids == sorted(IDS)
    else:
        table = pl.read_csv(path)
        assert json.loads(table["labels"][0]) == [{"rubric": "grounded", "expected": "fail"}]
        assert table.height == 6


def test_export_for_the_hub_has_a_file_per_split(filled: Repository, tmp_path: Path) -> None:
    """The Hugging Face layout names one file per split in the card, and they hold all rows."""
    export(filled.root, "support", "hf", output=tmp_path)
    card = (tmp_path / "README.md").read_text()
    files = sorted((tmp_path / "data").glob("*.parquet"))
    assert all(f"path: data/{path.name}" in card for path in files)
    assert sum(pl.read_parquet(path).height for path in files) == 6
    with pytest.raises(ConfigError, match="directory"):
        export(filled.root, "support", "hf", output=None)


def test_old_version_is_read_by_name(filled: Repository) -> None:
    """NAME@VERSION and --rev read a set as it was; an unknown version is told."""
    old = log(filled.root, "support")[-1].version
    assert show(filled.root, f"support@{old}").n_rows == 3
    assert show(filled.root, "support", "HEAD~1").n_rows == 3
    assert show(filled.root, "support").n_rows == 6
    with pytest.raises(DataError, match="no commit holds support at version 2020"):
        show(filled.root, "support@2020.01-000000")
    with pytest.raises(ConfigError, match="not both"):
        show(filled.root, f"support@{old}", "HEAD")


def test_sets_and_rows_are_shown(filled: Repository) -> None:
    """The list counts rows, splits and labels; a row is shown by a clear beginning of its id."""
    (found,) = list_sets(filled.root)
    assert (found.name, found.n_rows, found.n_parts, found.n_records) == ("support", 6, 2, 2)
    assert (found.labels, found.routes) == ({"grounded: fail": 6}, {"billing": 6})
    assert sum(found.splits.values()) == 6
    assert show_row(filled.root, "support", IDS[0][:8])["source_trace_id"] == "t0000"
    with pytest.raises(DataError, match="6 rows"):
        show_row(filled.root, "support", "")


@pytest.mark.parametrize(
    "text",
    [
        "seed: 0\n",
        "seed: 0\ngolden:\n  near_duplicate: 0.9 # strict\n",
        "golden:\n  sets: {}\nseed: 0 # fixed\n",
        "golden:\n  # the sets in use\n  sets:\n    support: null # newest\n    other: null\n",
        "golden:\n    sets:\n        support:\n",
    ],
)
def test_pin_changes_one_line_of_params(filled: Repository, text: str) -> None:
    """A pin is written where it belongs; comments and all other lines stay; --off takes it away."""
    filled.gen({"params.yaml": text})
    version = show(filled.root, "support").version
    report = pin(filled.root, "support")
    assert (report.after, report.is_here) == (version, True)
    after = filled.read("params.yaml")
    kept = [line for line in text.splitlines() if "support" not in line and "sets: {}" not in line]
    assert all(line in after.splitlines() for line in kept)
    assert Workspace(filled.root).params.golden.sets["support"] == version
    pin(filled.root, "support", unpins=True)
    assert Workspace(filled.root).params.golden.sets["support"] is None


def test_pin_of_an_unknown_version_is_refused(filled: Repository) -> None:
    """Only a version that some commit holds can be pinned."""
    with pytest.raises(DataError, match="no commit holds"):
        pin(filled.root, "support@2020.01-000000")


def test_log_tells_the_graph_of_versions(filled: Repository) -> None:
    """Two promotions side by side are two heads; what follows names both."""
    edit_report = edit(filled.root, WHY, [IDS[0]], ["labels.grounded=pass"])
    filled.git("merge", "--quiet", str(edit_report.branch))
    newest, *heads = log(filled.root, "support")
    assert set(newest.parents) == {entry.record for entry in heads}
    assert (newest.kind, newest.n_changed, newest.why) == ("edit", 1, "misread the policy")
    assert newest.commit == filled.git("rev-parse", "HEAD")
    assert {entry.clusters for entry in heads} == {("c0",), ("c1",)}


def test_history_survives_a_squash(filled: Repository) -> None:
    """After a squash merge every version is still told, with the commit that brought it in."""
    filled.git("switch", "--quiet", "--create", "squashed", "HEAD~2")
    filled.git("merge", "--quiet", "--squash", "main")
    commit = filled.commit("Squashed")
    entries = log(filled.root, "support", "squashed")
    assert [(entry.n_added, entry.commit) for entry in entries] == [(3, commit), (3, commit)]


def test_blame_names_the_version_that_last_changed_a_row(filled: Repository) -> None:
    """A corrected row is answered for by its correction, the others by their promotions."""
    report = edit(filled.root, WHY, [IDS[0]], ["labels.grounded=pass"])
    filled.git("merge", "--quiet", str(report.branch))
    lines = {line.row_id: line for line in blame(filled.root, "support", "")}
    assert (lines[IDS[0]].version, lines[IDS[0]].kind) == (report.version, "edit")
    assert {lines[row_id].kind for row_id in IDS[1:]} == {"promote"}
    assert lines[IDS[0]].labels == ("grounded: pass",)
    assert len(blame(filled.root, "support", IDS[3][:8])) == 1


def test_why_walks_the_whole_trail(filled: Repository) -> None:
    """From one row to its trace, cluster, labels, records and the gate runs that read it."""
    result = {
        "verdict": "fail",
        "datasets": {"support": {"sha256": at(filled).sha256()}},
        "rows": {"lost": [{"row_id": IDS[0], "rubric": "grounded", "change": "lost"}]},
    }
    filled.gen({"loop/gate/gate.json": json.dumps(result)}, commit="Run the gate")
    report = why(filled.root, IDS[0][:8])
    assert (report.set, report.row["row_id"]) == ("support", IDS[0])
    assert report.trace is not None
    assert report.trace["trace_id"] == "t0000"
    assert report.cluster is not None
    assert report.cluster["cluster_id"] == "c0"
    assert [label["annotator"] for label in report.labels] == ["amara", "bo"]
    assert [record["kind"] for record in report.history] == ["promote"]
    assert [(run.verdict, run.changes) for run in report.gate_runs] == [
        ("fail", ("grounded: lost",))
    ]
    with pytest.raises(DataError, match="6 golden rows"):
        why(filled.root, "")


CASES = "question,answer,verdict\nHow do I pay?,By card.,pass\nWhere is it?,Nowhere.,fail\n"
COLUMNS = {"input": "question", "bad_output": "answer", "labels.grounded": "verdict"}


def test_migration_takes_the_history_along(repository: Repository) -> None:
    """Each commit that changed the rows becomes a version with its author, date and subject."""
    repository.gen({"tests/cases.csv": CASES}, commit="Two cases")
    repository.gen({"tests/cases.csv": CASES.replace("Nowhere.", "On its way.")}, commit="Mend one")
    repository.gen({"tests/cases.csv": CASES + "Who are you?,A bot.,pass\n"}, commit="Third case")
    repository.gen({"other.txt": "x"}, commit="Something else")
    report = migrate(
        repository.root, "tests/cases.csv", set_name="cases", columns=COLUMNS, onto=None
    )
    assert (report.n_rows, len(report.versions)) == (3, 3)
    repository.git("merge", "--quiet", report.branch)
    assert verify(repository.root, "HEAD").findings == ()
    entries = log(repository.root, "cases")
    assert [(e.n_added, e.n_changed, e.why) for e in entries] == [
        (1, 1, "tests/cases.csv: Third case"),
        (0, 1, "tests/cases.csv: Mend one"),
        (2, 0, "tests/cases.csv: Two cases"),
    ]
    rows = Workspace(repository.root).golden("cases").read()
    assert set(rows["annotators"].explode()) == {"Ada Author"}
    assert sorted(rows["bad_output"]) == ["A bot.", "By card.", "Nowhere."]
    assert rows["source_trace_id"][0].startswith("tests/cases.csv#")


def test_migration_reads_what_dvc_tracks(repository: Repository, tmp_path: Path) -> None:
    """A Parquet file behind a pointer is taken over like one in Git."""
    pl.read_csv(CASES.encode()).write_parquet(tmp_path / "cases.parquet")
    workspace = Workspace(repository.root)
    pointer = workspace.dvc.store(tmp_path / "cases.parquet")
    repository.gen({"cases.parquet.dvc": pointer.render()}, commit="Track the cases")
    report = migrate(repository.root, "cases.parquet", set_name="cases", columns=COLUMNS, onto=None)
    assert report.n_rows == 2


def test_migration_follows_the_file_through_its_names(repository: Repository) -> None:
    """A file that was renamed, and then given to DVC, has one history; unfit versions are told."""
    early = "question,answer\nHow do I pay?,By card.\n"
    repository.gen({"old.csv": early}, commit="Without verdicts")
    repository.gen({"old.csv": CASES}, commit="With verdicts")
    repository.git("mv", "old.csv", "cases.csv")
    repository.commit("Rename")
    repository.gen({"cases.csv": CASES.replace("Nowhere.", "On its way.")}, commit="Mend one")
    pointer = Workspace(repository.root).dvc.store(repository.root / "cases.csv")
    repository.git("rm", "--quiet", "cases.csv")
    repository.gen({"cases.csv.dvc": pointer.render()}, commit="Give it to DVC")
    report = migrate(repository.root, "cases.csv", set_name="cases", columns=COLUMNS, onto=None)
    assert (len(report.versions), report.n_rows) == (2, 2)
    (early_one,) = report.passed_over
    assert early_one.subject == "Without verdicts"
    assert early_one.reason == "there is no column 'verdict' for labels.grounded"
    reasons = [entry.why for entry in log(repository.root, "cases", report.branch)]
    assert reasons == ["cases.csv: Mend one", "cases.csv: With verdicts"]


@pytest.mark.parametrize(
    ("content", "columns", "fact"),
    [
        (CASES, {}, "no column is the input"),
        (CASES, {"input": "nope"}, "no column 'nope'"),
        (CASES, {"input": "question"}, "row 1: it has no label"),
        (CASES.replace("fail", "meh"), COLUMNS, "row 2: the verdict of grounded is 'meh'"),
        (CASES + "How do I pay?,Cash.,pass\n", COLUMNS, "row 3 has the input"),
        ("question,verdict\nAKIA" + "IOSFODNN7EXAMPLA,pass\n", COLUMNS, "'answer'"),
    ],
)
def test_faulty_table_is_not_migrated(
    repository: Repository, content: str, columns: dict[str, str], fact: str
) -> None:
    """Every fault of the newest version is told, and nothing is written."""
    repository.gen({"cases.csv": content}, commit="Add the cases")
    with pytest.raises(TableError, match=fact):
        migrate(repository.root, "cases.csv", set_name="cases", columns=columns, onto=None)
    assert repository.git("branch", "--list", "gitloop/*") == ""


def test_migration_needs_a_file_and_a_new_name(filled: Repository) -> None:
    """A file that no commit has, a set that exists and a bad name are refused."""
    with pytest.raises(DataError, match=r"no commit has nope\.csv"):
        migrate(filled.root, "nope.csv", set_name="cases", columns={}, onto=None)
    with pytest.raises(ConfigError, match="exists already"):
        migrate(filled.root, "nope.csv", set_name="support", columns={}, onto=None)
    with pytest.raises(ConfigError, match="no name"):
        migrate(filled.root, "nope.csv", set_name="../x", columns={}, onto=None)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["golden", "list"], 0),
        (["golden", "show", "support"], 0),
        (["golden", "show", "support", IDS[0]], 0),
        (["golden", "show", "other"], 5),
        (["golden", "show", "support", "zzz"], 5),
        (["golden", "export", "support", "--format", "jsonl"], 0),
        (["golden", "export", "support", "--format", "hf"], 4),
        (["golden", "export", "support", "-o", "out.xyz"], 4),
        (["golden", "retire", "support", IDS[0]], 4),
        (["golden", "retire", "support", IDS[0], "--why", "x", "--dry-run"], 0),
        (["golden", "edit", "support", IDS[0], "--set", "input=x", "--why", "x"], 4),
        (["golden", "compact", "support", "--dry-run"], 0),
        (["golden", "migrate", "x.csv", "--set", "y", "--map", "input"], 4),
        (["golden", "pin", "support@2020.01-000000"], 5),
        (["log", "support"], 0),
        (["log", "support", "--graph"], 0),
        (["log", "other"], 5),
        (["blame", "support"], 0),
        (["blame", "support", "zzz"], 5),
        (["why", IDS[0]], 0),
        (["why", "zzz"], 5),
        (["verify"], 0),
        (["verify", "HEAD~1..HEAD"], 0),
        (["verify", "nowhere"], 1),
        (["conflicts"], 0),
        (["resolve", "zzz", "--with", "ours"], 5),
        (["git", "doctor"], 1),
        (["git", "sweep"], 0),
        (["promote", "--all", "--set", "support"], 5),
        (["promote", "--set", "support"], 4),
        (["promote", "c0"], 4),
    ],
)
def test_commands_end_with_their_codes(
    filled: Repository, args: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command tells by its exit code what happened, in text and in JSON."""
    first, *rest = args
    assert invoke([first, *rest, "-C", str(filled.root)]) == code
    capsys.readouterr()
    if code == 0 and "export" not in args:
        assert invoke([*args, "-C", str(filled.root), "--format", "json"]) == 0
        json.loads(capsys.readouterr().out)
