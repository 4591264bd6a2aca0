"""The one loop that drives every optimizer: it keeps the budget, the memory and the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gitloop.protocols import Reply, Search, Wish
from gitloop.records import Ask, Candidate, Failure, Question, RowScore

MOST_IDLE = 50
"""Wishes in a row that score no new row, after which a search is taken to turn in circles."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a search has cost.

    Attributes:
        cost_usd: US dollars, as far as calls told their price.
        tokens: Tokens, as far as calls told them.
        seconds: Wall time.
        n_calls: Calls of target, judges and teacher.
    """

    cost_usd: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    n_calls: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """What a search can touch, and nothing else.

    Attributes:
        evaluate: One score per row of the ask, in the order of its row ids.
        rows: Split → the ids of its rows, in order.
        teach: What the teacher says to a text; None where it failed.
        fault: Why a candidate must not be tried, or "".
        spent: What the calls have cost so far.
        calls_for: Calls that scoring these rows takes; looked at before a batch is run.
        teacher_fault: Why the teacher's last answer failed, or "".
    """

    evaluate: Callable[[Ask], Sequence[RowScore]]
    rows: Mapping[str, Sequence[str]]
    teach: Callable[[str], str | None] = lambda _text: None
    fault: Callable[[Candidate], str] = lambda _candidate: ""
    spent: Callable[[], Spent] = Spent
    calls_for: Callable[[Sequence[str]], int] = len
    teacher_fault: Callable[[], str] = lambda: ""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a search ends. Each is looked at before a batch, never after it.

    Attributes:
        max_evaluations: Rows scored at most.
        patience: Whole validation runs in a row without a better one; 0 is off.
        min_delta: How much better counts as better for `patience`, in mean score.
        min_score: Validation mean from which the search is content, or None.
        max_calls: Calls of target, judges and teacher at most, or None.
        max_teacher_calls: Questions to the teacher at most, or None.
        max_cost_usd: US dollars at most, or None.
        max_tokens: Tokens at most, or None.
        max_seconds: Wall time at most, or None; the one limit that depends on the machine.
        min_headroom: Least that the incumbent must fall short of 1 for a search to be worth it.
    """

    max_evaluations: int
    patience: int = 0
    min_delta: float = 0.0
    min_score: float | None = None
    max_calls: int | None = None
    max_teacher_calls: int | None = None
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    max_seconds: float | None = None
    min_headroom: float = 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One ask and its answer, or a candidate that failed before it could be asked about.

    Attributes:
        number: From 0; the incumbent on the validation split is trial 0.
        candidate: What was tried.
        split: "train" or "val".
        n: Rows with a score.
        n_errors: Rows without one; they count as failures in the mean, and never help to win.
        mean: Mean score over the rows, errors as failures; None when no row has a score.
        rows: The answers; () where there was none.
        n_new: Rows among them that had to be run: the others were known.
        arm: Which of several searches asked.
        fault: Why the candidate failed, or "".
    """

    number: int
    candidate: Candidate
    split: str
    n: int
    n_errors: int
    mean: float | None
    rows: tuple[RowScore, ...] = field(repr=False)
    n_new: int = 0
    arm: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """A finished search.

    Attributes:
        trials: In the order of asking.
        finish_reason: "exhausted", "no headroom", "stalled" (nothing new was asked for any more),
            or the limit that ended it, e.g. "max_evaluations".
        n_evaluations: Rows scored, all trials together.
        n_teacher_calls: Questions to the teacher.
    """

    trials: tuple[Trial, ...]
    finish_reason: str
    n_evaluations: int
    n_teacher_calls: int = 0


def run_search(search: Search, incumbent: Candidate, world: World, limits: Limits) -> History:
    """Drive the optimizer until it, or a limit, is done. The incumbent is always trial 0.

    A row that a candidate was scored on before is known and costs nothing, so an optimizer may ask
    for the incumbent again.

    Args:
        search: The optimizer's generator, not yet started.
        incumbent: The prompt as it is.
        world: What the search may touch.
        limits: When to stop.
    """
    drive = _Drive(world, limits)
    try:
        reason = drive.answer(Ask(incumbent))[1]
        wish = None if reason else next(search)
        while wish is not None:
            reply, reason = drive.answer(wish)
            if reason:
                break
            wish = search.send(reply)
    except StopIteration:
        reason = "exhausted"
    finally:
        search.close()
    return History(tuple(drive.trials), reason, drive.n_rows, drive.n_questions)


class _Drive:
    """The state of a search."""

    def __init__(self, world: World, limits: Limits) -> None:
        self._world, self._limits = world, limits
        self._known: dict[tuple[str, str], RowScore] = {}
        self._best, self._stale, self._ended = float("-inf"), 0, ""
        self._n_idle = 0
        self._unanswered = ""
        self.trials: list[Trial] = []
        self.n_rows = 0
        self.n_questions = 0

    def answer(self, wish: Wish) -> tuple[Reply, str]:
        """The reply, and the limit that forbids one or "". Once a limit is hit, nothing goes on."""
        # The incumbent is always trial 0, whatever was spent before: without it there is no result.
        ended = self._ended or (self._overspent() if self.trials else "")
        if ended:
            return None, ended
        self._n_idle += 1
        if self._n_idle > MOST_IDLE:
            return None, "stalled"
        if isinstance(wish, Failure):
            # An optimizer cannot tell junk from silence; whoever reads the trials must.
            reason = f"the teacher failed: {self._unanswered}" if self._unanswered else wish.reason
            self._record(Ask(wish.parent, arm=wish.arm), (), 0, reason)
            return (), ""
        return self._told(wish) if isinstance(wish, Question) else self._scored(wish)

    def _told(self, question: Question) -> tuple[Reply, str]:
        most = self._limits.max_teacher_calls
        if most is not None and self.n_questions >= most:
            return None, "max_teacher_calls"
        if self._lacks_calls(1):
            return None, "max_calls"
        self.n_questions += 1
        said = self._world.teach(question.text)
        self._unanswered = self._world.teacher_fault() if said is None else ""
        return said, ""

    def _scored(self, ask: Ask) -> tuple[Reply, str]:
        ids = self._world.rows[ask.split] if ask.row_ids is None else ask.row_ids
        fault = self._world.fault(ask.candidate) if self.trials else ""
        if fault:
            self._record(ask, (), 0, fault)
            return [RowScore(row_id, "error", None, fault) for row_id in ids], ""
        candidate = ask.candidate.id
        new = tuple(row for row in dict.fromkeys(ids) if (candidate, row) not in self._known)
        if self.n_rows + len(new) > self._limits.max_evaluations:
            return None, "max_evaluations"
        if new and self.trials and self._lacks_calls(self._world.calls_for(new)):
            return None, "max_calls"
        if new:
            self._n_idle = 0
            part = Ask(ask.candidate, ask.split, new, ask.arm)
            for row in self._world.evaluate(part):
                self._known[candidate, row.row_id] = row
        self.n_rows += len(new)
        rows = tuple(self._known[candidate, row] for row in ids)
        if new:
            self._record(ask, rows, len(new))
        return rows, ""

    def _record(self, ask: Ask, rows: tuple[RowScore, ...], n_new: int, fault: str = "") -> None:
        scores = [row.score for row in rows if row.score is not None]
        mean = round(sum(scores) / len(rows), 6) if scores else None
        trial = Trial(
            number=len(self.trials),
            candidate=ask.candidate,
            split=ask.split,
            n=len(scores),
            n_errors=len(rows) - len(scores),
            mean=mean,
            rows=rows,
            n_new=n_new,
            arm=ask.arm,
            fault=fault,
        )
        self.trials.append(trial)
        # Patience and min_score see whole validation runs alone: a mean of three rows says nothing.
        if not fault and ask.split == "val" and ask.row_ids is None:
            self._ended = self._judge(mean)

    def _judge(self, mean: float | None) -> str:
        """Whether this validation mean ends the search."""
        limits = self._limits
        is_better = mean is not None and mean > self._best + limits.min_delta
        self._stale = 0 if is_better else self._stale + 1
        self._best = mean if is_better and mean is not None else self._best
        if len(self.trials) == 1 and mean is not None and 1.0 - mean < limits.min_headroom:
            return "no headroom"
        if limits.min_score is not None and mean is not None and mean >= limits.min_score:
            return "min_score"
        return "patience" if limits.patience and self._stale >= limits.patience else ""

    def _lacks_calls(self, wanted: int) -> bool:
        most = self._limits.max_calls
        return most is not None and self._world.spent().n_calls + wanted > most

    def _overspent(self) -> str:
        """The limit on money, tokens or time that is used up, or ""."""
        limits, spent = self._limits, self._world.spent()
        used = {
            "max_cost_usd": (spent.cost_usd, limits.max_cost_usd),
            "max_tokens": (spent.tokens, limits.max_tokens),
            "max_seconds": (spent.seconds, limits.max_seconds),
        }
        over = (name for name, (now, most) in used.items() if most is not None and now >= most)
        return next(over, "")
