"""The optimizers on a task whose truth is known: they optimize, within budget, and fail well."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from statistics import fmean

import pytest

from benchmarks.optimizers import ALL, GUIDED, closed_at, demos, gaps, p_ahead, proposes
from benchmarks.simulated_task import (
    RULES,
    SimulatedTask,
    talking_junk,
    teacher,
    without_answers,
)
from gitloop.core.optimize import History, finalist
from gitloop.errors import ConfigError
from gitloop.optimizers.bayesian import BayesianOptimizer
from gitloop.optimizers.editing import Editor
from gitloop.optimizers.random import RandomOptimizer
from gitloop.params import parse_prompt
from gitloop.plugins import load, names
from gitloop.protocols import Optimizer, Search, Task
from gitloop.records import Ask, Candidate, RowScore, Space

Make = Callable[[], Optimizer]
TASKS = [SimulatedTask(seed) for seed in range(7)]
EVERY = pytest.mark.parametrize("make", ALL.values(), ids=ALL)
WITH_TEACHER = ("metaprompt", "gepa", "protegi", "promptwizard")
TAUGHT = pytest.mark.parametrize("make", [GUIDED[name] for name in WITH_TEACHER], ids=WITH_TEACHER)


@pytest.fixture(scope="module")
def control() -> list[list[float]]:
    """What the random control reaches at each budget."""
    return gaps(TASKS, ALL["random"])


def tried(history: History) -> list[tuple[str, str, float | None, str]]:
    """All that a search did."""
    return [(t.candidate.id, t.split, t.mean, t.fault) for t in history.trials]


def test_every_optimizer_is_a_plug_in() -> None:
    """All are found by entry point, and say who they are and whether they need a teacher."""
    found = names("optimizers")
    assert found == ["auto", "bayesian", "gepa", "metaprompt", "promptwizard", "protegi", "random"]
    assert [name for name in found if load("optimizers", name).needs_teacher] == [
        "gepa",
        "metaprompt",
        "promptwizard",
        "protegi",
    ]
    assert [load("optimizers", name).id for name in found] == found


@pytest.mark.parametrize("name", ["auto", "bayesian", "gepa", "metaprompt", "protegi", "random"])
def test_a_misspelt_parameter_is_an_error(name: str) -> None:
    """No optimizer takes a parameter that it does not know."""
    with pytest.raises(ConfigError, match=r"optimize\.parameters\.tempo"):
        load("optimizers", name)({"tempo": 1})


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in GUIDED if name != "promptwizard"])
def test_guided_search_is_ahead_of_the_control(name: str, control: list[list[float]]) -> None:
    """At equal rollouts, by a paired test over seeds; text causes the outcome, and they find it."""
    assert p_ahead(gaps(TASKS, GUIDED[name]), control, 2) < 0.05


@pytest.mark.slow
def test_promptwizard_is_ahead_of_the_control(control: list[list[float]]) -> None:
    """Its results scatter more than those of the others: on average it closes far more."""
    found = gaps(TASKS, GUIDED["promptwizard"])
    assert sum(at[2] for at in found) > 1.3 * sum(at[2] for at in control)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_TEACHER)
@pytest.mark.parametrize("feedback", ["means", "nothing"])
def test_without_feedback_the_guided_lose_their_lead(name: str, feedback: str) -> None:
    """What they are told is what helps: without it seven seeds show no lead."""
    blind = [replace(task, feedback=feedback) for task in TASKS]
    assert p_ahead(gaps(blind, GUIDED[name]), gaps(blind, ALL["random"]), 2) > 0.05


def test_without_feedback_a_row_says_nothing_of_itself() -> None:
    """Its mean over the rows stays true, and which of them passed is dealt anew."""
    told, blind = (SimulatedTask(0, feedback=feedback) for feedback in ("passes", "means"))
    ask = Ask(Candidate(tuple(RULES.values())[:6]), "train")
    scores = [[row.score or 0.0 for row in task.evaluate(ask)] for task in (told, blind)]
    assert scores[0] != scores[1]
    assert sorted(scores[0]) == sorted(scores[1])
    assert not any(row.reason for task in (told, blind) for row in task.evaluate(ask))


class _Probe(RandomOptimizer):
    """Tries the prompt as it is and a far better one, and keeps the means that it was told."""

    def __init__(self, better: Candidate) -> None:
        super().__init__({})
        self._better = better
        self.told: list[float] = []

    def search(self, task: Task) -> Search:
        for candidate in (task.incumbent, self._better):
            rows = yield Ask(candidate)
            self.told.append(
                fmean(row.score or 0.0 for row in rows or () if isinstance(row, RowScore))
            )


def test_who_is_told_nothing_sees_the_same_whatever_it_tries() -> None:
    """A far better prompt looks like the old one to the search; what is on record is true."""
    told, true = [], []
    for task in TASKS:
        lines = tuple(RULES.values())
        probe = _Probe(Candidate(tuple(lines[rule] for rule in task.best_rules)))
        history = replace(task, feedback="nothing").search(probe, 400)
        told.append(probe.told)
        true.append([trial.mean or 0.0 for trial in history.trials[-2:]])
    gained = [fmean(after - before for before, after in means) for means in (told, true)]
    assert abs(gained[0]) < 0.1
    assert gained[1] > 0.2


def test_an_example_of_a_wrong_answer_teaches_nothing() -> None:
    """Who does not know which rows pass gains little by showing them."""
    task = SimulatedTask(0)
    shown = {
        bool(row.score): replace(
            task.incumbent, values=(("demos", f"Input: x\nOutput: {row.output}"),)
        )
        for row in task.evaluate(Ask(task.incumbent, "train"))
    }
    assert task.truth(shown[False]) == task.truth(task.incumbent)
    assert task.truth(shown[True]) > task.truth(task.incumbent)


@pytest.mark.slow
def test_where_nothing_can_be_gained_nothing_is_proposed() -> None:
    """Validation "improves" on an optimal prompt again and again; the holdout lets none through."""
    seen = []
    for seed in range(8):
        task = SimulatedTask(1000 + seed, is_null=True)
        seen.append(proposes(task, task.search(GUIDED["metaprompt"](), 600)))
    assert sum(looked for looked, _ in seen) >= 4
    assert sum(proposed for _, proposed in seen) == 0


@EVERY
@pytest.mark.parametrize("budget", [40, 41, 97, 300])
def test_the_budget_is_kept_by_all(make: Make, budget: int) -> None:
    """No optimizer gets one row more than it may have."""
    history = TASKS[0].search(make(), budget)
    assert history.n_evaluations <= budget
    assert history.n_evaluations == sum(trial.n_new for trial in history.trials)


@EVERY
def test_the_same_seed_searches_the_same_and_more_budget_keeps_the_prefix(make: Make) -> None:
    """Killed anywhere and replayed, a search comes to what it would have come to."""
    short, again = TASKS[1].search(make(), 300), TASKS[1].search(make(), 300)
    longer = TASKS[1].search(make(), 500)
    assert tried(short) == tried(again)
    assert tried(longer)[: len(short.trials)] == tried(short)


@EVERY
def test_another_seed_searches_otherwise(make: Make) -> None:
    """All chance comes from the seed."""
    assert tried(TASKS[0].search(make(), 400)) != tried(TASKS[1].search(make(), 400))


@TAUGHT
@pytest.mark.parametrize("teach", [talking_junk, without_answers], ids=["junk", "silence"])
def test_a_broken_teacher_costs_nothing_but_its_turn(
    make: Make, teach: Callable[[str], str | None]
) -> None:
    """What it says is a failed attempt on record, never a score of 0, and the incumbent stays."""
    task = SimulatedTask(0, teaches=teach)
    history = task.search(make(), 400)
    assert any(trial.fault for trial in history.trials)
    assert all(trial.mean is None and not trial.rows for trial in history.trials if trial.fault)
    assert task.closed(finalist(history).candidate) == pytest.approx(0.0, abs=0.15)
    assert history.finish_reason in {"stalled", "max_evaluations"}


@TAUGHT
def test_a_teacher_sees_training_rows_alone(make: Make) -> None:
    """No question names a row of validation or holdout."""
    said: list[str] = []
    answer = teacher(0)

    def listening(text: str) -> str | None:
        said.append(text)
        return answer(text)

    SimulatedTask(0, teaches=listening).search(make(), 600)
    assert any("train-0" in text for text in said)
    assert not any("val-" in text or "holdout-" in text for text in said)


@TAUGHT
def test_braces_and_code_in_a_rewrite_are_text(make: Make) -> None:
    """What a teacher writes fills the slot as it is, and means nothing to the template."""
    line = 'Answer as {"a": "{{ input }}"}, {% raw %} or {0} and %s.'
    task = SimulatedTask(0, teaches=lambda _text: f"Reason: x\nCritique: y\n```\n- {line}\n```")
    history = task.search(make(), 200)
    assert any(line in trial.candidate.instructions for trial in history.trials)
    assert not any("template" in trial.fault for trial in history.trials)


def test_a_small_space_is_tried_whole() -> None:
    """Where the budget covers the grid there is no sampling: each candidate once."""
    task = replace(TASKS[0].task(1000), space=Space({"tone": ("kind", "dry")}, ("a", "b")))
    history = TASKS[0].search(BayesianOptimizer({}), 1000, task)
    assert history.finish_reason == "exhausted"
    assert len(history.trials) == 9  # the incumbent has no tone, so it is none of the eight


@pytest.mark.parametrize("name", ["bayesian", "random", "auto"])
def test_whether_the_grid_fits_changes_nothing_before(name: str) -> None:
    """A budget that covers the space keeps the prefix of one that does not."""
    space = Space({"tone": ("kind", "dry")}, ("a", "b", "c"), 0, {"temperature": (0, 0.5)})
    found = []
    for budget in (300, 1600):
        task = replace(TASKS[0].task(budget), space=space, has_teacher=False)
        found.append(TASKS[0].search(load("optimizers", name)({}), budget, task))
    short, whole = found
    assert tried(whole)[: len(short.trials)] == tried(short)
    assert (short.finish_reason, whole.finish_reason) == ("max_evaluations", "exhausted")
    assert len({trial.candidate.id for trial in whole.trials}) == 33


def test_auto_begins_with_gepa_where_the_space_does_not_fit() -> None:
    """A budget that does not cover the grid goes to GEPA and TPE, beside the control."""
    space = Space({"tone": ("kind", "dry")}, ("a", "b", "c"))
    task = replace(TASKS[0].task(600), space=space)
    arms = [trial.arm for trial in TASKS[0].search(GUIDED["auto"](), 600, task).trials[1:]]
    assert set(arms) == {"bayesian", "gepa", "random"}


def test_auto_draws_on_top_of_what_gepa_wrote() -> None:
    """Examples are chosen for the best text so far, so that what both find adds up."""
    trials = TASKS[0].search(GUIDED["auto"](), 1600).trials
    written = {trial.candidate.instructions for trial in trials if trial.arm == "gepa"} - {()}
    drawn = [trial.candidate for trial in trials if trial.arm == "bayesian"]
    assert any(
        one.instructions in written and "Output: " in dict(one.values)["demos"] for one in drawn
    )


def test_auto_tries_a_space_that_fits_whole_and_then_has_the_teacher_go_on() -> None:
    """The grid first, beside the control; GEPA begins at the best of it."""
    space = Space({"tone": ("kind", "dry")}, ("Use plain words.",))
    task = replace(TASKS[0].task(1600), space=space)
    arms = [trial.arm for trial in TASKS[0].search(GUIDED["auto"](), 1600, task).trials[1:]]
    first = arms.index("gepa")
    assert set(arms[:first]) <= {"bayesian", "random"}
    assert {"gepa", "random"} <= set(arms[first:])
    assert "bayesian" not in arms[first:]


def test_random_search_draws_examples_too() -> None:
    """What the prompt opens to optimizers is open to the control."""
    history = TASKS[0].search(RandomOptimizer({}), 600)
    shown = [dict(trial.candidate.values)["demos"] for trial in history.trials]
    assert any("Output: " in demos for demos in shown)


def test_a_draw_that_falls_behind_is_dropped_early() -> None:
    """Of a large space most draws are scored on a part of the rows; the finalist on all of them."""
    space = Space({}, tuple(RULES.values()))
    history = TASKS[2].search(BayesianOptimizer({}), 800, replace(TASKS[2].task(800), space=space))
    rows = {trial.candidate.id: len(trial.rows) for trial in history.trials}
    assert len(rows) > 800 / 40 * 1.5
    assert set(rows.values()) == {10, 20, 40}
    assert len(finalist(history).rows) == 40


def test_a_large_space_never_counts_as_used_up() -> None:
    """Where TPE draws what is known again and again, a neighbour of it is tried."""
    space = Space({}, tuple(f"line {n}" for n in range(13)), 0, {"heat": (0, 1, 2)})
    task = replace(TASKS[0].task(4000), space=space, has_teacher=False)
    assert TASKS[0].search(BayesianOptimizer({}), 4000, task).finish_reason == "max_evaluations"


def test_lines_that_help_are_found_by_tpe() -> None:
    """Given the rules to choose from, 1,600 rollouts close most of what rules alone can close."""
    space = Space({}, tuple(RULES.values()))
    task = replace(TASKS[2].task(1600), space=space)
    history = TASKS[2].search(BayesianOptimizer({}), 1600, task)
    assert closed_at(TASKS[2], history, 1600) > 0.4


@pytest.mark.slow
def test_examples_are_chosen_by_inclusion() -> None:
    """A hundred trials over forty examples come near the near-optimum."""
    assert demos(2) >= 0.76


def test_random_search_is_told_nothing_of_how_rows_went() -> None:
    """The control has its teacher vary the prompt, and shows it no row."""
    said: list[str] = []
    answer = teacher(0)

    def listening(text: str) -> str | None:
        said.append(text)
        return answer(text)

    SimulatedTask(0, teaches=listening).search(RandomOptimizer({}), 400)
    assert said
    assert not any("# How it went" in text for text in said)


def test_without_a_space_and_a_teacher_there_is_nothing_to_do() -> None:
    """Auto, random and Bayesian search end at once, with the incumbent."""
    task = replace(TASKS[0].task(400), has_teacher=False, space=Space({}, ()))
    for name in ("auto", "random", "bayesian"):
        history = TASKS[0].search(load("optimizers", name)({}), 400, task)
        assert [trial.candidate for trial in history.trials] == [TASKS[0].incumbent]


def test_auto_has_its_control_arm() -> None:
    """About a tenth of the rows go to random search, and the trials say which."""
    history = TASKS[0].search(GUIDED["auto"](), 1600)
    rows = {arm: sum(t.n_new for t in history.trials if t.arm == arm) for arm in ("random", "gepa")}
    assert 0.05 <= rows["random"] / history.n_evaluations <= 0.15
    assert rows["gepa"] > rows["random"]


def test_auto_goes_on_where_its_control_says_the_same_again_and_again() -> None:
    """A teacher at temperature 0 has no second variation; GEPA has the rows that are left."""
    task = SimulatedTask(0, teaches=cache(teacher(0)))
    given = replace(task.task(1200), space=Space({}, ()))
    assert task.search(GUIDED["auto"](), 1200, given).finish_reason == "max_evaluations"


def test_a_teacher_is_told_of_all_that_a_rewrite_of_the_template_must_keep() -> None:
    """Filters, conditions and raw parts as they stand, not the names in them alone."""
    body = "{{ input | trim }} {{ route }} {% raw %}{{ .Name }}{% endraw %} Obey."
    text = f'---\nname: p\nversion: "1"\nfrozen: [Obey.]\n---\n{body}'
    task = replace(TASKS[0].task(100), prompt=parse_prompt(text, source="p"))
    assert Editor(task).place().splitlines()[1:] == [
        (
            "Keep each of these placeholders, and invent none:"
            " {% raw %} {% endraw %}, {{ input | trim }}, {{ route }}."
        ),
        "Keep this part word for word: Obey.",
    ]


def test_the_truth_is_what_many_draws_come_to() -> None:
    """The closed form is the expectation of what the target does."""
    task = SimulatedTask(3, sizes={"train": 4, "val": 4, "holdout": 6000})
    lines: Sequence[str] = ("Use plain words.", "Address the customer by name.")
    candidate = Candidate(tuple(lines), task.incumbent.values)
    rows = task.evaluate(Ask(candidate, "holdout"))
    mean = sum(row.score or 0.0 for row in rows) / len(rows)
    assert mean == pytest.approx(task.truth(candidate), abs=0.02)


def test_talk_is_json_so_that_no_template_reads_it() -> None:
    """Examples stand in questions as JSON: what a user wrote stays between its quotes."""
    assert json.loads(talking_junk("x"))["text"].startswith("{{ nothing }}")
