"""Scored runs of other commits, by content: what dvc.lock says of them, and their tables.

A commit is never checked out. Its dvc.lock names the MD5 of its score tables; the DVC cache, or
else the remote, has the bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from gitloop.errors import MissingObjectError, ToolError
from gitloop.schema import Table
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc
from gitloop.storage.git import Commit, GitRepository

LOCK = "dvc.lock"
SCORES = "loop/score/scores.parquet"
OUTPUTS = "loop/score/outputs.parquet"


@dataclass(frozen=True, slots=True)
class ScoredCommit:
    """A commit whose dvc.lock names scores.

    Attributes:
        sha: Full id.
        committed_at: When, UTC.
        scores_md5: MD5 of its scores.parquet.
        outputs_md5: MD5 of its outputs.parquet, or None.
    """

    sha: str
    committed_at: datetime
    scores_md5: str
    outputs_md5: str | None


def scored_commits(git: GitRepository, dvc: Dvc, commits: Iterable[Commit]) -> list[ScoredCommit]:
    """Those of the commits that have scores, in the order given; one git process for all."""
    known = list(commits)
    asked = "".join(f"{commit.sha}:{LOCK}\n" for commit in known).encode()
    told = git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
    blobs = [line.split()[0].decode() for line in told.splitlines()]
    is_blob = [line.endswith(b" blob") for line in told.splitlines()]
    outs: dict[str, dict[str, str]] = {}
    found = []
    for commit, blob, is_there in zip(known, blobs, is_blob, strict=True):
        if not is_there:
            continue
        if blob not in outs:
            outs[blob] = lock_outs(dvc, git.blobs([blob])[0])
        scores = outs[blob].get(SCORES)
        if scores is not None:
            found.append(
                ScoredCommit(commit.sha, commit.committed_at, scores, outs[blob].get(OUTPUTS))
            )
    return found


def lock_outs(dvc: Dvc, content: bytes) -> dict[str, str]:
    """Path → MD5 of every output that a dvc.lock names."""
    return {
        str(out["path"]): str(out["md5"])
        for stage in dvc.lock(content).values()
        for out in stage.get("outs", [])
        if "md5" in out
    }


def bring(root: Path, dvc: Dvc, digests: Iterable[str]) -> None:
    """Have the objects with these MD5s in the cache, fetching from the remote what is not there.

    By content and not by revision: a shallow clone does not hold the commits that had them.

    Raises:
        MissingObjectError: There is no remote, or it does not have them all.
    """
    missing = [digest for digest in dict.fromkeys(digests) if dvc.object_path(digest) is None]
    if not missing:
        return
    home = root / ".gitloop"
    home.mkdir(exist_ok=True)
    why = "the remote does not have them"
    with tempfile.TemporaryDirectory(dir=home, prefix="fetch-") as scratch:
        # `dvc fetch` takes pointers, wherever they come from: these say no more than the content.
        pointers = [Path(scratch) / f"{digest}.dvc" for digest in missing]
        for pointer, digest in zip(pointers, missing, strict=True):
            pointer.write_text(f"outs:\n- md5: {digest}\n  hash: md5\n  path: {digest}\n")
        try:
            dvc.run("fetch", *(pointer.relative_to(root).as_posix() for pointer in pointers))
        except ToolError as error:
            why = error.message
    gone = [digest for digest in missing if dvc.object_path(digest) is None]
    if gone:
        raise MissingObjectError(
            f"{len(gone)} objects of earlier runs are neither in the DVC cache nor on the remote"
            f" (first {gone[0]}): {why}",
            hint="run: dvc remote list; or pin runs that are there with gitloop baseline",
        )


def read_object(dvc: Dvc, digest: str, table: Table, *, source: str) -> pl.DataFrame:
    """The table in the cached object with this MD5.

    Raises:
        MissingObjectError: The cache does not have it; `bring` it first.
        TableError: Its rows break the schema.
    """
    path = dvc.object_path(digest)
    if path is None:
        raise MissingObjectError(f"{source} is not in the DVC cache", hint="run: dvc fetch")
    return parquet.read(path, table, source=source)
