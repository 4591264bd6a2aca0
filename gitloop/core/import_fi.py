"""A `fi-evaluation.yaml` as a gate policy: what carries over, and what does not, with its line.

The `fi` command line skips an assertion that it cannot measure, and passes. Ours is an error. So
nothing of a file is dropped without a word, and what can only be a slip is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gitloop.documents import Document, Path, nearest
from gitloop.errors import ConfigError

METRICS = (
    "pass_rate",
    "avg_score",
    "min_score",
    "max_score",
    "failed_count",
    "passed_count",
    "total_count",
    "p50_score",
    "p90_score",
    "p95_score",
    "runtime_avg",
    "runtime_p95",
    "total_pass_rate",
)
_MS = 1000.0  # theirs are milliseconds, ours are seconds
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_PLAIN = re.compile(rf"^\s*(\w+)\s*(>=|<=|==|!=|>|<)\s*{_NUMBER}\s*$")
_RANGE = re.compile(rf"^\s*{_NUMBER}\s*<=\s*(\w+)\s*<=\s*{_NUMBER}\s*$")
_TOP = ("version", "api", "defaults", "evaluations", "output", "assertions", "thresholds")
_ASSERTION = ("template", "global", "conditions", "condition", "on_fail")
_EVALUATION = ("name", "template", "templates", "data", "config")
_THRESHOLDS = ("default_pass_rate", "fail_fast", "overrides")


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file comes to.

    Attributes:
        rubrics: Their template → our rubric, to be written and pinned under `rubrics`.
        floors: Rubric → least pass rate, for `gate.floors`.
        assertions: Entries for `gate.assertions`.
        notes: What did not carry over, or means something else here; one sentence each, by line.
    """

    rubrics: Mapping[str, str]
    floors: Mapping[str, float]
    assertions: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]


def import_fi(document: Document) -> Imported:
    """The gate policy in a `fi-evaluation.yaml`.

    Raises:
        ConfigError: Every condition that cannot be read and every name that does not exist, with
            its line and the nearest known one.
    """
    return _Import(document).done()


def slug(template: str) -> str:
    """A template's name as a rubric's: "Context Adherence" is context_adherence."""
    name = re.sub(r"[^a-z0-9]+", "_", template.casefold()).strip("_") or "rubric"
    return name if name[0].isalpha() else f"rubric_{name}"


class _Import:
    """One file on its way."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._faults: list[str] = []
        self._notes: list[str] = []
        self._rubrics: dict[str, str] = {}
        self._floors: dict[str, float] = {}
        self._assertions: list[dict[str, Any]] = []

    def done(self) -> Imported:
        """Everything, or a ConfigError with every fault."""
        value = self._document.value
        if not isinstance(value, dict):
            self._fault((), "is no mapping with evaluations and assertions")
            value = {}
        self._keys((), value, _TOP)
        for number, entry in enumerate(value.get("evaluations") or []):
            self._evaluation(("evaluations", number), entry)
        for number, entry in enumerate(value.get("assertions") or []):
            self._assertion(("assertions", number), entry)
        self._thresholds(value.get("thresholds") or {})
        for key in ("api", "defaults", "output"):
            if value.get(key):
                self._note((key,), f"{key} has no meaning here and is left out")
        if self._faults:
            noun = "fault" if len(self._faults) == 1 else "faults"
            lines = "\n".join(f"  {fault}" for fault in self._faults)
            raise ConfigError(
                f"{self._document.source} has {len(self._faults)} {noun}:\n{lines}",
                hint=f"edit {self._document.source}",
            )
        return Imported(
            dict(sorted(self._rubrics.items())),
            dict(sorted(self._floors.items())),
            tuple(self._assertions),
            tuple(self._notes),
        )

    def _evaluation(self, path: Path, entry: Any) -> None:  # noqa: ANN401 -- YAML
        if not isinstance(entry, dict):
            self._fault(path, "an evaluation is a mapping")
            return
        self._keys(path, entry, _EVALUATION)
        templates = [entry["template"]] if entry.get("template") else entry.get("templates") or []
        if not templates:
            self._fault(path, "an evaluation names a template")
        for template in templates:
            self._rubrics[str(template)] = slug(str(template))
        if entry.get("data"):
            self._note((*path, "data"), f"{entry['data']} is no golden set: promote its rows")
        if entry.get("config"):
            self._note(
                (*path, "config"), "config belongs into the rubrics' scorers: write it there"
            )

    def _assertion(self, path: Path, entry: Any) -> None:  # noqa: ANN401 -- YAML
        if not isinstance(entry, dict):
            self._fault(path, "an assertion is a mapping")
            return
        self._keys(path, entry, _ASSERTION)
        rubric = self._subject(path, entry)
        conditions = list(entry.get("conditions") or [])
        if "condition" in entry:
            conditions.append(entry["condition"])
            where = (*path, "condition")
            self._note(where, "fi ignores the key condition and passes; here the condition counts")
        if not conditions:
            self._fault(path, "an assertion without conditions asserts nothing")
        on_fail = str(entry.get("on_fail", "error"))
        if on_fail not in {"error", "warn", "skip"}:
            self._fault((*path, "on_fail"), f"on_fail is error, warn or skip, not {on_fail}")
        for condition in conditions:
            found = self._condition(path, str(condition))
            if found is None:
                continue
            if on_fail == "skip":
                self._note(path, f"{condition!r} had on_fail: skip, asserts nothing, is left out")
                continue
            if rubric is not None and found["metric"] == "total_pass_rate":
                found["metric"] = "pass_rate"
            if rubric is None and found["metric"] == "pass_rate":
                found["metric"] = "total_pass_rate"
            subject = {"rubric": rubric} if rubric else {}
            warn = {"on_fail": "warn"} if on_fail == "warn" else {}
            self._assertions.append({**found, **subject, **warn})

    def _subject(self, path: Path, entry: Mapping[str, Any]) -> str | None:
        """The rubric that an assertion speaks of; None for the whole run."""
        if entry.get("global"):
            return None
        template = entry.get("template")
        if not template:
            self._fault(path, "an assertion names a template, or says global: true")
            return None
        if str(template) not in self._rubrics:
            like = nearest(str(template), list(self._rubrics))
            meant = f"; did you mean {like}?" if like else ""
            self._fault((*path, "template"), f"no evaluation uses the template {template}{meant}")
        return slug(str(template))

    def _condition(self, path: Path, text: str) -> dict[str, Any] | None:
        """Metric, operator and numbers of a condition; None where it cannot be read."""
        if found := _RANGE.match(text):
            low, metric, high = found.groups()
            read: dict[str, Any] = {
                "metric": metric,
                "op": "between",
                "value": float(low),
                "upper": float(high),
            }
        elif found := _PLAIN.match(text):
            metric, op, number = found.groups()
            read = {"metric": metric, "op": op, "value": float(number)}
        else:
            self._fault(path, f"{text!r} is no condition: metric >= number, or a <= metric <= b")
            return None
        if metric not in METRICS:
            like = nearest(metric, list(METRICS))
            meant = f"; did you mean {like}?" if like else ""
            self._fault(path, f"there is no metric {metric}{meant}")
            return None
        if metric.startswith("runtime"):
            read |= {key: read[key] / _MS for key in ("value", "upper") if key in read}
            self._note(path, f"{text!r} is in milliseconds; here it is in seconds")
        return read

    def _thresholds(self, entry: Any) -> None:  # noqa: ANN401 -- YAML
        path: Path = ("thresholds",)
        if not isinstance(entry, dict):
            self._fault(path, "thresholds is a mapping")
            return
        self._keys(path, entry, _THRESHOLDS)
        default = entry.get("default_pass_rate")
        overrides = entry.get("overrides") or {}
        for template in overrides:
            if str(template) not in self._rubrics:
                like = nearest(str(template), list(self._rubrics))
                meant = f"; did you mean {like}?" if like else ""
                where = (*path, "overrides", str(template))
                self._fault(where, f"no evaluation uses the template {template}{meant}")
        if default is None and overrides:
            self._note(path, "fi reads overrides only beside default_pass_rate; here they count")
        for template, rubric in self._rubrics.items():
            floor = overrides.get(template, default)
            if floor is None:
                continue
            if isinstance(floor, bool) or not isinstance(floor, int | float) or not 0 <= floor <= 1:
                self._fault(path, f"a pass rate lies in [0, 1], not {floor!r}")
                continue
            self._floors[rubric] = float(floor)
        if entry.get("fail_fast"):
            self._note((*path, "fail_fast"), "fail_fast has no effect in fi, and none here")

    def _keys(self, path: Path, entry: Mapping[str, Any], known: Iterable[str]) -> None:
        for key in entry:
            if key not in known:
                like = nearest(str(key), list(known))
                meant = f"; did you mean {like}?" if like else ""
                self._fault((*path, str(key)), f"unknown key {key}{meant}")

    def _fault(self, path: Path, text: str) -> None:
        self._faults.append(f"{self._place(path)}: {text}")

    def _note(self, path: Path, text: str) -> None:
        self._notes.append(f"{self._place(path)}: {text}")

    def _place(self, path: Path) -> str:
        return f"{self._document.source}:{self._document.line(path)}"
