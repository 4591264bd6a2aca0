"""What a plug-in may be told in a rubric's form or in a pin, checked with every fault at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitloop.documents import nearest
from gitloop.errors import ConfigError

REQUIRED: Any = object()
"""The default of an argument that has none."""

_KINDS: dict[str, tuple[type, ...]] = {
    "any": (str, int, float, bool, list, tuple, dict, type(None)),
    "text": (str,),
    "words": (list, tuple),
    "number": (int, float),
    "integer": (int,),
    "flag": (bool,),
    "mapping": (dict,),
}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument that a plug-in takes.

    Attributes:
        kind: "text", "words" (a list of texts), "number", "integer", "flag", "mapping" or "any".
        doc: One line: meaning, unit, range.
        default: Its value where nothing is said, or `REQUIRED`.
        low: Least value of a number, or fewest words.
        high: Greatest value of a number.
        choices: The texts that are legal, or () where any is.
        is_nullable: Whether null may be said, which then stands for "none".
    """

    kind: str
    doc: str
    default: Any = REQUIRED
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    is_nullable: bool = False

    def fault(self, value: Any) -> str:  # noqa: ANN401 -- YAML holds anything
        """What is wrong with the value, as in "is …", or ""."""
        if value is None and self.is_nullable:
            return ""
        stray_bool = isinstance(value, bool) and self.kind not in ("flag", "any")
        if stray_bool or not isinstance(value, _KINDS[self.kind]):
            return f"is {value!r}, not {_article(self.kind)}"
        if isinstance(value, list | tuple) and self.kind == "words":
            if not all(isinstance(word, str) and word for word in value):
                return "holds something that is not a text, or an empty one"
            return self._size_fault(value, len(value))
        return self._size_fault(value, value)

    def _size_fault(self, value: Any, size: Any) -> str:  # noqa: ANN401 -- YAML holds anything
        if self.low is not None and not size >= self.low:  # NaN is below everything
            return f"is {value!r}, below {self.low:g}"
        if self.high is not None and not size <= self.high:
            return f"is {value!r}, above {self.high:g}"
        if self.choices and value not in self.choices:
            like = nearest(str(value), list(self.choices))
            return f"is {value!r}, not one of {', '.join(self.choices)}" + (
                f"; did you mean {like}?" if like else ""
            )
        return ""


def _article(kind: str) -> str:
    words = {"words": "a list of texts", "integer": "a whole number", "flag": "true or false"}
    return words.get(kind, f"a {kind}")


def check(
    given: Mapping[str, Any], known: Mapping[str, Argument], *, where: str, hint: str = ""
) -> dict[str, Any]:
    """The arguments with defaults filled in.

    Args:
        given: Name → value, as written down.
        known: Name → what it may be.
        where: The place of the mapping, e.g. "rubrics/tone.yaml: scorer.local".
        hint: The next edit; by default, which arguments there are.

    Raises:
        ConfigError: One line per fault, with the nearest known name.
    """
    faults = []
    for name, value in given.items():
        if name not in known:
            like = nearest(name, list(known))
            faults.append(
                f"unknown argument {where}.{name}" + (f"; did you mean {like}?" if like else "")
            )
        elif fault := known[name].fault(value):
            faults.append(f"{where}.{name} {fault}")
    for name, argument in known.items():
        if argument.default is REQUIRED and name not in given:
            faults.append(f"{where}.{name} is missing: {argument.doc}")
    if faults:
        takes = ", ".join(known) or "no arguments"
        raise ConfigError("\n".join(faults), hint=hint or f"it takes {takes}")
    defaults = {name: argument.default for name, argument in known.items()}
    return {**defaults, **given}
