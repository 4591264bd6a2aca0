"""Golden sets where something is wrong: strays, no cache, bad bytes, odd checkouts, large cells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from gitloop.cli.main import invoke
from gitloop.steps.diff import DiffRequest, diff
from gitloop.steps.git.clone import install
from gitloop.steps.git.drivers import textconv
from gitloop.steps.golden import ChangeRequest, edit, export
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.steps.verify import verify
from gitloop.storage import drivers
from gitloop.storage.dvc import Dvc, Pointer
from gitloop.storage.golden import digest
from gitloop.storage.strays import sweep
from gitloop.workspace import Workspace
from tests.promotable import failure, make_promotable
from tests.repositories import Repository

FAILURES = [failure(n, f"c{n % 2}") for n in range(6)]
IDS = sorted(found.row_id for found in FAILURES)


def merged(repository: Repository, *clusters: str) -> None:
    """Promote the clusters into the set "support" on the branch that is checked out."""
    report = promote(repository.root, PromoteRequest(clusters, "support"))
    repository.git("merge", "--quiet", "--ff-only", str(report.branch))
    sweep(repository.root, Dvc(repository.root, repository.root / ".git"))


@pytest.fixture
def half(repository: Repository) -> tuple[Repository, Path, bytes]:
    """A set of one part on main; and the part that another branch has, where it lies and what."""
    repository.gen({"dvc.yaml": "stages: {}\n"})
    make_promotable(repository, FAILURES)
    merged(repository, "c0")
    repository.git("checkout", "--quiet", "-b", "other")
    merged(repository, "c1")
    mine = {path.name for path in (repository.root / "golden/support/data").iterdir()}
    repository.git("checkout", "--quiet", "main")
    sweep(repository.root, Dvc(repository.root, repository.root / ".git"))
    left = {path.name for path in (repository.root / "golden/support/data").iterdir()}
    (name,) = mine - left
    kept = repository.root / ".git/gitloop/strays/support" / name
    return repository, repository.root / "golden/support/data" / name, kept.read_bytes()


@pytest.mark.parametrize(
    "args",
    [
        ["golden", "list"],
        ["golden", "show", "support"],
        ["golden", "export", "support", "--format", "jsonl"],
        ["log", "support"],
        ["blame", "support"],
        ["diff", "HEAD~1"],
        ["promote", "c1", "--set", "support", "--dry-run"],
        ["golden", "retire", "support", "{row}", "--why", "x", "--dry-run"],
        ["golden", "pin", "support"],
        ["why", "{row}"],
        ["status"],
    ],
)
def test_no_command_counts_a_stray(
    half: tuple[Repository, Path, bytes], capsys: pytest.CaptureFixture[str], args: list[str]
) -> None:
    """What another branch left in data/ changes no command's answer."""
    repository, stray, content = half
    row = Workspace(repository.root).golden("support").read()["row_id"][0]
    words = [word.format(row=row) for word in args]
    form = [] if "--format" in words else ["--format", "json"]
    answers = []
    for is_there in (False, True):
        repository.git("checkout", "--quiet", "--", "params.yaml")
        if is_there:
            stray.write_bytes(content)
        assert invoke([*words, *form, "-C", str(repository.root)]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    assert answers[0].strip() != ""


@pytest.mark.slow
def test_clone_without_cache_or_remote_says_what_is_missing(
    half: tuple[Repository, Path, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The history is there without the bytes; what needs rows ends with 5 and names the objects."""
    repository, *_ = half
    repository.git("clone", "--quiet", str(repository.root), str(tmp_path / "clone"))
    root = str(tmp_path / "clone")
    assert invoke(["log", "support", "-C", root]) == 0
    assert "+3 ~0 -0" in capsys.readouterr().out
    assert invoke(["golden", "show", "support", "-C", root]) == 5
    assert "objects are not in the cache and cannot be fetched" in capsys.readouterr().err
    assert invoke(["verify", "-C", root]) == 5
    assert "is neither in the cache nor on a remote" in capsys.readouterr().out
    (pointer,) = (tmp_path / "clone/golden/support/parts").iterdir()
    assert "run: dvc fetch" in textconv(tmp_path / "clone", pointer)
    assert Repository(tmp_path / "clone").status() == ""


def test_bytes_that_are_no_parquet_are_told(
    half: tuple[Repository, Path, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """A part whose MD5 is right and whose bytes are no table is an error of data, everywhere."""
    repository, *_ = half
    (pointer,) = (repository.root / "golden/support/parts").iterdir()
    bad = repository.root / "bad.parquet"
    bad.write_bytes(b"PAR1 but not really PAR1")
    stored = Dvc(repository.root, repository.root / ".git").store(bad)
    name = pointer.name.removesuffix(".dvc")
    pointer.write_text(Pointer(stored.md5, stored.size, name, "../data").render())
    bad.unlink()
    root = str(repository.root)
    for args in (["golden", "show", "support"], ["diff"], ["golden", "list"], ["blame", "support"]):
        assert invoke([*args, "-C", root]) == 5
        assert "is not a readable Parquet file" in capsys.readouterr().err
    assert invoke(["verify", "-C", root]) == 5
    assert "is not a readable Parquet file" in capsys.readouterr().out
    assert "# rows:" in textconv(repository.root, pointer)


def test_promotion_from_a_detached_head_and_a_linked_worktree(
    repository: Repository, tmp_path: Path
) -> None:
    """Both make their branch on what is checked out there; HEAD stays as it was."""
    make_promotable(repository, FAILURES)
    repository.git("checkout", "--quiet", "--detach")
    report = promote(repository.root, PromoteRequest(("c0",), "support"))
    assert repository.git("symbolic-ref", "--quiet", "HEAD", check=False) == ""
    assert repository.git("rev-parse", f"{report.branch}~1") == repository.git("rev-parse", "HEAD")
    repository.git("worktree", "add", "--quiet", str(tmp_path / "linked"), str(report.branch))
    linked = Repository(tmp_path / "linked")
    shutil.copytree(repository.root / "loop", linked.root / "loop", dirs_exist_ok=True)
    second = promote(linked.root, PromoteRequest(("c1",), "support"))
    assert (second.n_before, second.n_promoted) == (3, 3)
    assert linked.git("branch", "--show-current") == report.branch
    assert verify(repository.root, second.branch).findings == ()


@pytest.mark.slow
def test_linked_worktree_speaks_rows(
    half: tuple[Repository, Path, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drivers work in a linked worktree, whose own cache is empty."""
    repository, *_ = half
    own = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.environ['PATH']}")
    repository.gen(
        {".gitattributes": drivers.GITATTRIBUTES, drivers.GITCONFIG_PATH: drivers.GITCONFIG},
        commit="Turn the drivers on",
    )
    install(repository.root)
    repository.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "HEAD")
    told = Repository(tmp_path / "linked").git("show", "HEAD~1", "--", "golden/support/parts")
    assert len([line for line in told.splitlines() if '"input"' in line]) == 3


def test_huge_and_foreign_texts_go_all_the_way(repository: Repository) -> None:
    """A megabyte of any script is promoted, corrected, compared, exported and proved unchanged."""
    text = "質問 🌍 e\u0301\u200d «où» \u202e" * 30_000
    make_promotable(repository, [failure(0, input=text), failure(1, input="ß\r\n\t✓ " + "ü" * 9)])
    merged(repository, "c1")
    rows = Workspace(repository.root).golden("support").read()
    assert text in rows["input"].to_list()
    request = ChangeRequest("support", "größer")
    longer = f"reference={text}!"
    branch = edit(repository.root, request, [rows["row_id"][0]], [longer]).branch
    (entry,) = diff(repository.root, DiffRequest("HEAD", branch))["sets"]
    assert (entry["counts"]["changed"], entry["cells"][0]["after"]) == (1, f"{text}!")
    assert verify(repository.root, branch).findings == ()
    lines = export(repository.root, "support", "jsonl", output=None).decode().splitlines()
    assert {json.loads(line)["input"] for line in lines} == set(rows["input"].to_list())
    frame = pl.read_csv(export(repository.root, "support", "csv", output=None))
    assert frame["input"].to_list() == rows["input"].to_list()


TWINS = """
import sys
from pathlib import Path
from gitloop.cli.main import invoke

sys.exit(invoke(["promote", *sys.argv[2].split(), "--set", "support", "-C", sys.argv[1]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [("c0", "c0"), ("c0", "c1")])
def test_two_processes_promote_at_once(repository: Repository, chosen: Sequence[str]) -> None:
    """The same cases make one branch; other cases make two, which merge with no driver."""
    make_promotable(repository, FAILURES)
    commands = [[sys.executable, "-c", TWINS, str(repository.root), name] for name in chosen]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
    told = [racer.communicate()[1].decode() for racer in racers]
    codes = sorted(racer.returncode for racer in racers)
    names = repository.git("branch", "--list", "gitloop/*", "--format=%(refname:short)").split()
    assert len(names) == len(set(chosen))
    assert codes[0] == 0, told
    if len(names) == 1:
        assert codes[1] in (0, 1, 4), told
        assert codes[1] == 0 or "Traceback" not in "".join(told)
    for name in names:
        repository.git("merge", "--quiet", "--no-edit", name)
    assert verify(repository.root, "HEAD").findings == ()
    rows = Workspace(repository.root).golden("support", "HEAD").read()
    assert rows.height == 3 * len(names)
    assert digest(rows) == Workspace(repository.root).golden("support", "HEAD").sha256()


@pytest.mark.parametrize("verb", [["golden", "show"], ["golden", "export"], ["log"], ["blame"]])
def test_name_that_leads_out_of_the_repository_is_refused(
    repository: Repository, verb: Sequence[str]
) -> None:
    """No command looks for a set, or for strays to move away, outside golden/."""
    outside = repository.root.parent / "elsewhere"
    (outside / "data").mkdir(parents=True)
    (outside / "dataset.yaml").write_text("name: elsewhere\n")
    (outside / "data/mine.parquet").write_bytes(b"mine to keep")
    for name in ("../../elsewhere", "..", str(outside)):
        assert invoke([*verb, name, "-C", str(repository.root)]) == 5
    assert (outside / "data/mine.parquet").read_bytes() == b"mine to keep"


def test_links_out_of_the_repository_are_not_followed(
    repository: Repository, tmp_path: Path
) -> None:
    """Whatever is a link to elsewhere, a promotion neither reads nor writes through it."""
    outside = tmp_path / "outside"
    for name in ("data", "parts", "log", "briefs"):
        (outside / name).mkdir(parents=True)
    (outside / "briefs/c0.yaml").write_text("immediate_fix: Told from outside\n")
    (outside / "data/theirs.parquet").write_bytes(b"mine to keep")
    make_promotable(repository, FAILURES)
    (repository.root / "loop/cluster/briefs").symlink_to(outside / "briefs")
    (repository.root / "golden").mkdir()
    (repository.root / "golden/support").symlink_to(outside)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in outside.rglob("*"))
    report = promote(repository.root, PromoteRequest(("c0",), "support"))
    sweep(repository.root, Dvc(repository.root, repository.root / ".git"))
    assert sorted((path.name, path.stat().st_mtime_ns) for path in outside.rglob("*")) == before
    assert "Told from outside" not in report.body
    assert Workspace(repository.root).golden("support", report.branch).read().height == 3
