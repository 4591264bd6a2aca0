"""The label files: `labels/<annotator>.jsonl`, one JSON object a line, append-only, in Git.

The keys of a line are the columns of `tables.LABELS`. A later line of the same annotator, item and
rubric supersedes the earlier one; nothing is ever rewritten, so that two branches merge by union.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.documents import nearest
from gitloop.errors import ConfigError, DataError
from gitloop.tables import LABELS, TEXTS, TIME

FOLDER = "labels"
VERDICT_SCORES = {"pass": 1.0, "fail": 0.0}
"""The score that a verdict means, where it is a verdict."""

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$")
_MAX_FAULTS_SHOWN = 100
_SPARE = ("item_id", "sections")
"""Columns that a line leaves out where they are null."""


@dataclass(frozen=True, slots=True)
class LabelScan:
    """What the label files hold.

    Attributes:
        labels: Fits `tables.LABELS`, sorted by its key; one row per annotator, item and rubric.
        n_lines: Lines read.
        n_superseded: Lines that a later line of the same annotator, item and rubric replaced.
        torn: "file:line" of each last line that a killed process left half-written.
    """

    labels: pl.DataFrame
    n_lines: int
    n_superseded: int
    torn: tuple[str, ...]


def read_labels(root: Path, kind: str | None = "trace") -> pl.DataFrame:
    """The labels in force, fitting `tables.LABELS`; no rows where nobody has labelled yet.

    Args:
        root: The repository's root.
        kind: One of `tables.ITEM_KINDS`; None: labels of all kinds. A label of a span or of a
            session names a trace too, but says nothing about it.

    Raises:
        DataError: Every bad line of every file, each with its place.
    """
    labels = scan_labels(root).labels
    return labels if kind is None else labels.filter(pl.col("item_kind") == kind)


def scan_labels(root: Path, annotator: str | None = None) -> LabelScan:
    """The labels in force, of everybody or of one annotator, and what was found on the way.

    A last line without a line break that is no JSON is a write that never ended: it is reported in
    `torn` and is not a fault, because the answer it was to keep was never acknowledged.

    Raises:
        DataError: Every bad line of every file, each with its place.
    """
    faults: list[str] = []
    torn: list[str] = []
    rows: list[dict[str, Any]] = []
    for path in sorted((root / FOLDER).glob(f"{annotator or '*'}.jsonl")):
        for place, line, is_tail in _lines(path):
            try:
                rows.append(parse_line(line, annotator=path.stem) | {"_place": place})
            except ValueError as error:
                if is_tail and not _is_json(line):
                    torn.append(place)
                else:
                    faults += [f"{place}: {fault}" for fault in error.args]
    current = {label_key(row): row for row in rows}
    faults += _repeated_ids(current.values())
    if faults:
        raise DataError(_listed(faults), hint="edit the lines, or: git log -p -- labels/")
    labels = pl.DataFrame(
        [{name: row[name] for name in LABELS.schema} for row in current.values()],
        schema=LABELS.schema,
    )
    return LabelScan(LABELS.order(labels), len(rows), len(rows) - len(current), tuple(torn))


def label_key(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Who said it, about what (kind and id), under which rubric: the last such line counts."""
    what = row.get("item_id") or row["trace_id"]
    return row["annotator"], row["item_kind"], what, row["rubric"]


def parse_line(line: bytes | str, *, annotator: str | None = None) -> dict[str, Any]:
    """The label in one line: every column of `tables.LABELS`, in order.

    The score of a "pass" or "fail" may be left out.

    Args:
        line: UTF-8 JSON.
        annotator: Who the label must be by, or None where any name will do.

    Raises:
        ValueError: Every fault of the line, one `args` entry each.
    """
    try:
        text = line.decode() if isinstance(line, bytes) else line
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text (byte {error.start})") from error
    except RecursionError as error:
        raise ValueError("not a label: nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 -- one exception for every fault
    return check_label(value, annotator=annotator)


def check_label(value: Mapping[str, Any], *, annotator: str | None = None) -> dict[str, Any]:
    """The label with every column of `tables.LABELS`, in order, and times in UTC.

    Raises:
        ValueError: Every fault of the label, one `args` entry each.
    """
    faults = [_unknown(key) for key in value if key not in LABELS.schema]
    row: dict[str, Any] = {}
    for column in LABELS.columns:
        given = value.get(column.name)
        if given is None:
            if not column.nullable:
                faults.append(f"{column.name} is missing ({column.doc})")
            row[column.name] = None
            continue
        try:
            row[column.name] = _value(column.dtype, given)
        except ValueError as error:
            faults.append(f"{column.name} {error}, not {_shown(given)}")
            continue
        if column.values and row[column.name] not in column.values:
            faults.append(f"{column.name} is {given!r}; it takes {', '.join(column.values)}")
    faults += _contradictions(row, annotator)
    if faults:
        raise ValueError(*faults)
    if row["score"] is None:
        row["score"] = VERDICT_SCORES.get(row["label"])
    return row


def append_labels(root: Path, annotator: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append labels to the annotator's file; they are on disk when this returns.

    One write under a lock: a process killed in it leaves whole lines and at most one torn tail,
    which the next append moves to `.gitloop/torn/`.

    Args:
        root: The repository's root.
        annotator: Who labelled; the stem of the file.
        rows: Labels with the columns of `tables.LABELS`; nullable ones may be absent.

    Raises:
        ConfigError: The annotator's name cannot be a file's name.
        DataError: A label is faulty; nothing was written.
    """
    check_annotator(annotator)
    faults, lines = [], []
    for number, row in enumerate(rows, start=1):
        try:
            lines.append(render_label(check_label(row, annotator=annotator)))
        except ValueError as error:
            faults += [f"label {number}: {fault}" for fault in error.args]
    if faults:
        raise DataError(_listed(faults))
    if not lines:
        return
    path = root / FOLDER / f"{annotator}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        lead = _mend_tail(descriptor, root / ".gitloop" / "torn" / path.name)
        _write_all(descriptor, lead + "".join(lines).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def render_label(row: Mapping[str, Any]) -> str:
    """The label as a line of a label file, line break included; equal labels are equal text."""
    names = [name for name in LABELS.schema if name not in _SPARE or row.get(name) is not None]
    values = {name: _as_json(row.get(name)) for name in names}
    return json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n"


def check_annotator(name: str) -> None:
    """Refuse a name that cannot be the stem of a label file.

    Raises:
        ConfigError: It holds blanks, slashes or other characters that a file's name should not.
    """
    if not _NAME.match(name):
        raise ConfigError(
            f"{name!r} cannot name an annotator: letters, digits and . _ @ + - only,"
            " at most 64, a letter or digit first",
            hint="run: gitloop label --as NAME",
        )


def _lines(path: Path) -> Iterator[tuple[str, bytes, bool]]:
    """(place, line, whether it is a last line without its line break) of each line with content."""
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{FOLDER}/{path.name}:{number}", line, number == len(lines)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)} stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _unknown(key: str) -> str:
    like = nearest(key, list(LABELS.schema))
    return f"unknown key {key}" + (f"; did you mean {like}?" if like else "")


def _value(dtype: Any, given: Any) -> Any:  # noqa: ANN401 -- JSON in, a column's value out
    """The JSON value as the column's type.

    Raises:
        ValueError: It is none; the text says what it must be.
    """
    if dtype == TIME:
        return _moment(given)
    if dtype == pl.Float64:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if not is_number or not math.isfinite(given) or not 0 <= given <= 1:
            raise ValueError("must be a number in [0, 1]")
        return float(given)
    if dtype == TEXTS:
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            raise ValueError("must be a list of texts")
        return given
    if not isinstance(given, str):
        raise ValueError("must be text")  # noqa: TRY004 -- one exception for every fault
    try:
        given.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode text") from None
    return given


def _moment(given: Any) -> datetime:  # noqa: ANN401 -- JSON in
    """The time, in UTC.

    Raises:
        ValueError: It is none; the text says what it must be.
    """
    if isinstance(given, datetime):
        moment = given
    else:
        try:
            moment = datetime.fromisoformat(given)
        except (ValueError, TypeError):
            raise ValueError("must be a time such as 2026-05-18T08:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("must say its zone, as in 2026-05-18T08:00:00Z")
    return moment.astimezone(UTC)


def _contradictions(row: Mapping[str, Any], annotator: str | None) -> list[str]:
    """What is wrong with a label whose single values are sound."""
    named = ("label_id", "annotator", "trace_id", "item_id", "rubric", "label")
    faults = [f"{name} is empty" for name in named if row.get(name) == ""]
    if row.get("item_kind") not in {None, "trace"} and row.get("item_id") is None:
        faults.append(f"item_id is missing: it says which {row['item_kind']} was looked at")
    given = row.get("annotator")
    if annotator is not None and given and given != annotator:
        faults.append(f"annotator is {given!r}, but the file is {annotator}'s")
    meant = VERDICT_SCORES.get(row.get("label") or "")
    score = row.get("score")
    if meant is not None and score is not None and score != meant:
        faults.append(f"score is {score}, but label {row['label']!r} means {meant}")
    return faults


def _repeated_ids(rows: Any) -> list[str]:  # noqa: ANN401 -- a dict view of rows
    """A fault for each label_id that stands for two different labels in force."""
    first: dict[str, str] = {}
    faults = []
    for row in rows:
        place = first.setdefault(row["label_id"], row["_place"])
        if place != row["_place"]:
            faults.append(f"{row['_place']}: label_id {row['label_id']} is taken by {place}")
    return faults


def _mend_tail(descriptor: int, torn: Path) -> bytes:
    """What must precede the next line, after a torn tail was moved to the file `torn`."""
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, size, 0)
    start = content.rfind(b"\n") + 1
    tail = content[start:]
    if not tail:
        return b""
    if _is_json(tail):
        return b"\n"
    torn.parent.mkdir(parents=True, exist_ok=True)
    with torn.open("ab") as handle:
        handle.write(tail + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
    os.ftruncate(descriptor, start)
    return b""


def _write_all(descriptor: int, block: bytes) -> None:
    while block:
        block = block[os.write(descriptor, block) :]


def _as_json(value: Any) -> Any:  # noqa: ANN401 -- a column's value in, JSON out
    if isinstance(value, datetime):
        form = "%Y-%m-%dT%H:%M:%S.%fZ" if value.microsecond else "%Y-%m-%dT%H:%M:%SZ"
        return value.astimezone(UTC).strftime(form)
    return value


def _shown(value: Any) -> str:  # noqa: ANN401 -- JSON holds anything
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _listed(faults: list[str]) -> str:
    """The faults as one message; the first hundred by name, the rest by number."""
    noun = "fault" if len(faults) == 1 else "faults"
    shown = "\n".join(f"  {fault}" for fault in faults[:_MAX_FAULTS_SHOWN])
    more = len(faults) - _MAX_FAULTS_SHOWN
    return f"the labels have {len(faults)} {noun}:\n{shown}" + (
        f"\n  … and {more} more" if more > 0 else ""
    )
