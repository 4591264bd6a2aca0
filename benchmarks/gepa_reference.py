"""An adapter for the `gepa` package that owes nothing to our wrapper: plain calls of the task."""

from __future__ import annotations

from typing import Any

from gepa.core.adapter import EvaluationBatch

from benchmarks.simulated_task import SimulatedTask, teacher
from gitloop.optimizers.gepa import COMPONENT
from gitloop.records import Ask, Candidate, RowScore

Place = tuple[str, str]


class DirectAdapter:
    """Evaluates and reflects as a user of the package would have it."""

    propose_new_texts = None

    def __init__(self, task: SimulatedTask) -> None:
        self._task = task
        self.reflect = teacher(task.seed)

    def log(self, message: str) -> None:
        """Say nothing."""

    def evaluate(
        self,
        batch: list[Place],
        candidate: dict[str, str],
        capture_traces: bool = False,  # noqa: ARG002, FBT001, FBT002 -- the package's protocol
    ) -> EvaluationBatch[tuple[Place, RowScore], str]:
        """One score per row."""
        lines = tuple(line[2:] for line in candidate[COMPONENT].split("\n") if line)
        tried = Candidate(lines, self._task.incumbent.values)
        rows = self._task.evaluate(Ask(tried, batch[0][0], tuple(row_id for _, row_id in batch)))
        return EvaluationBatch(
            outputs=[row.output for row in rows],
            scores=[row.score or 0.0 for row in rows],
            trajectories=list(zip(batch, rows, strict=True)),
        )

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],  # noqa: ARG002 -- the package's protocol
        eval_batch: EvaluationBatch[tuple[Place, RowScore], str],
        components_to_update: list[str],
    ) -> dict[str, list[dict[str, Any]]]:
        """The rows with what the rubric said."""
        seen = [
            {
                "Inputs": {"input": f"question {row_id}"},
                "Generated Outputs": row.output,
                "Feedback": row.reason or ("it passed" if row.score == 1.0 else "it did not pass"),
            }
            for (_, row_id), row in eval_batch.trajectories or []
        ]
        return dict.fromkeys(components_to_update, seen)
