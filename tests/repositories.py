"""Real Git and DVC repositories for tests, made in milliseconds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PARAMS = "seed: 0\n"
GITIGNORE = "/golden/*/data/\n/.gitloop/calls/\n*.tmp\n"


class Repository:
    """A Git repository that DVC knows, with an empty params.yaml, as `gitloop init` leaves one.

    Attributes:
        root: Its work tree.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def create(cls, root: Path) -> Repository:
        """A repository in `root` with one commit on the branch "main"."""
        root.mkdir(parents=True, exist_ok=True)
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch=main")
        # What `dvc init` writes, without the second that a DVC process takes.
        made.gen(
            {
                ".dvc/config": "",
                ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
                ".dvcignore": "data/feedback/spool/\n",
                ".gitignore": GITIGNORE,
                "params.yaml": PARAMS,
            },
            commit="Begin",
        )
        return made

    def gen(self, files: Mapping[str, str | bytes], commit: str = "") -> str:
        """Write the files, commit just them where a message is given, and return the commit."""
        for path, content in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        if not commit:
            return ""
        self.git("add", "--force", "--", *files)
        return self.commit(commit)

    def import_commit(self, files: Mapping[str, bytes], message: str) -> None:
        """Commit thousands of files on the branch, which nothing but `git fast-import` does soon.

        They are in the work tree afterwards.
        """
        branch = self.git("symbolic-ref", "HEAD")
        words = message.encode()
        stream = b"commit %s\ncommitter t <t@example.org> 0 +0000\ndata %d\n%s\nfrom %s^0\n" % (
            branch.encode(),
            len(words),
            words,
            branch.encode(),
        )
        blobs = [
            b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)
            for path, content in files.items()
        ]
        command = ["/usr/bin/env", "git", "fast-import", "--quiet"]
        subprocess.run(command, cwd=self.root, input=stream + b"".join(blobs), check=True)
        self.git("reset", "--quiet", "--hard")

    def commit(self, message: str, *paths: str) -> str:
        """Stage the paths (or nothing more than is staged), commit, and return the commit's id."""
        if paths:
            self.git("add", "--all", "--", *paths)
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def git(self, *args: str, check: bool = True) -> str:
        """What `git args` prints, stripped."""
        return _run(["git", *args], self.root, check=check)

    def dvc(self, *args: str, check: bool = True) -> str:
        """What `dvc args` prints, stripped. One call takes about a second."""
        return _run([sys.executable, "-m", "dvc", *args], self.root, check=check)

    def status(self) -> str:
        """What `git status --porcelain` prints: "" for a clean tree."""
        return self.git("status", "--porcelain", "--untracked-files=all")

    def read(self, path: str) -> str:
        """The text of a file in the work tree."""
        return (self.root / path).read_text(encoding="utf-8")


def _run(command: list[str], directory: Path, *, check: bool) -> str:
    done = subprocess.run(  # noqa: PLW1510 -- the check says more than CalledProcessError
        command, cwd=directory, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout.strip()
