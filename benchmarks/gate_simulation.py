"""How often the gate blocks a change that changes nothing, and how often it sees one that does.

    .venv/bin/python benchmarks/gate_simulation.py [--trials 1000] [--seed 20260823]

Each trial draws a golden set, a baseline run and a candidate run, and puts them through the whole
gate (`gitloop.core.gate.decide`): floors off, deltas, routes and cohorts on. Beside it, on the same
draws: the unpaired pooled z test of all baseline runs' rows against all rows now (what a rolling
baseline does), and the exact or chi-squared McNemar test at two-sided 5 % that MLflow 3.18 applies
to one metric of two runs (compare_evaluations), counted when it is significant and worse.

A row's verdict in a run is a draw of its own pass probability, so that outputs vary from run to run
without any change: four rows in five are at 0.97, one at 0.35, and promoted ones at 0.05.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from statsmodels.stats.contingency_tables import mcnemar

from gitloop.core.gate import BaselineRun, GateInputs, decide
from gitloop.errors import ExitCode
from gitloop.params import Gate
from gitloop.stats.unpaired import two_proportions
from gitloop.tables import GOLDEN, OUTPUTS, SCORES
from tests.gate_cases import JUDGE, SHA, rubric

Verdicts = npt.NDArray[np.float64]

ROUTES, COHORTS = 3, 4


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated.

    Attributes:
        name: For the table.
        n: Rows that both runs have.
        n_rubrics: Independent rubrics.
        n_new: Rows that were promoted since the baseline; they fail nearly always.
        loss: Drop in every row's pass probability.
        cohort_loss: Drop on the first cohort alone.
        n_runs: Baseline runs.
        group_size: Rows per group; a group's rows share their luck.
    """

    name: str
    n: int
    n_rubrics: int = 1
    n_new: int = 0
    loss: float = 0.0
    cohort_loss: float = 0.0
    n_runs: int = 1
    group_size: int = 1

    @property
    def is_null(self) -> bool:
        """Whether nothing changes."""
        return self.loss == self.cohort_loss == 0.0


SCENARIOS = (
    Scenario("no change, 60 rows", 60),
    Scenario("no change, 200 rows", 200),
    Scenario("no change, 1000 rows", 1000),
    Scenario("no change, 200 rows x 5 rubrics", 200, n_rubrics=5),
    Scenario("no change, 20 hard rows into 200", 200, n_new=20),
    Scenario("no change, 20 hard rows into 200, 7 runs", 200, n_new=20, n_runs=7),
    Scenario("no change, 100 hard rows into 200", 200, n_new=100),
    Scenario("no change, 200 rows in groups of 4", 200, group_size=4),
    Scenario("no change, 200 rows, 5 baseline runs", 200, n_runs=5),
    Scenario("5 points lost, 200 rows", 200, loss=0.05),
    Scenario("10 points lost, 200 rows", 200, loss=0.10),
    Scenario("10 points lost, 200 rows, 5 baseline runs", 200, loss=0.10, n_runs=5),
    Scenario("10 points lost, 20 hard rows into 200", 200, loss=0.10, n_new=20),
    Scenario("10 points lost, 500 rows", 500, loss=0.10),
    Scenario("30 points lost in one cohort of four, 200 rows", 200, cohort_loss=0.30),
    Scenario("30 points lost in one cohort of four, 400 rows", 400, cohort_loss=0.30),
)


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of trials that block.

    Attributes:
        gate: The whole gate.
        mcnemar: Two-sided McNemar on the first rubric, significant and worse.
        unpaired: The pooled z test on all rows of both runs, significant and worse.
        trials: How many.
    """

    gate: float
    mcnemar: float
    unpaired: float
    trials: int

    def error(self, rate: float) -> float:
        """The Monte Carlo standard error of a rate."""
        return math.sqrt(rate * (1.0 - rate) / self.trials)


def simulate(scenario: Scenario, trials: int, seed: int) -> Rates:
    """The rates of a scenario."""
    rng = np.random.default_rng(seed)
    world = _World(scenario)
    blocked = [0, 0, 0]
    for _ in range(trials):
        before, after = world.draw(rng)
        blocked[0] += decide(world.inputs(before, after)).exit_code == ExitCode.GATE_FAILED
        before = [verdicts[:, : scenario.n] for verdicts in before]
        blocked[1] += _mcnemar(before[0][-1], after[0][: scenario.n])
        blocked[2] += _unpaired(before[0].ravel(), after[0])
    gate, paired, unpaired = (count / trials for count in blocked)
    return Rates(gate, paired, unpaired, trials)


class _World:
    """The tables of a scenario that do not vary from trial to trial."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        total = scenario.n + scenario.n_new
        self._ids = [f"r{i:05d}" for i in range(total)]
        self._names = [f"rubric{i}" for i in range(scenario.n_rubrics)]
        self._cohorts = np.arange(total) // ROUTES % COHORTS
        base = {
            "row_id": self._ids,
            "set": ["support"] * total,
            "split": ["train"] * total,
            "input": self._ids,
            "labels": [[{"rubric": name, "expected": "fail"} for name in self._names]] * total,
            "route": [f"route{i % ROUTES}" for i in range(total)],
            "user_cohort": [f"cohort{i}" for i in self._cohorts],
            "annotators": [["a"]] * total,
            "guidance_version": ["1"] * total,
            "source_trace_id": self._ids,
            "source_feedback_ids": [["f"]] * total,
            "group_id": [f"g{i // scenario.group_size}" for i in range(total)],
            "promoted_in": ["p"] * total,
        }
        types = {name: dtype for name, dtype in GOLDEN.schema.items() if name in base}
        self._golden = GOLDEN.order(GOLDEN.complete(pl.DataFrame(base, schema_overrides=types)))
        self._rubrics = {name: rubric(name, scale="binary", floor=None) for name in self._names}

    def draw(self, rng: np.random.Generator) -> tuple[list[Verdicts], list[Verdicts]]:
        """Per rubric: baseline verdicts (runs, rows) and the candidate's (rows,)."""
        scenario = self._scenario
        total = scenario.n + scenario.n_new
        before, after = [], []
        for _ in self._names:
            easy = rng.random(total) < 0.8
            chance = np.where(easy, 0.97, 0.35)
            chance[scenario.n :] = 0.05
            loss = np.full(total, scenario.loss)
            loss[self._cohorts == 0] += scenario.cohort_loss
            luck = rng.random((scenario.n_runs + 1, -(-total // scenario.group_size)))
            luck = np.repeat(luck, scenario.group_size, axis=1)[:, :total]
            before.append((luck[:-1] < chance).astype(np.float64))
            after.append((luck[-1] < chance - loss).astype(np.float64))
        return before, after

    def inputs(self, before: list[Verdicts], after: list[Verdicts]) -> GateInputs:
        """The gate's inputs of one trial."""
        runs = tuple(
            BaselineRun(self._scores([verdicts[run] for verdicts in before], self._scenario.n))
            for run in range(self._scenario.n_runs)
        )
        return GateInputs(
            golden=self._golden,
            outputs=OUTPUTS.empty(),
            scores=self._scores(after, len(self._ids)),
            rubrics=self._rubrics,
            policy=Gate(),
            max_error_rate=0.02,
            baseline=runs,
        )

    def _scores(self, verdicts: list[Verdicts], n: int) -> pl.DataFrame:
        frames = [
            pl.DataFrame({"item_id": self._ids[:n], "score": values[:n]}).with_columns(
                rubric=pl.lit(name),
                rubric_version=pl.lit("1"),
                rubric_sha256=pl.lit(SHA),
                judge=pl.lit(JUDGE),
                replicate=pl.lit(0, pl.Int64),
                status=pl.lit("ok"),
            )
            for name, values in zip(self._names, verdicts, strict=True)
        ]
        return SCORES.order(SCORES.complete(pl.concat(frames)))


def _mcnemar(before: Verdicts, after: Verdicts) -> bool:
    """MLflow's rule: exact below 25 discordant pairs, else chi-squared; significant and worse."""
    worse, better = int((after < before).sum()), int((after > before).sum())
    if worse <= better:
        return False
    table = [[0, worse], [better, 0]]
    return bool(mcnemar(table, exact=worse + better < 25, correction=True).pvalue < 0.05)


def _unpaired(before: Verdicts, after: Verdicts) -> bool:
    """The pooled z test on whatever rows each run has: p < 0.05 and more than 3 points worse."""
    result = two_proportions(
        (int(before.sum()), before.size), (int(after.sum()), after.size), method="z-pooled"
    )
    effect, p = result.effect or 0.0, result.p_two_sided
    return effect < -0.03 and p is not None and p < 0.05


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20260823)
    options = parser.parse_args()
    print(f"share of {options.trials} trials that block, with its standard error")
    print(f"{'':<48}{'gitloop gate':>15}{'McNemar':>11}{'unpaired':>11}")
    for scenario in SCENARIOS:
        rates = simulate(scenario, options.trials, options.seed)
        shown = f"{rates.gate:.3f} ± {rates.error(rates.gate):.3f}"
        print(f"{scenario.name:<48}{shown:>15}{rates.mcnemar:>11.3f}{rates.unpaired:>11.3f}")


if __name__ == "__main__":
    main()
