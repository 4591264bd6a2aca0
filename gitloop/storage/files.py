"""Files that are old or new, never half."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gitloop.errors import DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    A process killed at any moment leaves the old file or the new one. The temporary file's name
    starts with a dot and ends in ".tmp", which `gitloop init` tells Git and DVC to ignore.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.chmod(0o644)
        # Renaming over a DVC-linked, read-only file replaces the link, not the cached object.
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with LF line ends, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode())


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 -- JSON holds anything
    """Write the value as sorted, indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_text(path: Path) -> str:
    """The file's UTF-8 text.

    Raises:
        DataError: The file is not there, or not UTF-8; the byte is named.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError as error:
        raise DataError(f"{path.name} does not exist", hint="run: dvc repro") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} is not UTF-8 text (byte {error.start})", hint="save it again as UTF-8"
        ) from error


def read_json(path: Path) -> Any:  # noqa: ANN401 -- JSON holds anything
    """The JSON value in the file.

    Raises:
        DataError: The file is not there, not UTF-8, or not JSON; line and column are named.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path.name}:{error.lineno}: not valid JSON: {error.msg}", hint="run: dvc repro"
        ) from error


def md5(path: Path) -> str:
    """The MD5 of the file's bytes in hex, as DVC computes it."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as handle:
        # Large blocks: after each one a thread waits for its turn with the interpreter.
        while block := handle.read(16 << 20):
            digest.update(block)
    return digest.hexdigest()
