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
        max_bytes: Size from which it takes no more; 0 is any size.

    Raises:
        OSError: The directory or the file cannot be made.
    """

    def __init__(self, folder: str, mode: int = 0o644, max_bytes: int = 0) -> None:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 -- pathlib would double the import time
        self.path = f"{folder}/{os.urandom(8).hex()}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, mode)
        self._inode = os.fstat(self._descriptor).st_ino
        self._max_bytes = max_bytes
        self._size = 0  # no other process writes to it
        self._is_sound = True
        _sync_entry(folder)

    def append(self, lines: bytes) -> bool:
        """Hand whole lines to the kernel; False when the file was taken away, or is full.

        A write that fails half-way is undone, so that the file still ends in a whole line.

        Raises:
            OSError: The disk is full, or the like; the file is as it was.
        """
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            if not self._takes_more():
                return False
            try:
                written = os.write(self._descriptor, lines)
                while written < len(lines):
                    written += os.write(self._descriptor, memoryview(lines)[written:])
            except OSError:
                self._undo()
                raise
            self._size += written
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return True

    def sync(self) -> None:
        """Make durable what was appended so far: the bytes, and the size by which they are found.

        Raises:
            OSError: The disk failed; what was appended since the last sync may be lost.
        """
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)

    def _undo(self) -> None:
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._is_sound = False  # it ends in half a line: the next line goes to another file

    def _takes_more(self) -> bool:
        if not self._is_sound or 0 < self._max_bytes <= self._size:
            return False
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
