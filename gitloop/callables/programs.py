"""Programs of the user's that a pin names: are they there, and what decides their answers?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from gitloop.digests import sha256
from gitloop.errors import ConfigError


def require_program(command: Sequence[str], root: Path, *, key: str) -> None:
    """Refuse a command whose program is not there.

    Args:
        command: Argument list, not empty.
        root: The repository's root, from which a path is found.
        key: Where it was written down, e.g. "target.command".

    Raises:
        ConfigError: There is no such program, or it cannot be executed.
    """
    program = command[0]
    found = root / program if "/" in program else shutil.which(program)
    if found is None or (isinstance(found, Path) and not os.access(found, os.X_OK)):
        raise ConfigError(
            f"params.yaml: {key}: there is no program {program}",
            hint=f"edit params.yaml: {key}, or make the file executable",
        )


def program_files(command: Sequence[str], root: Path) -> list[str]:
    """Those words of the command that are files of the repository, sorted."""
    return sorted(
        word
        for word in dict.fromkeys(command)
        if not Path(word).is_absolute() and ".." not in Path(word).parts and (root / word).is_file()
    )


def program_sha256(command: Sequence[str], root: Path) -> dict[str, str]:
    """The digests of those words of the command that are files of the repository."""
    return {
        word: sha256((root / word).read_bytes().decode("latin-1"))
        for word in program_files(command, root)
    }
