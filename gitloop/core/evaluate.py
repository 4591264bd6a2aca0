"""What an evaluation found: rows with their scores, and the figures that a test asserts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gitloop.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class EvaluatedRow:
    """One golden row, run and judged.

    Attributes:
        row_id: The row.
        input: What the user asked.
        output: What the application said, or None where it said nothing.
        route: Its route, or None.
        user_cohort: Its cohort, or None.
        split: train, val or holdout.
        scores: Rubric → score in [0, 1]; None where there is none.
        passed: Rubric → whether it passes; what has no score does not.
        reasons: Rubric → why, or why there is no score.
        statuses: Rubric → one of `tables.STATUSES`.
    """

    row_id: str
    input: str
    output: str | None
    route: str | None
    user_cohort: str | None
    split: str
    scores: Mapping[str, float | None]
    passed: Mapping[str, bool]
    reasons: Mapping[str, str]
    statuses: Mapping[str, str]

    @property
    def passes(self) -> bool:
        """Whether it passes every rubric it was judged by."""
        return all(self.passed.values())

    @property
    def has_error(self) -> bool:
        """Whether a rubric has no score for it."""
        return any(status != "ok" for status in self.statuses.values())


_SLICES = ("route", "user_cohort", "split")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Golden rows, run and judged.

    Attributes:
        rows: The rows, by row_id; never empty.
        n_called: Calls that were made.
        n_recorded: Calls that were answered from the call store.
    """

    rows: tuple[EvaluatedRow, ...]
    n_called: int = 0
    n_recorded: int = 0

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.rows)

    @property
    def n_errors(self) -> int:
        """Rows without a score on some rubric; they count as failed."""
        return sum(row.has_error for row in self.rows)

    @property
    def pass_rate(self) -> float:
        """Share of rows that pass every rubric, [0, 1]; a row without a score does not pass."""
        return sum(row.passes for row in self.rows) / len(self.rows)

    @property
    def failures(self) -> tuple[EvaluatedRow, ...]:
        """The rows that do not pass."""
        return tuple(row for row in self.rows if not row.passes)

    @property
    def mean_score(self) -> float:
        """Mean of all scores, [0, 1]."""
        return float(np.mean(self._scores()))

    def percentile(self, percent: float) -> float:
        """The score below which so many percent of the scores lie, by linear interpolation.

        Args:
            percent: 0 to 100. Low ones tell of the worst answers.
        """
        return float(np.percentile(self._scores(), percent))

    @property
    def p50_score(self) -> float:
        """The median score."""
        return self.percentile(50)

    @property
    def p90_score(self) -> float:
        """The score that a tenth of the scores lie above."""
        return self.percentile(90)

    @property
    def p95_score(self) -> float:
        """The score that a twentieth of the scores lie above."""
        return self.percentile(95)

    @property
    def rubrics(self) -> tuple[str, ...]:
        """The rubrics that some row was judged by, sorted."""
        return tuple(sorted({name for row in self.rows for name in row.scores}))

    def rubric(self, name: str) -> Evaluation:
        """The same rows as far as this rubric judged them.

        Raises:
            ConfigError: No row was judged by it.
        """
        if name not in self.rubrics:
            raise ConfigError(
                f"no row was judged by {name}", hint=f"judged by: {', '.join(self.rubrics)}"
            )
        rows = tuple(
            replace(
                row,
                scores={name: row.scores[name]},
                passed={name: row.passed[name]},
                reasons={name: row.reasons[name]},
                statuses={name: row.statuses[name]},
            )
            for row in self.rows
            if name in row.scores
        )
        return Evaluation(rows, self.n_called, self.n_recorded)

    def slices(self, by: str = "route") -> dict[str, Evaluation]:
        """Value → the rows that have it, sorted; rows without one stand under "".

        Args:
            by: "route", "user_cohort" or "split".

        Raises:
            ConfigError: Rows have no such field.
        """
        if by not in _SLICES:
            raise ConfigError(f"there are no slices by {by}", hint=f"by: {', '.join(_SLICES)}")
        found: dict[str, list[EvaluatedRow]] = {}
        for row in self.rows:
            found.setdefault(getattr(row, by) or "", []).append(row)
        return {name: Evaluation(tuple(rows)) for name, rows in sorted(found.items())}

    def summary(self, most: int = 10) -> str:
        """What passed, and the first failures with their reasons, for an assertion's message."""
        told = [f"{self.n - len(self.failures)} of {self.n} rows pass ({self.pass_rate:.3f})"]
        if self.n_errors:
            told.append(f"{self.n_errors} rows have no score")
        for row in self.failures[:most]:
            for name in sorted(row.passed):
                if not row.passed[name]:
                    score = row.scores[name]
                    shown = row.statuses[name] if score is None else f"{score:.3f}"
                    told.append(f"  {row.row_id} {name} {shown}: {row.reasons[name]}".rstrip(": "))
        if len(self.failures) > most:
            told.append(f"  and {len(self.failures) - most} more")
        return "\n".join(told)

    def _scores(self) -> list[float]:
        """Every score, sorted, so that a sum never shows an order.

        Raises:
            DataError: There is none.
        """
        found = [score for row in self.rows for score in row.scores.values() if score is not None]
        if not found:
            raise DataError("no row has a score", hint="look at result.failures for the reasons")
        return sorted(found)
