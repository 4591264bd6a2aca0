"""A JSON-lines file that one process appends to while another may take it away.

Each process has a file of its own, under a random name. An append holds the file's lock (`flock`)
and looks whether the file still lies where it was made: the sealer renames a file under the same
lock, and the next append then starts a new one. So no line is ever written to a file that the
sealer has already read.

Room is reserved ahead where the file system can: the file is longer than its lines, and a sync does
not have to write a new length down as well. What lies behind the lines is zero bytes, which no line
of JSON holds; they go when the file is closed, and a file whose process was killed keeps them.
"""

from __future__ import annotations

import fcntl
import os


def _refuse(_descriptor: int, _start: int, _n: int) -> None:
    raise OSError("this system reserves nothing")


_reserve = getattr(os, "posix_fallocate", _refuse)  # macOS for one has none


class LineFile:
    """The file, open for appending.

    Args:
        folder: Its directory; made when missing.
        mode: Permission bits of a new file.
        max_bytes: Size from which it takes no more; 0 is any size.
        n_ahead: Bytes that are reserved at a time; 0 for a file that holds its lines and no more.

    Raises:
        OSError: The directory or the file cannot be made.
    """

    def __init__(
        self, folder: str, mode: int = 0o644, max_bytes: int = 0, n_ahead: int = 0
    ) -> None:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 -- pathlib would double the import time
        self.path = f"{folder}/{os.urandom(8).hex()}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, mode)
        self._max_bytes = max_bytes
        self._n_ahead = n_ahead
        self._size = 0  # of the lines; no other process writes to the file
        self._length = 0  # of the file, as far as it was reserved
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
            end = self._size + len(lines)
            if self._n_ahead and end > self._length:
                self._extend(end)
            try:
                self._write(lines)
            except OSError:
                self._undo()
                raise
            self._size = end
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
        """Give the descriptor and what was reserved back."""
        try:
            if self._length > self._size:
                os.ftruncate(self._descriptor, self._size)
        except OSError:
            pass  # zero bytes behind the lines do no harm
        os.close(self._descriptor)

    def forget(self) -> None:
        """Give the descriptor back, in a forked child: its parent goes on writing."""
        os.close(self._descriptor)

    def _write(self, lines: bytes) -> None:
        written = os.pwrite(self._descriptor, lines, self._size)
        while written < len(lines):
            rest = memoryview(lines)[written:]
            written += os.pwrite(self._descriptor, rest, self._size + written)

    def _extend(self, end: int) -> None:
        """Reserve room to `end` and some way on; a file that cannot grows as it is written."""
        wanted = end + self._n_ahead
        try:
            _reserve(self._descriptor, self._length, wanted - self._length)
            self._length = wanted
        except OSError:
            self._n_ahead = 0

    def _undo(self) -> None:
        try:
            os.ftruncate(self._descriptor, self._size)
            self._length = self._size
        except OSError:
            self._is_sound = False  # it ends in half a line: the next line goes to another file

    def _takes_more(self) -> bool:
        if not self._is_sound or 0 < self._max_bytes <= self._size:
            return False
        # By its name, which is drawn at random: nothing else ever lies there.
        return os.access(self.path, os.F_OK)


def _sync_entry(folder: str) -> None:
    """Make the new file's name durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
