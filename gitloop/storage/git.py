"""The Git repository: small named questions, and commits that touch nobody's work tree.

GitPython finds the repository and runs git; paths are NUL-separated; nothing is ever checked out.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

from git import Repo
from git.exc import GitCommandError, InvalidGitRepositoryError, NoSuchPathError
from gitdb import IStream
from gitdb.exc import BadName

from gitloop.errors import BranchMovedError, ToolError, WorkspaceError

_NO_COMMIT = "0" * 40
_KINDS = (b"100644", b"100755", b"40000")
"""Modes of files and directories in a tree object."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, as far as gitloop shows it.

    Attributes:
        sha: Full hexadecimal id.
        subject: First line of the message.
        author: Name of the author.
        committed_at: When, UTC.
    """

    sha: str
    subject: str
    author: str
    committed_at: datetime


class GitRepository:
    """A Git repository with a work tree.

    Args:
        start: A directory in the work tree.

    Raises:
        WorkspaceError: There is no repository there, or a bare one.
    """

    def __init__(self, start: Path) -> None:
        try:
            self._repo = Repo(start, search_parent_directories=True)
        except (InvalidGitRepositoryError, NoSuchPathError) as error:
            raise WorkspaceError(
                f"{start} is not in a Git repository", hint="run: git init"
            ) from error
        if self._repo.bare:
            raise WorkspaceError(
                f"{start} is a bare repository, which has no work tree",
                hint="clone it and run the command in the clone",
            )
        self.root = Path(str(self._repo.working_tree_dir))
        self.git_dir = Path(self._repo.git_dir)
        self.common_dir = Path(self._repo.common_dir).resolve()

    def run(self, *args: str, env: dict[str, str] | None = None, stdin: bytes = b"") -> bytes:
        """What `git args` writes to stdout, untouched.

        Raises:
            ToolError: git failed; its own words are in the message.
        """
        with tempfile.TemporaryFile(dir=self.git_dir) if stdin else nullcontext() as source:
            if source is not None:
                source.write(stdin)
                source.seek(0)
            try:
                out = self._repo.git.execute(
                    ["git", *args],
                    istream=source,
                    env={"LC_ALL": "C", **(env or {})},
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                )
            except GitCommandError as error:
                words = str(error.stderr).strip().removeprefix("stderr: ").strip("' \n")
                raise ToolError(f"git {args[0]} failed: {words or 'no message'}") from error
        return out if isinstance(out, bytes) else str(out).encode()

    def text(self, *args: str) -> str:
        """What `git args` prints, without its last line break."""
        return self.run(*args).decode(errors="replace").removesuffix("\n")

    def resolve(self, revision: str) -> str:
        """The commit that the revision names, as a full id.

        Raises:
            ToolError: There is no such commit.
        """
        try:
            return str(self._repo.commit(revision).hexsha)
        except (BadName, ValueError, IndexError, GitCommandError) as error:
            raise ToolError(
                f"{revision} is not a commit of this repository",
                hint="run: git log --oneline --all",
            ) from error

    def head(self) -> str | None:
        """The commit that is checked out, or None before the first one."""
        return str(self._repo.head.commit.hexsha) if self._repo.head.is_valid() else None

    def branch(self) -> str | None:
        """The branch that is checked out, or None on a detached HEAD."""
        return None if self._repo.head.is_detached else str(self._repo.active_branch.name)

    def branch_head(self, branch: str) -> str | None:
        """The commit at a branch's tip, or None when there is no such branch."""
        found = self.text("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return found or None

    def checked_out(self) -> dict[str, str]:
        """Branch → directory of each worktree that has a branch checked out, this one included."""
        found, directory = {}, ""
        for line in self.run("worktree", "list", "--porcelain", "-z").split(b"\0"):
            key, _, value = os.fsdecode(line).partition(" ")
            if key == "worktree":
                directory = value
            elif key == "branch":
                found[value.removeprefix("refs/heads/")] = directory
        return found

    def changes(self) -> list[str]:
        """Paths that differ from HEAD or are untracked and not ignored, sorted."""
        entries = self.run("status", "--porcelain=v1", "-z", "--untracked-files=all").split(b"\0")
        return sorted(os.fsdecode(entry[3:]) for entry in entries if len(entry) > 3)

    def files(self, revision: str, prefix: str = "") -> dict[str, str]:
        """Path → blob id of every file under `prefix` in the revision's tree."""
        scope = ["--", prefix] if prefix else []
        entries = self.run("ls-tree", "-r", "-z", "--full-tree", revision, *scope).split(b"\0")
        found = {}
        for entry in filter(None, entries):
            meta, path = entry.split(b"\t", 1)
            _, kind, blob = meta.decode().split()
            if kind == "blob":
                found[os.fsdecode(path)] = blob
        return found

    def directory(self, revision: str, path: str) -> dict[str, tuple[str, bool]]:
        """Name → (id, whether it is a directory) of what lies in a directory of the revision.

        Read from the tree object itself, through the one process that reads blobs: a new process
        would take longer than all the rest. Links and submodules are left out.
        """
        if "\n" in path:
            return {}  # the request is one line
        try:
            kind, raw = self._repo.git.get_object_data(f"{revision}:{path}")[1::2]
        except (ValueError, GitCommandError):
            return {}
        found: dict[str, tuple[str, bool]] = {}
        width, start = len(revision) // 2, 0
        while kind in ("tree", b"tree") and start < len(raw):
            end = raw.index(b"\0", start)
            mode, name = raw[start:end].split(b" ", 1)
            start = end + 1 + width
            if mode in _KINDS:
                found[os.fsdecode(name)] = (raw[end + 1 : start].hex(), mode == b"40000")
        return found

    def blobs(self, ids: list[str]) -> list[bytes]:
        """The contents of the blobs, in order, read through one git process."""
        return [self._repo.git.get_object_data(blob)[3] for blob in ids]

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether every commit of `older` is part of `newer`."""
        return bool(self._repo.is_ancestor(self._repo.commit(older), self._repo.commit(newer)))

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that both revisions contain, or None for unrelated histories."""
        found = self._repo.merge_base(one, other)
        return str(found[0].hexsha) if found else None

    def log(self, revision: str, *paths: str, options: tuple[str, ...] = ()) -> list[Commit]:
        """The commits of the revision that touch the paths, newest first."""
        scope = ["--", *paths] if paths else []
        form = "--format=%H%x00%s%x00%an%x00%cI"
        lines = self.text("log", form, *options, revision, *scope).splitlines()
        return [_commit(line) for line in lines if line]

    def followed(self, revision: str, path: str) -> list[tuple[Commit, str]]:
        """The commits of the first-parent line that touch the file, newest first, renames followed.

        Each comes with the path that the file had then.
        """
        form = "--format=%x01%H%x00%s%x00%an%x00%cI"
        options = ("--follow", "--first-parent", "--diff-merges=first-parent", "--name-status")
        text = self.run("log", "-z", form, *options, revision, "--", path)
        found = []
        for block in text.split(b"\x01")[1:]:
            *head, rest = block.split(b"\0", 3)
            at, *words = rest.split(b"\0")
            paths = [os.fsdecode(word).lstrip("\n") for word in words if word.strip()]
            commit = _commit("\0".join(os.fsdecode(field) for field in (*head, at.strip())))
            found.append((commit, paths[-1] if paths else path))
        return found

    def additions(self, revision: str, folder: str) -> dict[str, Commit]:
        """Path → the commit on the first-parent line that brought the file in, one git process."""
        form = "--format=%x01%H%x00%s%x00%an%x00%cI"
        options = ("-z", "--first-parent", "--diff-merges=first-parent", "--diff-filter=A")
        text = self.run("log", form, "--name-only", *options, revision, "--", folder)
        found: dict[str, Commit] = {}
        for block in text.split(b"\x01")[1:]:
            *head, rest = block.split(b"\0", 3)
            at, *paths = rest.split(b"\0")
            commit = _commit("\0".join(os.fsdecode(field) for field in (*head, at.strip())))
            for path in paths:
                if name := os.fsdecode(path).lstrip("\n"):
                    found.setdefault(name, commit)
        return found

    def tags(self) -> dict[str, str]:
        """Tag → the commit that it names, annotated tags peeled."""
        form = "--format=%(refname:strip=2)%00%(objectname)%00%(*objectname)"
        found = {}
        for line in self.text("for-each-ref", form, "refs/tags").splitlines():
            name, own, peeled = line.split("\0")
            found[name] = peeled or own
        return found

    def tag(self, name: str, commit: str, message: str, *, at: datetime) -> None:
        """Make an annotated tag.

        Raises:
            ToolError: There is such a tag, or git does not take the name.
        """
        stamp = {"GIT_COMMITTER_DATE": f"{int(at.timestamp())} +0000"}
        words = message.encode()
        self.run("tag", "--annotate", "--file=-", name, commit, env=stamp, stdin=words)

    def push(self, references: list[str]) -> None:
        """Push references to the first remote, each under its own name.

        Raises:
            ToolError: There is no remote, or it did not take them.
        """
        remotes = self.text("remote").splitlines()
        if not remotes:
            raise ToolError("there is no remote to push to", hint="run: git remote add origin URL")
        self.run("push", "--quiet", remotes[0], *references)

    def unmerged(self) -> dict[str, dict[int, str]]:
        """Path → stage (1 base, 2 ours, 3 theirs) → blob id, of every conflict in the index."""
        found: dict[str, dict[int, str]] = {}
        for entry in filter(None, self.run("ls-files", "--unmerged", "-z").split(b"\0")):
            meta, path = entry.split(b"\t", 1)
            _, blob, stage = meta.decode().split()
            found.setdefault(os.fsdecode(path), {})[int(stage)] = blob
        return found

    def identity(self) -> tuple[str, str] | None:
        """Name and address under which Git would commit now, or None where it does not know."""
        try:
            ident = self.text("var", "GIT_AUTHOR_IDENT")
        except ToolError:
            return None
        name, _, rest = ident.partition(" <")
        return name, rest.partition("> ")[0]

    def authors(self) -> list[tuple[str, str]]:
        """Name and address of everybody who committed here, the newest commit's author first."""
        if self.head() is None:
            return []
        lines = self.text("log", "--format=%aN%x00%aE", "HEAD").splitlines()
        found = (line.split("\0") for line in dict.fromkeys(lines))
        return [(name, address) for name, address in found]

    def commit_file(self, path: str, message: str, *, author: tuple[str, str], at: datetime) -> str:
        """Commit one file of the work tree and nothing else; returns the commit's id.

        What is staged for other files stays staged. The user's hooks run.

        Raises:
            ToolError: git refused (a hook, a merge in progress, an ignored file).
        """
        name, address = author
        stamp = f"{int(at.timestamp())} +0000"
        env = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
        if self.identity() is None:
            env |= {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": address}
        self.run("add", "--", path)
        who = f"--author={name} <{address}>"
        self.run("commit", "--quiet", "--only", who, "--message", message, "--", path, env=env)
        return self.resolve("HEAD")

    def commit_on_branch(
        self,
        branch: str,
        files: dict[str, bytes | None],
        message: str,
        *,
        parent: str,
        at: datetime,
    ) -> str:
        """Commit files on top of `parent` as the new tip of `branch`.

        Neither the index, nor the work tree, nor HEAD is touched. Killed at any point, the
        repository is as before but for unreachable objects: the last act moves the branch.

        Args:
            branch: Name of a branch that does not exist, or whose tip is `parent`.
            files: Path → new content, or None to delete.
            message: Commit message.
            parent: Commit to build on.
            at: Author and committer time.

        Returns:
            The new commit's id.

        Raises:
            BranchMovedError: The branch moved meanwhile; nothing happened.
            ToolError: git failed.
        """
        stamp = f"{int(at.timestamp())} +0000"
        times = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
        lines = []
        for path, content in sorted(files.items()):
            if content is None:
                lines.append(b"0 %s\t%s\0" % (_NO_COMMIT.encode(), os.fsencode(path)))
            else:
                blob = self._repo.odb.store(IStream("blob", len(content), BytesIO(content)))
                lines.append(b"100644 %s\t%s\0" % (blob.hexsha, os.fsencode(path)))
        with tempfile.TemporaryDirectory(dir=self.git_dir, prefix="gitloop-") as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            self.run("read-tree", parent, env=index)
            self.run("update-index", "-z", "--index-info", env=index, stdin=b"".join(lines))
            tree = self.run("write-tree", env=index).decode().strip()
        words = message.encode()
        commit = (
            self.run("commit-tree", tree, "-p", parent, env=times, stdin=words).decode().strip()
        )
        before = self.branch_head(branch)
        try:
            if before in (None, parent):
                self.run("update-ref", f"refs/heads/{branch}", commit, before or _NO_COMMIT)
                return commit
        except ToolError:
            if self.branch_head(branch) == before:
                raise
        raise BranchMovedError(f"branch {branch} moved meanwhile", hint="run the command again")


def _commit(line: str) -> Commit:
    sha, subject, author, at = line.split("\0")
    return Commit(sha, subject, author, datetime.fromisoformat(at))
