"""Kills gitloop's verbs before each of their writes, one after the other, in forks of one process.

    python tests/killing.py promote REPOSITORY

Prints, for n = 0, 1, …, the exit code of a run that is killed before its nth write, and waits for a
line on stdin before it goes on: so a test can look at the repository in between. Ends with the
first run that comes through.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from gitloop.steps.golden import ChangeRequest, compact, edit, migrate, pin, retire, tag
from gitloop.steps.merge import conflicts, resolve
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.workspace import Workspace

KILLED = 9
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_FILE_EVENTS = {"os.rename", "os.remove", "os.chmod", "os.mkdir", "os.link", "shutil.copyfile"}
_GIT = {"read-tree", "update-index", "write-tree", "commit-tree", "update-ref", "tag", "add", "rm"}


def _is_write(event: str, args: tuple[Any, ...]) -> bool:
    """Whether the audited event writes to disk, itself or through git."""
    if event == "open":
        _, mode, flags = args
        return bool(set(mode or "") & set("wax+")) or bool((flags or 0) & _WRITES)
    if event == "subprocess.Popen":
        return bool(_GIT & set(args[1]))
    return event in _FILE_EVENTS


def _kill_before(n: int) -> None:
    """End this process, as `kill -9` does, before its nth write."""
    left = n

    def look(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        if _is_write(event, args):
            left -= 1
            if left < 0:
                os._exit(KILLED)

    sys.addaudithook(look)


def _actions(root: Path) -> dict[str, Callable[[], object]]:
    why = ChangeRequest("support", "a test")
    return {
        "promote": lambda: promote(root, PromoteRequest((), "support", takes_all=True)),
        "edit": lambda: edit(root, why, [_some_row(root)], ["reference=Ask."]),
        "retire": lambda: retire(root, why, [_some_row(root)]),
        "compact": lambda: compact(root, why),
        "migrate": lambda: migrate(
            root,
            "old.csv",
            set_name="old",
            columns={"input": "question", "labels.grounded": "verdict"},
            onto=None,
        ),
        "pin": lambda: pin(root, "support"),
        "tag": lambda: tag(root, ()),
        "resolve": lambda: _resolve(root),
    }


def _some_row(root: Path) -> str:
    return str(Workspace(root).golden("support").read()["row_id"][0])


def _resolve(root: Path) -> None:
    for row in conflicts(root).rows:
        resolve(root, row.row_id, "theirs")


def main() -> None:
    """Run the verb until it comes through."""
    action = _actions(Path(sys.argv[2]))[sys.argv[1]]
    for n in count():
        child = os.fork()
        if child == 0:
            _kill_before(n)
            action()
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()
        if code != KILLED or not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
