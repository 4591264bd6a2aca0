"""What calibration promises: its intervals' coverage, useless judges called useless, its speed.

    .venv/bin/python benchmarks/calibration.py [--judges 1000] [--rubrics 60] [--labels 10000]

Judges are simulated: people pass a share of the rows, and the judge's score of a pass lies a
standardised distance above that of a fail. Their kinds are plain, skewed (85 % passes), plateaued
(five levels of score), weak, strong and useless (distance 0). An interval covers when it holds what
the best threshold of the grid gives on 400,000 further rows of the same judge. Beside it, in the
same run: the plain bootstrap of the objective at the chosen threshold, and how far in-sample and
cross-fitted figures lie from the truth of the threshold that was chosen. Last, judges that may
abstain: how often more of what they decide is wrong than was promised, on 100,000 further rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from gitloop.core.calibrate import Evidence, FitPolicy, fit
from gitloop.core.calibrate.abstention import RISK, abstention
from gitloop.core.calibrate.doubts import USELESS_P
from gitloop.core.calibrate.intervals import objective_interval
from gitloop.core.calibrate.sweeping import (
    Fitted,
    Rows,
    held_out_lines,
    resample,
    sweep_policy,
    sweep_rows,
)
from gitloop.params import Calibrate
from gitloop.records import confidence
from gitloop.stats.agreement import raw_agreement, tabulate
from gitloop.stats.calibration import discrimination
from gitloop.stats.thresholds import Draws, sweep
from gitloop.tables import SCORES

SIZES = (20, 50, 100, 500)
OBJECTIVES = ("balanced_accuracy", "f1", "kappa")
TRUTH_ROWS = 400_000
PROMISE = 0.1


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of judge: its share of passes, distance of passes from fails, levels of score."""

    passes: float
    distance: float
    levels: int = 0


KINDS = {
    "plain": Kind(0.5, 1.5),
    "skewed": Kind(0.85, 1.3),
    "plateaued": Kind(0.6, 1.2, 4),
    "weak": Kind(0.6, 0.6),
    "strong": Kind(0.7, 2.5),
    "useless": Kind(0.7, 0.0),
}


@dataclass(slots=True)
class Tally:
    """What was seen of one kind, size and objective."""

    covered: list[bool] = field(default_factory=list)
    plain_covered: list[bool] = field(default_factory=list)
    useless: list[bool] = field(default_factory=list)
    in_sample: list[float] = field(default_factory=list)
    cross_fitted: list[float] = field(default_factory=list)


def simulate(kind: Kind, n: int, generator: np.random.Generator) -> Rows:
    """Rows of a simulated judge, each its own group."""
    passed = generator.random(n) < kind.passes
    shift = np.where(passed, kind.distance / 2, -kind.distance / 2)
    scores = 1 / (1 + np.exp(-1.2 * (generator.normal(size=n) + shift)))
    scores = np.round(scores * kind.levels) / kind.levels if kind.levels else scores.round(4)
    return Rows(scores, passed, [str(row) for row in range(n)])


def both_verdicts(kind: Kind, n: int, seed: int) -> Iterator[Rows]:
    """Endless simulated sets in which people pass some rows and fail some."""
    generator = np.random.default_rng(seed)
    while True:
        rows = simulate(kind, n, generator)
        if 0 < rows.labels.sum() < n:
            yield rows


def observe(
    rows: Rows, calibrate: Calibrate, truth: tuple[Rows, float], seed: int, into: Tally
) -> None:
    """Calibrate one judge and note what came of it."""
    draws = Draws(calibrate.bootstraps, seed)
    fitted = resample(rows, sweep_rows(rows, calibrate), calibrate, draws)
    interval = objective_interval(rows, fitted, draws)
    plain = fitted.resampled.value
    everything, best = truth
    into.covered.append(interval is not None and interval.low <= best <= interval.high)
    into.plain_covered.append(plain is not None and plain.low <= best <= plain.high)
    p = discrimination(rows.scores, rows.labels).p_useless
    into.useless.append(p is not None and p > USELESS_P)
    own = _value_at(everything, fitted)
    if own is not None and fitted.swept.value is not None:
        into.in_sample.append(fitted.swept.value - own)
        if fitted.crossed.value is not None:
            into.cross_fitted.append(fitted.crossed.value - own)


def _value_at(everything: Rows, fitted: Fitted) -> float | None:
    """What the chosen threshold gives on all further rows."""
    grid = fitted.swept.policy.grid
    if fitted.swept.threshold is None:
        return None
    return sweep(everything.scores, everything.labels, fitted.swept.policy).values[
        grid.index(fitted.swept.threshold)
    ]


def coverage(n_judges: int) -> None:
    """Print coverage and bias per objective and size, and how often useless is called useless."""
    per_cell = max(1, n_judges // (len(KINDS) * len(SIZES)))
    tallies: dict[tuple[str, str, int], Tally] = {}
    for objective in OBJECTIVES:
        calibrate = Calibrate.model_validate({"objective": objective, "bootstraps": 300})
        for seed, (name, kind) in enumerate(KINDS.items()):
            everything = simulate(kind, TRUTH_ROWS, np.random.default_rng(seed))
            policy = sweep_policy(calibrate, everything.scores)
            best = sweep(everything.scores, everything.labels, policy).value
            for n in SIZES:
                sets = both_verdicts(kind, n, seed * 10_000 + n)
                tally = tallies.setdefault((objective, name, n), Tally())
                for draw in range(per_cell):
                    observe(next(sets), calibrate, (everything, best or 0.0), draw, tally)
    print(f"{per_cell} judges of each of {len(KINDS)} kinds, nominal 95 %")
    print(f"{'objective':20}{'n':>5}{'covers':>9}{'plain':>8}{'in-sample':>12}{'held out':>11}")
    for objective in OBJECTIVES:
        for n in SIZES:
            found = [tally for (o, _, m), tally in tallies.items() if (o, m) == (objective, n)]
            print(
                f"{objective:20}{n:>5}{_mean([t.covered for t in found]):>9.3f}"
                f"{_mean([t.plain_covered for t in found]):>8.3f}"
                f"{_mean([t.in_sample for t in found]):>+12.3f}"
                f"{_mean([t.cross_fitted for t in found]):>+11.3f}"
            )
    every = [t.covered for (_, _, n), t in tallies.items() if n >= 50]
    print(f"covers, all objectives and kinds with n >= 50: {_mean(every):.3f} (.93 to .97 wanted)")
    called = [t.useless for (_, name, _), t in tallies.items() if name == "useless"]
    print(f"useless judges called useless: {_mean(called):.3f} (.95 or more wanted)")


def _mean(parts: list[list[bool]] | list[list[float]]) -> float:
    return float(np.mean([value for part in parts for value in part]))


def selective(n_judges: int) -> None:
    """Print how often a judge that may abstain breaks its promise, and how much it decides."""
    calibrate = Calibrate(bootstraps=100, max_judge_error=PROMISE)
    print(f"at most {PROMISE:.0%} of what is decided may be wrong, but for a risk of {RISK:.0%}")
    print(f"{'judge':12}{'n':>5}{'broken':>9}{'wrong':>9}{'of all':>9}{'decides':>9}{'none':>7}")
    for seed, (name, kind) in enumerate(KINDS.items()):
        fresh = simulate(kind, 100_000, np.random.default_rng(seed))
        for n in (100, 500):
            sets, seen = both_verdicts(kind, n, seed * 10_000 + n), []
            for draw in range(max(1, n_judges // 10)):
                rows = next(sets)
                fitted = resample(rows, sweep_rows(rows, calibrate), calibrate, Draws(100, draw))
                seen.append(_decided(rows, fitted, fresh, draw))
            wrong, of_all, coverage = np.array(seen).T
            decided = wrong[coverage > 0]
            print(
                f"{name:12}{n:>5}{(wrong > PROMISE).mean():>9.3f}"
                f"{decided.mean() if decided.size else 0.0:>9.3f}{of_all.mean():>9.3f}"
                f"{coverage.mean():>9.3f}{(coverage == 0).mean():>7.2f}"
            )


def _decided(rows: Rows, fitted: Fitted, fresh: Rows, seed: int) -> tuple[float, float, float]:
    """(wrong among decided, decided wrongly among all, decided) of fresh rows."""
    lines, line = held_out_lines(rows, fitted, seed), fitted.swept.threshold
    if lines is None or line is None:
        return 0.0, 0.0, 0.0
    own = [confidence(*pair) for pair in zip(rows.scores.tolist(), lines.tolist(), strict=True)]
    found = abstention(np.array(own), (rows.scores >= lines) != rows.labels, PROMISE)
    if found.confidence is None:
        return 0.0, 0.0, 0.0
    room = np.where(fresh.scores >= line, 1 - line, line)
    kept = np.round(np.abs(fresh.scores - line) / room, 9) >= found.confidence
    wrong = kept & ((fresh.scores >= line) != fresh.labels)
    return float(wrong.sum() / max(1, kept.sum())), float(wrong.mean()), float(kept.mean())


def speed(n_rubrics: int, n_labels: int) -> None:
    """Print how long it takes to calibrate many rubrics with a thousand resamples each."""
    generator = np.random.default_rng(0)
    policy = FitPolicy(Calibrate(bootstraps=1000))
    made = [_evidence(f"rubric_{n}", n_labels, generator) for n in range(n_rubrics)]
    started, spent = time.perf_counter(), time.process_time()
    for evidence, scores in made:
        fit(evidence, scores, policy)
    wall, cpu = time.perf_counter() - started, time.process_time() - spent
    print(
        f"{n_rubrics} rubrics × {n_labels:,} labelled items, 1,000 resamples:"
        f" {wall:.1f} s, {cpu:.1f} s of CPU (10 s on two cores wanted)"
    )


def _evidence(rubric: str, n: int, generator: np.random.Generator) -> tuple[Evidence, pl.DataFrame]:
    """The labelled items of one rubric, and a judge's scores of them."""
    rows = simulate(KINDS["plain"], n, generator)
    names = [f"t{row:06}" for row in range(n)]
    items = pl.DataFrame(
        {
            "trace_id": names,
            "group_id": names,
            "verdict": ["pass" if passed else "fail" for passed in rows.labels],
            "route": ["refund"] * n,
            "is_held_out": [False] * n,
        }
    )
    scores = pl.DataFrame(
        {
            "item_id": names,
            "rubric": rubric,
            "rubric_version": "1",
            "rubric_sha256": "0" * 64,
            "judge": "recorded/1",
            "replicate": 0,
            "status": "ok",
            "score": rows.scores,
        },
        schema={name: dtype for name, dtype in SCORES.schema.items() if name in _MADE},
    )
    agreement = raw_agreement(tabulate([["pass", "pass"]], ("fail", "pass")))
    found = Evidence(rubric, "continuous", items, n, ("amara", "bo"), "0" * 64, agreement, ())
    return found, scores


_MADE = (
    "item_id",
    "rubric",
    "rubric_version",
    "rubric_sha256",
    "judge",
    "replicate",
    "status",
    "score",
)


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--judges", type=int, default=1000)
    parser.add_argument("--rubrics", type=int, default=60)
    parser.add_argument("--labels", type=int, default=10_000)
    args = parser.parse_args()
    speed(args.rubrics, args.labels)
    coverage(args.judges)
    selective(args.judges)


if __name__ == "__main__":
    main()
