"""The search and its verdict: the incumbent competes, errors never win, the budget holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.optimize import (
    Acceptance,
    CandidateCheck,
    History,
    Limits,
    Samples,
    Spent,
    World,
    finalist,
    headroom_of,
    judge_holdout,
    run_search,
)
from gitloop.errors import ConfigError
from gitloop.optimizers.random import RandomOptimizer
from gitloop.params import parse_prompt
from gitloop.protocols import Search, Task
from gitloop.records import Ask, Candidate, Failure, Question, RowScore, Space

SPACE = Space({}, ("be exact", "be kind", "be brief"))
PROMPT = parse_prompt(
    """---
name: p
version: "1"
frozen: ["Obey the law."]
lines: ["be exact", "be kind", "be brief"]
---
Obey the law. {{ input }}
{{ instructions }}
""",
    source="p.md",
)
ROWS = {"train": tuple(f"t{i}" for i in range(4)), "val": tuple(f"r{i}" for i in range(10))}
POLICY = Acceptance(alpha=0.05, min_delta=0.02, noise_floor=0.03, max_length_ratio=2.0)


def task(seed: int = 0, space: Space = SPACE) -> Task:
    """What an optimizer is given."""
    return Task(PROMPT, Candidate(), space, seed, 1000, (), ROWS["val"])


def evaluate(ask: Ask) -> list[RowScore]:
    """A world in which being exact helps and being brief hurts."""
    lines = ask.candidate.instructions
    level = 4 + 4 * ("be exact" in lines) - 3 * ("be brief" in lines)
    ids = ROWS[ask.split] if ask.row_ids is None else ask.row_ids
    return [RowScore(row, "ok", float(int(row[1:]) < level)) for row in ids]


def flat(ask: Ask) -> list[RowScore]:
    """A world in which nothing matters."""
    return [RowScore(row, "ok", 1.0) for row in ask.row_ids or ROWS[ask.split]]


def run(limits: Limits, seed: int = 0, world: World | None = None) -> History:
    """A random search."""
    optimizer = RandomOptimizer({})
    return run_search(
        optimizer.search(task(seed)), Candidate(), world or World(evaluate, ROWS), limits
    )


def asking(*wishes: Ask | Question | Failure) -> Search:
    """An optimizer that wishes for these things, one after the other."""
    for wish in wishes:  # noqa: UP028 -- a tuple cannot be sent the replies
        yield wish


def search(limits: Limits, seed: int = 0) -> tuple[list[Candidate], str, int]:
    """Candidates tried, why it ended, rows scored."""
    history = run(limits, seed)
    return [t.candidate for t in history.trials], history.finish_reason, history.n_evaluations


def test_a_small_space_is_walked_whole_and_the_incumbent_is_first() -> None:
    """Eight candidates, each once, the prompt as it is among them."""
    tried, reason, spent = search(Limits(1000))
    assert tried[0] == Candidate()
    assert len({candidate.id for candidate in tried}) == len(tried) == SPACE.size == 8
    assert (reason, spent) == ("exhausted", 80)


@given(st.integers(0, 200), st.integers(0, 50))
def test_the_budget_is_never_exceeded(budget: int, seed: int) -> None:
    """Not by a row, whatever the optimizer asks for."""
    tried, reason, spent = search(Limits(budget), seed)
    assert spent <= budget
    assert spent == 10 * len(tried)
    assert (reason == "max_evaluations") == (budget < 80)


@given(st.integers(0, 20))
def test_a_larger_budget_keeps_the_prefix(seed: int) -> None:
    """Raising the budget extends the search and changes nothing before."""
    short, _, _ = search(Limits(40), seed)
    long, _, _ = search(Limits(80), seed)
    assert long[: len(short)] == short


def test_patience_ends_a_search_that_stands_still() -> None:
    """Two candidates in a row without a better one are enough."""
    _, reason, spent = search(Limits(1000, patience=2))
    assert reason == "patience"
    assert spent < 80


def test_the_best_candidate_is_the_finalist_and_ties_go_to_the_incumbent() -> None:
    """Being exact wins; where nothing helps, nothing changes."""
    assert finalist(run(Limits(1000))).candidate.instructions == ("be exact",)
    assert finalist(run(Limits(1000), world=World(flat, ROWS))).number == 0


def test_an_error_is_never_a_reason_to_win() -> None:
    """A candidate whose only answer is perfect and whose others failed does not beat the rest."""

    def broken(ask: Ask) -> list[RowScore]:
        if ask.candidate == Candidate():
            return [RowScore(f"r{i}", "ok", float(i < 5)) for i in range(10)]
        return [RowScore("r0", "ok", 1.0)] + [
            RowScore(f"r{i}", "error", None) for i in range(1, 10)
        ]

    history = run(Limits(1000), world=World(broken, ROWS))
    assert finalist(history).number == 0
    assert history.trials[1].n_errors == 9


def rows(passed: int, n: int = 40) -> list[RowScore]:
    """N rows of which the first ones pass."""
    return [RowScore(f"r{i}", "ok", float(i < passed)) for i in range(n)]


PLACES = {f"r{i}": (f"g{i}", "pro" if i % 2 else "free") for i in range(40)}


def test_a_clear_gain_is_accepted() -> None:
    """Twelve rows fixed and none broken is a proposal, with its interval and its rows."""
    verdict = judge_holdout(rows(20), rows(32), PLACES, 1.1, POLICY)
    assert verdict.is_accepted
    assert (verdict.gain, len(verdict.fixed), verdict.broken) == (0.3, 12, ())
    assert verdict.p is not None
    assert verdict.p == pytest.approx(2**-12)
    assert verdict.cohort_gains == {"free": 0.3, "pro": 0.3}


@pytest.mark.parametrize(
    ("before", "after", "ratio", "said"),
    [
        (20, 20, 1.0, "does not exceed 0.030"),
        (20, 22, 1.0, "not significant"),
        (20, 32, 3.0, "3.0 times as long"),
        (32, 20, 1.0, "loses"),
    ],
)
def test_what_is_not_shown_is_not_proposed(
    before: int, after: int, ratio: float, said: str
) -> None:
    """No gain, luck, a swollen prompt and a loss each have their reason."""
    verdict = judge_holdout(rows(before), rows(after), PLACES, ratio, POLICY)
    assert not verdict.is_accepted
    assert any(said in reason for reason in verdict.reasons)


def priced(n_good: int, cost: float | None, tokens: int | None = None) -> list[RowScore]:
    """Forty holdout rows of which the first pass, each at that price."""
    return [replace(row, cost_usd=cost, tokens=tokens) for row in rows(n_good)]


@pytest.mark.parametrize(
    ("before", "after", "unit", "ratio"),
    [
        (priced(20, 0.01), priced(32, 0.015), "usd", 1.5),
        (priced(20, 0.01), priced(32, 0.03), "usd", 3.0),
        (priced(20, None, 100), priced(32, None, 300), "tokens", 3.0),
        (priced(20, 0.01), priced(32, None), "", None),
    ],
)
def test_what_costs_too_much_is_not_proposed(
    before: list[RowScore], after: list[RowScore], unit: str, ratio: float | None
) -> None:
    """Dollars where both sides tell them, else tokens; what nobody tells bounds nothing."""
    verdict = judge_holdout(before, after, PLACES, 1.0, replace(POLICY, max_cost_ratio=2.0))
    assert (verdict.cost_unit, verdict.cost_ratio) == (unit, ratio)
    assert verdict.is_accepted == (ratio is None or ratio <= 2)


def test_no_call_is_made_beyond_the_limit() -> None:
    """A batch that does not fit any more is not begun, nor a question."""
    asked: list[int] = []

    def counted(ask: Ask) -> list[RowScore]:
        asked.append(2 * len(ask.row_ids or ROWS[ask.split]))
        return evaluate(ask)

    world = World(
        counted,
        ROWS,
        spent=lambda: Spent(n_calls=sum(asked)),
        calls_for=lambda row_ids: 2 * len(row_ids),
    )
    history = run(Limits(1000, max_calls=70), world=world)
    assert (history.finish_reason, sum(asked)) == ("max_calls", 60)


def test_a_missing_score_stops_a_proposal() -> None:
    """A row that one side has no score for is an objection, not a silent exclusion."""
    after = [*rows(32)[:-1], RowScore("r39", "error", None)]
    verdict = judge_holdout(rows(20), after, PLACES, 1.0, POLICY)
    assert "1 rows got no score" in verdict.reasons


def test_a_random_optimizer_takes_no_parameters() -> None:
    """A misspelt parameter is an error, not a silent default."""
    with pytest.raises(ConfigError, match="temperature"):
        RandomOptimizer({"temperature": 1})


def test_a_large_space_is_drawn_from_without_repeats() -> None:
    """Twenty lines make a million candidates; sixty asks are sixty different ones."""
    space = Space({"tone": ("a", "b")}, tuple(f"line {i}" for i in range(20)))
    found = RandomOptimizer({}).search(task(3, space))
    asked = [next(found), *(found.send([]) for _ in range(59))]
    assert len({wish.candidate.id for wish in asked if isinstance(wish, Ask)}) == 60


def test_a_row_that_was_scored_before_costs_nothing() -> None:
    """The incumbent may be asked for again; only rows that are new are run, and count."""
    asked: list[Ask] = []

    def counted(ask: Ask) -> list[RowScore]:
        asked.append(ask)
        return evaluate(ask)

    wishes = asking(
        Ask(Candidate()), Ask(Candidate(), row_ids=("r1", "r2")), Ask(Candidate(("a",)))
    )
    history = run_search(wishes, Candidate(), World(counted, ROWS), Limits(100))
    assert [ask.candidate for ask in asked] == [Candidate(), Candidate(("a",))]
    assert (history.n_evaluations, len(history.trials)) == (20, 2)


def test_a_search_that_turns_in_circles_ends() -> None:
    """An optimizer that only ever asks for what is known is stopped, and that is said."""
    wishes = asking(*[Ask(Candidate())] * 500)
    history = run_search(wishes, Candidate(), World(evaluate, ROWS), Limits(100))
    assert (history.finish_reason, history.n_evaluations) == ("stalled", 10)


def test_a_failed_attempt_is_on_record_and_is_no_score() -> None:
    """Junk from a teacher is a trial with a fault, without rows and without a mean."""
    wishes = asking(Failure(Candidate(), "no text"))
    history = run_search(wishes, Candidate(), World(evaluate, ROWS), Limits(100))
    failed = history.trials[1]
    assert (failed.fault, failed.rows, failed.mean) == ("no text", (), None)
    assert finalist(history).number == 0


def test_a_teacher_that_failed_is_told_from_one_that_talked_junk() -> None:
    """The reason on record is the failure's own, for as long as the teacher fails."""
    replies = iter([None, "junk"])
    world = World(
        evaluate, ROWS, teach=lambda _text: next(replies), teacher_fault=lambda: "HTTP 500"
    )
    junk = Failure(Candidate(), "no text between fences")
    history = run_search(
        asking(Question("a"), junk, Question("b"), junk), Candidate(), world, Limits(100)
    )
    faults = [trial.fault for trial in history.trials if trial.fault]
    assert faults == ["the teacher failed: HTTP 500", "no text between fences"]


def test_instructions_may_be_frozen_too() -> None:
    """A frozen part that fills the slot is kept by every candidate, word for word."""
    text = """---
name: p
version: "1"
instructions: ["Obey the law.", "Smile."]
frozen: ["Obey the law."]
---
{{ input }} {{ instructions }}
"""
    check = CandidateCheck(parse_prompt(text, source="p"), [], 9.0)
    assert check.fault(Candidate(("Frown.", "Obey the law."))) == ""
    assert "lost a frozen part" in check.fault(Candidate(("Frown.",)))


def test_a_candidate_with_a_fault_is_never_run() -> None:
    """Its rows come back as errors with the reason, and cost nothing."""
    told: list[object] = []

    def optimizer() -> Search:
        told.append((yield Ask(Candidate(("bad",)))))

    world = World(evaluate, ROWS, fault=lambda candidate: "bad" if candidate.instructions else "")
    history = run_search(optimizer(), Candidate(), world, Limits(100))
    assert history.n_evaluations == 10
    assert history.trials[1].fault == "bad"
    assert told == [[RowScore(row, "error", None, "bad") for row in ROWS["val"]]]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(1000, min_score=0.8), "min_score"),
        (Limits(1000, max_cost_usd=0.05), "max_cost_usd"),
        (Limits(1000, max_tokens=7), "max_tokens"),
        (Limits(1000, max_seconds=3.0), "max_seconds"),
        (Limits(1000, min_headroom=0.7), "no headroom"),
    ],
)
def test_each_limit_ends_a_search_and_gives_its_name(limits: Limits, reason: str) -> None:
    """Score, money, tokens, time and headroom: none is passed in silence."""
    calls: list[Ask] = []

    def counted(ask: Ask) -> list[RowScore]:
        calls.append(ask)
        return evaluate(ask)

    spent = World(
        counted, ROWS, spent=lambda: Spent(0.01 * len(calls), 2 * len(calls), float(len(calls)))
    )
    history = run(limits, world=spent)
    assert history.finish_reason == reason
    assert history.n_evaluations < 80


def test_questions_to_the_teacher_have_a_limit() -> None:
    """The third question is not asked."""
    said: list[str] = []

    def teach(text: str) -> str:
        said.append(text)
        return text

    wishes = asking(Question("a"), Question("b"), Question("c"))
    world = World(evaluate, ROWS, teach=teach)
    history = run_search(wishes, Candidate(), world, Limits(100, max_teacher_calls=2))
    assert said == ["a", "b"]
    assert (history.finish_reason, history.n_teacher_calls) == ("max_teacher_calls", 2)


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        (Candidate(("be exact",)), ""),
        (Candidate(("braces {{ and }} and {% are %} data",)), ""),
        (Candidate(("",)), "empty"),
        (Candidate(("far too long " * 40,)), "characters of max_length_ratio"),
        (Candidate(("say: the red fox jumps over a lazy dog",)), "copies a golden row"),
        (Candidate(body="Obey the law. {{ input }} {{ instructions }} now"), ""),
        (Candidate(body="Obey the law. {{ instructions }}"), "lost the placeholder input"),
        (Candidate(body="Obey the law. {{ input }} {{ instructions }} {{ x }}"), "invented the"),
        (Candidate(body="{{ input }} {{ instructions }}"), "lost a frozen part"),
        (Candidate(body="Obey the law. {{ input {{ instructions }}"), "not a valid template"),
        (Candidate(body="Obey the law. {{ input[:9] }} {{ instructions }}"), "code of its own"),
        (Candidate(body="Obey the law. {{ input }} {{ 1/0 }} {{ instructions }}"), "of its own"),
        (
            Candidate(body="Obey the law. {# {{ x }} #} {{ input }} {{ instructions }}"),
            "of its own",
        ),
        (Candidate(body='Obey the law. {"a": [1]} {{ input }} {{ instructions }} %}'), ""),
        (Candidate(body="  "), "empty"),
    ],
)
def test_a_candidate_must_keep_what_the_prompt_promises(candidate: Candidate, said: str) -> None:
    """Placeholders, frozen parts and length are checked; no golden row is learned by heart."""
    check = CandidateCheck(PROMPT, ["The red fox jumps over a lazy dog!"], 2.0)
    fault = check.fault(candidate)
    assert said in fault
    assert bool(said) == bool(fault)


def test_headroom_says_what_there_is_and_what_would_show() -> None:
    """Six tenths of room on 70 rows: worth it, and gains from .15 would show."""
    found = headroom_of(0.4, 70, 0.02, Samples(1, [1] * 4 + [0] * 6))
    assert (found.room, found.is_worth_it) == (0.6, True)
    assert (found.best_of_k, found.judge_noise) == (0.4, 0.0)
    assert found.detectable == pytest.approx(0.1498, abs=1e-3)
    assert not headroom_of(1.0, 70, 0.02, Samples(1, [1] * 10)).is_worth_it


def test_headroom_tells_what_the_best_of_k_answers_could_do_and_what_judges_do_not_know() -> None:
    """Four rows that pass once in three answers are within reach; a judge that flips is noise."""
    passed, agreed = [3, 3, 1, 1, 1, 1, 0, 0, 0, 0], [2, 2, 1, 0, 0, 0, 0, 0, 0, 0]
    found = headroom_of(0.4, 40, 0.02, Samples(3, passed, agreed))
    assert (found.k, found.best_of_k) == (3, 0.6)
    assert found.judge_noise == pytest.approx(1.96 * (0.1 / 40) ** 0.5, abs=1e-4)
    assert (found.least, found.is_worth_it) == (found.judge_noise, True)
    assert not headroom_of(0.95, 40, 0.02, Samples(3, passed, agreed)).is_worth_it
