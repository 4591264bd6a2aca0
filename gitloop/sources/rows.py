"""Rows of foreign files as frames that fit TRACES or FEEDBACK, and every fault on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from gitloop.digests import sha256
from gitloop.errors import TableError
from gitloop.schema import Column, Table
from gitloop.signals import SIGNAL_TYPES
from gitloop.sources import cells
from gitloop.sources.cells import CellError
from gitloop.sources.spans import spans
from gitloop.tables import TIME

Row = dict[str, Any]
Batch = tuple[Sequence[int], Sequence[Row]]
"""The numbers of some rows in their file, from 1, and the rows."""

ROWS_PER_BATCH = 2_000  # dicts of so many rows stay in the processor's cache
_MAX_FAULTS_SHOWN = 50
_MAX_PLACES_SHOWN = 3

ALIASES: Mapping[str, tuple[str, ...]] = {
    "input": ("prompt", "question", "query"),
    "context": ("contexts", "retrieved_context", "documents"),
    "output": ("answer", "response", "completion"),
    "created_at": ("timestamp", "start_time", "started_at"),
    "session_id": ("conversation_id", "thread_id"),
    "model": ("model_name",),
}
"""Names that plain files commonly use for our columns; our own name comes first."""

FURTHER = {"traces": "attributes", "feedback": "metadata"}
"""Table → the column that keeps what has no column of its own."""

_WORD_COLUMNS = frozenset({"status", "score_source", "signal_type"})
_AMOUNTS = frozenset({"latency_s", "cost_usd"})
_FILLED_LATER = frozenset({"feedback_id", "group_id"})
_TOO_LARGE = 2**63
_EMPTY = (None, "")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DERIVED = frozenset({"signal_class", *FURTHER.values()})


@dataclass(slots=True)
class _Fault:
    """One kind of fault: in how many rows, and the numbers of the first few."""

    n: int = 0
    places: list[int] = field(default_factory=list)


@dataclass(slots=True)
class RowReader:
    """Turns dicts into frames, and remembers every fault until `finish`.

    Attributes:
        table: `tables.TRACES` or `tables.FEEDBACK`.
        columns: Our column → their column, or → "=constant" for rows that have none.
        form: Name of the format, for the column `source`.
        name: Name of the file, for messages.
        unit: What a row's number counts: "line" or "row".
        are_keys_unique: Whether a key that stands in the file twice is a fault.
        refused: The numbers of the last frame's rows that had a fault.
    """

    table: Table
    columns: Mapping[str, str]
    form: str
    name: str
    unit: str = "line"
    are_keys_unique: bool = True
    n_rows: int = 0
    refused: list[int] = field(default_factory=list)
    _faults: dict[str, _Fault] = field(default_factory=dict)
    _places: Sequence[int] = ()
    _bad: set[int] = field(default_factory=set)
    _first_place: dict[int, int] = field(default_factory=dict)
    _n_alike: dict[str, int] = field(default_factory=dict)
    _nulls: dict[str, pl.Series] = field(default_factory=dict)

    def frames(self, batches: Iterable[Batch]) -> Iterator[pl.DataFrame]:
        """The frame of each batch, then `finish`."""
        yield from self.batches(batches)
        self.finish()

    def batches(self, batches: Iterable[Batch]) -> Iterator[pl.DataFrame]:
        """The frame of each batch."""
        for places, rows in batches:
            yield self.frame(rows, places)

    def frame(self, rows: Sequence[Row], places: Sequence[int]) -> pl.DataFrame:
        """The rows that fit, in order; a row with a fault is left out and told of in `finish`.

        Args:
            rows: The rows.
            places: The number of each row in its file, from 1.
        """
        self.n_rows += len(rows)
        self._places, self._bad = places, set()
        names = set().union(*rows)
        taken: set[str] = set()
        found = {
            column.name: self._cells(column, rows, names, taken)
            for column in self.table.columns
            if column.name not in _DERIVED
        }
        further = FURTHER[self.table.name]
        found[further] = _further(rows, further, names - taken)
        self._derive(found)
        if self.are_keys_unique:
            self._check_keys(found[self.table.key[0]])
        self.refused = [places[i] for i in sorted(self._bad)]
        if self._bad:
            sound = [i for i in range(len(rows)) if i not in self._bad]
            found = {name: [values[i] for i in sound] for name, values in found.items()}
        return pl.DataFrame(
            [self._series(column, found[column.name]) for column in self.table.columns]
        )

    def fault(self, place: int, words: str) -> None:
        """Note what is wrong with a row."""
        kind = self._faults.setdefault(words, _Fault())
        kind.n += 1
        if len(kind.places) < _MAX_PLACES_SHOWN:
            kind.places.append(place)

    def take_faults(self) -> list[str]:
        """The faults noted since the last call, one sentence a kind, in order of first place."""
        kinds = sorted(self._faults.items(), key=lambda kind: kind[1].places[0])
        found = [self._sentence(words, fault) for words, fault in kinds]
        self._faults = {}
        if len(found) > _MAX_FAULTS_SHOWN:
            left_out = len(found) - _MAX_FAULTS_SHOWN
            return [*found[:_MAX_FAULTS_SHOWN], f"… and {left_out:,} more"]
        return found

    def finish(self) -> None:
        """Say what was wrong with the file.

        Raises:
            TableError: A row had a fault, or there was no row at all.
        """
        problems = self.take_faults()
        if not self.n_rows and not problems:
            problems.append("the file has no rows")
        if problems:
            raise TableError(
                self.table.name,
                problems,
                source=self.name,
                hint="map columns in params.yaml: capture.columns, or give --set NAME=VALUE",
            )

    def _sentence(self, words: str, fault: _Fault) -> str:
        places = ", ".join(str(place) for place in fault.places)
        if fault.n == 1:
            return f"{self.unit} {places}: {words}"
        more = f" and {fault.n - len(fault.places):,} more" if fault.n > len(fault.places) else ""
        return f"{self.unit}s {places}{more}: {words}"

    def _cells(
        self, column: Column, rows: Sequence[Row], names: set[str], taken: set[str]
    ) -> list[Any]:
        """The column's values, converted and checked; `taken` is told which of theirs they are."""
        configured = self.columns.get(column.name, column.name)
        is_constant = configured.startswith("=")
        theirs = column.name if is_constant else configured
        usual = (column.name, *ALIASES.get(column.name, ()))
        # What params.yaml maps twice is meant twice; a usual name is taken by one column.
        name = next((name for name in usual if name in names and name not in taken), None)
        if theirs in names:
            name = theirs
        if name is None:
            raw: list[Any] = [None] * len(rows)
        else:
            taken.add(name)
            raw = [row.get(name) for row in rows]
        if is_constant:
            raw = [configured[1:] if value is None or value == "" else value for value in raw]
        converted = _quickly(column, raw, is_key=column.name in self.table.key)
        if converted is not None:
            return converted
        return [self._cell(column, value, i, name or theirs) for i, value in enumerate(raw)]

    def _cell(self, column: Column, value: Any, i: int, taken: str) -> Any:  # noqa: ANN401
        """The `i`th value of the batch as the column's type; None where it is absent or faulty."""
        means_none = column.dtype != pl.String or column.name in (*self.table.key, *_WORD_COLUMNS)
        if value is None or (value == "" and means_none):
            if column.name == "status":
                return "ok"
            if not column.nullable and column.name not in _FILLED_LATER:
                meant = "" if taken == column.name else f" ({column.name})"
                self._refuse(i, f"{taken}{meant} is missing: {column.doc}")
            return None
        try:
            return _converter(column)(value)
        except CellError as error:
            self._refuse(i, f"{taken} is {error}")
            return None

    def _refuse(self, i: int, words: str) -> None:
        self._bad.add(i)
        self.fault(self._places[i], words)

    def _series(self, column: Column, values: list[Any]) -> pl.Series:
        """The values as the column's type."""
        name, n = column.name, len(values)
        if (
            n and values[0] is None and values.count(None) == n
        ):  # most columns of most files: made once, cut to length
            if name not in self._nulls or len(self._nulls[name]) < n:
                self._nulls[name] = pl.Series(name, [None] * n, dtype=column.dtype)
            return self._nulls[name].head(n)
        if column.dtype != TIME:
            return pl.Series(name, values, dtype=column.dtype)
        # As whole numbers: polars takes one time with its zone as slowly as ten texts.
        since = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
        return pl.Series(name, since, dtype=pl.Int64).cast(TIME)

    def _derive(self, found: dict[str, list[Any]]) -> None:
        """Fill what follows from the other columns."""
        if self.table.name == "traces":
            groups = zip(found["group_id"], found["session_id"], found["trace_id"], strict=True)
            found["group_id"] = [group or session or trace for group, session, trace in groups]
            found["source"] = [given or self.form for given in found["source"]]
            return
        found["signal_class"] = [SIGNAL_TYPES.get(name or "") for name in found["signal_type"]]
        if not all(found["feedback_id"]):
            found["feedback_id"] = self._ids(found)

    def _ids(self, found: Mapping[str, list[Any]]) -> list[str]:
        """Ids for events that came without one: digests of their content, told apart by count."""
        names = sorted(set(found) - {"feedback_id"})
        ids = []
        for i, given in enumerate(found["feedback_id"]):
            digest = sha256(cells.json_text([found[name][i] for name in names]))[:28]
            nth = self._n_alike.get(digest, 0)
            if not given:
                self._n_alike[digest] = nth + 1
            ids.append(given or f"fb_{digest}{nth:04x}")
        return ids

    def _check_keys(self, keys: list[Any]) -> None:
        """Note every key that stands in the file a second time."""
        places = dict(zip(map(hash, keys), self._places, strict=True))
        if len(places) == len(keys) and all(keys) and self._first_place.keys().isdisjoint(places):
            self._first_place |= places
            return
        for i, key in enumerate(keys):
            if not key:
                continue
            # The hash alone is kept: a file may have millions of keys.
            first = self._first_place.setdefault(hash(key), self._places[i])
            if first != self._places[i]:
                self._refuse(i, f"{self.table.key[0]} {key!r} is that of {self.unit} {first} too")


def batched(rows: Iterable[tuple[int, Row]]) -> Iterator[Batch]:
    """The rows, each with its number in the file, a batch at a time."""
    held: list[Row] = []
    places: list[int] = []
    for place, row in rows:
        held.append(row)
        places.append(place)
        if len(held) >= ROWS_PER_BATCH:
            yield places, held
            held, places = [], []
    if held:
        yield places, held


def _quickly(column: Column, raw: list[Any], *, is_key: bool) -> list[Any] | None:
    """The values converted all at once, where none of them needs a closer look; else None.

    What it returns is what converting one value after the other does (tests/sources/test_rows.py).
    """
    kinds = set(map(type, raw))
    if column.nullable and kinds == {type(None)}:
        return raw
    if column.name in _WORD_COLUMNS:
        return _words(column, raw) if kinds <= {str, type(None)} else None
    if column.dtype == pl.String:
        allowed = {str, type(None)} if column.nullable else {str}
        return raw if kinds <= allowed and (not is_key or all(raw)) else None
    if not column.nullable or (str in kinds and "" in raw):
        return None
    exactly = float if column.dtype == pl.Float64 else int
    if column.dtype in (pl.Float64, pl.Int64) and kinds <= {exactly, type(None)}:
        return raw if _are_numbers(raw, column) else None
    return _converted(column, raw)


def _converted(column: Column, raw: list[Any]) -> list[Any] | None:
    if column.dtype == TIME and set(map(type, raw)) == {str} and not any(map(str.isdigit, raw)):
        times = _times(raw)
        if times is not None:
            return times
    convert = _converter(column)
    try:
        return [None if value is None else convert(value) for value in raw]
    except CellError:
        return None


def _times(raw: list[str]) -> list[datetime] | None:
    try:
        times = list(map(datetime.fromisoformat, raw))
    except (ValueError, OverflowError):
        return None
    return times if all(time.tzinfo is UTC for time in times) else None


def _words(column: Column, raw: list[str | None]) -> list[str | None] | None:
    known: dict[str | None, str | None] = {}
    for value in set(raw):
        if value:
            try:
                known[value] = cells.word(column.name, value)
            except CellError:
                return None
        elif column.name == "status":
            known[value] = "ok"
        elif column.nullable:
            known[value] = None
        else:
            return None
    return [known[value] for value in raw]


def _are_numbers(raw: list[Any], column: Column) -> bool:
    """Whether the floats, or the integers, are in the range that the column takes."""
    present = [value for value in raw if value is not None]
    if column.dtype == pl.Int64:
        return bool(min(present) >= 0 and max(present) < _TOO_LARGE)
    is_in_range = column.name not in _AMOUNTS or min(present) >= 0
    return bool(is_in_range and all(map(math.isfinite, present)))


def _converter(column: Column) -> Callable[[Any], Any]:
    if column.name in _WORD_COLUMNS:
        return lambda value: cells.word(column.name, value)
    if column.name == "spans":
        return spans
    if column.dtype == TIME:
        return cells.time
    if column.dtype == pl.Int64:
        return cells.count
    if column.dtype == pl.Float64:
        return cells.amount if column.name in _AMOUNTS else cells.number
    return cells.text


def _further(rows: Sequence[Row], own: str, names: set[str]) -> list[str | None]:
    """What is left of each row, as one JSON object, together with its own column of that name.

    Args:
        rows: The rows.
        own: The column that keeps it, "attributes" or "metadata".
        names: Those of the names in the rows that no column has taken.
    """
    left_names = names - {"signal_class"}
    if not left_names:
        return [None] * len(rows)
    return [_object(row, left_names, own) for row in rows]


def _object(row: Row, names: set[str], own: str) -> str | None:
    """Those names of the row that hold something, as a JSON object; None where none does."""
    if len(names) < len(row):
        left = {name: row[name] for name in names if row.get(name) not in _EMPTY}
    else:
        left = {name: value for name, value in row.items() if name in names and value not in _EMPTY}
    if own in left:
        given = left.pop(own)
        inner = cells.mapping(given)
        left |= {own: given} if inner is None else inner
    if not left:
        return None
    try:
        return cells.json_text(left)
    except CellError:
        return cells.json_text({name: str(value) for name, value in left.items()})
