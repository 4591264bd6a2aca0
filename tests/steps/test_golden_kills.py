"""Killed at any write, a verb leaves the repository as it was, and the next run comes through."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gitloop.steps.golden import ChangeRequest, edit
from gitloop.steps.merge import conflicts
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.steps.verify import verify
from gitloop.workspace import Workspace
from tests import killing
from tests.promotable import failure, make_promotable
from tests.repositories import Repository

FAILURES = [failure(n, f"c{n % 2}") for n in range(4)]
IDS = [found.row_id for found in FAILURES]
ARTIFACTS = "artifacts:\n  support:\n    path: golden/support/data\n    type: dataset\n"


def kills(repository: Repository, verb: str, *args: str) -> Iterator[int]:
    """The exit code of each run: the first killed before its first write, and so on."""
    command = [sys.executable, killing.__file__, verb, str(repository.root), *args]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as killer:
        assert killer.stdin is not None
        assert killer.stdout is not None
        assert killer.stderr is not None
        while (line := killer.stdout.readline()) != "":
            code = int(line)
            if code not in (0, killing.KILLED):
                killer.kill()
                raise AssertionError(killer.stderr.read())
            yield code
            if code == killing.KILLED:
                killer.stdin.write("\n")
                killer.stdin.flush()


def snapshot(repository: Repository) -> tuple[str, ...]:
    """The refs, the index, the work tree and what lies in data/: all that a person sees."""
    data = sorted(
        f"{path.name} {path.stat().st_mtime_ns}" for path in repository.root.glob("golden/*/data/*")
    )
    return (
        repository.git("for-each-ref"),
        repository.git("rev-parse", "HEAD"),
        repository.git("ls-files", "--stage"),
        repository.status(),
        repository.read("params.yaml"),
        *data,
    )


@pytest.fixture
def two_parts(repository: Repository) -> Repository:
    """A golden set of two parts, and a table that is to be migrated."""
    make_promotable(repository, FAILURES)
    table = "question,verdict\nWhere is it?,fail\nHow much is it?,pass\n"
    repository.gen({"dvc.yaml": ARTIFACTS, "old.csv": table}, commit="More")
    for name in ("c0", "c1"):
        report = promote(repository.root, PromoteRequest((name,), "support"))
        repository.git("merge", "--quiet", "--ff-only", str(report.branch))
        repository.git("branch", "--quiet", "--delete", str(report.branch))
    return repository


@pytest.mark.slow
def test_promotion_killed_at_every_write(repository: Repository) -> None:
    """There is no branch until there is all of it."""
    make_promotable(repository, FAILURES)
    before = snapshot(repository)
    codes = []
    for code in kills(repository, "promote"):
        codes.append(code)
        if code == killing.KILLED:
            assert snapshot(repository) == before
    assert len(codes) > 20
    branch = repository.git("branch", "--list", "gitloop/*", "--format=%(refname:short)")
    assert Workspace(repository.root).golden("support", branch).read().height == len(FAILURES)
    assert verify(repository.root, branch).findings == ()


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["edit", "retire", "compact", "migrate", "pin", "tag"])
def test_change_killed_at_every_write(two_parts: Repository, verb: str) -> None:
    """A correction, a retirement, a compaction, a migration, a pin, a tag: whole or not at all."""
    before = snapshot(two_parts)
    codes = []
    for code in kills(two_parts, verb):
        codes.append(code)
        if code == killing.KILLED and snapshot(two_parts) != before:
            break  # the last write was done: the rest is clearing up
    assert len(codes) > 3
    assert verify(two_parts.root, "HEAD").findings == ()
    assert snapshot(two_parts) != before
    for branch in two_parts.git(
        "branch", "--list", "gitloop/*", "--format=%(refname:short)"
    ).split():
        assert verify(two_parts.root, branch).findings == ()


@pytest.mark.slow
def test_resolution_killed_at_every_write(two_parts: Repository) -> None:
    """A conflict stays one until it is decided whole; then the other side is what was chosen."""
    for number, text in enumerate(("Ask first.", "Ask later.")):
        change = ChangeRequest("support", "a test", onto=f"side-{number}")
        edit(two_parts.root, change, [IDS[0]], [f"reference={text}"])
    two_parts.git("merge", "--quiet", "--ff-only", "side-0")
    two_parts.git("merge", "--quiet", "side-1", check=False)
    assert [row.row_id for row in conflicts(two_parts.root).rows] == [IDS[0]]
    head = two_parts.git("rev-parse", "HEAD")
    codes = []
    for code in kills(two_parts, "resolve"):
        codes.append(code)
        if code == killing.KILLED and two_parts.git("ls-files", "--unmerged"):
            two_parts.git("commit", "--message", "Too early", check=False)
            assert two_parts.git("rev-parse", "HEAD") == head
    assert len(codes) > 5
    assert conflicts(two_parts.root).rows == ()
    two_parts.commit("Meet")
    rows = Workspace(two_parts.root).golden("support", "HEAD").read()
    assert rows.filter(row_id=IDS[0])["reference"].to_list() == ["Ask later."]
    assert verify(two_parts.root, "HEAD").findings == ()
