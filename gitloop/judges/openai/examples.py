"""Corrections by people as examples for a model: never of the row that is being judged.

`gitloop judge examples RUBRIC` collects them; the pin says how many a model sees:

    parameters: {examples: {file: rubrics/examples/tone.jsonl, sha256: 91c…, n: 3}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.arguments import Argument, check
from gitloop.errors import DataError, StaleError
from gitloop.judges.metrics.words import words
from gitloop.records import Case

FIELDS = ("input", "context", "reference", "output")
_ARGUMENTS = {
    "file": Argument("text", "JSON lines, written by gitloop judge examples"),
    "sha256": Argument("text", "digest of that file"),
    "n": Argument("integer", "examples that a model sees", default=3, low=1, high=50),
}


@dataclass(frozen=True, slots=True)
class Example:
    """One row that people decided.

    Attributes:
        item_id: Its trace.
        passes: What they said.
        fields: Its texts, as far as it has them.
        stems: Content words of its input and output.
    """

    item_id: str
    passes: bool
    fields: Mapping[str, str]
    stems: frozenset[str]


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of a rubric.

    Attributes:
        known: All of them, by item.
        n: How many a model sees of them.
    """

    known: tuple[Example, ...] = ()
    n: int = 0

    def near(self, case: Case) -> list[Example]:
        """The examples most like the case, the likest last; none that is the case itself.

        The case itself is whatever has its id, or was asked the same.
        """
        own = stems(case.input, case.output)
        others = [
            one
            for one in self.known
            if one.item_id != case.item_id and plain(one.fields["input"]) != plain(case.input)
        ]
        ranked = sorted(others, key=lambda one: (-_likeness(own, one.stems), one.item_id))
        return ranked[: self.n][::-1]


def examples(given: Mapping[str, Any], root: Path, *, where: str) -> Examples:
    """The examples that a pin names, or none.

    Raises:
        DataError: The file is not there or not what `gitloop judge examples` writes.
        StaleError: It is not the pinned file.
    """
    if not given:
        return Examples()
    known = check(given, _ARGUMENTS, where=where)
    path = root / known["file"]
    if not path.is_file():
        raise DataError(f"{known['file']} does not exist", hint="run: gitloop judge examples")
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != known["sha256"]:
        raise StaleError(
            f"{known['file']} is not the pinned file: its SHA-256 is {actual}",
            hint=f"edit {where}.sha256, and calibrate again",
        )
    return Examples(tuple(_read(content, known["file"])), known["n"])


def _read(content: bytes, source: str) -> list[Example]:
    found = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            row = json.loads(line)
            fields = {name: str(row[name]) for name in FIELDS if row.get(name) is not None}
            passes = {"pass": True, "fail": False}[row["expected"]]
            found.append(
                Example(
                    str(row["item_id"]), passes, fields, stems(fields["input"], fields["output"])
                )
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{source}:{number} is no example: {error}", hint="run: gitloop judge examples"
            ) from error
    return sorted(found, key=lambda one: one.item_id)


def stems(*texts: str | None) -> frozenset[str]:
    """The content words of the texts."""
    return frozenset(
        word.stem for text in texts for word in words(text or "") if not word.is_function
    )


def plain(text: str) -> str:
    """The text without regard to case and blanks."""
    return " ".join(text.split()).casefold()


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Dice's coefficient."""
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0
