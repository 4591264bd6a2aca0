"""The recorder: an event is durable when the call returns, or the receipt says what it is instead.

Threads share one fsync where they can (group commit); each process has a file of its own.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from _thread import allocate_lock  # threading would cost a host 4 ms

from gitloop.capture.events import complete, faults, line
from gitloop.capture.files import LineFile
from gitloop.capture.journal import Journal
from gitloop.capture.values import DURABLE, FALLBACK, LOST, REFUSED, WRITTEN, Batch, Counts, Receipt

TYPE_CHECKING = False  # the name that type checkers know, without the cost of importing typing
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gitloop.errors import DataError

_STATES = (DURABLE, WRITTEN, FALLBACK, REFUSED, LOST)


class Recorder:
    """Writes events to a spool. Safe for many threads, and across fork.

    Args:
        spool: Directory of the spool; None takes `$GITLOOP_SPOOL`, or the one of the gitloop
            repository around the current directory.
        fallback: Directory for events that the spool does not take; None takes
            `$GITLOOP_FALLBACK`, or a private directory under the system's temporary one.
        batch: None syncs every event before its call returns.
        is_strict: Whether a failure raises `DataError` instead of going to the fallback.
    """

    def __init__(
        self,
        spool: str | None = None,
        *,
        fallback: str | None = None,
        batch: Batch | None = None,
        is_strict: bool = False,
    ) -> None:
        self._spool = spool
        self._fallback = fallback
        self._batch = batch
        self._is_strict = is_strict
        self._journal = Journal(lambda: self._spool or _find_spool())
        self._kept: dict[str, LineFile] = {}
        self._is_sync_due = False
        self._start_afresh()
        _recorders.add(self)

    def record(self, fields: Mapping[str, Any]) -> Receipt:
        """Record one event; its fields are the columns of `tables.FEEDBACK`.

        Raises:
            DataError: Only when the recorder is strict: the event has a fault, or cannot be stored.
        """
        try:
            event = complete(fields)
            found = faults(event)
            if not found:
                return self._store(event)
        except Exception as error:
            # The host application must not suffer from its feedback: keep the event, count, go on.
            if self._is_strict:
                raise _refusal(f"the event was not recorded: {error}") from error
            return self._keep(dict(fields), REFUSED, [f"{type(error).__name__}: {error}"])
        if self._is_strict:
            raise _refusal("the event was not recorded:\n  " + "\n  ".join(found))
        return self._keep(event, REFUSED, found)

    def counts(self) -> Counts:
        """What became of the events so far."""
        with self._lock:
            return Counts(**self._counts)

    def flush(self) -> None:
        """Make every event durable; a failure is told on stderr, or raised when strict."""
        try:
            self._journal.sync()
        except OSError as error:
            self._complain(f"{error.strerror or error}; some events may be lost")
            if self._is_strict:
                raise _refusal(f"the spool cannot be synced: {error}") from error

    def close(self) -> None:
        """Make every event durable and give the file back; recording again opens a new one."""
        self.flush()
        self._journal.close()

    def _store(self, event: Mapping[str, Any]) -> Receipt:
        try:
            path, ticket = self._journal.append(line(event))
            if self._batch is None:
                self._journal.sync(ticket)
                return self._receipt(event, DURABLE, path)
            self._sync_later(ticket)
            return self._receipt(event, WRITTEN, path)
        except OSError as error:
            if self._is_strict:
                raise
            self._complain(error.strerror or str(error))
            return self._keep(event, FALLBACK, [])

    def _sync_later(self, ticket: int) -> None:
        """Sync when the batch is full or its time is up."""
        batch = self._batch or Batch()
        if self._journal.n_waiting >= batch.max_events:
            self._journal.sync(ticket)
            return
        with self._lock:
            if self._is_sync_due:
                return
            self._is_sync_due = True
        from gitloop.capture.delays import call_later

        call_later(batch.max_s, self._sync_now)

    def _sync_now(self) -> None:
        self._is_sync_due = False
        self.flush()

    def _keep(self, event: Mapping[str, Any], state: str, found: list[str]) -> Receipt:
        """Put an event that the spool does not take into a fallback file."""
        content = {"event": dict(event), "faults": found} if state == REFUSED else event
        kind = "refused" if state == REFUSED else "events"
        try:
            with self._lock:
                file = self._kept.get(kind)
                if file is None or not file.append(line(content)):
                    file = LineFile(f"{self._fallback or _fallback_folder()}/{kind}", 0o600)
                    self._kept[kind] = file
                    file.append(line(content))
                file.sync()
        except Exception as error:  # noqa: BLE001 -- as in record: the host goes on
            why = (isinstance(error, OSError) and error.strerror) or error
            self._complain(f"the fallback failed as well: {why}")
            return self._receipt(event, LOST, "")
        return self._receipt(event, state, file.path)

    def _receipt(self, event: Mapping[str, Any], state: str, path: str) -> Receipt:
        with self._lock:
            self._counts[state] += 1
        return Receipt(str(event.get("feedback_id", "")), state, path)

    def _complain(self, words: str) -> None:
        """Tell the host's operator once per reason, on stderr."""
        with self._lock:
            is_new = words not in self._told
            self._told.add(words)
        if not is_new:
            return
        try:  # noqa: SIM105 -- contextlib would cost a host its import
            sys.stderr.write(f"gitloop: feedback is not reaching its spool: {words}\n")
        except Exception:  # noqa: BLE001, S110 -- a host may have closed it, or put its own there
            pass

    def _start_afresh(self) -> None:
        """Begin with no file and free locks: at the start, and in a child that was forked."""
        self._lock = allocate_lock()
        self._journal.start_afresh()
        for inherited in self._kept.values():
            inherited.forget()
        self._kept = {}
        self._is_sync_due = False
        self._counts = dict.fromkeys(_STATES, 0)
        self._told: set[str] = set()


def _refusal(words: str) -> DataError:
    """The exception of a strict recorder; a recorder that is not never loads it."""
    from gitloop.errors import DataError

    return DataError(words)


def _find_spool() -> str:
    """The spool of the gitloop repository around the current directory.

    Raises:
        FileNotFoundError: There is none.
    """
    if configured := os.environ.get("GITLOOP_SPOOL"):
        return configured
    folder = os.getcwd()  # noqa: PTH109 -- pathlib would double the import time
    while True:
        if os.access(f"{folder}/params.yaml", os.F_OK) and os.access(f"{folder}/.git", os.F_OK):
            return f"{folder}/data/feedback/spool"
        parent = folder.rpartition("/")[0] or "/"
        if parent == folder:
            raise FileNotFoundError("no gitloop repository here; set GITLOOP_SPOOL")
        folder = parent


def _fallback_folder() -> str:
    """A directory that belongs to this user alone.

    Raises:
        PermissionError: Somebody else owns the directory of that name.
    """
    if configured := os.environ.get("GITLOOP_FALLBACK"):
        return configured
    folder = f"{os.environ.get('TMPDIR', '/tmp').rstrip('/')}/gitloop-fallback-{os.geteuid()}"  # noqa: S108 -- owner and mode are checked below
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    found = os.lstat(folder)
    is_folder = found.st_mode & 0o170000 == 0o040000
    if not is_folder or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not private to this user")
    return folder


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for recorder in list(_recorders):
        recorder.close()


def _forget_all() -> None:
    for recorder in list(_recorders):
        recorder._start_afresh()  # noqa: SLF001 -- the module's own class, in a forked child


os.register_at_fork(after_in_child=_forget_all)
