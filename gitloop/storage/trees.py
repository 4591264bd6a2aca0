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
        return blob_id(self.read([path])[0].replace(b"\r\n", b"\n"))


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
        self._directories: dict[str, dict[str, tuple[str, bool]]] = {}

    def files(self, prefix: str) -> list[str]:
        """The paths under the directory `prefix`, sorted."""
        found: list[str] = []
        waiting = [prefix.rstrip("/")]
        while waiting:
            folder = waiting.pop()
            for name, (_, is_directory) in self._directory(folder).items():
                (waiting if is_directory else found).append(f"{folder}/{name}")
        return sorted(found)

    def read(self, paths: list[str]) -> list[bytes]:
        """The contents of the files, in order."""
        for path in paths:
            if not self.has(path):
                raise DataError(f"{path} is not in {self.name}", hint=f"git show {self.sha[:12]}")
        return self._git.blobs([self.blob(path) for path in paths])

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        folder, _, name = path.rpartition("/")
        found = self._directory(folder).get(name)
        return found is not None and not found[1]

    def blob(self, path: str) -> str:
        """Git's id of the file's content."""
        folder, _, name = path.rpartition("/")
        return self._directory(folder)[name][0]

    def _directory(self, path: str) -> dict[str, tuple[str, bool]]:
        if path not in self._directories:
            self._directories[path] = self._git.directory(self.sha, path)
        return self._directories[path]


def blob_id(content: bytes) -> str:
    """Git's id of a file with this content."""
    return sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()
