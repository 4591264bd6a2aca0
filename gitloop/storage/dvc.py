"""DVC's files, read and written as its documentation allows, and its command line for the rest.

A pointer names bytes by their MD5; the cache holds them at `files/md5/<2>/<30>`. Reading a pointer
and its object takes milliseconds; one DVC process takes about a second, so paths are batched.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.documents import dump, parse
from gitloop.errors import ConfigError, DataError, MissingObjectError, ToolError
from gitloop.storage.files import md5, replacing

_OURS = re.compile(
    rb"^outs:\n- md5: ([0-9a-f]{32})\n  size: ([0-9]+)\n  hash: md5\n  path: ([^\n:#\"']+)\n"
    rb"(?:wdir: ([^\n:#\"']+)\n)?$"
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a `.dvc` file says.

    Attributes:
        md5: MD5 of the file, hex.
        size: Bytes, or None where the pointer does not say.
        path: The file's name, relative to `wdir`.
        wdir: Directory of the file, relative to the pointer's own.
    """

    md5: str
    size: int | None
    path: str
    wdir: str = ""

    def render(self) -> str:
        """The pointer's text, exactly as DVC writes it."""
        out = {"md5": self.md5, "size": self.size, "hash": "md5", "path": self.path}
        return dump({"outs": [out]} | ({"wdir": self.wdir} if self.wdir else {}))


def parse_pointer(content: bytes, *, source: str) -> Pointer:
    """The pointer in a `.dvc` file.

    Raises:
        DataError: The file is cut off, holds conflict markers, or is no pointer to one file.
    """
    if found := _OURS.match(content):
        digest, size, path, wdir = found.groups()
        return Pointer(digest.decode(), int(size), path.decode(), (wdir or b"").decode())
    hint = f"git log -p -- {source}"
    if b"<<<<<<<" in content:
        raise DataError(f"{source} holds an unresolved conflict", hint="run: gitloop conflicts")
    try:
        value = parse(content.decode(), source=source).value
        out = value["outs"][0]
        return Pointer(
            str(out["md5"]), out.get("size"), str(out["path"]), str(value.get("wdir", ""))
        )
    except (ConfigError, UnicodeDecodeError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{source} is not a DVC pointer to one file", hint=hint) from error


class Dvc:
    """The DVC side of a repository.

    Args:
        root: The repository's root.
        common_dir: The directory that linked worktrees share (git's common directory).
    """

    def __init__(self, root: Path, common_dir: Path) -> None:
        self._root = root
        self._main_root = common_dir.parent

    @property
    def is_initialised(self) -> bool:
        """Whether `dvc init` was run here."""
        return (self._root / ".dvc" / "config").is_file()

    def cache_dirs(self) -> list[Path]:
        """Where objects may lie: the configured cache first, then the main worktree's."""
        found = []
        for root in dict.fromkeys((self._root, self._main_root)):
            dvc_dir = root / ".dvc"
            configured = ""
            for name in ("config", "config.local"):
                config = configparser.ConfigParser(interpolation=None, strict=False)
                try:
                    config.read(dvc_dir / name, encoding="utf-8")
                except configparser.Error as error:
                    raise ConfigError(
                        f".dvc/{name} cannot be read: {str(error).splitlines()[0]}",
                        hint=f"edit .dvc/{name}",
                    ) from error
                configured = config.get("cache", "dir", fallback=configured).strip("\"'")
            path = Path(os.path.expanduser(configured)) if configured else Path("cache")  # noqa: PTH111
            found.append(dvc_dir / path)
        return found

    def object_path(self, digest: str) -> Path | None:
        """The cached object with this MD5, or None."""
        for cache in self.cache_dirs():
            path = cache / "files" / "md5" / digest[:2] / digest[2:]
            if path.is_file():
                return path
        return None

    def store(self, path: Path) -> Pointer:
        """Put a copy of the file into the cache and return a pointer to it, named as the file.

        The file itself stays where it is. Writing is atomic; an object that is there is left alone.
        """
        digest = md5(path)
        size = path.stat().st_size
        if self.object_path(digest) is None:
            target = self.cache_dirs()[0] / "files" / "md5" / digest[:2] / digest[2:]
            with replacing(target) as temporary:
                shutil.copyfile(path, temporary)
            target.chmod(0o444)
        return Pointer(digest, size, path.name)

    def fetch(self, pointers: list[str]) -> None:
        """Bring the objects of the `.dvc` files into the cache from the remote, in one process.

        Raises:
            MissingObjectError: There is no remote, or it does not have them.
        """
        try:
            self.run("fetch", *pointers)
        except ToolError as error:
            raise MissingObjectError(
                f"{len(pointers)} DVC objects are neither in the cache nor to be fetched:"
                f" {', '.join(pointers[:3])}{' …' if len(pointers) > 3 else ''}\n  {error.message}",
                hint="run: dvc remote list, then dvc fetch",
            ) from error

    def run(self, *args: str) -> str:
        """What `dvc args` prints.

        Raises:
            ToolError: dvc failed; the end of its own words is in the message.
        """
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *args],
            cwd=self._root,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "DVC_NO_ANALYTICS": "1"},
        )
        if done.returncode:
            words = (done.stderr.strip() or done.stdout.strip()).splitlines()
            told = [line for line in words if line.startswith("ERROR")] or words[-1:]
            raise ToolError(
                f"dvc {args[0]} failed: {'; '.join(told) or 'no message'}",
                hint=f"run: dvc {' '.join(args)} -v",
            )
        return done.stdout

    def lock(self, content: bytes) -> dict[str, Any]:
        """The stages of a dvc.lock: name → {cmd, deps, params, outs}.

        Raises:
            DataError: It holds conflict markers, or is no YAML.
        """
        if b"<<<<<<<" in content:
            raise DataError(
                "dvc.lock holds an unresolved conflict",
                hint="run: dvc repro, then git add dvc.lock",
            )
        try:
            value = parse(content.decode(), source="dvc.lock").value
        except (ConfigError, UnicodeDecodeError) as error:
            raise DataError(f"dvc.lock cannot be read: {error}", hint="run: dvc repro") from error
        stages = (value or {}).get("stages", {})
        return stages if isinstance(stages, dict) else {}
