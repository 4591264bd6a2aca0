"""How good and how fast the judges are, on public data with human labels.

    python -m benchmarks.judging --data ../shared/data --peers PEERS_PYTHON

PEERS_PYTHON is an interpreter of another environment that has deepeval and inspect-ai, which are
timed against the same server in the same run; without it they are reported as absent.

Quality is the AUROC against people. Nothing was tuned to these files: the weights of `grounded` are
round numbers, and the neighbours of each give the same figures to two places (--sweep shows it).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score

from benchmarks.judging_throughput import throughput
from gitloop.judges.classifier.training import Lesson, train
from gitloop.judges.local import LocalJudge
from gitloop.judges.metrics import NAMES, grounding, scanners
from gitloop.judges.metrics.content import language, personal_data
from gitloop.judges.metrics.refusal import refusal
from gitloop.judges.metrics.scanners import script
from gitloop.params import JudgePin, Rubric
from gitloop.records import Answer, Case
from gitloop.storage.calls import CallStore

Labelled = list[tuple[Case, bool]]
"""Cases with what people said of them."""


def begin(data: Path) -> Labelled:
    """BEGIN: fully attributable to the snippet, or not (Dziri et al., 2022)."""
    labels = {row["trace_id"]: row["label"] for row in _rows(data / "begin/labels.jsonl")}
    return [
        (_case(row), labels[row["trace_id"]] == "Fully attributable")
        for row in _rows(data / "begin/traces.jsonl")
    ]


def mtrag(data: Path) -> Labelled:
    """MTRAG: median faithfulness of at least 3.5 on a scale of 1 to 4 (Katsis et al., 2025)."""
    ratings = defaultdict(list)
    for row in _rows(data / "mtrag/labels.jsonl"):
        if row["rubric"] == "faithfulness":
            ratings[row["trace_id"]].append(row["score"])
    return [
        (_case(row), statistics.median(ratings[row["trace_id"]]) >= 3.5)
        for row in _rows(data / "mtrag/traces.jsonl")
        if ratings[row["trace_id"]]
    ]


def summhay(data: Path) -> Labelled:
    """SummHay, a check on another task: is the insight stated in the summary, or not at all?"""
    labels = {row["trace_id"]: row["label"] for row in _rows(data / "summhay/labels.jsonl")}
    turned = [
        (Case(row["trace_id"], "", row["output"], output=row["context"]), labels[row["trace_id"]])
        for row in _rows(data / "summhay/traces.jsonl")
    ]
    return [(case, said == "fully_covered") for case, said in turned if said[:4] != "part"]


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _case(row: Mapping[str, Any]) -> Case:
    context = row.get("context") or ""  # nothing retrieved is an empty context
    return Case(row["trace_id"], row["prompt"], context, row.get("reference"), row["output"])


def judge(metric: str, **arguments: Any) -> LocalJudge:  # noqa: ANN401
    """A local judge of this metric."""
    form = {"local": {"metric": metric, **arguments}}
    rubric = Rubric(name=metric, version="1", scorer=form)
    return LocalJudge(rubric, JudgePin(), Path())


def scores(cases: Sequence[Case], judged_by: LocalJudge) -> list[float]:
    """The score of each case; no case may lack one."""
    answers = judged_by.call([judged_by.request(case) for case in cases])
    found = [judged_by.read(answer).score for answer in answers]
    return [score for score in found if score is not None]


def auroc(labelled: Labelled, judged_by: LocalJudge) -> float:
    """The chance that a case which people passed scores above one that they failed, ties half."""
    found = scores([case for case, _ in labelled], judged_by)
    return float(roc_auc_score([said for _, said in labelled], found))


def peer(data: Path) -> tuple[float, int]:
    """AUROC of RAGAS faithfulness by an LLM, as MTRAG's authors recorded it, and its cases."""
    recorded = {
        row["trace_id"]: row["score"]
        for row in _rows(data / "mtrag/judge_scores.jsonl")
        if row["judge"] == "rl_f"
    }
    both = [(said, recorded[c.item_id]) for c, said in mtrag(data) if c.item_id in recorded]
    return float(roc_auc_score([said for said, _ in both], [score for _, score in both])), len(both)


def quality(data: Path) -> None:
    """Print the AUROC of `grounded` on each set."""
    grounded = judge("grounded")
    cases = mtrag(data)
    llm, n = peer(data)
    retrieved = [(case, said) for case, said in cases if case.context]
    rows = [
        ("BEGIN, attribution", begin(data), 0.92),
        ("MTRAG, faithfulness", cases, 0.85),
        ("MTRAG, with passages only", retrieved, None),
        ("SummHay, coverage (another task)", summhay(data), None),
    ]
    for name, labelled, goal in rows:
        told = f"  goal {goal:.2f}" if goal else ""
        print(f"{name:36}{len(labelled):6} cases  AUROC {auroc(labelled, grounded):.3f}{told}")
    print(f"{'  RAGAS by an LLM (recorded)':36}{n:6} cases  AUROC {llm:.3f}")


def learned(data: Path) -> None:
    """Print what the classifier comes to on rows whose group it has not seen."""
    rubric = Rubric(name="grounded", version="1", scorer={"classifier": {}})
    sets = (("BEGIN", begin(data), 0.95), ("MTRAG", mtrag(data), None))
    for name, labelled, goal in sets:
        folder = {"BEGIN": "begin", "MTRAG": "mtrag"}[name]
        groups = {
            row["trace_id"]: str(row.get("group_id") or row["trace_id"])
            for row in _rows(data / folder / "traces.jsonl")
        }
        lessons = [
            Lesson(
                {
                    "input": case.input,
                    "context": case.context,
                    "reference": None,
                    "output": case.output,
                },
                passes,
                groups[case.item_id],
            )
            for case, passes in labelled
        ]
        found = [train(rubric, lessons, folds=5, seed=seed).training for seed in range(5)]
        told = ", ".join(f"{one.auroc:.3f}" for one in found)
        middle = statistics.median(one.auroc for one in found)
        error = statistics.median(one.calibration_error for one in found)
        wanted = f"  goal {goal:.2f}" if goal else ""
        print(
            f"{f'{name}, classifier, by group':36}{found[0].n:6} cases  AUROC {middle:.3f}"
            f" ({told}), calibration error {error:.3f}{wanted}"
        )


def sweep(data: Path) -> None:
    """Print what becomes of the figures when one weight moves: they must not depend on it."""
    sets = {"BEGIN": begin(data), "MTRAG": mtrag(data)}
    moves = {
        "FUNCTION_WEIGHT": (0.25, 0.75),
        "FIGURE_WEIGHT": (1.0, 4.0),
        "UNGIVEN_FIGURE": (0.25, 0.75),
        "CONTRADICTED": (0.25, 1.0),
        "LIKE": (0.4, 0.6),
        "SAME": (0.6, 0.8),
    }
    for name, values in moves.items():
        kept = getattr(grounding, name)
        for value in values:
            setattr(grounding, name, value)
            told = [f"{key} {auroc(own, judge('grounded')):.3f}" for key, own in sets.items()]
            print(f"{name} {kept:g} → {value:g}: {', '.join(told)}")
        setattr(grounding, name, kept)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "contains": {"any": ["music", "history"], "none": ["I do not know"]},
    "regex": {"match": r"\b\d{4}\b"},
    "length": {"max": 100},
    "fields": {"required": ["kind"]},
    "json_schema": {
        "schema": {
            "type": "object",
            "required": ["kind"],
            "properties": {
                "kind": {"type": "string"},
                "words": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
    "tool_schema": {"tools": {"look_up": {"type": "object", "required": ["query"]}}},
    "language": {"allow": ["en"]},
    "topic": {"off": ["medical advice", "politics"]},
}
"""What the metrics that need telling are told."""
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "similarity by recall": ("similarity", {"by": "recall"}),
    "similarity by characters (Levenshtein)": ("similarity", {"by": "characters"}),
    "rouge 1": ("rouge", {"variant": "1"}),
    "rouge 2": ("rouge", {"variant": "2"}),
    "contains, whole words": ("contains", {"all": ["music"], "whole_words": True}),
    "length in sentences": ("length", {"max": 5, "unit": "sentences"}),
}
STRUCTURED = ("json", "json_schema", "fields")
CALLING = ("tool_calls", "tool_schema")
RANKING = ("ndcg", "mrr", "precision_at_k", "recall_at_k")


def speed(data: Path) -> None:
    """Print rows per second of every local judge but `embedding`, on BEGIN's outputs.

    The row's context stands for its reference; judges of structure and of rankings read the same
    words as JSON. The better of two runs, in CPU seconds.
    """
    cases = [
        Case(case.item_id, case.input, case.context, case.context, case.output)
        for case, _ in begin(data) * 3
    ]
    listed = {name: (name, ARGUMENTS.get(name, {})) for name in NAMES if name != "embedding"}
    for told, (name, arguments) in sorted((listed | VARIANTS).items()):
        judged_by = judge(name, **arguments)
        requests = [judged_by.request(_shaped(case, name)) for case in cases]
        seconds = min(_cpu(lambda: judged_by.call(requests)) for _ in range(2))  # noqa: B023
        print(f"{told:42}{len(cases) / seconds:10,.0f} rows/s")


def _shaped(case: Case, metric: str) -> Case:
    """The case in the form that the metric reads."""
    said, wanted = str(case.output), str(case.reference)
    if metric in STRUCTURED:
        texts = [json.dumps({"kind": "reply", "words": text.split()}) for text in (said, wanted)]
    elif metric in CALLING:
        texts = [
            json.dumps([{"name": "look_up", "arguments": {"query": text}}])
            for text in (said, wanted)
        ]
    elif metric in RANKING:
        texts = [json.dumps(text.split()) for text in (said, wanted)]
    else:
        return case
    return replace(case, output=texts[0], reference=texts[1])


def _cpu(run: Callable[[], object]) -> float:
    """CPU seconds that it takes."""
    start = time.process_time()
    run()
    return time.process_time() - start


def replay(n_calls: int) -> None:
    """Print how long it takes to answer so many recorded calls from a store on disk."""
    requests = [{"case": number, "output": f"answer {number}" * 20} for number in range(n_calls)]
    with tempfile.TemporaryDirectory() as folder:
        answer = Answer("ok", {"score": 0.5, "reason": "half of the claims are supported"})
        recorded = CallStore(Path(folder), "record")
        recorded.ask("judge", requests, lambda batch: [answer] * len(batch))
        seconds = timed(
            lambda: CallStore(Path(folder), "replay").ask("judge", requests, lambda _: [])
        )
    print(f"{f'replay of {n_calls:,} calls':36}{seconds:10.1f} s  goal 5 s")


OFF_TOPICS = (
    ["politics", "election", "senator", "president"],
    ["medical advice", "diagnosis", "prescription", "symptom"],
    ["gambling", "casino", "betting", "lottery"],
    ["weapon", "explosive", "ammunition"],
)
"""Topics that an assistant is often told to leave alone."""


def strays(off: list[str]) -> Callable[[str], bool]:
    """Tells whether a text speaks of a topic that the scanner was told to forbid."""
    judged_by = judge("topic", off=off)
    return lambda text: scores([Case("", "", output=text)], judged_by) == [0.0]


SCANNERS: dict[str, Callable[[str], object]] = {
    "jailbreak": scanners.jailbreaks,
    "code_injection": scanners.code,
    "secrets": scanners.secrets,
    "malicious_url": scanners.suspect_links,
    "invisible_characters": scanners.invisible,
    "refusal": refusal,
    "personal_data": personal_data,
    "scripts": lambda text: any(script(c) not in ("LATIN", "") for c in text),
    **{f"topic, off: {', '.join(words)}": strays(words) for words in OFF_TOPICS},
    "language (not English)": lambda text: language(text) not in ("en", ""),
}


def ordinary_texts(data: Path) -> list[str]:
    """What people and assistants wrote with no ill intent, each text once, sorted."""
    fields = {
        "banking77/traces.jsonl": ("prompt",),
        "begin/traces.jsonl": ("prompt", "output"),
        "mtrag/traces.jsonl": ("prompt", "output", "context"),
        "feedbackqa/traces.jsonl": ("prompt", "output"),
        "feedbackqa/feedback.jsonl": ("comment",),
        "pandalm/pairs.jsonl": ("prompt", "response_a", "response_b"),
        "xsum_halluc/traces.jsonl": ("output",),
    }
    return sorted(
        {
            row[name]
            for path, names in fields.items()
            for row in _rows(data / path)
            for name in names
            if isinstance(row.get(name), str)
        }
    )


def false_alarms(data: Path) -> None:
    """Print how often each scanner, and the refusal metric, is set off by ordinary text.

    What the topic scanner finds may really be its topic: only in questions about banking it is not.
    """
    texts = ordinary_texts(data)
    questions = {row["prompt"] for row in _rows(data / "banking77/traces.jsonl")}
    for name, scan in SCANNERS.items():
        hits = [text for text in texts if scan(text)]
        told = f"{len(hits):6} of {len(texts):,} texts"
        print(f"{name:60}{told}, {len(questions.intersection(hits))} of them about banking")


def timed(run: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> int:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--peers", help="an interpreter that has deepeval and inspect-ai")
    parser.add_argument(
        "--only", choices=["quality", "alarms", "speed", "calls"], help="just this part"
    )
    parser.add_argument("--sweep", action="store_true", help="move each weight as well")
    options = parser.parse_args()
    if not (options.data / "begin").is_dir():
        print(f"{options.data} does not hold the public data", file=sys.stderr)
        return 5
    if options.only in (None, "quality"):
        quality(options.data)
        learned(options.data)
    if options.only in (None, "alarms"):
        false_alarms(options.data)
    if options.only in (None, "speed"):
        speed(options.data)
    if options.only in (None, "calls"):
        replay(100_000)
        throughput(options.peers)
    if options.sweep:
        sweep(options.data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
