"""Versions of golden sets: pins that hold, tags that DVC and GTO find, names that read the past."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dvc.api  # type: ignore[import-untyped]
import polars as pl
import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ConfigError, DataError, StaleError, ToolError
from gitloop.steps.golden import (
    ChangeRequest,
    compact,
    edit,
    list_sets,
    pin,
    retire,
    show,
    tag,
)
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.steps.verify import verify
from gitloop.steps.why import why
from gitloop.storage.golden import digest
from gitloop.workspace import Workspace
from tests.promotable import failure, make_promotable
from tests.repositories import Repository

FAILURES = [failure(n, f"c{n % 2}") for n in range(6)]
IDS = [found.row_id for found in FAILURES]
WHY = ChangeRequest("support", "misread the policy")
ARTIFACTS = """\
artifacts:
  support:
    path: golden/support/data
    type: dataset
"""


@pytest.fixture
def grown(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A set of three versions on one line: two promotions and a correction; made once, copied."""
    template = tmp_path_factory.getbasetemp() / "grown"
    if not template.exists():
        grow(Repository.create(template))
    shutil.copytree(template, tmp_path / "repository", symlinks=True)
    return Repository(tmp_path / "repository")


def grow(repository: Repository) -> None:
    """Make the three versions."""
    repository.gen({"dvc.yaml": ARTIFACTS})
    make_promotable(repository, FAILURES)
    merge(repository, promote(repository.root, PromoteRequest(("c0",), "support")).branch)
    merge(repository, promote(repository.root, PromoteRequest(("c1",), "support")).branch)
    merge(repository, edit(repository.root, WHY, [IDS[0]], ["reference=Ask first."]).branch)


def merge(repository: Repository, branch: str | None) -> None:
    """Bring the branch into main."""
    repository.git("merge", "--quiet", "--ff-only", str(branch))


def in_use(repository: Repository) -> pl.DataFrame:
    """The rows that the gate uses."""
    return Workspace(repository.root).golden_in_use("support").read()


def test_pinned_set_stays_while_the_set_grows(grown: Repository) -> None:
    """A correction, a retirement and a compaction later, the gate reads what was pinned."""
    before = Workspace(grown.root).golden("support").read()
    report = pin(grown.root, "support")
    merge(grown, retire(grown.root, WHY, [IDS[1]]).branch)
    merge(grown, edit(grown.root, WHY, [IDS[0]], ["labels.grounded=pass"]).branch)
    merge(grown, compact(grown.root, WHY).branch)
    golden = Workspace(grown.root).golden_in_use("support")
    assert golden.version() == report.after
    assert golden.read().equals(before)
    assert golden.sha256() == digest(before)
    assert Workspace(grown.root).golden("support").read().height == 5
    assert [found.pin for found in list_sets(grown.root)] == [report.after]


def test_pin_holds_in_a_shallow_clone_and_after_a_squash(grown: Repository, tmp_path: Path) -> None:
    """The records tell the version, not the history: one commit is enough."""
    before = Workspace(grown.root).golden("support").read()
    pin(grown.root, "support")
    grown.commit("Pin", "params.yaml")
    merge(grown, retire(grown.root, WHY, [IDS[1]]).branch)
    url = f"file://{grown.root}"
    grown.git("clone", "--quiet", "--depth", "1", url, str(tmp_path / "shallow"))
    shutil.copytree(grown.root / ".dvc/cache", tmp_path / "shallow/.dvc/cache")
    clone = Repository(tmp_path / "shallow")
    assert clone.git("rev-list", "--count", "HEAD") == "1"
    assert in_use(clone).equals(before)


def test_pin_to_a_merge_is_found_in_history(repository: Repository) -> None:
    """A version that only a merge made is told by its commit."""
    make_promotable(repository, FAILURES)
    commits = [
        promote(repository.root, PromoteRequest((name,), "support", onto=f"side-{name}")).commit
        for name in ("c0", "c1")
    ]
    for commit in commits:
        repository.git("merge", "--quiet", "--no-edit", str(commit))
    report = pin(repository.root, "support")
    assert "+" in str(report.after)
    merge(repository, retire(repository.root, WHY, [IDS[1]]).branch)
    assert in_use(repository)["row_id"].to_list() == sorted(IDS)
    gated(repository, digest(in_use(repository)))
    assert verify(repository.root, "HEAD").findings == ()
    gated(repository, Workspace(repository.root).golden("support").sha256())
    (finding,) = verify(repository.root, "HEAD").findings
    assert "run dvc repro" in finding.fact


def gated(repository: Repository, sha256: str) -> None:
    """Commit a gate result that says it read the set with this digest."""
    result = {"verdict": "pass", "datasets": {"support": {"sha256": sha256}}}
    params = repository.read("params.yaml")
    repository.gen(
        {"loop/gate/gate.json": json.dumps(result), "params.yaml": params}, commit="Gate"
    )


def test_gate_run_under_a_pin_used_no_later_row(grown: Repository) -> None:
    """A row that came in after the pinned version is in the tree, and no gate run read it."""
    records = {found.id: found for found in Workspace(grown.root).golden("support").records()}
    oldest = next(found for found in records.values() if not found.parents)
    pin(grown.root, f"support@{oldest.version}")
    gated(grown, oldest.dataset_sha256)
    (later,) = [found for found in records.values() if oldest.id in found.parents]
    assert len(why(grown.root, oldest.added[0]).gate_runs) == 1
    assert why(grown.root, later.added[0]).gate_runs == ()
    assert verify(grown.root, "HEAD").findings == ()


def test_pin_that_no_commit_tells_is_a_finding(grown: Repository) -> None:
    """A gate result under a version that nothing here names cannot be proved: verify says so."""
    gated(grown, Workspace(grown.root).golden("support").sha256())
    text = grown.read("params.yaml").replace("support: null", 'support: "2026.04-000000"')
    grown.gen({"params.yaml": text}, commit="Pin")
    (finding,) = verify(grown.root, "HEAD").findings
    assert (finding.path, finding.fact) == (
        "params.yaml",
        "no commit holds support at version 2026.04-000000",
    )


def test_pin_that_nothing_tells_is_refused(grown: Repository) -> None:
    """A version that neither a record nor a commit knows is an error, never another version."""
    text = grown.read("params.yaml").replace("support: null", 'support: "2026.04-000000"')
    grown.gen({"params.yaml": text})
    with pytest.raises(StaleError, match=r"pins 2026\.04-000000, which no record"):
        in_use(grown)


def test_old_version_is_read_from_records(grown: Repository) -> None:
    """NAME@VERSION gives each version's own rows and digest."""
    lineage = Workspace(grown.root).golden("support").records()
    for record in lineage:
        report = show(grown.root, f"support@{record.version}")
        assert (report.sha256, report.n_rows) == (record.dataset_sha256, record.content["n_rows"])


def test_tag_names_month_count_and_digest(grown: Repository) -> None:
    """The third version of May 2026 is v2026.5.3; the same version is tagged once."""
    (report,) = tag(grown.root, ())
    sha256 = Workspace(grown.root).golden("support").sha256()
    assert report.tag == f"support@v2026.5.3+{sha256[:6]}"
    assert (report.is_new, report.commit) == (True, grown.git("rev-parse", "HEAD"))
    grown.git("commit", "--quiet", "--allow-empty", "--message", "Work on something else")
    (again,) = tag(grown.root, ["support"])
    assert (again.tag, again.is_new, again.commit) == (report.tag, False, report.commit)
    merge(grown, retire(grown.root, WHY, [IDS[1]]).branch)
    (later,) = tag(grown.root, ())
    assert later.tag.startswith("support@v2026.5.4+")
    assert show(grown.root, report.tag).n_rows == 6
    assert pin(grown.root, report.tag).after == report.version


@pytest.mark.slow
def test_dvc_and_gto_find_a_tagged_version(grown: Repository, tmp_path: Path) -> None:
    """`dvc artifacts get` brings the tagged rows, dvc.api tells commit and path."""
    rows = Workspace(grown.root).golden("support").read()
    (first,) = tag(grown.root, ())
    merge(grown, retire(grown.root, WHY, [IDS[1]]).branch)
    (second,) = tag(grown.root, ())
    version = first.tag.partition("@")[2]
    grown.dvc("artifacts", "get", ".", "support", "--rev", version, "--out", str(tmp_path / "v"))
    assert digest(pl.read_parquet(tmp_path / "v" / "*.parquet")) == digest(rows)
    found = dvc.api.artifacts_show("support", repo=str(grown.root))
    assert found == {"rev": second.commit, "path": "golden/support/data"}
    older = dvc.api.artifacts_show("support", version=version, repo=str(grown.root))
    assert older["rev"] == first.commit


def test_tag_that_would_not_be_found_is_refused(grown: Repository, tmp_path: Path) -> None:
    """Without the artifact in dvc.yaml, without a remote or a set, no tag is made."""
    grown.gen({"dvc.yaml": ARTIFACTS.replace("support", "nothing")}, commit="Rename")
    with pytest.raises(DataError, match="no golden set nothing"):
        tag(grown.root, ["nothing"])
    with pytest.raises(ConfigError, match="no artifact support") as caught:
        tag(grown.root, ())
    assert "support: {path: golden/support/data, type: dataset}" in caught.value.hint
    assert grown.git("tag") == ""
    with pytest.raises(ToolError, match="no remote"):
        tag(grown.root, (), revision="HEAD~1", pushes=True)
    grown.git("clone", "--quiet", "--bare", str(grown.root), str(tmp_path / "hub"))
    grown.git("remote", "add", "origin", str(tmp_path / "hub"))
    (report,) = tag(grown.root, (), revision="HEAD~1", pushes=True)
    assert report.tag in Repository(tmp_path / "hub").git("tag")


def test_command_tells_the_tags(grown: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """`gitloop golden tag` prints a line per set, and nothing to do is no error."""
    root = str(grown.root)
    assert invoke(["golden", "tag", "-C", root]) == 0
    assert "support@v2026.5.3+" in capsys.readouterr().out
    grown.gen({"golden/empty/dataset.yaml": "name: empty\n"}, commit="An empty set")
    assert invoke(["golden", "tag", "empty", "-C", root]) == 4
