"""A tree of files to read from: the work tree, or a commit that is never checked out."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path
from typing import Protocol

from gitloop.errors import DataError
from gitloop.storage.git import GitRepository


class Tree(Protocol):
    """Files by path, relative to the repository's root, with forward slashes."""

    name: str
    """What to call it in messages."""

    def files(self, prefix: str) -> list[str]:
        """The paths under the directory `prefix`, sorted."""

    def read(self, paths: list[str]) -> list[bytes]:
        """The contents of the files, in order.

        Raises:
            DataError: A file is not there.
        """

    def has(self, path: str) -> bool:
        """Whether there is such a file."""

    def blob(self, path: str) -> str:
        """Git's id of the file's content."""


class WorkTree:
    """The files as they lie in the work tree now.

    Args:
        root: The repository's root.
    """

    def __init__(self, root: Path) -> None:
        self.name = "the work tree"
        self._root = root

    def files(self, prefix: str) -> list[str]:
        """The paths under the directory `prefix`, sorted. Links are not followed."""
        start = self._root / prefix
        found = (path for path in start.rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    def read(self, paths: list[str]) -> list[bytes]:
        """The contents of the files, in order."""
        try:
            return [(self._root / path).read_bytes() for path in paths]
        except FileNotFoundError as error:
            missing = Path(str(error.filename)).relative_to(self._root)
            raise DataError(f"{missing} does not exist", hint="run: gitloop status") from error

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return (self._root / path).is_file()

    def blob(self, path: str) -> str:
        """Git's id of the file's content, line ends as they are committed."""
        content = self.read([path])[0].replace(b"\r\n", b"\n")
        return sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()


class CommitTree:
    """The files of one commit.

    Args:
        git: The repository.
        revision: Any name of a commit.
    """

    def __init__(self, git: GitRepository, revision: str) -> None:
        self.sha = git.resolve(revision)
        self.name = f"commit {self.sha[:12]}"
        self._git = git
        self._blobs = git.files(self.sha)

    def files(self, prefix: str) -> list[str]:
        """The paths under the directory `prefix`, sorted."""
        start = prefix.rstrip("/") + "/"
        return sorted(path for path in self._blobs if path.startswith(start))

    def read(self, paths: list[str]) -> list[bytes]:
        """The contents of the files, in order."""
        for path in paths:
            if path not in self._blobs:
                raise DataError(f"{path} is not in {self.name}", hint=f"git show {self.sha[:12]}")
        return self._git.blobs([self._blobs[path] for path in paths])

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self._blobs

    def blob(self, path: str) -> str:
        """Git's id of the file's content."""
        return self._blobs[path]
