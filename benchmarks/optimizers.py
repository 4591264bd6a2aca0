"""What the optimizers are worth on a task whose truth is known: `python benchmarks/optimizers.py`.

No network and no clock in the figures: the same numbers every time. `--seeds 20` is what stands in
docs/optimize.md; fewer are quicker.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from statistics import fmean, pstdev
from typing import Any, TypeVar

import optuna
from gepa.api import optimize as run_gepa
from optuna.samplers import TPESampler

from benchmarks.gepa_reference import DirectAdapter
from benchmarks.simulated_task import (
    RULES,
    TRAPS,
    SimulatedTask,
    talking_junk,
    without_answers,
)
from gitloop.core.optimize import (
    Acceptance,
    History,
    Limits,
    World,
    finalist,
    judge_holdout,
    run_search,
)
from gitloop.optimizers.auto import AutoOptimizer
from gitloop.optimizers.bayesian import BayesianOptimizer
from gitloop.optimizers.gepa import COMPONENT, GepaOptimizer
from gitloop.optimizers.metaprompt import MetaPromptOptimizer
from gitloop.optimizers.promptwizard import PromptWizardOptimizer
from gitloop.optimizers.protegi import ProTeGiOptimizer
from gitloop.optimizers.random import RandomOptimizer
from gitloop.protocols import Optimizer, Task
from gitloop.records import Ask, Candidate, Case, RowScore, Space
from gitloop.stats.paired import sign_flip

BUDGETS = (200, 800, 1600)
TAUGHT = ("metaprompt", "gepa", "protegi", "promptwizard")
CONTROL = "random"
GUIDED: dict[str, Callable[[], Optimizer]] = {
    "metaprompt": lambda: MetaPromptOptimizer({}),
    "gepa": lambda: GepaOptimizer({}),
    "protegi": lambda: ProTeGiOptimizer({}),
    "promptwizard": lambda: PromptWizardOptimizer({}),
    "auto": lambda: AutoOptimizer({}),
}
ALL = {CONTROL: lambda: RandomOptimizer({}), **GUIDED}
DECLARED: dict[str, Callable[[], Optimizer]] = {
    CONTROL: ALL[CONTROL],
    "bayesian": lambda: BayesianOptimizer({}),
    "auto": GUIDED["auto"],
}
"""Those that draw from a declared space: they are told the rules, which the others must find."""


def closed_at(task: SimulatedTask, history: History, budget: int) -> float:
    """The share of the gap that the best of the first `budget` rollouts closes, in truth."""
    spent = itertools.accumulate(trial.n_new for trial in history.trials)
    kept = tuple(
        trial for trial, so_far in zip(history.trials, spent, strict=True) if so_far <= budget
    )
    return task.closed(finalist(replace(history, trials=kept)).candidate)


def declared(task: SimulatedTask, demos: int = 0) -> Task:
    """What a search is given where the prompt file declares the rules and the traps as lines."""
    own = set(task.incumbent.instructions)
    lines = tuple(line for line in (*RULES.values(), *TRAPS) if line not in own)
    return replace(task.task(BUDGETS[-1]), space=Space({}, lines, demos))


def gaps(
    tasks: Sequence[SimulatedTask],
    make: Callable[[], Optimizer],
    given: Callable[[SimulatedTask], Task | None] = lambda _task: None,
) -> list[list[float]]:
    """Per task, the share of the gap that is closed at each budget."""

    def one(task: SimulatedTask) -> list[float]:
        history = task.search(make(), BUDGETS[-1], given(task))
        if history.n_evaluations > BUDGETS[-1]:
            raise SystemExit(f"{history.n_evaluations} rows were scored: the budget was exceeded")
        return [closed_at(task, history, budget) for budget in BUDGETS]

    return each(one, tasks)


Found = TypeVar("Found")
_processes = 1
_running: Callable[[Any], Any] = id


def each(run: Callable[[Any], Found], items: Iterable[Any]) -> list[Found]:
    """What comes of every item, in their order; `main` has several processes share them."""
    global _running  # noqa: PLW0603 -- a forked process inherits what it cannot be sent
    _running = run
    if _processes == 1:
        return [run(item) for item in items]
    with get_context("fork").Pool(_processes) as pool:
        return pool.map(_run_one, items, chunksize=1)


def _run_one(item: Any) -> Any:  # noqa: ANN401 -- whatever the running function takes
    return _running(item)


def compare(seeds: int) -> dict[str, list[list[float]]]:
    """Print the fraction of the gap closed, and whether each optimizer is ahead of the control."""
    tasks = [SimulatedTask(seed) for seed in range(seeds)]
    found = {name: gaps(tasks, make) for name, make in ALL.items()}
    print(f"\nFraction of the gap closed, {seeds} seeds (p: one-sided sign flip against random)\n")
    _print_table(found)
    for demos, what in ((0, "rules and traps as lines"), (4, "them and up to four examples")):
        given = partial(declared, demos=demos)
        told = {name: gaps(tasks, make, given) for name, make in DECLARED.items()}
        print(f"\nThe same where the prompt file declares {what}\n")
        _print_table(told)
    return found


def _print_table(found: dict[str, list[list[float]]]) -> None:
    print("| optimizer | 200 | 800 | 1,600 | sd | p at 800 | p at 1,600 |")
    print("|---|---|---|---|---|---|---|")
    for name, values in found.items():
        means = [fmean(column) for column in zip(*values, strict=True)]
        cells = [f"{mean:.2f}" for mean in means]
        cells.append(f"{pstdev(value[-1] for value in values):.2f}")
        cells += ["–", "–"] if name == CONTROL else [_p(found, name, 1), _p(found, name, 2)]
        print(f"| {name} | {' | '.join(cells)} |")


def _p(found: dict[str, list[list[float]]], name: str, at: int) -> str:
    return f"{p_ahead(found[name], found[CONTROL], at):.4f}"


def p_ahead(values: Sequence[list[float]], control: Sequence[list[float]], at: int) -> float:
    """One-sided p against "not ahead of the control", paired over seeds."""
    pairs = zip(values, control, strict=True)
    return sign_flip([theirs[at] - ours[at] for ours, theirs in pairs]).p_worse


STRIPPED = {
    "passes": "the reasons: it is told which training rows pass, and not why the others do not",
    "means": "all that is told of single rows: neither reasons nor which training rows pass",
    "nothing": "any: every score that is seen, of validation too, is drawn by chance",
}
"""What is left of the feedback → what was taken from everyone, the control included."""


def strip_feedback(seeds: int, found: dict[str, list[list[float]]]) -> None:
    """Print what is left of the guided ones without reasons, and without any word on a row."""
    for feedback, what in STRIPPED.items():
        tasks = [SimulatedTask(seed, feedback=feedback) for seed in range(seeds)]
        blind = {name: gaps(tasks, make) for name, make in ALL.items()}
        print(f"\nFraction of the gap closed with everything and without {what}\n")
        print("| optimizer | 800 with | without | p without | 1,600 with | without | p without |")
        print("|---|---|---|---|---|---|---|")
        for name in blind:
            cells = []
            for at in (1, 2):
                means = [fmean(one[at] for one in side[name]) for side in (found, blind)]
                cells += [f"{mean:.2f}" for mean in means]
                cells.append("–" if name == CONTROL else _p(blind, name, at))
            print(f"| {name} | {' | '.join(cells)} |")


def proposes(task: SimulatedTask, history: History) -> tuple[bool, bool]:
    """Whether validation saw a gain, and whether the holdout let it through."""
    best = finalist(history)
    if not best.number:
        return False, False
    before = task.evaluate(Ask(task.incumbent, "holdout"))
    after = task.evaluate(Ask(best.candidate, "holdout"))
    places = {row_id: (row_id, "all") for row_id in task.rows["holdout"]}
    policy = Acceptance(alpha=0.05, min_delta=0.02, noise_floor=0.0, max_length_ratio=2.0)
    return True, judge_holdout(before, after, places, 1.0, policy).is_accepted


def _improves(
    make: Callable[[], Optimizer],
    given: Callable[[SimulatedTask], Task | None],
    task: SimulatedTask,
) -> tuple[bool, bool]:
    return proposes(task, task.search(make(), 600, given(task)))


def null_world(worlds: int) -> None:
    """Print how often an optimizer "improves" an optimal prompt, and how often it is proposed."""
    print(f"\nThe incumbent is optimal, {worlds} worlds, 600 rollouts\n")
    print("| optimizer | looked better on validation | proposed |")
    print("|---|---|---|")
    tasks = [SimulatedTask(1000 + seed, is_null=True) for seed in range(worlds)]
    for name, make in {**ALL, "bayesian": DECLARED["bayesian"]}.items():
        given = declared if name == "bayesian" else lambda _task: None
        seen = each(partial(_improves, make, given), tasks)
        looked, proposed = (sum(column) for column in zip(*seen, strict=True))
        print(f"| {name} | {looked} | {proposed} |")


def junk(seeds: int) -> None:
    """Print what a broken teacher does: failed candidates, the incumbent, and no score of 0."""
    print("\nA teacher that talks junk, or is not reachable, at 800 rollouts\n")
    print("| optimizer | failed attempts | gap closed | rows scored |")
    print("|---|---|---|---|")
    for name in TAUGHT:
        failed, closed, rows = 0, 0.0, 0
        for seed in range(seeds):
            for teach in (talking_junk, without_answers):
                task = SimulatedTask(seed, teaches=teach)
                history = task.search(GUIDED[name](), 800)
                failed += sum(bool(trial.fault) for trial in history.trials)
                closed += task.closed(finalist(history).candidate)
                rows += history.n_evaluations
        print(f"| {name} | {failed} | {closed / (2 * seeds):.2f} | {rows} |")


def demo_world(seed: int) -> tuple[World, dict[str, float], Callable[[Candidate], float]]:
    """Forty examples of which some help, some harm and pairs repeat each other."""
    chance = random.Random(seed)
    gains = {f"t{n:02}": chance.gauss(0.0, 1.0) for n in range(40)}
    names = sorted(gains)
    clashes = [tuple(chance.sample(names, 2)) for _ in range(40)]

    def value(candidate: Candidate) -> float:
        text = dict(candidate.values).get("demos", "")
        shown = {name for name in names if f"Input: {name}\n" in text}
        total = sum(gains[name] for name in shown)
        total -= 0.5 * sum(set(pair) <= shown for pair in clashes)
        return 1 / (1 + math.exp(-0.25 * total))

    def evaluate(ask: Ask) -> list[RowScore]:
        if ask.split == "train":
            return [RowScore(name, "ok", 1.0, "", f"answer {name}") for name in ask.row_ids or ()]
        return [RowScore("v0", "ok", value(ask.candidate))]

    return World(evaluate, {"train": tuple(names), "val": ("v0",)}), gains, value


def demos(worlds: int) -> float:
    """Print how near TPE over inclusion bits comes to the near-optimum in 100 trials."""
    found = fmean(each(_by_inclusion, range(worlds)))
    print(f"\nTPE over the inclusion of 40 examples, 100 trials, {worlds} worlds: {found:.2f}")
    return found


def _by_inclusion(seed: int) -> float:
    world, gains, value = demo_world(seed)
    base = SimulatedTask(0).task(140)
    task = replace(
        base,
        seed=seed,
        space=Space({}, (), demos=40),
        train=tuple(Case(name, name) for name in sorted(gains)),
        val_ids=("v0",),
        has_teacher=False,
    )
    optimizer = BayesianOptimizer({"pool": 40})
    history = run_search(optimizer.search(task), base.incumbent, world, Limits(140))
    start = value(base.incumbent)
    best = max(value(trial.candidate) for trial in history.trials)
    return (best - start) / (_near_optimum(sorted(gains), value) - start)


def seeded_demos(worlds: int) -> float:
    """Print the same for a number of examples and an integer that seeds a shuffle of them."""
    reached = []
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for seed in range(worlds):
        _, gains, value = demo_world(seed)
        names = sorted(gains)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = TPESampler(seed=seed, n_startup_trials=5, multivariate=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)

        for _ in range(100):
            draw = study.ask()
            order = list(names)
            random.Random(draw.suggest_int("seed", 0, 2_000_000_000)).shuffle(order)
            shown = order[: draw.suggest_int("n", 0, len(order))]
            study.tell(draw, value(_showing(shown)))
        start = value(_showing([]))
        reached.append((study.best_value - start) / (_near_optimum(names, value) - start))
    found = fmean(reached)
    print(f"The same over a number of examples and the seed of their shuffle: {found:.2f}")
    return found


def _showing(names: Iterable[str]) -> Candidate:
    return Candidate(values=(("demos", "".join(f"Input: {name}\n" for name in sorted(names))),))


def _near_optimum(names: Sequence[str], value: Callable[[Candidate], float]) -> float:
    """What climbing from the empty set, one example at a time in or out, comes to."""

    def worth(shown: frozenset[str]) -> float:
        return value(_showing(shown))

    shown: frozenset[str] = frozenset()
    while True:
        best = max((shown ^ {name} for name in names), key=worth)
        if worth(best) <= worth(shown):
            return worth(shown)
        shown = best


def same_as_reference(seeds: int) -> int:
    """Count the seeds in which our GEPA tries, candidate by candidate, what the package tries."""
    found = each(_both, range(seeds))
    n_tried, same = sum(n for n, _ in found), sum(is_same for _, is_same in found)
    told = f"{n_tried} candidates at {BUDGETS[-1]} rollouts"
    print(f"\nGEPA equals the package driven directly in {same} of {seeds} seeds, {told}")
    return same


def _both(seed: int) -> tuple[int, bool]:
    """Candidates that both tried, and whether they are the same."""
    reference = GepaReference(SimulatedTask(seed))
    ours, theirs = reference.ours(BUDGETS[-1]), reference.theirs(BUDGETS[-1])
    n = min(len(ours), len(theirs))
    return n, n > 1 and ours[:n] == theirs[:n]


class GepaReference:
    """The `gepa` package, driven directly, beside our wrapper of it."""

    def __init__(self, task: SimulatedTask) -> None:
        self._task = task

    def ours(self, budget: int) -> list[str]:
        """Texts of the candidates that our GEPA put to the whole validation split, in order."""
        history = self._task.search(GepaOptimizer({}), budget)
        whole = [trial for trial in history.trials if trial.split == "val"]
        return [_text(trial.candidate) for trial in whole]

    def theirs(self, budget: int) -> list[str]:
        """The same of the package."""
        adapter: Any = DirectAdapter(self._task)
        result: Any = run_gepa(
            seed_candidate={COMPONENT: ""},
            trainset=[("train", row_id) for row_id in self._task.rows["train"]],
            valset=[("val", row_id) for row_id in self._task.rows["val"]],
            adapter=adapter,
            reflection_lm=adapter.reflect,
            max_metric_calls=budget,
            seed=self._task.seed,
            logger=adapter,
        )
        # What comes up again is scored again by the package; our driver knows its scores already.
        return list(dict.fromkeys(candidate[COMPONENT] for candidate in result.candidates))


def _text(candidate: Candidate) -> str:
    return "\n".join(f"- {line}" for line in candidate.instructions)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--worlds", type=int, default=40, help="null worlds")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    global _processes  # noqa: PLW0603 -- set once
    _processes = given.processes
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    found = compare(given.seeds)
    strip_feedback(given.seeds, found)
    null_world(given.worlds)
    junk(min(3, given.seeds))
    demos(12)
    seeded_demos(12)
    same_as_reference(given.seeds)


if __name__ == "__main__":
    main()
