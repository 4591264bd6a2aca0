"""GEPA through the `gepa` package, with our evaluator as its adapter (arXiv 2507.19457).

The package calls its evaluator; our optimizers yield wishes. So it runs on a thread of its own that
waits whenever we run, and the other way round: there is never more than one at work. Its own cache,
checkpoints and stoppers stay off: the driver keeps the budget and knows which rows were scored.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from gepa.api import optimize as run_gepa
from gepa.core.adapter import EvaluationBatch
from gepa.strategies.instruction_proposal import InstructionProposalSignature

from gitloop.arguments import Argument
from gitloop.optimizers.asking import is_valid
from gitloop.optimizers.editing import Editor, example, fenced
from gitloop.optimizers.parameters import checked, count
from gitloop.protocols import Reply, Search, Task, Wish
from gitloop.records import Ask, Candidate, Case, Failure, Question, RowScore

COMPONENT = "instructions"

_SELECTIONS = ("pareto", "current_best", "epsilon_greedy", "top_k_pareto")
_PARAMETERS = {
    "batch": count("training rows of a reflection", 3),
    "selection": Argument("text", "how parents are chosen", default="pareto", choices=_SELECTIONS),
}

_REJECTED = -1.0
"""Below every score, so that gepa never takes over what failed. It goes no further than gepa."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row, as gepa carries it about.

    Attributes:
        split: "train" or "val".
        row_id: Its id.
        case: Its texts; None on the validation split, which nobody reads.
    """

    split: str
    row_id: str
    case: Case | None = None


class GepaOptimizer:
    """Reflects on training rows, and keeps a Pareto front over the validation rows."""

    id: ClassVar[str] = "gepa"
    version: ClassVar[str] = "1"
    needs_teacher: ClassVar[bool] = True

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = checked(parameters, _PARAMETERS)

    def search(self, task: Task) -> Search:
        """What gepa asks for, as wishes."""
        bridge = _Bridge()
        worker = threading.Thread(
            target=bridge.work, args=(lambda: self._optimize(task, bridge),), daemon=True
        )
        worker.start()
        try:
            while (wish := bridge.next_wish()) is not None:
                bridge.reply((yield wish))
        finally:
            bridge.close()
            worker.join()

    def _optimize(self, task: Task, bridge: _Bridge) -> None:
        adapter: Any = _Adapter(task, bridge)  # the package's protocols are invariant
        run_gepa(
            seed_candidate={COMPONENT: adapter.seed_text},
            trainset=[Row("train", case.item_id, case) for case in task.train],
            valset=[Row("val", row_id) for row_id in task.val_ids],
            adapter=adapter,
            reflection_lm=adapter.reflect,
            reflection_prompt_template=adapter.template,
            reflection_minibatch_size=self._parameters["batch"],
            candidate_selection_strategy=self._parameters["selection"],
            # Ours is the budget; this one only ends a search that has stopped costing anything.
            max_metric_calls=20 * task.budget,
            seed=task.seed,
            logger=_Silent(),
            cache_evaluation=False,
        )


class _Closed(BaseException):
    """The search is over. Not an Exception: gepa catches those and goes on."""


class _Bridge:
    """Hands wishes from gepa's thread to the generator, and replies back."""

    def __init__(self) -> None:
        self._wishes: queue.SimpleQueue[Wish | BaseException | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[tuple[Reply] | None] = queue.SimpleQueue()
        self._is_closed = False

    def work(self, task: Any) -> None:  # noqa: ANN401 -- a function without arguments
        """Run the task on this thread; whatever it raises is told to the generator."""
        try:
            task()
        except _Closed:
            pass
        except BaseException as error:  # noqa: BLE001 -- raised again where the generator runs
            self._wishes.put(error)
        self._wishes.put(None)

    def ask(self, wish: Wish) -> Reply:
        """On gepa's thread: the reply to a wish."""
        if self._is_closed:
            raise _Closed
        self._wishes.put(wish)
        reply = self._replies.get()
        if reply is None:
            raise _Closed
        return reply[0]

    def next_wish(self) -> Wish | None:
        """In the generator: the next wish, or None when gepa is done."""
        wish = self._wishes.get()
        if isinstance(wish, BaseException):
            raise wish
        return wish

    def reply(self, reply: Reply) -> None:
        """In the generator: answer the wish."""
        self._replies.put((reply,))

    def close(self) -> None:
        """In the generator: let gepa's thread end at its next wish."""
        self._is_closed = True
        self._replies.put(None)


class _Adapter:
    """What gepa asks of a system that it optimizes."""

    propose_new_texts = None

    def __init__(self, task: Task, bridge: _Bridge) -> None:
        self._task, self._bridge = task, bridge
        self._editor = Editor(task)
        self._last = task.incumbent
        self.seed_text = self._editor.text(task.incumbent)
        default = InstructionProposalSignature.default_prompt_template
        # Where a rewrite could lose a placeholder or a frozen part, the teacher must know of it.
        kept = "\n".join(self._editor.kept()) if self._editor.has_slot else self._editor.place()
        self.template = f"{default}\n\n{kept}" if kept else None

    def candidate(self, text: str) -> Candidate:
        """The candidate that a component's text makes."""
        if text == self.seed_text:
            return self._task.incumbent
        return self._editor.candidate(text, self._task.incumbent, "a reflection")

    def reflect(self, prompt: str) -> str:
        """The teacher's words; a reply without a fenced text is a failed proposal."""
        reply = cast("str | None", self._bridge.ask(Question(prompt)))
        if fenced(reply) is None:
            self._bridge.ask(Failure(self._last, "the teacher wrote no text between fences"))
            raise ValueError("no text between fences")
        return reply or ""

    def evaluate(
        self,
        batch: list[Row],
        candidate: dict[str, str],
        capture_traces: bool = False,  # noqa: ARG002, FBT001, FBT002 -- the package's protocol
    ) -> EvaluationBatch[tuple[Row, RowScore], str]:
        """One score per row. Rows of a candidate that failed score below everything."""
        split, ids = batch[0].split, tuple(row.row_id for row in batch)
        is_whole = split == "val" and ids == self._task.val_ids
        self._last = self.candidate(candidate[COMPONENT])
        ask = Ask(self._last, split, None if is_whole else ids)
        rows = cast("Sequence[RowScore]", self._bridge.ask(ask))
        is_bad = split == "train" and not is_valid(rows)
        return EvaluationBatch(
            outputs=[row.output for row in rows],
            scores=[_REJECTED if is_bad else row.score or 0.0 for row in rows],
            trajectories=list(zip(batch, rows, strict=True)),
        )

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],  # noqa: ARG002 -- the package's protocol
        eval_batch: EvaluationBatch[tuple[Row, RowScore], str],
        components_to_update: list[str],
    ) -> dict[str, list[dict[str, Any]]]:
        """The training rows in the form that gepa's own question quotes."""
        seen = [_record(row, told) for row, told in eval_batch.trajectories or []]
        return dict.fromkeys(components_to_update, seen)


def _record(row: Row, told: RowScore) -> dict[str, Any]:
    shown = example(row.case, told) if row.case else {}
    inputs = {key: shown[key] for key in ("input", "context", "reference") if key in shown}
    feedback = told.reason or ("it passed" if told.score == 1.0 else "it did not pass")
    return {"Inputs": inputs, "Generated Outputs": told.output, "Feedback": feedback}


class _Silent:
    """A logger that tells nobody: what happened stands in trials.jsonl."""

    def log(self, message: str) -> None:
        """Say nothing."""
