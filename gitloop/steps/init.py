"""Turn a Git repository into a gitloop repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitloop import scaffold
from gitloop.errors import ConfigError, WorkspaceError
from gitloop.storage import drivers
from gitloop.storage.dvc import Dvc
from gitloop.storage.files import read_text, write_text
from gitloop.storage.git import GitRepository

_COMMIT = ('git add -A && git commit -m "Set up gitloop"',)


@dataclass(frozen=True, slots=True)
class InitReport:
    """What `gitloop init` did.

    Attributes:
        root: The repository's root directory, by name only.
        created: Paths that are new.
        extended: Path → lines added to a file that was there.
        kept: Paths that were there and were left alone.
        replaced: Paths that were there and were replaced, because of --force.
        was_dvc_initialised: Whether DVC had to be set up.
        next: The commands to run now.
    """

    root: str
    created: tuple[str, ...]
    extended: dict[str, int]
    kept: tuple[str, ...]
    replaced: tuple[str, ...]
    was_dvc_initialised: bool
    next: tuple[str, ...]


def init(directory: Path, *, set_name: str, ci: str, is_forced: bool = False) -> InitReport:
    """Set the repository up; a second call changes nothing.

    Args:
        directory: A directory in the work tree.
        set_name: Name of the first golden set.
        ci: Workflow to write: "github", "gitlab" or "none".
        is_forced: Replace files that are there, and accept a dirty tree.

    Raises:
        WorkspaceError: No Git repository, a bare one, or a tree with other changes.
        ConfigError: The set's name is no name.
    """
    git = GitRepository(directory)
    wanted = scaffold.new_files(_checked(set_name), ci) | {
        drivers.GITCONFIG_PATH: drivers.GITCONFIG
    }
    added = scaffold.lines() | {".gitattributes": drivers.GITATTRIBUTES.splitlines()}
    if not is_forced:
        _refuse_other_changes(git, {*wanted, *added})
    set_up = _init_dvc(git)
    created, kept, replaced = _write_files(git.root, wanted, is_forced=is_forced)
    extended = {path: n for path, lines in added.items() if (n := _extend(git.root / path, lines))}
    drivers.install(git)
    return InitReport(
        root=git.root.name,
        created=tuple(created),
        extended=extended,
        kept=tuple(kept),
        replaced=tuple(replaced),
        was_dvc_initialised=set_up,
        next=(*_COMMIT[: bool(git.changes())], "gitloop capture import TRACES.jsonl"),
    )


def _checked(set_name: str) -> str:
    if not set_name or not set_name.replace("-", "").isalnum() or set_name != set_name.lower():
        raise ConfigError(
            f"{set_name!r} is no name for a golden set",
            hint="use lower case letters, digits and dashes: --set support",
        )
    return set_name


def _refuse_other_changes(git: GitRepository, ours: set[str]) -> None:
    """Raise where the tree has changes that a commit of the set-up would mix with."""
    others = [path for path in git.changes() if path not in ours and not path.startswith(".dvc")]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise WorkspaceError(
            f"the tree has uncommitted changes: {', '.join(others[:3])}{more}",
            hint="commit or stash them first, so that the set-up is a commit of its own",
        )


def _init_dvc(git: GitRepository) -> bool:
    """Initialise DVC with its analytics off, where that was not done; tell whether it was now."""
    dvc = Dvc(git.root, git.common_dir)
    if dvc.is_initialised:
        return False
    dvc.run("init", "--quiet")
    # What `dvc config core.analytics false` writes, without the second that a DVC process takes.
    config = git.root / ".dvc" / "config"
    write_text(config, read_text(config) + "[core]\n    analytics = false\n")
    return True


def _write_files(
    root: Path, wanted: dict[str, str], *, is_forced: bool
) -> tuple[list[str], list[str], list[str]]:
    """Write what is missing (or, forced, different); return paths created, kept and replaced."""
    created, kept, replaced = [], [], []
    for path, text in sorted(wanted.items()):
        target = root / path
        if not target.exists():
            created.append(path)
        elif not is_forced or read_text(target) == text:
            kept.append(path)
            continue
        else:
            replaced.append(path)
        write_text(target, text)
    return created, kept, replaced


def _extend(path: Path, lines: list[str]) -> int:
    """Append the lines that the file lacks; return how many rules that were."""
    text = read_text(path) if path.exists() else ""
    present = set(text.splitlines())
    missing = [line for line in lines if line not in present]
    rules = sum(1 for line in missing if not line.startswith("#"))
    if rules:
        gap = "" if not text or text.endswith("\n") else "\n"
        write_text(path, text + gap + "\n".join(missing) + "\n")
    return rules
