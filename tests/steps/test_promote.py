"""Promotions on real repositories."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from gitloop.errors import ConfigError, DataError, WorkspaceError
from gitloop.steps.promote import PromoteReport, PromoteRequest, promote
from gitloop.storage.golden import GoldenSet, digest
from gitloop.storage.lineage import parse_record
from gitloop.workspace import Workspace
from tests.promotable import Failure, failure, make_promotable, write_inputs
from tests.repositories import Repository

FAILURES = [failure(n, f"c{n % 2}") for n in range(8)]


def run(
    repository: Repository, *clusters: str, onto: str | None = None, is_dry_run: bool = False
) -> PromoteReport:
    """Promote the clusters, or all of them, into the set "support"."""
    request = PromoteRequest(
        clusters, "support", onto=onto, takes_all=not clusters, is_dry_run=is_dry_run
    )
    return promote(repository.root, request)


def golden(repository: Repository, revision: str) -> GoldenSet:
    """The set "support" at a revision."""
    return Workspace(repository.root).golden("support", revision)


def snapshot(repository: Repository) -> dict[str, str]:
    """What a promotion must not touch: refs of the user, index, work tree."""
    return {
        "head": repository.git("rev-parse", "HEAD"),
        "branch": repository.git("symbolic-ref", "HEAD"),
        "index": repository.git("ls-files", "--stage"),
        "status": repository.status(),
        "files": "\n".join(
            f"{path.relative_to(repository.root)} {path.stat().st_mtime_ns}"
            for path in sorted(repository.root.rglob("*"))
            if path.is_file()
            and not {".git", ".dvc"} & set(path.relative_to(repository.root).parts)
        ),
    }


def test_promotion_is_a_commit_that_touches_nobody(repository: Repository) -> None:
    """Rows, pointer, record and dataset.yaml are on a branch; the user's own state is unchanged."""
    make_promotable(repository, FAILURES)
    repository.gen({"untracked.txt": "mine"})
    before = snapshot(repository)
    report = run(repository)
    assert snapshot(repository) == before
    assert report.branch == f"gitloop/promote/support-{report.record}"
    changed = repository.git("diff", "--name-only", "HEAD", report.branch).splitlines()
    assert changed == [
        "golden/support/dataset.yaml",
        f"golden/support/log/{report.record}.yaml",
        f"golden/support/parts/{report.record}.parquet.dvc",
    ]
    assert report.n_promoted == 8
    assert set(report.row_ids) == {found.row_id for found in FAILURES}


def test_record_tells_where_the_rows_came_from(repository: Repository) -> None:
    """The record names parent, part, rows, clusters, traces, people, agreement and pins."""
    make_promotable(repository, [*FAILURES, failure(9, verdicts={"amara": "fail", "bo": "pass"})])
    report = run(repository)
    rows = golden(repository, str(report.branch)).read()
    path = f"golden/support/log/{report.record}.yaml"
    text = repository.git("show", f"{report.branch}:{path}")
    record = parse_record(text.encode(), source=path)
    assert (record.parents, record.kind) == ((), "promote")
    assert record.dataset_sha256 == digest(rows)
    assert record.added == sorted(found.row_id for found in FAILURES)
    assert [part.n_rows for part in record.parts] == [8]
    content = record.content
    assert [c["cluster_id"] for c in content["clusters"]] == ["c0", "c1"]
    assert content["source_trace_ids"] == [found.trace_id for found in FAILURES]
    assert content["annotators"] == ["amara", "bo"]
    assert (content["agreement"]["n_items"], content["agreement"]["n_unanimous"]) == (9, 8)
    assert content["rubrics"] == [
        {"name": "grounded", "version": "1", "judge": "local/1", "model": None}
    ]
    assert content["left_out"] == {"no agreement": 1}
    assert set(rows["promoted_in"]) == {report.record}


def test_second_promotion_adds_only_what_is_new(repository: Repository) -> None:
    """After a merge, the same clusters have nothing left; new cases name the old version."""
    make_promotable(repository, FAILURES[:4])
    first = run(repository)
    repository.git("merge", "--quiet", str(first.branch))
    with pytest.raises(DataError, match="4 × already in the set"):
        run(repository)
    write_inputs(repository, FAILURES)
    second = run(repository)
    assert (second.n_promoted, second.n_before, second.parents) == (4, 4, (first.version,))
    assert second.reasons == {"already in the set": 4}


def test_parallel_promotions_merge_without_a_driver(repository: Repository) -> None:
    """Two promotions from one parent merge in plain Git, and the set is their union."""
    make_promotable(repository, FAILURES)
    first, second = run(repository, "c0"), run(repository, "c1")
    repository.git("merge", "--quiet", str(first.branch))
    repository.git("merge", "--quiet", "--no-edit", str(second.branch))
    merged = golden(repository, "HEAD")
    assert merged.read()["row_id"].to_list() == sorted(found.row_id for found in FAILURES)
    assert merged.version() == "+".join(sorted([first.version, second.version]))
    write_inputs(repository, [failure(20)])
    assert set(run(repository).parents) == {first.version, second.version}


def test_same_inputs_give_the_same_commit(repository: Repository, tmp_path: Path) -> None:
    """Under SOURCE_DATE_EPOCH two clones promote to the same commit, byte for byte."""
    make_promotable(repository, FAILURES)
    other = Repository.create(tmp_path / "other")
    make_promotable(other, FAILURES)
    assert run(repository).commit == run(other).commit


def test_dry_run_writes_nothing(repository: Repository) -> None:
    """A dry run tells the same and leaves no ref, no object in the cache, no file."""
    make_promotable(repository, FAILURES)
    cache = sorted((repository.root / ".dvc/cache").rglob("*"))
    refs = repository.git("for-each-ref")
    report = run(repository, is_dry_run=True)
    assert (report.n_promoted, report.branch, report.commit) == (8, None, None)
    assert repository.git("for-each-ref") == refs
    assert sorted((repository.root / ".dvc/cache").rglob("*")) == cache


def test_group_keeps_its_split_for_life(repository: Repository) -> None:
    """A new row of a known group joins its split, whatever the rates say now."""
    make_promotable(repository, [failure(0, group_id="g")])
    first = run(repository)
    repository.git("merge", "--quiet", str(first.branch))
    (split,) = first.splits
    rates = {"train": "val_rate: 1.0\nholdout_rate: 0.0", "val": "val_rate: 0.0\nholdout_rate: 1.0"}
    changed = rates.get(split, "val_rate: 0.0\nholdout_rate: 0.0")
    repository.gen({"golden/support/dataset.yaml": f"name: support\n{changed}\n"}, commit="Rates")
    write_inputs(repository, [failure(1, group_id="g")])
    assert run(repository).splits == {split: 1}


def test_secret_blocks_the_promotion(repository: Repository) -> None:
    """A secret in any case ends it with row, column and kind, never the value; --skip goes on."""
    key = "AKIA" + "IOSFODNN7EXAMPLA"
    make_promotable(repository, [*FAILURES, failure(9, output=f"use {key}")])
    with pytest.raises(DataError) as caught:
        run(repository)
    assert "trace t0009, column bad_output: AWS Access Key" in caught.value.message
    assert key not in caught.value.message + caught.value.hint
    request = PromoteRequest((), "support", takes_all=True, skip=("t0009",))
    assert promote(repository.root, request).reasons == {"skipped on request": 1}


@pytest.mark.parametrize(("policy", "n"), [("mask", 2), ("block", 1)])
def test_personal_data_is_masked_or_blocked(repository: Repository, policy: str, n: int) -> None:
    """dataset.yaml decides whether a case with personal data enters masked or stays out."""
    leaky = failure(1, input="My mail is ada@example.org, and what about my invoice?")
    make_promotable(repository, [failure(0), leaky])
    text = f"name: support\npersonal_data: {policy}\n"
    repository.gen({"golden/support/dataset.yaml": text}, commit="Add the set")
    report = run(repository)
    rows = golden(repository, str(report.branch)).read()
    assert report.n_promoted == n
    assert not any("ada@" in str(text) for text in rows["input"])
    assert report.masked == ({"email": 1} if policy == "mask" else {})


def test_users_text_stays_out_of_git(repository: Repository) -> None:
    """No blob that the commit adds holds what a user asked."""
    make_promotable(repository, FAILURES)
    report = run(repository)
    added = repository.git("show", str(report.commit))
    assert "how do I" not in added
    assert "how do I" not in report.body


@pytest.mark.parametrize(
    ("request_", "error", "fact"),
    [
        (PromoteRequest(("nope",), "support"), ConfigError, "no cluster"),
        (PromoteRequest((), "support"), ConfigError, "name the clusters"),
        (PromoteRequest(("c0",), "support", takes_all=True), ConfigError, "name the clusters"),
        (PromoteRequest(("c0",), "../evil"), ConfigError, "no name for a golden set"),
        (PromoteRequest(("c0",), "support", onto="main"), WorkspaceError, "checked out"),
    ],
)
def test_wrong_request_is_refused(
    repository: Repository, request_: PromoteRequest, error: type[Exception], fact: str
) -> None:
    """Unknown clusters, bad names and a checked-out branch are refused before anything is read."""
    make_promotable(repository, FAILURES[:2])
    with pytest.raises(error, match=fact):
        promote(repository.root, request_)


def test_branch_that_is_there_is_not_overwritten(repository: Repository) -> None:
    """Promoting the same rows twice without a merge names the branch that has them."""
    make_promotable(repository, FAILURES)
    run(repository)
    with pytest.raises(WorkspaceError, match="has this change already"):
        run(repository)


def test_promotion_onto_a_branch_builds_on_its_tip(repository: Repository) -> None:
    """With --onto, commits follow one another on that branch."""
    make_promotable(repository, FAILURES)
    first = run(repository, "c0", onto="intake")
    second = run(repository, "c1", onto="intake")
    assert repository.git("rev-parse", "intake") == second.commit
    assert repository.git("rev-parse", "intake^") == first.commit
    assert second.parents == (first.version,)


RACER = """
import sys
from pathlib import Path
from gitloop.steps.promote import PromoteRequest, promote

promote(Path(sys.argv[1]), PromoteRequest((sys.argv[2],), "support", onto="intake"))
"""


@pytest.mark.slow
def test_two_processes_promote_onto_one_branch(repository: Repository) -> None:
    """Whoever comes second starts over on the new tip; no row is lost."""
    make_promotable(repository, FAILURES)
    repository.git("branch", "intake")
    commands = [[sys.executable, "-c", RACER, str(repository.root), name] for name in ("c0", "c1")]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
    told = [racer.communicate()[1].decode() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], told
    rows = golden(repository, "intake").read()
    assert rows["row_id"].to_list() == sorted(found.row_id for found in FAILURES)
    assert len(golden(repository, "intake").heads()) == 1


def test_naive_read_is_the_set(repository: Repository) -> None:
    """After merge and checkout, reading every Parquet file in data/ gives exactly the rows."""
    make_promotable(repository, FAILURES)
    for cluster in ("c0", "c1"):
        repository.git("merge", "--quiet", "--no-edit", str(run(repository, cluster).branch))
    repository.dvc("checkout", "--quiet")
    naive = pl.read_parquet(repository.root / "golden/support/data/*.parquet")
    assert digest(naive) == golden(repository, "HEAD").sha256()


def test_immediate_fix_comes_from_the_brief(repository: Repository) -> None:
    """What the cluster's brief says to do at once is in the record and in the body."""
    make_promotable(repository, FAILURES)
    brief = "immediate_fix: Tell them the form is broken\n"
    repository.gen({"loop/cluster/briefs/c0.yaml": brief})
    report = run(repository, "c0")
    shown = repository.git("show", f"{report.branch}:golden/support/log/{report.record}.yaml")
    assert "immediate_fix: Tell them the form is broken" in shown
    assert "Tell them the form is broken" in report.body


def test_users_words_in_a_brief_are_not_repeated(repository: Repository) -> None:
    """An immediate fix that quotes a user is named, not copied into record and pull request."""
    make_promotable(repository, [failure(0)])
    quote = {"trace_id": "t0000", "quote": "My flat is 12 Elm Road"}
    brief = {"immediate_fix": f'A user wrote "{quote["quote"]}"', "immediate_fix_rests_on": quote}
    repository.gen({"loop/cluster/briefs/c1.yaml": json.dumps(brief)})
    report = run(repository)
    (record,) = golden(repository, str(report.branch)).records()
    told = str(record.content["clusters"][0]["immediate_fix"])
    assert told == "a user's own correction, quoted in loop/cluster/briefs/c1.yaml"
    assert "Elm Road" not in report.body


def test_labels_of_unpinned_rubrics_do_not_count(repository: Repository) -> None:
    """A rubric that params.yaml does not pin has no say in a golden row."""
    found: Failure = failure(0)
    make_promotable(repository, [found])
    extra = json.loads(repository.read("labels/amara.jsonl"))
    extra |= {"rubric": "tone", "label_id": "tone-1"}
    with (repository.root / "labels/amara.jsonl").open("a") as handle:
        handle.write(json.dumps(extra) + "\n")
    rows = golden(repository, str(run(repository).branch)).read()
    assert rows["labels"].to_list() == [[{"rubric": "grounded", "expected": "fail"}]]


def test_labels_under_another_guidance_do_not_count(repository: Repository) -> None:
    """Who was told something else did not agree: only the guidance in force makes golden rows."""
    make_promotable(repository, [failure(0), failure(1)])
    for name in ("amara", "bo"):
        text = repository.read(f"labels/{name}.jsonl")
        first, second = text.splitlines()
        newer = second.replace('"guidance_version": "1"', '"guidance_version": "2"')
        repository.gen({f"labels/{name}.jsonl": f"{first}\n{newer}\n"})
    params = repository.read("params.yaml") + 'labels:\n  guidance_version: "2"\n'
    repository.gen({"params.yaml": params}, commit="New guidance")
    report = run(repository)
    assert (report.n_promoted, report.row_ids) == (1, (failure(1).row_id,))
    (case,) = report.left_out
    assert (case.reason, case.detail) == ("labelled under another guidance only", "guidance 1")


def test_secret_in_an_immediate_fix_blocks_the_promotion(repository: Repository) -> None:
    """What people write into a brief enters the record as well: it is screened like the rows."""
    make_promotable(repository, [failure(0)])
    brief = "loop/cluster/briefs/c1.yaml"
    repository.gen({brief: "immediate_fix: Use the key AKIA" + "IOSFODNN7EXAMPLA\n"})
    with pytest.raises(DataError, match="the immediate fix of cluster c1: AWS Access Key"):
        run(repository)
    repository.gen({brief: "immediate_fix: Ask jo@example.org first\n"})
    (record,) = golden(repository, str(run(repository).branch)).records()
    assert record.content["clusters"][0]["immediate_fix"] == "Ask <EMAIL> first"


def test_a_route_whose_annotators_differ_waits(repository: Repository) -> None:
    """With a floor in params.yaml, agreed cases of a route under it are left out, and told why."""
    differ = {"amara": "fail", "bo": "pass"}
    unclear = [failure(n, verdicts=differ, route="plans") for n in range(9)]
    make_promotable(
        repository, [*unclear, failure(9, route="plans"), *[failure(n) for n in range(10, 22)]]
    )
    floor = "labels:\n  floor: {measure: raw, least: 0.6, by: route}\n"
    repository.gen({"params.yaml": repository.read("params.yaml") + floor}, commit="Set a floor")
    report = run(repository)
    (held,) = [case for case in report.left_out if case.trace_id == "t0009"]
    assert report.n_promoted == 12
    assert held.detail == "grounded: raw 0.10 in route=plans is under the floor 0.6"


def test_answers_in_words_do_not_stand_in_the_way(repository: Repository) -> None:
    """A rubric that asks for a sentence gives no verdict, and holds no case back."""
    make_promotable(repository, [failure(0)])
    words = 'name: what\nversion: "1"\nlabel: {type: text}\nscorer: {local: {metric: contains}}\n'
    params = repository.read("params.yaml").replace("rubrics:", 'rubrics:\n  what: {version: "1"}')
    repository.gen({"rubrics/what.yaml": words, "params.yaml": params})
    line = json.loads(repository.read("labels/amara.jsonl"))
    line |= {"rubric": "what", "label_id": "w1", "label": "it refuses", "score": None}
    with (repository.root / "labels/amara.jsonl").open("a") as handle:
        handle.write(json.dumps(line) + "\n")
    repository.commit("Say what", ".")
    assert run(repository).n_promoted == 1
