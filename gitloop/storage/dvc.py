"""DVC's files, read and written as its documentation allows, and its command line for the rest.

A pointer names bytes by their MD5; the cache holds them at `files/md5/<2>/<30>`. Reading a pointer
and its object takes milliseconds; one DVC process takes about a second, so paths are batched.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.documents import parse
from gitloop.errors import ConfigError, DataError, MissingObjectError, ToolError
from gitloop.storage.files import md5, replacing

_OURS = re.compile(
    rb"^outs:\n- md5: ([0-9a-f]{32})\n  size: ([0-9]+)\n  hash: md5\n  path: ([^\n:#\"']+)\n"
    rb"(?:wdir: ([^\n:#\"']+)\n)?$"
)

_MD5 = re.compile(r"^[0-9a-f]{32}$")
_BARE = re.compile(r"^[A-Za-z0-9_.][A-Za-z0-9_./+@-]*$")
_NUMBER = re.compile(r"^[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?$|^\.[0-9]|^0[xo][0-9a-fA-F_]+$")


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
        size = "" if self.size is None else f"  size: {self.size}\n"
        lines = (
            f"outs:\n- md5: {_plain(self.md5)}\n{size}  hash: md5\n  path: {_plain(self.path)}\n"
        )
        return lines + (f"wdir: {_plain(self.wdir)}\n" if self.wdir else "")


def _plain(text: str) -> str:
    """The text as ruamel.yaml writes it for DVC: bare, unless YAML would read a number."""
    if not _BARE.match(text):
        return json.dumps(text, ensure_ascii=False)
    return f"'{text}'" if _NUMBER.match(text) else text


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
        pointer = Pointer(
            str(out["md5"]), out.get("size"), str(out["path"]), str(value.get("wdir", ""))
        )
    except (ConfigError, UnicodeDecodeError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{source} is not a DVC pointer to one file", hint=hint) from error
    if not _MD5.match(pointer.md5):
        raise DataError(f"{source} is not a DVC pointer to one file", hint=hint)
    return pointer


class Dvc:
    """The DVC side of a repository.

    Args:
        root: The repository's root.
        common_dir: The directory that linked worktrees share (git's common directory).

    Attributes:
        scratch: Where things are remembered that can be computed again; in no commit, never shared.
    """

    def __init__(self, root: Path, common_dir: Path) -> None:
        self._root = root
        self._main_root = common_dir.parent
        self.scratch = common_dir / "gitloop"
        self._intact_file = self.scratch / "intact"
        self._intact: set[str] | None = None
        self._cache_dirs: list[Path] | None = None

    @property
    def is_initialised(self) -> bool:
        """Whether `dvc init` was run here."""
        return (self._root / ".dvc" / "config").is_file()

    def cache_dirs(self) -> list[Path]:
        """Where objects may lie: the configured cache first, then the main worktree's."""
        if self._cache_dirs is None:
            found = []
            for root in dict.fromkeys((self._root.resolve(), self._main_root.resolve())):
                named = _config(root).get("cache", "dir", fallback="").strip("\"'")
                path = Path(os.path.expanduser(named)) if named else Path("cache")  # noqa: PTH111
                found.append(root / ".dvc" / path)
            self._cache_dirs = found
        return self._cache_dirs

    def object_path(self, digest: str) -> Path | None:
        """The cached object with this MD5, or None."""
        for cache in self.cache_dirs():
            path = _object(cache, digest)
            if path.is_file():
                return path
        return None

    def is_intact(self, path: Path, digest: str) -> bool:
        """Whether the file's bytes have this MD5; remembered for as long as its stat stays."""
        if self._intact is None:
            memory = self._intact_file
            lines = memory.read_text(encoding="ascii").splitlines() if memory.is_file() else []
            self._intact = set(lines)
        stat = path.stat()
        line = f"{digest} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
        if line in self._intact:
            return True
        if md5(path) != digest:
            return False
        self._intact.add(line)
        self.scratch.mkdir(parents=True, exist_ok=True)
        with self._intact_file.open("a", encoding="ascii") as handle:
            handle.write(line + "\n")
        return True

    def store(self, path: Path, digest: str = "") -> Pointer:
        """Put a copy of the file into the cache and return a pointer to it, named as the file.

        The file itself stays where it is. Writing is atomic; an object that is there is left alone.
        In a linked worktree the main one's cache gets a copy too: worktrees come and go.

        Args:
            path: The file.
            digest: Its MD5, where the caller has just computed it.
        """
        digest = digest or md5(path)
        size = path.stat().st_size
        for cache in self.cache_dirs():
            target = _object(cache, digest)
            if not target.is_file():
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

    def fetch_objects(self, pointers: list[Pointer]) -> None:
        """Bring the pointers' objects into the cache, whatever commit the pointers stand in.

        DVC fetches what `.dvc` files of a checkout name. So a checkout is made for it, under Git's
        own directory, with this repository's remotes and cache: the work tree is not touched.

        Raises:
            MissingObjectError: There is no remote, or it does not have them.
        """
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="fetch-") as folder:
            outside = Path(folder)
            (outside / ".dvc").mkdir()
            with (outside / ".dvc" / "config").open("w", encoding="utf-8") as handle:
                self._detached_config().write(handle)
            for number, pointer in enumerate(pointers):
                named = Pointer(pointer.md5, pointer.size, f"{number}.parquet")
                (outside / f"{number}.dvc").write_text(named.render(), encoding="utf-8")
            try:
                self.run("fetch", "--quiet", directory=outside)
                told = "the remote does not have them, or there is none"
            except ToolError as error:
                told = error.message
        missing = [pointer for pointer in pointers if self.object_path(pointer.md5) is None]
        if missing:
            names = ", ".join(pointer.path for pointer in missing[:3])
            raise MissingObjectError(
                f"{len(missing)} objects are not in the cache and cannot be fetched:"
                f" {names}{' …' if len(missing) > 3 else ''}\n  {told}",
                hint="run: dvc remote list, then dvc pull where they were made",
            )

    def _detached_config(self) -> configparser.ConfigParser:
        """This repository's DVC settings, true from any directory."""
        config = _config(self._root)
        for section in config.sections():
            url = config.get(section, "url", fallback="")
            if url and "://" not in url and not Path(url).is_absolute():
                config.set(section, "url", os.path.abspath(self._root / ".dvc" / url))  # noqa: PTH100
        for section, key, value in (
            ("core", "no_scm", "true"),
            ("cache", "dir", str(self.cache_dirs()[0].absolute())),
        ):
            if not config.has_section(section):
                config.add_section(section)
            config.set(section, key, value)
        return config

    def run(self, *args: str, directory: Path | None = None) -> str:
        """What `dvc args` prints, run at the root or in `directory`.

        Raises:
            ToolError: dvc failed; the end of its own words is in the message.
        """
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *args],
            cwd=directory or self._root,
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


def _object(cache: Path, digest: str) -> Path:
    return Path(f"{cache}/files/md5/{digest[:2]}/{digest[2:]}")


def _config(root: Path) -> configparser.ConfigParser:
    """The repository's DVC settings, those of this machine above those in Git.

    Raises:
        ConfigError: A file is no configuration.
    """
    config = configparser.ConfigParser(interpolation=None, strict=False)
    for name in ("config", "config.local"):
        try:
            config.read(root / ".dvc" / name, encoding="utf-8")
        except configparser.Error as error:
            raise ConfigError(
                f".dvc/{name} cannot be read: {str(error).splitlines()[0]}",
                hint=f"edit .dvc/{name}",
            ) from error
    return config
