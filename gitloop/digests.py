"""Content digests: what makes a row, a set and a request the same thing.

The rules are part of the file format (docs/adr/0004): keys sorted, no blanks, text in NFC, times as
ISO 8601 UTC with microseconds, nulls written out.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

DIGEST_VERSION = "gitloop.digest/v1"


def canonical_json(value: Any) -> str:  # noqa: ANN401 -- JSON holds anything
    """The value as canonical JSON: equal values are equal text.

    Raises:
        ValueError: A float is NaN or infinite.
    """
    return _ENCODER.encode(_canonical(value))


def _canonical(value: Any) -> Any:  # noqa: ANN401 -- JSON holds anything
    if isinstance(value, str):
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if value is None or isinstance(value, int | float):  # an abstract class answers slowly
        return value
    if isinstance(value, Mapping):
        return {_canonical(str(key)): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, datetime):
        return _time(value)
    return value


def _time(value: Any) -> str:  # noqa: ANN401 -- whatever JSON does not know
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_time
)


def sha256(text: str) -> str:
    """SHA-256 of the text's UTF-8 bytes, hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sha256_of(value: Any) -> str:  # noqa: ANN401 -- JSON holds anything
    """SHA-256 of the value's canonical JSON, hex."""
    return sha256(canonical_json(value))


def row_id(*, input: str, context: str | None, route: str | None) -> str:  # noqa: A002
    """The identity of a golden row: 16 hex digits of its input, context and route."""
    return sha256_of({"context": context, "input": input, "route": route})[:16]


def json_line(value: Any) -> str:  # noqa: ANN401 -- JSON holds anything
    """The value as JSON on one line, texts exactly as they are: for files, not for digests.

    Raises:
        ValueError: A float is NaN or infinite.
    """
    return _ENCODER.encode(value)


def row_text(row: dict[str, Any]) -> str:
    """One table row as canonical JSON, several times faster than `canonical_json`.

    Every part of a text in NFC is in NFC (UAX #15), and JSON escapes no character that composes
    with another: so where the whole line is in NFC, its cells are.

    Args:
        row: As polars gives it: every key, inner ones too, is a text.
    """
    text = json_line(row)
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text
    return canonical_json(row)


def row_digest(row: dict[str, Any]) -> str:
    """SHA-256 of one golden row, hex."""
    return sha256(row_text(row))


def dataset_digest(row_digests: Iterable[str], schema: Mapping[str, str]) -> str:
    """SHA-256 of a set of rows, hex; it does not depend on order, parts, writer or history.

    Args:
        row_digests: One digest per row, in any order.
        schema: Column → type name.
    """
    return sha256_of(
        {"rows": sorted(row_digests), "schema": dict(schema), "version": DIGEST_VERSION}
    )
