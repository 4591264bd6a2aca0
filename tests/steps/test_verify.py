"""The proof of commits, ranges and work trees of real repositories."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gitloop.steps.promote import PromoteRequest, promote
from gitloop.steps.verify import VerifyReport, verify
from tests.promotable import failure, make_promotable
from tests.repositories import Repository


@pytest.fixture
def proved(repository: Repository) -> Repository:
    """A repository with a golden set of two merged promotions."""
    make_promotable(repository, [failure(n, f"c{n % 2}") for n in range(8)])
    for cluster in ("c0", "c1"):
        report = promote(repository.root, PromoteRequest((cluster,), "support"))
        repository.git("branch", "--quiet", f"side-{cluster}", str(report.branch))
    repository.git("merge", "--quiet", "side-c0")
    repository.git("merge", "--quiet", "--no-edit", "side-c1")
    return repository


def facts(repository: Repository, revision: str | None = None) -> list[str]:
    """path: fact of each finding."""
    return [f"{f.path}: {f.fact}" for f in verify(repository.root, revision).findings]


def first(repository: Repository, pattern: str) -> Path:
    """The first file that fits."""
    return min(repository.root.glob(pattern))


def test_merged_promotions_are_proved(proved: Repository) -> None:
    """Work tree, commit and range of a sound history have no findings."""
    report = verify(proved.root)
    assert report.findings == ()
    (found,) = report.sets
    assert (found.name, found.n_rows, found.n_parts) == ("support", 8, 2)
    assert (facts(proved, "HEAD"), facts(proved, "HEAD~2..HEAD")) == ([], [])


def test_repository_without_sets_is_proved(repository: Repository) -> None:
    """Nothing to prove is nothing to complain about."""
    assert verify(repository.root, "HEAD") == VerifyReport(
        "HEAD", (repository.git("rev-parse", "HEAD"),), (), ()
    )


def _truncate(repository: Repository) -> None:
    path = first(repository, "golden/support/parts/*.dvc")
    path.write_bytes(path.read_bytes()[:20])


def _drop_object(repository: Repository) -> None:
    for path in (repository.root / ".dvc/cache").rglob("*"):
        if path.is_file() and b"PAR1" in path.read_bytes()[:4] and "golden" not in str(path):
            path.unlink()


def _damage_objects(repository: Repository) -> None:
    for path in (repository.root / ".dvc/cache").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-9] + b"corrupted")


def _append(pattern: str, text: str) -> Callable[[Repository], None]:
    def act(repository: Repository) -> None:
        path = first(repository, pattern)
        path.write_text(path.read_text() + text)

    return act


def _delete(pattern: str) -> Callable[[Repository], None]:
    return lambda repository: first(repository, pattern).unlink()


@pytest.mark.parametrize(
    ("act", "fact"),
    [
        (_truncate, ": is not a DVC pointer to one file"),
        (_damage_objects, "its object in the cache is damaged"),
        (_delete("golden/support/parts/*.dvc"), ": is gone, and no record took it away"),
        (_delete("golden/support/log/*.yaml"), ".yaml: is gone; "),
        (_append("golden/support/log/*.yaml", "# a comment\n"), ".yaml: was rewritten after "),
        (_append("golden/support/log/*.yaml", "}{\n"), ".yaml: is not a promotion record"),
        (_append("golden/support/dataset.yaml", "typo: 1\n"), "dataset.yaml"),
        (_delete("golden/support/dataset.yaml"), "golden/support: has no dataset.yaml"),
    ],
)
def test_each_damage_is_found(
    proved: Repository, act: Callable[[Repository], None], fact: str
) -> None:
    """A cut pointer, a bad object, a lost or rewritten record: each is told with its file."""
    act(proved)
    assert any(fact in found for found in facts(proved)), facts(proved)


@pytest.mark.slow
def test_missing_object_is_found_for_each_part(proved: Repository) -> None:
    """Bytes that are neither here nor on a remote are told, one line per pointer."""
    _drop_object(proved)
    found = facts(proved, "HEAD")
    assert len(found) == 2
    assert all("neither in the cache nor on a remote" in fact for fact in found)


@pytest.mark.parametrize(
    "pattern",
    [
        "golden/support/parts/*.dvc",
        "golden/support/log/*.yaml",
        "golden/support/dataset.yaml",
        "labels/amara.jsonl",
        "params.yaml",
        "rubrics/grounded.yaml",
        "data/traces/*.dvc",
    ],
)
def test_conflict_markers_are_found_in_each_file(proved: Repository, pattern: str) -> None:
    """An unresolved conflict is told once for its file, wherever it was committed."""
    path = first(proved, pattern)
    name = path.relative_to(proved.root).as_posix()
    text = path.read_text()
    path.write_text(f"<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n")
    proved.gen({"params.yaml" if pattern != "params.yaml" else "x": proved.read("params.yaml")})
    expected = f"{name}: holds the markers of an unresolved conflict"
    assert [fact for fact in facts(proved) if fact.startswith(name)] == [expected]


def test_gate_that_read_another_set_is_found(proved: Repository) -> None:
    """The digest that gate.json records must be the set's own."""
    (found,) = verify(proved.root).sets
    right = {"datasets": {"support": {"sha256": found.sha256}}}
    wrong = {"datasets": {"support": {"sha256": "0" * 64}, "other": {"sha256": "1" * 64}}}
    proved.gen({"loop/gate/gate.json": json.dumps(right)})
    assert facts(proved) == []
    proved.gen({"loop/gate/gate.json": json.dumps(wrong)})
    told = " ".join(facts(proved))
    assert "read support 000000000000" in told
    assert "read the set other, which is not here" in told
    proved.gen({"loop/gate/gate.json": "[]"})
    assert facts(proved) == ["loop/gate/gate.json: is no gate result"]


def test_stray_part_is_found_in_the_work_tree(proved: Repository) -> None:
    """A part of another branch in data/ is told; a commit has no such place."""
    proved.gen({"golden/support/data/2026.01-000000.parquet": "left behind"})
    (found,) = facts(proved)
    assert found.startswith("golden/support/data/2026.01-000000.parquet: no pointer names it")
    assert facts(proved, "HEAD") == []


def test_edited_part_is_found_in_the_work_tree(proved: Repository) -> None:
    """A part that somebody rewrote in data/ is not what its pointer says."""
    name = first(proved, "golden/support/parts/*.dvc").name.removesuffix(".dvc")
    proved.gen({f"golden/support/data/{name}": "edited by hand"})
    assert facts(proved) == [
        f"golden/support/data/{name}: is not what its pointer says: run dvc checkout"
    ]


def test_range_names_the_commit_that_did_it(proved: Repository) -> None:
    """Over a range, a fault that was mended later is told with the commit that made it."""
    base = proved.git("rev-parse", "HEAD")
    path = first(proved, "golden/support/parts/*.dvc")
    content = path.read_text()
    path.unlink()
    broken = proved.commit("Lose a part", ".")
    path.write_text(content)
    proved.commit("Bring it back", ".")
    report = verify(proved.root, f"{base}..HEAD")
    assert facts(proved, "HEAD") == []
    assert {finding.commit for finding in report.findings} == {broken[:12]}
    assert any("is gone" in finding.fact for finding in report.findings)


def test_windows_line_ends_are_no_fault(proved: Repository) -> None:
    """A checkout with CRLF says the same as its commit."""
    for path in (
        *proved.root.glob("golden/support/*/*.yaml"),
        *proved.root.glob("golden/**/*.dvc"),
    ):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert facts(proved) == []


def test_worktree_and_detached_head_are_proved(proved: Repository, tmp_path: Path) -> None:
    """A linked worktree finds the main one's cache; a detached HEAD is a commit like any other."""
    proved.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    report = verify(tmp_path / "linked")
    assert (report.findings, report.sets[0].n_rows) == ((), 8)


def test_squash_keeps_the_proof(proved: Repository) -> None:
    """A squash merge destroys commits, trailers and branches, and no lineage."""
    proved.git("checkout", "--quiet", "-b", "squashed", "main~1^")
    proved.git("merge", "--quiet", "--squash", "main")
    proved.commit("Squashed")
    assert facts(proved, "HEAD") == []
