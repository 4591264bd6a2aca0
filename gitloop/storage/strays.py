"""data/ holds exactly the parts that pointers name: strays leave, missing parts come in.

DVC leaves a part behind when its pointer goes away with a branch switch, and a glob would read it.
Needs neither polars nor pyarrow: it runs in Git's hooks.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from gitloop.errors import DataError
from gitloop.storage.dvc import Dvc, Pointer, parse_pointer
from gitloop.storage.files import md5, replacing

_SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class Swept:
    """What was moved, by path relative to the root.

    Attributes:
        moved: Parts that no pointer names; they are kept under Git's own directory.
        brought: Parts that came in from the cache.
        missing: Parts whose bytes are not in the cache.
        left: Parts that were edited by hand, or sets with a broken pointer: nothing was done.
    """

    moved: tuple[str, ...]
    brought: tuple[str, ...]
    missing: tuple[str, ...]
    left: tuple[str, ...]


def sweep(root: Path, dvc: Dvc, *, only: str | None = None, brings: bool = True) -> Swept:
    """Make the data directories of the golden sets what their pointers say.

    A file is replaced only where the cache has its bytes, so nothing is ever lost. Links are not
    followed.

    Args:
        root: The repository's root.
        dvc: Its cache.
        only: The set to look at, or None for all.
        brings: Whether missing parts come in from the cache.
    """
    moved: list[str] = []
    brought: list[str] = []
    missing: list[str] = []
    left: list[str] = []
    for folder in [root / "golden" / only] if only else sorted((root / "golden").glob("*")):
        data = folder / "data"
        if any(path.is_symlink() for path in (folder.parent, folder, data)):
            left.append(str(data.relative_to(root)))
            continue
        try:
            named = _pointers(folder)
        except DataError:
            left.append(str(folder.relative_to(root)))
            continue
        for path in sorted(data.glob(f"*{_SUFFIX}")):
            if path.name not in named:
                _put_aside(path, dvc.scratch / "strays" / folder.name)
                moved.append(str(path.relative_to(root)))
        for name, pointer in named.items() if brings else ():
            state = _bring(data / name, pointer, dvc)
            {"brought": brought, "missing": missing, "left": left}.get(state, []).append(
                str((data / name).relative_to(root))
            )
    return Swept(tuple(moved), tuple(brought), tuple(missing), tuple(left))


def _pointers(folder: Path) -> dict[str, Pointer]:
    """File name → pointer of the set's parts."""
    found = {}
    for path in sorted((folder / "parts").glob(f"*{_SUFFIX}.dvc")):
        pointer = parse_pointer(path.read_bytes(), source=path.name)
        if pointer.path != path.name.removesuffix(".dvc"):
            raise DataError(f"{path.name} points at {pointer.path}")
        found[pointer.path] = pointer
    return found


def _put_aside(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    target.unlink(missing_ok=True)
    shutil.move(path, target)


def _bring(path: Path, pointer: Pointer, dvc: Dvc) -> str:
    """What became of the part: "right", "brought", "missing" or "left"."""
    if path.is_symlink():
        return "right" if path.exists() else "left"  # DVC's own kind of link into its cache
    if path.is_file():
        if dvc.is_intact(path, pointer.md5):
            return "right"
        if dvc.object_path(md5(path)) is None:
            return "left"
    source = dvc.object_path(pointer.md5)
    if source is None:
        return "missing"
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)
    return "brought"
