"""The cost of capture and join beside what they cannot do without, in one process run.

    python benchmarks/capture.py [--events 2000] [--traces 100000] [--join 1000000] [--folder DIR]

recorder: events/s of `capture.record` over bare write + fsync of the same lines.      wanted ≥ 0.8
import:   rows/s of reading JSON lines into TRACES, and of the whole import with its
          parts in DVC's cache, over `polars.read_ndjson` of the same file.             wanted ≥ 0.5
          The largest file is memory.py's, the collector's rate collector.py's.
join:     time of the core's join over the bare polars join of the same two tables.     wanted ≤ 2
start-up: `from gitloop import capture` above a Python that does nothing: the median of 21 starts
          each, in turn, of the CPU time that the kernel accounts to the process, and of the time
          until it has ended; with bytecode, as installed packages have it, and where
          PYTHONDONTWRITEBYTECODE makes each start compile.                           wanted ≤ 20 ms
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from git import Repo

from benchmarks.measuring import cpu_ms
from gitloop.capture import Recorder
from gitloop.capture.events import complete, line
from gitloop.core.join import join
from gitloop.sources.jsonl import JsonlSource
from gitloop.steps.capture import import_files
from gitloop.tables import FEEDBACK, TRACES

N_ROUNDS = 5
_BLOCK = 20
_N_STARTS = 21
WORDS = ("parcel", "order", "refund", "invoice", "delivery", "account", "address", "return", "help")


def main() -> None:
    """Run every comparison and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2_000, help="events to record")
    parser.add_argument("--traces", type=int, default=100_000, help="traces to import")
    parser.add_argument("--join", type=int, default=1_000_000, help="events, and traces, to join")
    parser.add_argument("--folder", type=Path, default=None, help="a directory on a real disk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        start_up()
        recorder(folder, options.events)
        importing(folder, options.traces)
        joining(options.join)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of everything: {peak:,.0f} MB")


def race(*works: Callable[[], object]) -> list[float]:
    """The seconds of the fastest round of each; rounds alternate, as other load comes and goes."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(N_ROUNDS):
        for work, found in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
    return [min(found) for found in times]


def start_up() -> None:
    """Compare the import of the recorder with an empty program."""
    programs = {"bare": "pass", "ours": "from gitloop import capture"}
    with tempfile.TemporaryDirectory() as kept:
        kinds = {
            "with bytecode": {"PYTHONPYCACHEPREFIX": kept},
            "compiled each time": {"PYTHONDONTWRITEBYTECODE": "1"},
        }
        for kind, settings in kinds.items():
            inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
            spent: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
            for turn in range(_N_STARTS + 1):
                for name, program in programs.items():
                    start = time.perf_counter()
                    command = [sys.executable, "-c", program]
                    cpu = cpu_ms(command, Path.cwd(), {**inherited, **settings})
                    if turn:  # the first fills the caches
                        spent[name].append((cpu, 1000 * (time.perf_counter() - start)))
            (bare_cpu, bare_wall), (our_cpu, our_wall) = (
                [statistics.median(values) for values in zip(*spent[name], strict=True)]
                for name in ("bare", "ours")
            )
            print(
                f"start-up, {kind}: {our_cpu - bare_cpu:.1f} ms of CPU,"
                f" {our_wall - bare_wall:.1f} ms until it ended, above bare Python ({bare_cpu:.1f})"
            )


def recorder(folder: Path, n: int) -> None:
    """Compare recording with writing and syncing the same lines."""
    events = [
        {"signal_type": "thumbs_down", "trace_id": f"{k:032x}", "route": "refund", "comment": "no"}
        for k in range(n)
    ]
    lines = [line(complete(event)) for event in events]

    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    tested = Recorder(str(folder / "spool"), is_strict=True)
    spent: tuple[list[float], list[float]] = ([], [])
    # Blocks take turns and the median block counts: a disk that others use is slow now and then.
    for at in range(0, n, _BLOCK):
        start = time.perf_counter()
        for encoded in lines[at : at + _BLOCK]:
            os.write(descriptor, encoded)
            os.fsync(descriptor)
        between = time.perf_counter()
        for event in events[at : at + _BLOCK]:
            tested.record(event)
        spent[0].append(between - start)
        spent[1].append(time.perf_counter() - between)
    tested.close()
    os.close(descriptor)
    bare_s, ours_s = (statistics.median(times) / _BLOCK for times in spent)
    print(f"recorder: {1 / ours_s:,.0f} events/s, bare {1 / bare_s:,.0f}, {bare_s / ours_s:.2f} ×")


def importing(folder: Path, n: int) -> None:
    """Compare reading and importing JSON lines with polars' own reader."""
    path = folder / "traces.jsonl"
    dice = random.Random(0)
    with path.open("w", encoding="utf-8") as handle:
        for k in range(n):
            handle.write(json.dumps(trace(dice, k)) + "\n")
    size = path.stat().st_size / 2**20
    roots = iter([repository(folder / f"repository-{n}") for n in range(N_ROUNDS)])
    bare_s, read_s, whole_s = race(
        lambda: pl.read_ndjson(path, infer_schema_length=None),
        lambda: [frame.height for frame in JsonlSource().traces(path, {})],
        lambda: import_files(next(roots), [path]),
    )
    print(
        f"import: {n:,} traces, {size:,.0f} MB; polars {size / bare_s:,.0f} MB/s;"
        f" read {bare_s / read_s:.2f} ×, whole import {bare_s / whole_s:.2f} ×"
    )


def trace(dice: random.Random, k: int) -> dict[str, object]:
    """A trace of about 3 KB."""
    at = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=k)
    return {
        "trace_id": f"{k:032x}",
        "session_id": f"s{k // 3}",
        "created_at": at.isoformat(),
        "route": dice.choice(("refund", "order", "account")),
        "user_cohort": dice.choice(("free", "pro")),
        "prompt_version": "support@2",
        "input": " ".join(dice.choices(WORDS, k=20)),
        "context": " ".join(dice.choices(WORDS, k=250)),
        "output": " ".join(dice.choices(WORDS, k=100)),
        "latency_s": round(dice.random(), 3),
        "n_input_tokens": dice.randrange(1000),
        "channel": "web",
        "metadata": {"app": "2.1", "tags": ["a", "b"]},
    }


def repository(root: Path) -> Path:
    """A Git repository as `gitloop init` leaves it, as far as import needs it."""
    root.mkdir()
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").touch()
    (root / "params.yaml").touch()
    Repo.init(root)
    return root


def joining(n: int) -> None:
    """Compare the total, conserved join with a bare one."""
    at = datetime(2026, 5, 1, tzinfo=UTC)
    number = pl.int_range(n, eager=True)
    known = pl.DataFrame(
        {
            "trace_id": pl.select(pl.format("trace-{}", number)).to_series(),
            "input": pl.repeat("Where is my parcel?", n, eager=True),
            "status": pl.repeat("ok", n, eager=True),
            "route": pl.repeat("order", n, eager=True),
            "user_cohort": pl.repeat("pro", n, eager=True),
            "prompt_version": pl.repeat("support@2", n, eager=True),
            "created_at": pl.repeat(at, n, dtype=TRACES.schema["created_at"], eager=True),
        }
    )
    events = pl.DataFrame(
        {
            "feedback_id": pl.select(pl.format("event-{}", number)).to_series(),
            "trace_id": pl.select(pl.format("trace-{}", (number * 7) % n)).to_series(),
            "signal_type": pl.repeat("copy", n, eager=True),
            "signal_class": pl.repeat("implicit", n, eager=True),
            "score_source": pl.repeat("human", n, eager=True),
            "created_at": pl.repeat(at, n, dtype=FEEDBACK.schema["created_at"], eager=True),
        }
    )
    traces, feedback = TRACES.complete(known), FEEDBACK.complete(events)
    traces = traces.select(TRACES.schema.names())
    feedback = feedback.select(FEEDBACK.schema.names())
    bare_s, ours_s = race(
        lambda: feedback.join(traces, on="trace_id", how="left"), lambda: join(feedback, traces)
    )
    print(f"join: {n:,} × {n:,}: {ours_s:.2f} s, bare {bare_s:.2f} s, {ours_s / bare_s:.1f} ×")


if __name__ == "__main__":
    main()
