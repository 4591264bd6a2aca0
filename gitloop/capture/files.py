"""A JSON-lines file that one process appends to while another may take it away.

Each process has a file of its own, under a random name. An append holds the file's lock (`flock`)
and looks whether the file still lies where it was made: the sealer renames a file under the same
lock, and the next append then starts a new one. So no line is ever written to a file that the
sealer has already read.
"""

from __future__ import annotations

import fcntl
import os


class LineFile:
    """The file, open for appending.

    Args:
        folder: Its directory; made when missing.
        mode: Permission bits of a new file.

    Raises:
        OSError: The directory or the file cannot be made.
    """

    def __init__(self, folder: str, mode: int = 0o644) -> None:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 -- pathlib would double the import time
        self.path = f"{folder}/{os.urandom(8).hex()}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.descriptor = os.open(self.path, flags, mode)
        self._inode = os.fstat(self.descriptor).st_ino
        _sync_entry(folder)

    def append(self, line: bytes) -> bool:
        """Hand a whole line to the kernel; False when the file was taken away meanwhile.

        A write that fails half-way is undone, so that the file still ends in a whole line.

        Raises:
            OSError: The disk is full, or the like; the file is as it was.
        """
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        try:
            if not self._is_in_place():
                return False
            size = os.fstat(self.descriptor).st_size
            try:
                left = memoryview(line)
                while left:
                    left = left[os.write(self.descriptor, left) :]
            except OSError:
                os.ftruncate(self.descriptor, size)
                raise
        finally:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        return True

    def sync(self) -> None:
        """Make durable what was appended so far.

        Raises:
            OSError: The disk failed; what was appended since the last sync may be lost.
        """
        os.fsync(self.descriptor)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)

    def _is_in_place(self) -> bool:
        try:
            return os.stat(self.path).st_ino == self._inode  # noqa: PTH116 -- as above
        except FileNotFoundError:
            return False


def _sync_entry(folder: str) -> None:
    """Make the new file's name durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
