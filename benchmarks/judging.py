"""How good and how fast the judges are, on public data with human labels.

    python benchmarks/judging.py --data ../shared/data --peers PEERS_PYTHON

PEERS_PYTHON is an interpreter of another environment that has deepeval and inspect-ai, which are
timed against the same server in the same run; without it they are reported as absent.

Quality is the AUROC against people. Nothing was tuned to these files: the weights of `grounded` are
round numbers, and the neighbours of each give the same figures to two places (--sweep shows it).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score

from gitloop.judges.classifier.training import Lesson, train
from gitloop.judges.local import LocalJudge
from gitloop.judges.metrics import grounding, scanners
from gitloop.judges.metrics.content import language, personal_data
from gitloop.judges.metrics.refusal import refusal
from gitloop.judges.metrics.scanners import script
from gitloop.judges.openai import OpenaiJudge
from gitloop.params import JudgePin, Rubric
from gitloop.records import Answer, Case
from gitloop.storage.calls import CallStore
from tests.endpoints import Reply, endpoint, said

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


def speed(data: Path) -> None:
    """Print rows per second of the string metrics on BEGIN's outputs."""
    cases = [
        Case(case.item_id, case.input, case.context, case.context, case.output)
        for case, _ in begin(data) * 5
    ]
    judges = {
        "equals": judge("equals"),
        "contains": judge("contains", any=["music", "history"], none=["I do not know"]),
        "regex": judge("regex", match=r"\b\d{4}\b"),
        "similarity by words": judge("similarity"),
        "similarity by characters": judge("similarity", by="characters"),
        "grounded": judge("grounded"),
    }
    for name, judged_by in judges.items():
        requests = [judged_by.request(case) for case in cases]
        seconds = timed(lambda made=judged_by, asked=requests: made.call(asked))  # type: ignore[misc]
        print(f"{name:36}{len(cases) / seconds:10,.0f} rows/s")


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


SCANNERS: dict[str, Callable[[str], object]] = {
    "jailbreak": scanners.jailbreaks,
    "code_injection": scanners.code,
    "secrets": scanners.secrets,
    "malicious_url": scanners.suspect_links,
    "invisible_characters": scanners.invisible,
    "refusal": refusal,
    "personal_data": personal_data,
    "scripts": lambda text: any(script(c) not in ("LATIN", "") for c in text),
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
    """Print how often each scanner, and the refusal metric, is set off by ordinary text."""
    texts = ordinary_texts(data)
    for name, scan in SCANNERS.items():
        hits = sum(bool(scan(text)) for text in texts)
        print(f"{f'false alarms of {name}':36}{hits:6} of {len(texts):,} texts")


def throughput(
    peers: str | None, n_calls: int = 640, concurrency: int = 16, latency_s: float = 0.1
) -> None:
    """Print how near judges come to n ÷ concurrency × latency against a loopback server.

    Args:
        peers: An interpreter that has the peers, or None.
        n_calls: Calls.
        concurrency: Calls at a time.
        latency_s: Seconds that the server takes for each.
    """

    def respond(_payload: dict[str, Any], _nth: int) -> Reply:
        reply = said('{"reason": "so. GRADE: C", "verdict": "pass", "score": 9}')
        reply.delay_s = latency_s
        return reply

    with endpoint(respond) as server, tempfile.TemporaryDirectory() as folder:
        form = {"openai": {"instructions": "Pass when it is so."}}
        rubric = Rubric(name="tone", version="1", scale="binary", scorer=form)
        parameters = {"base_url": server.url, "concurrency": concurrency}
        pin = JudgePin(use="openai", model="m", parameters=parameters)
        made = OpenaiJudge(rubric, pin, Path())
        requests = [made.request(Case(str(n), f"q{n}", output="x")) for n in range(n_calls)]
        store = CallStore(Path(folder), "record")
        seconds = timed(
            lambda: store.ask("judge", requests, made.call, batch=32, stream=made.stream)
        )
        ideal = n_calls / concurrency * latency_s
        told = f"{n_calls} calls, {concurrency} at a time, {latency_s:g} s each"
        print(f"{told:36}{ideal / seconds:10.3f} of the ideal  goal 0.95")
        if peers is None:
            print("  deepeval, inspect-ai: absent (--peers names no interpreter)")
            return
        program = str(Path(__file__).with_name("judging_peers.py"))
        asked = len(server.asked)
        command = [peers, program, server.url, str(n_calls), str(concurrency)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                if not line.startswith('{"peer"'):
                    continue
                found = json.loads(line)
                made_calls, asked = len(server.asked) - asked, len(server.asked)
                name = f"  {found['peer']} {found.get('version', '')}"
                if "absent" in found:
                    print(f"{name}: absent ({found['absent']})")
                    continue
                if made_calls < n_calls:
                    print(f"{name}: made {made_calls} of {n_calls} calls and stopped; not compared")
                    continue
                best = made_calls / concurrency * latency_s
                print(
                    f"{name:36}{best / found['seconds']:10.3f} of the ideal"
                    f"  ({made_calls} calls in {found['seconds']:.1f} s; ours {seconds:.1f} s)"
                )


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
    parser.add_argument("--only", choices=["quality", "alarms", "speed"], help="just this part")
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
        replay(100_000)
        throughput(options.peers)
    if options.sweep:
        sweep(options.data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
