"""What must not enter Git history for ever: secrets and personal data.

Secrets are found by detect-secrets, phone numbers by Google's libphonenumber; cards, IBANs and IP
addresses by their own check digits and grammar. A finding names row, column and kind, never the
value.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import phonenumbers
import polars as pl
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import BasePlugin
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString

TEXT_COLUMNS = ("input", "context", "reference", "bad_output")
"""Columns that hold what people and the application wrote."""

NAME_COLUMNS = (
    "route",
    "user_cohort",
    "prompt_version",
    "source_trace_id",
    "source_feedback_ids",
    "group_id",
)
"""Columns that hold names; e-mail and IP addresses are the personal data that ends up in them.

Digits in names are not looked at: one id in ten passes the check of a card's.
"""

_GUESSES = {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"}
"""Detectors that go by looks alone: ids of traces and orders would set them off."""

_TOKEN = re.compile(r"[A-Za-z0-9+/=_\-]{20,200}")
_EMAIL = re.compile(r"[\w.%+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8}")
_CARD = re.compile(
    r"(?<![\w.\-])[2-6](?:[0-9]{12,18}|[0-9]{3}([ \-])"
    r"(?:[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|[0-9]{6}\1[0-9]{4,5}))(?![\w\-])"
)
_IBAN = re.compile(r"\b[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]){11,40}\b")
_IPV4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w]|\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{4,45}(?:(?:\.[0-9]{1,3}){3})?(?![\w:])")
_PASSWORD = re.compile(r"[0-9]|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be published.

    Attributes:
        trace_id: The case that it stands in.
        column: The column that it stands in.
        kind: What it is, e.g. "AWS Access Key" or "email".
        n: How often.
    """

    trace_id: str
    column: str
    kind: str
    n: int


@dataclass(frozen=True, slots=True)
class Screened:
    """Rows after the screening.

    Attributes:
        rows: The rows, personal data in their texts replaced by its kind, e.g. "<EMAIL>".
        secrets: Secrets that were found; they are still in the rows.
        masked: Personal data that was replaced.
        exposed: Personal data in names, which cannot be replaced without losing the trail.
    """

    rows: pl.DataFrame
    secrets: tuple[Finding, ...]
    masked: tuple[Finding, ...]
    exposed: tuple[Finding, ...]


def screen(rows: pl.DataFrame, progress: Callable[[str, int, int], None]) -> Screened:
    """The rows with personal data masked, and what was found in them.

    Args:
        rows: With `TEXT_COLUMNS`, `NAME_COLUMNS` and source_trace_id.
        progress: Told how far the screening has come.
    """
    secrets: list[Finding] = []
    masked: list[Finding] = []
    exposed: list[Finding] = []
    clean: dict[str, list[str | None]] = {column: [] for column in TEXT_COLUMNS}
    for number, row in enumerate(rows.iter_rows(named=True), start=1):
        trace_id = row["source_trace_id"]
        for column in (*TEXT_COLUMNS, *NAME_COLUMNS):
            kinds = Counter(kind for text in _strings(row[column]) for kind in find_secrets(text))
            secrets += [Finding(trace_id, column, kind, n) for kind, n in sorted(kinds.items())]
        for column in TEXT_COLUMNS:
            text, found = mask(row[column]) if row[column] is not None else (None, Counter())
            clean[column].append(text)
            masked += [Finding(trace_id, column, kind, n) for kind, n in sorted(found.items())]
        for column in NAME_COLUMNS:
            kinds = Counter(k for text in _strings(row[column]) for k in _in_name(column, text))
            exposed += [Finding(trace_id, column, kind, n) for kind, n in sorted(kinds.items())]
        progress("screening", number, rows.height)
    columns = [pl.Series(name, values, dtype=pl.String) for name, values in clean.items()]
    return Screened(rows.with_columns(columns), tuple(secrets), tuple(masked), tuple(exposed))


def find_secrets(text: str) -> list[str]:
    """The kind of each secret in the text."""
    found = []
    for line in text.splitlines():
        for plugin in _detectors():
            found += [secret.type for secret in plugin.analyze_line(filename="text", line=line)]
        found += _passwords(line)
        found += _random_tokens(line)
    return sorted(set(found))


def mask(text: str) -> tuple[str, Counter[str]]:
    """The text with personal data replaced by its kind, and how often each kind was found."""
    spans: list[tuple[int, int, str]] = []
    taken = bytearray(len(text))
    for start, end, kind in _personal_data(text):
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            spans.append((start, end, kind))
    spans.sort()
    edges = [0, *(edge for start, end, _ in spans for edge in (start, end)), len(text)]
    kept = [text[a:b] for a, b in list(pairwise(edges))[::2]]
    names = [f"<{kind.upper()}>" for _, _, kind in spans]
    pieces = [piece for pair in zip(kept, [*names, ""], strict=True) for piece in pair]
    return "".join(pieces), Counter(kind for _, _, kind in spans)


def _personal_data(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) of what looks like personal data; the surer kinds first."""
    yield from ((*found.span(), "email") for found in _EMAIL.finditer(text))
    for found in _IBAN.finditer(text):
        if end := _iban_end(found[0]):
            yield found.start(), found.start() + end, "iban"
    for pattern in (_IPV4, _IPV6):
        yield from ((*found.span(), "ip") for found in pattern.finditer(text) if _is_ip(found[0]))
    for found in _CARD.finditer(text):
        if _passes_luhn(found[0]):
            yield *found.span(), "card"
    yield from ((start, end, "phone") for start, end in _phones(text))


def _in_name(column: str, text: str) -> Iterator[str]:
    """The kind of each piece of personal data in a name."""
    yield from ("email" for _ in _EMAIL.finditer(text))
    if column != "prompt_version":  # 1.2.3.4 is a version there
        for pattern in (_IPV4, _IPV6):
            yield from ("ip" for found in pattern.finditer(text) if _is_ip(found[0]))


def _is_ip(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _passes_luhn(text: str) -> bool:
    """Whether the digits pass the check of ISO/IEC 7812-1, annex B."""
    digits = [int(digit) for digit in text if digit.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(doubled)) % 10 == 0


def _iban_end(text: str) -> int:
    """Where an IBAN (ISO 13616, MOD 97-10) that starts the text ends, or 0 where none does."""
    letters = [(place, letter) for place, letter in enumerate(text) if letter != " "]
    for length in range(min(34, len(letters)), 14, -1):
        last = letters[length - 1][0]
        if last + 1 < len(text) and text[last + 1] != " ":
            continue
        word = "".join(letter for _, letter in letters[:length]).upper()
        number = "".join(str(int(letter, 36)) for letter in word[4:] + word[:4])
        if int(number) % 97 == 1:
            return last + 1
    return 0


def _phones(text: str) -> Iterator[tuple[int, int]]:
    """Where phone numbers stand: international ones, and North American ones with separators."""
    if sum(letter.isdigit() for letter in text) < 7:
        return
    for found in phonenumbers.PhoneNumberMatcher(text, "US"):
        is_written_as_one = re.search(r"[ ().\-/]", found.raw_string.strip()) is not None
        if found.raw_string.startswith("+") or is_written_as_one:
            yield found.start, found.end


@cache
def _detectors() -> tuple[BasePlugin, ...]:
    kinds: Iterable[type[BasePlugin]] = get_mapping_from_secret_type_to_class().values()
    return tuple(
        kind()
        for kind in sorted(kinds, key=lambda kind: kind.__name__)
        if kind.__name__ not in _GUESSES
    )


@cache
def _entropy() -> Base64HighEntropyString:
    return Base64HighEntropyString()


def _passwords(line: str) -> list[str]:
    """A secret keyword where the line reads like a setting, as people paste them: `password: …`."""
    keyword = next(plugin for plugin in _detectors() if type(plugin).__name__ == "KeywordDetector")
    return [
        secret.type
        for secret in keyword.analyze_line(filename="text.ini", line=line)
        if " " not in (value := secret.secret_value or "") and _PASSWORD.search(value)
    ]


def _random_tokens(line: str) -> list[str]:
    """The kinds of words in the line that only a machine writes, such as API keys."""
    return [
        secret.type
        for word in _TOKEN.findall(line)
        if _is_mixed(word)
        for secret in _entropy().analyze_line(filename="text", line=f'"{word}"')
    ]


def _is_mixed(word: str) -> bool:
    """Whether capitals, small letters and digits stand in the word: ids and paths rarely do so."""
    tests = (str.isupper, str.islower, str.isdigit)
    return all(any(test(letter) for letter in word) for test in tests)


def _strings(value: Any) -> Iterable[str]:  # noqa: ANN401 -- a text, a list of texts or None
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value
