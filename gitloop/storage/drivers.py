"""Git's diff and merge drivers for pointers: what is committed, and what a clone turns on.

`.gitattributes` and `.gitloop/gitconfig` are committed; Git runs no program that a clone has not
allowed, so each clone turns them on once. Without them everything works, with plain diffs.

Three traps decide the shell in here. A textconv that fails ends the whole `git log -p`, so it falls
back to the pointer's own text. A merge driver that fails, is killed or is missing leaves our side
without a conflict marker, so the markers are written first and taken away by success. A hook that
ends in `exec` runs nothing after it, so ours goes first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gitloop.errors import ToolError
from gitloop.storage.files import read_text, replacing
from gitloop.storage.git import GitRepository

GITATTRIBUTES = """\
# gitloop: pointers speak rows in git diff, log, show and blame, and merge row by row
golden/**/*.parquet.dvc text eol=lf diff=gitloop merge=gitloop
golden/**/*.yaml text eol=lf
dvc.lock text eol=lf merge=gitloop-lock linguist-generated
labels/*.jsonl text eol=lf merge=union
"""
"""What `.gitattributes` must hold; committed."""

GITCONFIG_PATH = ".gitloop/gitconfig"

GITCONFIG = r"""# gitloop's Git drivers. Each clone turns them on once with: gitloop git install
[diff "gitloop"]
	textconv = "sh -c '\
m=$(sed -n \"s/^- md5: //p\" \"$1\" 2>/dev/null); \
r=$(git rev-parse --git-common-dir 2>/dev/null)/gitloop/rows/$m.txt; \
if [ -n \"$m\" ] && [ -f \"$r\" ]; then exec cat \"$1\" \"$r\"; fi; \
if command -v gitloop >/dev/null 2>&1 && gitloop git textconv \"$1\" 2>/dev/null; then exit 0; fi; \
exec cat \"$1\"' gitloop"
[merge "gitloop"]
	name = gitloop: row by row, then cell by cell
	driver = "sh -c '\
cp \"$2\" \"$2.ours\" || exit 1; \
git merge-file -q -L ours -L base -L theirs \"$2\" \"$1\" \"$3\"; s=$?; \
if command -v gitloop >/dev/null 2>&1; then \
gitloop git merge \"$1\" \"$2.ours\" \"$3\" \"$4\" --into \"$2\"; s=$?; fi; \
rm -f \"$2.ours\"; exit $s' gitloop %O %A %B %P"
[merge "gitloop-lock"]
	name = gitloop: dvc.lock stage by stage
	driver = "sh -c '\
cp \"$2\" \"$2.ours\" || exit 1; \
git merge-file -q -L ours -L base -L theirs \"$2\" \"$1\" \"$3\"; s=$?; \
if [ $s -ne 0 ] && command -v gitloop >/dev/null 2>&1; then \
gitloop git merge-lock \"$1\" \"$2.ours\" \"$3\" --into \"$2\"; s=$?; fi; \
rm -f \"$2.ours\"; exit $s' gitloop %O %A %B"
"""
"""What `.gitloop/gitconfig` holds; committed."""

HOOKS = {
    "post-checkout": '[ "$3" = 0 ] || gitloop git sweep --quiet',
    "post-merge": "gitloop git sweep --quiet",
}
"""Hook → its line: another branch's parts leave data/, this branch's come in from the cache."""

_BEGIN, _END = "# >>> gitloop", "# <<< gitloop"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `gitloop git doctor` looked at.

    Attributes:
        what: What was looked at.
        is_sound: Whether it is as it should be.
        fact: What was found.
        hint: What to do where it is not sound.
    """

    what: str
    is_sound: bool
    fact: str
    hint: str = ""


def install(git: GitRepository) -> list[str]:
    """Turn the drivers on in this clone and add the hooks; tell what changed, [] where nothing did.

    Only the clone's own config and hooks are written. A hook that is there keeps its lines.
    """
    changed = []
    if _include(git) not in _includes(git):
        git.run("config", "--local", "--add", "include.path", _include(git))
        changed.append(f"include.path {_include(git)}")
    folder = _hooks_dir(git)
    if folder is None:
        return changed
    for name, line in HOOKS.items():
        path = folder / name
        text = read_text(path) if path.exists() else "#!/bin/sh\n"
        if _is_shell(text) and (new := _with_block(text, line)) != text:
            _write_hook(path, new)
            changed.append(f"hook {name}")
    return changed


def uninstall(git: GitRepository) -> list[str]:
    """Take the drivers and hooks out of this clone; tell what changed."""
    changed = []
    if _include(git) in _includes(git):
        git.run("config", "--local", "--fixed-value", "--unset-all", "include.path", _include(git))
        changed.append(f"include.path {_include(git)}")
    folder = _hooks_dir(git)
    for name in HOOKS if folder else ():
        path = (folder or Path()) / name
        if not path.exists() or _BEGIN not in (text := read_text(path)):
            continue
        rest = _without_block(text)
        if rest.strip() == "#!/bin/sh":
            path.unlink()
        else:
            _write_hook(path, rest)
        changed.append(f"hook {name}")
    return changed


def diagnose(git: GitRepository, *, program: str | None) -> list[Finding]:
    """How the drivers stand in this clone, one finding per thing that they need.

    Args:
        git: The clone.
        program: Where `gitloop` is found on the PATH, or None.
    """
    version = git.text("version").removeprefix("git version ")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    attributes = git.text("check-attr", "diff", "merge", "--", "golden/x/parts/x.parquet.dvc")
    is_named = attributes.count(": gitloop") == 2
    is_committed = (git.root / GITCONFIG_PATH).is_file()
    is_included = _include(git) in _includes(git)
    folder = _hooks_dir(git)
    missing = [name for name in HOOKS if folder and not _has_hook(folder / name)]
    return [
        Finding("git", numbers >= (2, 39), f"version {version}", "gitloop needs Git 2.39 or newer"),
        Finding(
            "gitloop on the PATH",
            program is not None,
            "found" if program else "not found: pointers are shown as plain text",
            "activate the environment, or install gitloop with pipx",
        ),
        Finding(
            ".gitattributes",
            is_named,
            "pointers have the drivers" if is_named else "pointers have no drivers",
            "run: gitloop init",
        ),
        Finding(
            GITCONFIG_PATH,
            is_committed,
            "there" if is_committed else "missing in this work tree",
            "run: gitloop init",
        ),
        Finding(
            "include.path",
            is_included,
            "drivers are on in this clone" if is_included else "drivers are off in this clone",
            "run: gitloop git install",
        ),
        Finding(
            "hooks",
            folder is not None and not missing,
            _told_hooks(folder, missing),
            "run: gitloop git install"
            if folder
            else f"add to your own hooks: {HOOKS['post-merge']}",
        ),
    ]


def _told_hooks(folder: Path | None, missing: list[str]) -> str:
    if folder is None:
        return "core.hooksPath is set: gitloop leaves your hooks alone"
    return f"{', '.join(missing)} missing" if missing else ", ".join(HOOKS)


def _include(git: GitRepository) -> str:
    """The committed config's path as the clone's config names it: relative to the config file."""
    main_root = git.common_dir.parent if git.common_dir.name == ".git" else git.root
    return Path(os.path.relpath(main_root / GITCONFIG_PATH, git.common_dir)).as_posix()


def _includes(git: GitRepository) -> list[str]:
    try:
        return git.text("config", "--local", "--get-all", "include.path").splitlines()
    except ToolError:  # git's way to say that there is none
        return []


def _hooks_dir(git: GitRepository) -> Path | None:
    """The clone's own hooks directory, or None where core.hooksPath names another."""
    own = git.common_dir / "hooks"
    named = Path(git.text("rev-parse", "--git-path", "hooks"))
    named = named if named.is_absolute() else git.root / named
    return own if named.resolve() == own.resolve() else None


def _has_hook(path: Path) -> bool:
    return path.is_file() and _BEGIN in read_text(path) and os.access(path, os.X_OK)


def _is_shell(text: str) -> bool:
    first = text.split("\n", 1)[0]
    return first.startswith("#!") and first.rstrip().endswith("sh")


def _with_block(text: str, line: str) -> str:
    """The hook with our lines right after its first: a later `exec` must not hide them."""
    first, rest = _without_block(text).split("\n", 1)
    body = f"command -v gitloop >/dev/null 2>&1 && {{ {line}; }} || true"
    return f"{first}\n{_BEGIN}\n{body}\n{_END}\n{rest}"


def _without_block(text: str) -> str:
    lines = text.splitlines(keepends=True)
    marks = [n for n, line in enumerate(lines) if line.strip() in (_BEGIN, _END)]
    if len(marks) != 2:
        return text if text.endswith("\n") else text + "\n"
    return "".join(lines[: marks[0]] + lines[marks[1] + 1 :])


def _write_hook(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode())
    path.chmod(0o755)
