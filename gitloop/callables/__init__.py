"""A user's own function, called in a process of its own.

The function cannot print into our output, hang us, or change what is imported here, and two
repositories whose modules share a name never meet. `child.py` is the other side.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.callables.lines import LineProcess
from gitloop.documents import nearest
from gitloop.errors import ConfigError

_NAME = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
_STARTUP_S = 120.0
"""Seconds that importing the user's module may take."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call came to.

    Attributes:
        status: "ok", "error" or "timeout".
        value: What the function returned, as JSON values; counts only when status is "ok".
        error: What went wrong, in a line.
    """

    status: str
    value: Any = None
    error: str = ""


class Callable:
    """A function of the user's repository, ready to be called.

    Args:
        name: "module:function"; the module is found from the repository's root.
        root: The repository's root.
        key: Where the name was written down, for messages, e.g. "target.callable".

    Raises:
        ConfigError: The name has another form, or there is no such module or function.

    Attributes:
        sha256: Digest of the module and of every module of the repository that it imports.
    """

    def __init__(self, name: str, root: Path, *, key: str) -> None:
        self._name = name
        self._root = root
        self.sha256 = code_sha256(name, root, key=key)

    def call(self, arguments: Sequence[Any], timeout_s: float) -> Returned:
        """What the function returns for these arguments, all of them JSON values."""
        return _worker(self._root, self._name, self.sha256).call(arguments, timeout_s)


def code_files(name: str, root: Path, *, key: str) -> list[str]:
    """The files of a callable's code, relative to the root, sorted.

    Raises:
        ConfigError: As `code_sha256`.
    """
    if not _NAME.match(name):
        code_sha256(name, root, key=key)
    found = [
        _module_file(module, root)
        for module in _sources(name.split(":", maxsplit=1)[0], root, key=key)
    ]
    return sorted(path.relative_to(root).as_posix() for path in found if path)


def code_sha256(name: str, root: Path, *, key: str) -> str:
    """The digest of a callable's code: its module and what it imports from the repository.

    Raises:
        ConfigError: There is no such module or function, or its source does not parse.
    """
    if not _NAME.match(name):
        raise ConfigError(
            f"{key} is {name!r}, not module:function", hint=f"edit params.yaml: {key}"
        )
    module, function = name.split(":")
    sources = _sources(module, root, key=key)
    own = ast.parse(sources[module])
    defined = sorted(_top_level_names(own))
    if function not in defined and "*" not in defined:
        like = nearest(function, defined)
        raise ConfigError(
            f"{key}: the module {module} has no {function}"
            + (f"; did you mean {like}?" if like else ""),
            hint=f"edit params.yaml: {key}, or define {function} in {module}",
        )
    digest = hashlib.sha256()
    for found, source in sorted(sources.items()):
        digest.update(f"{found}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()


def _sources(module: str, root: Path, *, key: str) -> dict[str, bytes]:
    """Module → source of the module and of all that it imports from under the root."""
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = None if name in found else _module_file(name, root)
        if path is None:
            continue
        found[name] = path.read_bytes()
        try:
            tree = ast.parse(found[name])
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            place = f"{path.relative_to(root).as_posix()}:{line}"
            raise ConfigError(
                f"{key}: {place} is not valid Python: {error}", hint=f"edit {place}"
            ) from error
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += _imported(tree, package)
        waiting += [".".join(name.split(".")[:i]) for i in range(1, name.count(".") + 1)]
    if module not in found:
        raise ConfigError(
            f"{key}: there is no module {module} in this repository",
            hint=f"create {module.replace('.', '/')}.py, or edit params.yaml: {key}",
        )
    return found


def _module_file(name: str, root: Path) -> Path | None:
    """The module's file under the root, or None: the module comes from elsewhere."""
    place = root.joinpath(*name.split("."))
    return next((p for p in (place / "__init__.py", place.with_suffix(".py")) if p.is_file()), None)


def _imported(tree: ast.Module, package: str) -> list[str]:
    """The names of all modules that may be imported anywhere in the tree.

    What stands under `if TYPE_CHECKING:` never runs.
    """
    names = []
    idle = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in idle:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            stem = ".".join([*above, *([node.module] if node.module else [])])
            names += [stem, *(f"{stem}.{alias.name}" for alias in node.names)]
    return [name for name in names if name]


def _top_level_names(tree: ast.Module) -> set[str]:
    """The names that the module defines or imports at any level; "*" for a star import."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


class _Worker:
    """One imported function in a child process, which is started when it is needed."""

    def __init__(self, root: Path, name: str) -> None:
        self._command = [sys.executable, "-P", str(Path(__file__).parent / "child.py")]
        self._command += [str(root), *name.split(":")]
        self._root = root
        self._child: LineProcess | None = None

    def call(self, arguments: Sequence[Any], timeout_s: float) -> Returned:
        """Send the arguments, and wait for what comes back."""
        request = json.dumps(list(arguments))
        if self._child is None:
            self._child = LineProcess(self._command, self._root)
            late = f"its module was not imported within {_STARTUP_S:g} s"
            imported = self._returned(self._child, _STARTUP_S, late)
            if imported.status != "ok":
                self.stop()
                return imported
        self._child.send(request)  # a child that does not read has ended, which `receive` tells
        return self._returned(self._child, timeout_s, f"no answer within {timeout_s:g} s")

    def _returned(self, child: LineProcess, timeout_s: float, late: str) -> Returned:
        """The child's next answer; a child that is late or gone is replaced by the next call."""
        line = child.receive(timeout_s)
        if line:
            answer = json.loads(line)
            return Returned(answer["status"], answer.get("value"), answer.get("error", ""))
        self._child = None
        if line is None:
            child.stop()
            return Returned("timeout", error=late)
        code = child.stop(grace_s=2.0)
        return Returned(
            "error", error=f"its process ended with code {code} in the middle of a call"
        )

    def stop(self) -> None:
        """End the child process."""
        if self._child is not None:
            self._child.stop()
            self._child = None


_WORKERS: dict[tuple[Path, str], tuple[str, _Worker]] = {}


def _worker(root: Path, name: str, sha256: str) -> _Worker:
    """The worker for this very code; a worker of older code is ended."""
    known = _WORKERS.get((root, name))
    if known and known[0] == sha256:
        return known[1]
    if known:
        known[1].stop()
    worker = _Worker(root, name)
    _WORKERS[root, name] = (sha256, worker)
    return worker


@atexit.register
def stop_workers() -> None:
    """End every child process."""
    for _, worker in _WORKERS.values():
        worker.stop()
    _WORKERS.clear()
