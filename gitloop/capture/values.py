"""What the recorder takes and gives back.

Plain classes: `dataclasses` or `typing.NamedTuple` would add a quarter to what importing the
recorder costs its host.
"""

from __future__ import annotations

DURABLE, WRITTEN, FALLBACK, REFUSED, LOST = "durable", "written", "fallback", "refused", "lost"


class Stamp(str):
    """A time as ISO 8601 UTC with microseconds; only what is one becomes a stamp."""

    __slots__ = ()


class _Value:
    """Equal to another of its kind with the same content, and shown with its fields."""

    __slots__: tuple[str, ...] = ()

    def _content(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Value)
            and type(other) is type(self)
            and self._content() == other._content()
        )

    def __hash__(self) -> int:
        return hash(self._content())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({shown})"


class Receipt(_Value):
    """What became of an event.

    Attributes:
        feedback_id: Its id.
        state: "durable": written and fsync'd to the spool. "written": handed to the kernel, synced
            with its batch. "fallback": the spool failed; durable in a fallback file. "refused": it
            fits no table; durable in a fallback file with its faults. "lost": nothing could be
            written at all.
        path: The file that holds it, or "".
    """

    __slots__ = ("feedback_id", "path", "state")

    def __init__(self, feedback_id: str, state: str, path: str) -> None:
        self.feedback_id = feedback_id
        self.state = state
        self.path = path

    @property
    def is_acknowledged(self) -> bool:
        """Whether the event is on disk, whatever is killed from now on."""
        return self.state in (DURABLE, FALLBACK)


class Counts(_Value):
    """How many events of this process ended in which state (see `Receipt.state`)."""

    __slots__ = (DURABLE, FALLBACK, LOST, REFUSED, WRITTEN)

    def __init__(
        self,
        *,
        durable: int = 0,
        written: int = 0,
        fallback: int = 0,
        refused: int = 0,
        lost: int = 0,
    ) -> None:
        self.durable = durable
        self.written = written
        self.fallback = fallback
        self.refused = refused
        self.lost = lost


class Batch(_Value):
    """The batched mode: many events share one sync, and calls return before it.

    What it risks: when the machine loses power or its kernel crashes, the events of up to
    `max_s` seconds (at most `max_events`) are gone, though their calls returned. A killed process
    loses none, because each event is handed to the kernel at once. The receipt's state is
    "written", never "durable".

    Attributes:
        max_events: Sync after this many events, ≥ 1.
        max_s: Sync this many seconds after the first event of a batch, > 0.
    """

    __slots__ = ("max_events", "max_s")

    def __init__(self, max_events: int = 100, max_s: float = 0.5) -> None:
        self.max_events = max_events
        self.max_s = max_s
