"""MTRAG and FeedbackQA as the files that a team's own export script would write for gitloop.

Nothing is made up: ratings are normalised, ids are joined, and where two raters leave a tie, the
rule of the reference figures (the median rating is at least 3.5) settles it.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

Row = dict[str, Any]

FILES = (
    "expected.json",
    "feedbackqa/feedback.jsonl",
    "feedbackqa/traces.jsonl",
    "mtrag/judge_scores.jsonl",
    "mtrag/labels.jsonl",
    "mtrag/pairs.jsonl",
    "mtrag/traces.jsonl",
    "mtrag/votes.jsonl",
)
"""What the loop reads below the data directory."""

JUDGES = {"faithfulness": "rl_f", "completeness": "rb_llm"}
"""Rubric → the recorded judge that scores it: RAGAS faithfulness, and RADBench's LLM judge."""

LEAST_PASS = 3.5
"""Median rating, of 1 to 4, from which people pass an answer; as in expected.json."""


def missing(data: Path) -> list[str]:
    """The files that the data directory lacks."""
    return [name for name in FILES if not (data / name).is_file()]


def read_rows(path: Path) -> list[Row]:
    """The objects of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write one JSON object a line; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


class Mtrag:
    """MTRAG's files, read once, and what gitloop is given of them.

    Args:
        data: The data directory.
    """

    def __init__(self, data: Path) -> None:
        self._data = data

    @cached_property
    def traces(self) -> dict[str, Row]:
        """trace_id → trace."""
        return {row["trace_id"]: row for row in read_rows(self._data / "mtrag/traces.jsonl")}

    @cached_property
    def _ratings(self) -> list[Row]:
        return read_rows(self._data / "mtrag/labels.jsonl")

    @cached_property
    def _scores(self) -> dict[tuple[str, str], float]:
        """(judge, trace_id) → score."""
        rows = read_rows(self._data / "mtrag/judge_scores.jsonl")
        return {(row["judge"], row["trace_id"]): row["score"] for row in rows}

    def half(self) -> set[str]:
        """The conversations to calibrate on: the half with the smallest digests."""
        groups = {trace["group_id"] for trace in self.traces.values()}
        ordered = sorted(groups, key=lambda group: hashlib.sha256(group.encode()).hexdigest())
        return set(ordered[: (len(ordered) + 1) // 2])

    def events(self) -> list[Row]:
        """Every rating under every rubric, as explicit feedback on its answer."""
        return [
            {
                "feedback_id": f"{row['trace_id']}#{row['rubric']}#{row['annotator']}",
                "trace_id": row["trace_id"],
                "signal_type": "rubric_score",
                "value": _normalised(row["score"]),
                "created_at": row["created_at"],
                "rubric": row["rubric"],
                "annotator": row["annotator"],
            }
            for row in self._ratings
        ]

    def labels(self, groups: set[str]) -> list[Row]:
        """The ratings of some conversations under the judged rubrics, and who settles their ties.

        Args:
            groups: group_ids.
        """
        chosen = [
            row
            for row in self._ratings
            if row["rubric"] in JUDGES and self.traces[row["trace_id"]]["group_id"] in groups
        ]
        given: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in chosen:
            given[row["trace_id"], row["rubric"]].append(row)
        ties = [said[-1] for said in given.values() if _is_tie([row["score"] for row in said])]
        return [_label(row) for row in chosen] + [
            _label(row)
            | {
                "annotator": "median-rule",
                "role": "senior",
                "label": "pass" if self.passes(row["trace_id"], row["rubric"]) else "fail",
                "score": None,
            }
            for row in ties
        ]

    def passes(self, trace_id: str, rubric: str) -> bool:
        """Whether people pass the answer, by the rule of the reference figures."""
        return statistics.median(self._ratings_of[trace_id, rubric]) >= LEAST_PASS

    @cached_property
    def _ratings_of(self) -> dict[tuple[str, str], list[float]]:
        found: dict[tuple[str, str], list[float]] = defaultdict(list)
        for row in self._ratings:
            found[row["trace_id"], row["rubric"]].append(row["score"])
        return found

    def f1(self, rubric: str, threshold: float, groups: set[str]) -> float:
        """The F1 of the recorded judge's verdicts on the answers of some conversations."""
        both = [
            (self._scores[JUDGES[rubric], trace_id] >= threshold, self.passes(trace_id, rubric))
            for trace_id, trace in self.traces.items()
            if trace["group_id"] in groups
        ]
        n_hits = sum(said and meant for said, meant in both)
        return 2 * n_hits / sum(said + meant for said, meant in both)

    def judged_traces(self) -> list[Row]:
        """The recorded scores of every answer, keyed by trace."""
        return [
            self._judged(trace_id, trace_id, judge)
            for judge in JUDGES.values()
            for trace_id in self.traces
        ]

    def judged_rows(self, sources: Mapping[str, str]) -> list[Row]:
        """The recorded scores of every responder's answer to each golden row, keyed by the row.

        Args:
            sources: row_id → the trace it came from.
        """
        return [
            self._judged(row_id, trace_id, judge)
            for judge in JUDGES.values()
            for row_id, source in sorted(sources.items())
            for trace_id in self._answers(source)
        ]

    def outputs(self, sources: Mapping[str, str]) -> list[Row]:
        """Every responder's answer to each golden row, keyed by the row."""
        return [
            {
                "item_id": row_id,
                "responder": self.traces[trace_id]["model"],
                "output": self.traces[trace_id]["output"],
            }
            for row_id, source in sorted(sources.items())
            for trace_id in self._answers(source)
        ]

    def votes(self) -> dict[str, list[Row]]:
        """Annotator → their head-to-head votes."""
        pairs = {row["pair_id"]: row for row in read_rows(self._data / "mtrag/pairs.jsonl")}
        found: dict[str, list[Row]] = defaultdict(list)
        for row in read_rows(self._data / "mtrag/votes.jsonl"):
            pair = pairs[row["pair_id"]]
            found[row["annotator"]].append(
                {
                    "pair_id": row["pair_id"],
                    "trace_id_a": pair["trace_id_a"],
                    "trace_id_b": pair["trace_id_b"],
                    "winner": row["winner"],
                    "annotator": row["annotator"],
                    "created_at": row["created_at"],
                }
            )
        return dict(sorted(found.items()))

    def _answers(self, trace_id: str) -> list[str]:
        """The answers of all responders to the same question, by trace_id."""
        task = trace_id.rpartition("/")[0]
        return sorted(other for other in self.traces if other.rpartition("/")[0] == task)

    def _judged(self, item_id: str, trace_id: str, judge: str) -> Row:
        return {
            "item_id": item_id,
            "judge": judge,
            "output": self.traces[trace_id]["output"],
            "score": self._scores[judge, trace_id],
        }


def known_calibration(data: Path) -> tuple[int, float, float]:
    """(n, threshold, F1) that an independent program found for faithfulness and rl_f."""
    expected = json.loads((data / "expected.json").read_text(encoding="utf-8"))
    known = expected["per_dataset"]["calibration"]["mtrag_rl_f_vs_median_faithfulness_ge_3.5"]
    return known["n"], known["ge"]["best_f1_threshold_first_max"], known["ge"]["best_f1"]


def known_alpha(data: Path, rubric: str) -> float:
    """Krippendorff's ordinal alpha of a rubric, by an independent program."""
    expected = json.loads((data / "expected.json").read_text(encoding="utf-8"))
    return float(expected["per_dataset"]["mtrag"][f"alpha_ordinal_{rubric}"])


def _label(row: Row) -> Row:
    return {
        "trace_id": row["trace_id"],
        "annotator": row["annotator"],
        "rubric": row["rubric"],
        "label": row["label"],
        "score": _normalised(row["score"]),
        "created_at": row["created_at"],
    }


def _normalised(rating: float) -> float:
    """A rating of 1 to 4 in [0, 1]."""
    return round((rating - 1) / 3, 6)


def _is_tie(ratings: Sequence[float]) -> bool:
    return 2 * sum(rating >= LEAST_PASS for rating in ratings) == len(ratings)
