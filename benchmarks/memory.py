"""How much memory an import needs, whatever the size of the file.

    python benchmarks/memory.py [--gb 5] [--form otlp|document|jsonl] [--folder DIR]

The file is generated: traces of three spans, about 6 KB each, whose spans lie far apart, as OTLP
(a request a line), as one OTLP document, or as plain JSON lines of traces. `gitloop capture import`
runs in a process of its own; the kernel says how much memory it held at most. The peer is, with
--peer, `polars.read_ndjson` of the same file, which holds it whole.

wanted: peak ≤ 1 GB for a file of 5 GB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from git import Repo

FORMS = ("otlp", "document", "jsonl")
_WORDS = "parcel order refund invoice delivery account address return help " * 25
_APART = 5_000
_SPAN = (
    '{"traceId":"%032x","spanId":"%016x","parentSpanId":"%s","name":"step %d",'
    '"startTimeUnixNano":"%d","endTimeUnixNano":"%d","attributes":['
    '{"key":"input.value","value":{"stringValue":"Where is %d? ' + _WORDS[:700] + '"}},'
    '{"key":"output.value","value":{"stringValue":"' + _WORDS[:1200] + '"}},'
    '{"key":"openinference.span.kind","value":{"stringValue":"LLM"}},'
    '{"key":"gen_ai.usage.input_tokens","value":{"intValue":"%d"}}]}'
)
_START = 1_779_201_180_000_000_000
POLARS = "import sys, polars; polars.read_ndjson(sys.argv[1], infer_schema_length=1000)"


def spans() -> Iterator[str]:
    """Spans without end: the three of a trace lie 5,000 traces apart."""
    number = 0
    while True:
        for part in range(3):
            trace = number - part * _APART
            if trace >= 0:
                parent = "" if part == 2 else f"{3:016x}"  # the root comes last
                start = _START + trace * 1_000_000 - part
                yield _SPAN % (
                    trace + 1, part + 1, parent, part, start, start + 10**9, trace, trace % 900,
                )  # fmt: skip
        number += 1


def write(path: Path, n_bytes: int, form: str) -> int:
    """A file of about that size; returns how many spans, or traces, it holds."""
    n = size = 0
    found = spans()
    with path.open("w", encoding="utf-8", buffering=1 << 20) as handle:
        if form == "document":
            handle.write('{"resourceSpans": [')
        while size < n_bytes:
            if form == "jsonl":
                line = (
                    f'{{"trace_id":"{n:032x}","session_id":"s{n // 3}","route":"refund",'
                    f'"created_at":"2026-05-01T00:00:00Z","input":"Where is {n}?",'
                    f'"context":"{_WORDS}","output":"{_WORDS[:800]}","channel":"web"}}\n'
                )
                n += 1
            else:
                some = [next(found) for _ in range(50)]
                n += len(some)
                parts = '{"scopeSpans":[{"spans":[' + ",".join(some) + "]}]}"
                gap = "," if size else ""
                line = gap + parts if form == "document" else f'{{"resourceSpans":[{parts}]}}\n'
            size += handle.write(line)
        if form == "document":
            handle.write("]}")
    return n


def repository(root: Path) -> Path:
    """A Git repository as `gitloop init` leaves it, as far as import needs it."""
    root.mkdir()
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").touch()
    (root / "params.yaml").touch()
    Repo.init(root)
    return root


def peak_mb(command: list[str], directory: Path) -> tuple[float, float, int]:
    """The most memory that a process held, in MB, its seconds, and its exit code."""
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=directory) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024, time.perf_counter() - start, process.returncode


def main() -> None:
    """Write the file, import it, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, default=5.0, help="size of the file")
    parser.add_argument("--form", choices=FORMS, default="otlp", help="what the file is")
    parser.add_argument("--folder", type=Path, default=None, help="a directory on a real disk")
    parser.add_argument("--peer", action="store_true", help="read it with polars too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        os.environ["TMPDIR"] = name
        path = folder / ("spans.json" if options.form == "document" else "spans.jsonl")
        n = write(path, int(options.gb * 2**30), options.form)
        root = repository(folder / "repository")
        command = [sys.executable, "-m", "gitloop", "capture", "import", str(path)]
        peak, seconds, code = peak_mb(command, root)
        size = path.stat().st_size / 2**30
        print(
            f"{options.form}: {size:.2f} GB, {n:,} records: peak {peak:,.0f} MB,"
            f" {seconds:,.0f} s, exit code {code}"
        )
        if options.peer:
            peak, seconds, code = peak_mb([sys.executable, "-c", POLARS, str(path)], root)
            print(f"polars.read_ndjson: peak {peak:,.0f} MB, {seconds:,.0f} s, exit code {code}")


if __name__ == "__main__":
    main()
