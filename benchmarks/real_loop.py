"""The whole loop on real data, through the real command line, without a network.

    python benchmarks/real_loop.py --data ../shared/data [--keep DIR] [--figures FILE]

A temporary Git and DVC repository is set up by `gitloop init` and walked as a user would: MTRAG's
answers of three responders become traces, its human ratings labels, its recorded judges judge
through the `recorded` judge, FeedbackQA's ratings and comments are the feedback. Each stage prints
its figures. Exit code 1 when a stage fails, or contradicts a figure that is known independently.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import real_data
from benchmarks.real_data import JUDGES
from benchmarks.real_repository import BASELINE, CANDIDATE, SET, Loop, StageError

WIDTH = 80


def set_up(loop: Loop) -> Iterable[str]:
    """Make the repository and write down what is judged, and by whom."""
    n_files = loop.prepare()
    loop.configure(objective="f1", responder=BASELINE)
    loop.commit("Set up gitloop")
    yield f"gitloop init: {n_files} files; then two rubrics and two recorded judges"


def capture(loop: Loop) -> Iterable[str]:
    """Import the traces and the feedback of both sources."""
    public, study, human, undated = (
        ("user_cohort=public", "prompt_version=dense-retriever"),
        ("user_cohort=study", "prompt_version=mtrag"),
        "score_source=human",
        "created_at=2022-07-13",
    )
    ratings = real_data.write_rows(loop.inbox / "ratings.jsonl", loop.mtrag.events())
    fqa_traces, fqa_events = (loop.data / f"feedbackqa/{n}.jsonl" for n in ("traces", "feedback"))
    imports = {
        "FeedbackQA traces": ([fqa_traces], public),
        "MTRAG traces": ([loop.data / "mtrag/traces.jsonl"], study),
        "events of both": ([fqa_events, ratings], (human, undated)),
    }
    found: dict[str, int] = {}
    for name, (files, constants) in imports.items():
        options = [option for constant in constants for option in ("--set", constant)]
        report = loop.gitloop("capture", "import", *map(str, files), *options)
        found[name] = report["traces"]["n_new"] + report["feedback"]["n_new"]
        for file in report["files"]:
            n_rows = file["n_traces"] + file["n_events"]
            yield f"{name:<18} {n_rows:>6,} from {file['name']}"
    loop.commit("Capture traces and feedback")
    loop.figures["capture"] = found


def label_half(loop: Loop) -> Iterable[str]:
    """Calibrate on the labels of half of the conversations; try the threshold on the others."""
    half = loop.mtrag.half()
    others = {trace["group_id"] for trace in loop.mtrag.traces.values()} - half
    labels = real_data.write_rows(loop.inbox / "half.jsonl", loop.mtrag.labels(half))
    real_data.write_rows(loop.root / "recorded/scores.jsonl", loop.mtrag.judged_traces())
    report = loop.gitloop("labels", "import", str(labels))
    loop.gitloop("calibrate")
    found = loop.read("loop/calibrate/thresholds.json")["rubrics"]["faithfulness"]
    held_out = loop.mtrag.f1("faithfulness", found["threshold"], others)
    loop.figures["half"] = {
        "n_labels": report["n_new"],
        "n": found["n"],
        "threshold": found["threshold"],
        "f1": found["objective_value"],
        "f1_held_out": round(held_out, 6),
    }
    yield f"{report['n_new']} labels on {len(half)} of {len(half | others)} conversations"
    yield from _threshold("faithfulness", found)
    yield f"  on the other {len(others)} conversations: F1 {held_out:.4f}"
    expected = loop.mtrag.f1("faithfulness", found["threshold"], half)
    _require(abs(expected - found["objective_value"]) < 1e-6, f"F1 on the half is {expected}")


def join_and_cluster(loop: Loop) -> Iterable[str]:
    """Label the rest, then let DVC join, cluster and calibrate on everything."""
    groups = {trace["group_id"] for trace in loop.mtrag.traces.values()}
    labels = real_data.write_rows(loop.inbox / "all.jsonl", loop.mtrag.labels(groups))
    report = loop.gitloop("labels", "import", str(labels))
    loop.run("dvc", "repro", "cluster", "calibrate")
    loop.commit("Label everything")
    yield from _joined(loop)
    yield from _clustered(loop)
    loop.figures["labels"] = {"n_new": report["n_new"], "n_unchanged": report["n_unchanged"]}
    yield f"labels     {report['n_new']} new, {report['n_unchanged']} there already"


def _joined(loop: Loop) -> Iterable[str]:
    joined = loop.read("loop/join/metrics.json")
    n_rows = {
        name: pl.read_parquet(loop.root / f"loop/join/{name}.parquet").height
        for name in ("joined", "debug_only")
    }
    _require(sum(n_rows.values()) == joined["n_events"], f"rows were lost in the join: {n_rows}")
    loop.figures["join"] = {
        **{name: joined[name] for name in ("n_events", "n_traces", "n_joined", "n_debug_only")},
        "by_signal": {
            name: found["n_events"] for name, found in joined["coverage"]["signal_type"].items()
        },
    }
    yield f"join       {joined['n_events']:,} events on {joined['n_traces']:,} traces"
    yield f"           {n_rows['joined']:,} joined, {n_rows['debug_only']:,} debug-only"
    for column in ("user_cohort", "route"):
        covered = joined["coverage"][column].items()
        shown = ", ".join(f"{name} {it['n_joined']:,}/{it['n_events']:,}" for name, it in covered)
        yield from _wrapped(f"  {column.removeprefix('user_')}", shown)


def _clustered(loop: Loop) -> Iterable[str]:
    clustered = loop.read("loop/cluster/metrics.json")
    names = ("n_failures", "n_distinct", "n_clusters", "n_noise", "noise_rate")
    loop.figures["cluster"] = {name: clustered[name] for name in names}
    yield f"cluster    {clustered['n_failures']} failures, {clustered['n_distinct']} distinct"
    one_offs = f"{clustered['n_noise']} one-offs ({clustered['noise_rate']:.0%})"
    yield f"           {clustered['n_clusters']} clusters, {one_offs}"
    largest = sorted(clustered["clusters"].values(), key=lambda it: (-it["size"], it["name"]))
    for found in largest[:5]:
        yield f"           {found['size']:>3}  {found['name'][:60]}"


def agree_and_calibrate(loop: Loop) -> Iterable[str]:
    """Hold agreement and calibration against what an independent program found."""
    report = loop.gitloop("agree")
    for found in report["rubrics"]:
        rubric, alpha = found["rubric"], found["alpha"]
        known = real_data.known_alpha(loop.data, rubric)
        loop.figures.setdefault("agree", {})[rubric] = {
            "n_labels": found["n_labels"],
            "alpha": round(alpha["value"], 6),
        }
        yield f"{rubric:<13} {found['n_items']} items, {found['n_labels']} labels"
        yield f"  agreement {found['raw']['value']:.3f}"
        yield f"  ordinal alpha {alpha['value']:.4f} (known: {known:.4f})"
        _require(abs(alpha["value"] - known) < 5e-5, f"alpha of {rubric} is not {known}")
    thresholds = loop.read("loop/calibrate/thresholds.json")["rubrics"]
    for rubric, found in thresholds.items():
        yield from _threshold(rubric, found)
        yield from (line for warning in found["warnings"] for line in _noted(warning["message"]))
    n, threshold, f1 = real_data.known_calibration(loop.data)
    found = thresholds["faithfulness"]
    yield f"known for rl_f: score >= {threshold:g}, F1 {f1:.4f}, {n} items"
    loop.figures["calibrate"] = {
        name: found[name]
        for name in ("n", "n_positive", "threshold", "objective_value", "cross_fitted_value")
    }
    same = (found["n"], found["threshold"], round(found["objective_value"], 4))
    _require(same == (n, threshold, f1), f"calibration found {same}")


def promote(loop: Loop) -> Iterable[str]:
    """Promote every agreed failure, merge the branch, and record all answers to the new rows."""
    report = loop.gitloop("promote", "--all", "--set", SET)
    loop.run("git", "merge", "--quiet", "--no-edit", report["branch"])
    pointers = sorted((loop.root / f"golden/{SET}/parts").glob("*.dvc"))
    loop.run("dvc", "checkout", *map(str, pointers))
    golden = pl.read_parquet(loop.root / f"golden/{SET}/data/*.parquet")
    _require(golden.height == report["n_promoted"], f"the set has {golden.height} rows")
    n_members = loop.figures["cluster"]["n_failures"] - loop.figures["cluster"]["n_noise"]
    n_told = report["n_promoted"] + len(report["left_out"])
    _require(n_told == n_members, f"{n_told} of {n_members} clustered failures are told of")
    loop.figures["promote"] = {
        "n_promoted": report["n_promoted"],
        "version": report["version"],
        "splits": report["splits"],
        "reasons": report["reasons"],
        "masked": report["masked"],
    }
    yield f"{report['n_promoted']} rows into {SET} {report['version']}: " + _counts(
        report["splits"]
    )
    yield from _wrapped("  left out", _counts(report["reasons"]))
    yield f"  masked    {_counts(report['masked']) or 'nothing'}"
    sources = dict(golden.select("row_id", "source_trace_id").iter_rows())
    scores = [*loop.mtrag.judged_traces(), *loop.mtrag.judged_rows(sources)]
    real_data.write_rows(loop.root / "recorded/scores.jsonl", scores)
    outputs = pl.DataFrame(loop.mtrag.outputs(sources))
    outputs.write_parquet(loop.root / "recorded/outputs.parquet")
    yield f"{outputs.height} recorded answers to them, {len(scores)} recorded scores in all"


def gate_main(loop: Loop) -> Iterable[str]:
    """Score the main line, pin it as the baseline, and gate it against itself."""
    loop.configure(objective="balanced_accuracy", responder=BASELINE)
    loop.run("dvc", "repro", "score")
    loop.commit("Score the main line")
    report = loop.gitloop("baseline")
    loop.run("dvc", "repro", "gate", "pairs")
    loop.commit("Pin the baseline")
    for rubric, found in loop.read("loop/calibrate/thresholds.json")["rubrics"].items():
        yield from _threshold(rubric, found)
    yield f"main answers by {BASELINE}; {len(report['runs'])} run pinned"
    yield from _gated(loop, "main", code=0)


def gate_candidate(loop: Loop) -> Iterable[str]:
    """Gate the other responder on a branch."""
    loop.run("git", "switch", "--quiet", "--create", "candidate")
    loop.configure(objective="balanced_accuracy", responder=CANDIDATE)
    loop.run("dvc", "repro", "gate", "pairs")
    loop.commit("Let the candidate answer")
    yield f"candidate: {CANDIDATE} in place of {BASELINE}"
    yield from _gated(loop, "candidate", code=2)


def _gated(loop: Loop, name: str, *, code: int) -> Iterable[str]:
    """The recorded verdict in figures; `--check` must turn it into the exit code."""
    found = loop.read("loop/gate/gate.json")
    loop.figures[f"gate_{name}"] = {
        "verdict": found["verdict"],
        "exit_code": found["exit_code"],
        "n_rows": found["n_rows"],
        "failures": found["failures"],
        "n_lost": found["rows"]["n_lost"],
        "n_won": found["rows"]["n_won"],
    }
    yield f"verdict {found['verdict'].upper()} (exit {found['exit_code']}), {found['n_rows']} rows"
    for check in found["checks"]:
        yield from _check_lines(check)
    loop.run("gitloop", "gate", "--check", code=code)


def _check_lines(check: Mapping[str, Any]) -> Iterable[str]:
    what = " ".join(filter(None, (check["kind"], check["rubric"], check["slice"])))
    yield f"  {check['outcome']:<12} {what}"
    if check["baseline"] is not None and check["kind"] != "ratchet":
        numbers = f"{check['baseline']:.3f} → {check['observed']:.3f}, n {check['n']}"
        if check["interval"]:
            low, high = check["interval"]["low"], check["interval"]["high"]
            numbers += f", effect {check['effect']:+.3f} [{low:+.3f}, {high:+.3f}]"
        if check["p_adjusted"] is not None:
            numbers += f", p adj. {check['p_adjusted']:.2g}"
        yield f"               {numbers}"
    yield from _wrapped("", check["message"], indent=15)


def export_pairs(loop: Loop) -> Iterable[str]:
    """Export preference pairs from the head-to-head votes, before a golden set holds their rows."""
    loop.run("dvc", "repro", "pairs")
    found = loop.read("loop/pairs/metrics.json")
    whole = loop.gitloop("pairs", "agree")["strata"][0]
    loop.commit("Build the pairs")
    target = loop.inbox / "pairs.jsonl"
    exported = loop.gitloop("pairs", "export", "--output", str(target))
    lines = real_data.read_rows(target)
    n_told = sum(exported["splits"].values()) + sum(exported["left_out"].values())
    _require(n_told == found["n_pairs"], "pairs were lost on export")
    _require(len(lines) == sum(exported["splits"].values()), f"{len(lines)} lines were written")
    dropped = {reason: n for one in found["dropped"].values() for reason, n in one.items()}
    loop.figures["pairs"] = {
        "n_pairs": found["n_pairs"],
        "by_split": found["by_split"],
        "dropped": dropped,
        "n_exported": len(lines),
        "alpha": round(whole["alpha"]["value"], 6),
    }
    yield f"{found['n_pairs']} pairs from votes: {_counts(found['by_split'])}"
    yield from _wrapped("  left out", _counts(dropped))
    yield f"  exported  {len(lines)}; {_counts(exported['left_out'])}"
    yield f"  the chosen answer is the longer one in {found['length']['longer_rate']:.0%}"
    yield f"  nominal alpha {whole['alpha']['value']:.3f}: by default, below 0.5 none would train"


def refuse_pairs(loop: Loop) -> Iterable[str]:
    """See that no pair trains once its conversation is in a golden set."""
    loop.run("gitloop", "pairs", "export", "--output", str(loop.inbox / "late.jsonl"), code=5)
    yield "none may train: every conversation has a golden row now (exit 5)"


def settle(loop: Loop) -> Iterable[str]:
    """See that nothing is stale, uncommitted or broken."""
    stale = loop.run("dvc", "status").strip()
    _require("up to date" in stale, f"dvc status: {stale}")
    changes = loop.run("git", "status", "--porcelain").strip()
    _require(not changes, f"git status: {changes}")
    loop.gitloop("verify")
    yield "dvc status: up to date; git status: clean; gitloop verify: sound"


def votes(loop: Loop) -> Iterable[str]:
    """Put the head-to-head votes beside the labels."""
    n_votes = 0
    for annotator, cast in loop.mtrag.votes().items():
        real_data.write_rows(loop.root / f"labels/pairs/{annotator}.jsonl", cast)
        n_votes += len(cast)
    loop.figures["votes"] = {"n_votes": n_votes, "n_annotators": len(loop.mtrag.votes())}
    yield f"{n_votes} votes of {len(loop.mtrag.votes())} annotators in labels/pairs"


Stage = Callable[[Loop], Iterable[str]]

STAGES: dict[str, Stage] = {
    "set up": set_up,
    "capture": capture,
    "calibrate on half": label_half,
    "votes": votes,
    "join, cluster, label": join_and_cluster,
    "agree and calibrate on all, for F1": agree_and_calibrate,
    "pairs": export_pairs,
    "promote": promote,
    "gate the main line, for balanced accuracy": gate_main,
    "pairs after promotion": refuse_pairs,
    "gate the candidate": gate_candidate,
    "settle": settle,
}
"""In the order of the loop."""


def walk(loop: Loop) -> int:
    """Run every stage and print its figures; return the exit code."""
    start = time.perf_counter()
    for name, stage in STAGES.items():
        began = time.perf_counter()
        print(f"\n── {name} {'─' * (WIDTH - len(name) - 4)}", flush=True)
        try:
            for line in stage(loop):
                print(line, flush=True)
        except StageError as error:
            print(f"✗ {name} failed: {error}")
            return 1
        print(f"{time.perf_counter() - began:{WIDTH - 2}.1f} s")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = spent.ru_utime + spent.ru_stime
    print(f"the whole loop: {time.perf_counter() - start:.1f} s, {cpu_s:.1f} s of CPU")
    return 0


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 -- a condition and its words
    if not holds:
        raise StageError(what)


def _threshold(rubric: str, found: Mapping[str, Any]) -> Iterable[str]:
    value, crossed = found["objective_value"], found["cross_fitted_value"]
    name = {"f1": "F1", "balanced_accuracy": "balanced accuracy"}[found["objective"]]
    yield f"{rubric} by {JUDGES[rubric]}: score >= {found['threshold']:g} passes, n {found['n']}"
    yield f"  {name} {value:.4f}, {crossed:.4f} cross-fitted"


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in found.items())


def _noted(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ! ", subsequent_indent="    ")


def _wrapped(head: str, text: str, *, indent: int = 12) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(text, WIDTH, initial_indent=head.ljust(indent), subsequent_indent=margin)


def main() -> int:
    """Walk the loop in a temporary directory, or in one that is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a new directory to work in")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    absent = real_data.missing(options.data)
    if absent:
        print(f"the real loop needs public data, and {options.data} has no {absent[0]}: skipped")
        return 0
    if options.keep is not None and options.keep.exists() and any(options.keep.iterdir()):
        parser.error(f"{options.keep} is not empty")
    folder = nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory()
    with folder as place:
        loop = Loop(Path(place).absolute(), options.data.absolute())
        code = walk(loop)
        if options.figures:
            text = json.dumps(loop.figures, indent=2, sort_keys=True, ensure_ascii=False)
            options.figures.write_text(f"{text}\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
