"""A process's own lines in a spool: appended whole, synced together, never after the sealer."""

from __future__ import annotations

from _thread import allocate_lock  # threading would cost a host 4 ms

from gitloop.capture.files import LineFile

TYPE_CHECKING = False  # the name that type checkers know, without the cost of importing typing
if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_REOPENINGS = 9
MAX_FILE_BYTES = 32 << 20
"""A file that has grown to this is followed by a new one, so that sealing reads no giant."""
_AHEAD_BYTES = 256 << 10  # a thousand events and more


class Journal:
    """Appends lines to a file of its own in the spool. Safe for many threads, and across fork.

    Args:
        find_folder: Gives the spool's directory; asked whenever a new file is begun.
    """

    def __init__(self, find_folder: Callable[[], str]) -> None:
        self._find_folder = find_folder
        self._file: LineFile | None = None
        self._n_appended = self._n_synced = 0
        self._n_failed = -1  # the last line that a failed sync may have lost
        self.start_afresh()

    @property
    def n_waiting(self) -> int:
        """Lines that were appended and not yet synced."""
        return self._n_appended - self._n_synced

    def append(self, lines: bytes, n: int = 1) -> tuple[str, int]:
        """Hand `n` whole lines to the kernel; returns their file and the last line's number.

        Raises:
            OSError: The spool does not take them; none of them is in it.
        """
        with self._lock:
            file = self._file
            for _ in range(_MAX_REOPENINGS):
                if file is not None and file.append(lines):
                    self._n_appended += n
                    return file.path, self._n_appended
                file = self._reopened()  # the sealer took the last one, or it is full
            raise OSError("the spool's file is taken away again and again")

    def sync(self, ticket: int | None = None) -> None:
        """Return when line `ticket` is durable; one sync serves all who wait. None: every line.

        Raises:
            OSError: It may not be. The kernel tells of a failed sync once, so it counts for every
                line that was waiting.
        """
        with self._sync_lock:
            wanted = self._n_appended if ticket is None else ticket
            if wanted <= self._n_failed:
                raise OSError("the disk failed while the event was written")
            if wanted <= self._n_synced or self._file is None:
                return
            through = self._n_appended
            try:
                self._file.sync()
            except OSError:
                self._n_failed = through
                raise
            self._n_synced = through

    def close(self) -> None:
        """Give the file back; appending again begins a new one."""
        with self._lock, self._sync_lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def start_afresh(self) -> None:
        """Begin with no file and free locks: at the start, and in a child that was forked."""
        self._lock = allocate_lock()
        self._sync_lock = allocate_lock()
        if self._file is not None:
            self._file.forget()
            self._file = None
        self._n_appended = 0
        self._n_synced = 0
        self._n_failed = -1

    def _reopened(self) -> LineFile:
        """A new file; whatever the last one holds is synced first. The lock is held."""
        with self._sync_lock:
            if self._file is not None:
                old, self._file = self._file, None
                try:
                    old.sync()
                    self._n_synced = self._n_appended
                except OSError:
                    self._n_failed = self._n_appended
                old.close()
            self._file = LineFile(
                self._find_folder(), max_bytes=MAX_FILE_BYTES, n_ahead=_AHEAD_BYTES
            )
            return self._file
