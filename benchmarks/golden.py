"""Golden sets beside what a team would use without them, in one process run.

    python benchmarks/golden.py [--only NAME]… [--rows 1000000] [--diff 100000] [--parts 500]
                                [--many 10000] [--peers PYTHON] [--folder DIR]

diff     row diff of two versions over polars' keyed join of the same files:     wanted ≤ 3
         sorted, as parts are kept, and with one of the two the other way round.
peers    daff and csv-diff over ours, on the same rows, each from its own form.  wanted ≥ 20
         They are not installed with gitloop: --peers names a Python that has them.
shared   of two versions that share nine parts of ten, how many parts are read.  wanted: 2
reading  a set at an old revision, with `dvc.api.open` of the same file over it. wanted ≥ 20
git      `git diff` of a pointer whose rows are remembered, above plain.         wanted ≤ 60 ms
parts    CPU of `verify` over many parts, the second time.                       wanted ≤ 2 s
         parts after `compact`, and whether the dataset digest stayed.
many     a set of ten thousand parts: building, reading, proof, diff, compaction.
growth   bytes that 100 more rows add to DVC's cache, beside one Parquet file.   wanted ≤ 50 KB
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import dvc.api  # type: ignore[import-untyped]
import polars as pl

from gitloop.core.diff import compare
from gitloop.digests import row_id
from gitloop.steps.diff import DiffRequest, diff
from gitloop.steps.golden import ChangeRequest, compact, edit
from gitloop.steps.verify import verify
from gitloop.storage import drivers, parquet
from gitloop.storage.git import GitRepository
from gitloop.storage.golden import GoldenSet, Part
from gitloop.storage.golden_commits import NEW, Destination, GoldenWriter, Rewrite
from gitloop.storage.golden_parts import MAX_ROWS
from gitloop.tables import GOLDEN
from gitloop.workspace import Workspace

N_ROUNDS = 5
WORDS = ("parcel", "order", "refund", "invoice", "delivery", "account", "address", "return")
AT = datetime(2026, 5, 28, tzinfo=UTC)
AS_PARTS: dict[str, Any] = {"compression": "zstd", "compression_level": 3, "row_group_size": 50_000}
"""How `storage/parquet.py` writes parts."""


def main() -> None:
    """Run every comparison and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", help="run just these; all of them otherwise")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows that 100 are added to")
    parser.add_argument("--diff", type=int, default=100_000, help="rows of the compared versions")
    parser.add_argument("--parts", type=int, default=500, help="parts to verify and compact")
    parser.add_argument("--many", type=int, default=10_000, help="parts of the largest set")
    parser.add_argument("--peers", default=sys.executable, help="a Python with daff and csv-diff")
    parser.add_argument("--folder", type=Path, default=None, help="a directory on a real disk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        programs: dict[str, Callable[[], None]] = {
            "diff": lambda: diffing(folder, options.diff),
            "peers": lambda: peers(folder, options.diff, options.peers),
            "shared": lambda: sharing(repository(folder / "shared")),
            "reading": lambda: reading(repository(folder / "reading")),
            "git": lambda: git_diff(repository(folder / "git")),
            "parts": lambda: many_parts(repository(folder / "parts"), options.parts),
            "many": lambda: very_many_parts(repository(folder / "many"), options.many),
            "growth": lambda: growth(repository(folder / "growth"), options.rows),
        }
        for program in options.only or programs:
            programs[program]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of everything: {peak:,.0f} MB")


def rows(start: int, n: int) -> pl.DataFrame:
    """Golden rows of realistic size."""
    numbers = range(start, start + n)
    texts = [
        f"Question {k}: " + " ".join(WORDS[(k * m) % len(WORDS)] for m in range(1, 16))
        for k in numbers
    ]
    columns = {
        "row_id": [row_id(input=text, context=None, route="billing") for text in texts],
        "set": "support",
        "split": "train",
        "input": texts,
        "context": None,
        "reference": [f"The answer to {k} is {k * 7}." for k in numbers],
        "bad_output": [f"I cannot help with {k}." for k in numbers],
        "labels": [[{"rubric": "grounded", "expected": "fail"}] for _ in numbers],
        "route": "billing",
        "user_cohort": "consumer",
        "prompt_version": "1",
        "annotators": [["amara", "bo"] for _ in numbers],
        "guidance_version": "1",
        "source_trace_id": [f"t{k}" for k in numbers],
        "source_feedback_ids": [[f"f{k}"] for k in numbers],
        "cluster_id": "c1",
        "group_id": [f"g{k}" for k in numbers],
        "created_at": AT,
        "promoted_in": "",
    }
    height = len(texts)
    series = {
        name: value if isinstance(value, list) else [value] * height
        for name, value in columns.items()
    }
    return pl.DataFrame(series, schema=GOLDEN.schema)


def changed(before: pl.DataFrame) -> pl.DataFrame:
    """The rows with 1 % of the labels and references changed."""
    is_hit = pl.int_range(pl.len()) % 100 == 0
    labels = pl.Series("labels", [[{"rubric": "grounded", "expected": "pass"}]] * before.height)
    return before.with_columns(
        pl.when(is_hit).then(labels.cast(GOLDEN.schema["labels"])).otherwise("labels"),
        pl.when(is_hit).then(pl.lit("Better.")).otherwise("reference").alias("reference"),
    )


def diffing(folder: Path, n: int) -> None:
    """Row diff over polars' own join of the same two files."""
    before, after = folder / "a.parquet", folder / "b.parquet"
    table = rows(0, n).sort("row_id")
    table.write_parquet(before, **AS_PARTS)

    def ours() -> None:
        compare(pl.read_parquet(before), pl.read_parquet(after), {})

    def join() -> None:
        pl.read_parquet(before).join(pl.read_parquet(after), on="row_id", how="full")

    for order, other in (("sorted", changed(table)), ("one reversed", changed(table).reverse())):
        other.write_parquet(after, **AS_PARTS)
        base, mine = seconds(join), seconds(ours)
        told = f"join {base:.3f} s, ours {mine:.3f} s: {mine / base:.2f} × (≤ 3)"
        print(f"diff, {n:,} rows, {order}: {told}")


PEERS = {
    "csv-diff": "import csv_diff\n"
    "a, b = (csv_diff.load_csv(open(p), key='row_id') for p in sys.argv[1:3])\n"
    "found = csv_diff.compare(a, b)\n"
    "n = len(found['changed'])",
    "csv-diff, dialect given": "import csv_diff\n"
    "a, b = (csv_diff.load_csv(open(p), key='row_id', dialect='excel') for p in sys.argv[1:3])\n"
    "found = csv_diff.compare(a, b)\n"
    "n = len(found['changed'])",
    "daff": "import csv, daff\n"
    "a, b = (daff.PythonTableView([list(r) for r in csv.reader(open(p))])"
    " for p in sys.argv[1:3])\n"
    "flags = daff.CompareFlags()\nflags.addPrimaryKey('row_id')\n"
    "out = daff.PythonTableView([])\n"
    "daff.TableDiff(daff.compareTables(a, b, flags).align(), flags).hilite(out)\n"
    "n = sum('->' in str(out.getCell(0, k)) for k in range(out.get_height()))",
}
"""What the peers run. csv-diff as its README and its command line use it guesses the CSV dialect
first, which on texts without quotes takes a minute; so it is measured without the guess as well."""


def peers(folder: Path, n: int, python: str) -> None:
    """Daff and csv-diff over ours: the same rows and columns, those that a CSV can hold.

    Each reads its own form: they CSV, ours Parquet, as golden sets are kept. CPU time, all threads:
    the peers have one, and other work on the machine must not decide.
    """
    table = rows(0, n).sort("row_id")
    flat = [name for name, dtype in table.schema.items() if dtype != pl.List]
    paths: list[str] = []
    for name, side in (("a", table), ("b", changed(table))):
        paths.append(str(folder / f"{name}-flat.csv"))
        side.select(flat).write_csv(paths[-1])
        side.select(flat).write_parquet(folder / f"{name}-flat.parquet", **AS_PARTS)
    ones, others = folder / "a-flat.parquet", folder / "b-flat.parquet"
    runs = [
        timed(lambda: compare(pl.read_parquet(ones), pl.read_parquet(others), {}))
        for _ in range(N_ROUNDS)
    ]
    mine = sorted(runs)[N_ROUNDS // 2]
    found = compare(pl.read_parquet(ones), pl.read_parquet(others), {}).n_changed
    for name, program in PEERS.items():
        measured = f"import sys, time\nstart = time.process_time()\n{program}\n"
        measured += "print(time.process_time() - start, n)"
        command = [python, "-W", "ignore", "-c", measured, *paths]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"diff, {name}: not measured: {done.stderr.strip().splitlines()[-1]}")
            continue
        theirs, seen = done.stdout.split()
        told = f"{name} {float(theirs):.2f} s, ours {mine:.3f} s: {float(theirs) / mine:.0f} ×"
        print(f"diff, {n:,} rows, CPU: {told} (≥ 20); changed rows {seen} and {found}")


def sharing(root: Path) -> None:
    """How many parts a diff reads of two versions that differ in one part of ten."""
    for number in range(10):
        add(root, rows(number * 100, 100))
    change = ChangeRequest("support", "A slip")
    row = rows(0, 1)["row_id"][0]
    branch = edit(root, change, [row], ["reference=Better."]).branch
    read: list[str] = []
    original = GoldenSet.read_raw

    def counted(golden: GoldenSet, part: Part) -> pl.DataFrame:
        read.append(part.id)
        return original(golden, part)

    GoldenSet.read_raw = counted  # type: ignore[assignment,method-assign]
    diff(root, DiffRequest("HEAD", branch))
    GoldenSet.read_raw = original  # type: ignore[method-assign]
    print(f"diff of 10 parts of which one differs: {len(read)} parts read (2: before and after)")


def reading(root: Path) -> None:
    """A set of 1,000 rows at an old revision, and DVC's own way to the same bytes.

    Each round reads another revision: what DVC remembers of one does not help with the next.
    """
    revisions = []
    pipeline(root)
    add(root, rows(0, 1_000))
    for number in range(2 * (N_ROUNDS + 1)):
        git(root, "commit", "--quiet", "--allow-empty", "--message", f"Work {number}")
        revisions.append(git(root, "rev-parse", "HEAD"))
    workspace = Workspace(root)
    (part,) = workspace.golden("support", revisions[0]).parts()

    def ours() -> None:
        workspace.golden("support", revisions.pop()).read()

    def theirs() -> None:
        with dvc.api.open(part.data_path, repo=str(root), rev=revisions.pop(), mode="rb") as handle:
            pl.read_parquet(handle.read())

    mine, peer = seconds(ours), seconds(theirs)
    told = f"dvc.api {peer * 1e3:.0f} ms, ours {mine * 1e3:.1f} ms: {peer / mine:.0f} × (≥ 20)"
    print(f"reading at an old revision: {told}")


def pipeline(root: Path) -> None:
    """Give the repository what a team's has: a pipeline of seven stages and twenty traced days."""
    data = "outs:\n- md5: {0:030x}ab\n  size: 1\n  hash: md5\n  path: 2026-05-{1:02}.parquet\n"
    (root / "data/traces").mkdir(parents=True)
    for day in range(1, 21):
        name = f"data/traces/2026-05-{day:02}.parquet.dvc"
        (root / name).write_text(data.format(day, day))
    text = files("gitloop.scaffold").joinpath("files", "pipeline.yaml").read_text()
    (root / "dvc.yaml").write_text(text.replace("@SET@", "support").replace("@APP@", "app.py"))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "A pipeline and its data")


def git_diff(root: Path) -> None:
    """`git diff` of ten pointers with the driver, above plain `git diff`."""
    (root / ".gitattributes").write_text(drivers.GITATTRIBUTES)
    (root / drivers.GITCONFIG_PATH).parent.mkdir()
    (root / drivers.GITCONFIG_PATH).write_text(drivers.GITCONFIG)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Drivers")
    start = git(root, "rev-parse", "HEAD")
    for number in range(10):
        add(root, rows(number * 100, 100))
    drivers.install(GitRepository(root))
    own = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": own}
    scope = ["--", "golden/support/parts"]

    def run(*options: str) -> None:
        command = ["/usr/bin/env", "git", "diff", *options, start, "HEAD", *scope]
        subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)

    run()  # the first time the rows are remembered
    plain, driven = seconds(lambda: run("--no-textconv")), seconds(run)
    each = (driven - plain) / 10 * 1e3
    print(f"git diff: {each:.1f} ms per pointer above plain (≤ 60 ms)")


def many_parts(root: Path, n: int) -> None:
    """Verify and compact a set of many small parts."""
    table = rows(0, n * 20)
    for number in range(n):
        add(root, table[number * 20 : (number + 1) * 20])
    verify(root, "HEAD")
    began = time.process_time()
    report = verify(root, "HEAD")
    spent = time.process_time() - began
    print(f"verify, {n} parts: {spent:.2f} s of CPU, {len(report.findings)} findings (≤ 2 s)")
    before = Workspace(root).golden("support", "HEAD")
    branch = str(compact(root, ChangeRequest("support", "Fewer parts")).branch)
    after = Workspace(root).golden("support", branch)
    told = "the digest stayed" if before.sha256() == after.sha256() else "THE DIGEST MOVED"
    print(f"compact: {n} parts → {len(after.parts())}; {told}")


def very_many_parts(root: Path, n: int) -> None:
    """A set of ten thousand parts of one row each, in one promotion."""
    table = rows(0, n)
    parts = {f"{NEW}{k:06}": table[k : k + 1] for k in range(n)}
    workspace = Workspace(root)
    writer = GoldenWriter(workspace.git, workspace.dvc)
    head = str(workspace.git.head())

    def build() -> None:
        golden = workspace.golden("support", head)
        rewrite = Rewrite(parts, added=table["row_id"].to_list())
        plan = writer.plan(golden, rewrite, kind="promote", at=AT)
        writer.commit(plan, Destination("next", head, "Add rows"))
        git(root, "merge", "--quiet", "--ff-only", "next")

    told = [f"building {timed(build):.0f} s"]
    told.append(f"digest {timed(lambda: workspace.golden('support', 'HEAD').sha256()):.1f} s")
    told.append(f"reading {timed(lambda: workspace.golden('support', 'HEAD').read()):.1f} s")
    findings: list[object] = []
    told.append(f"verify {timed(lambda: findings.extend(verify(root, 'HEAD').findings)):.1f} s")
    change = ChangeRequest("support", "A slip", onto="edited")
    row = table["row_id"][0]
    told.append(f"edit {timed(lambda: edit(root, change, [row], ['reference=x'])):.1f} s")
    told.append(f"diff {timed(lambda: diff(root, DiffRequest('HEAD', 'edited'))):.1f} s")
    fewer = ChangeRequest("support", "Fewer parts", onto="fewer")
    told.append(f"compact {timed(lambda: compact(root, fewer)):.0f} s")
    left = len(workspace.golden("support", "fewer").parts())
    print(f"{n:,} parts → {left}, {len(findings)} findings, CPU: {', '.join(told)}")


def timed(action: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    began = time.process_time()
    action()
    return time.process_time() - began


def growth(root: Path, n: int) -> None:
    """What 100 more rows cost in DVC's cache, beside one file that holds them all."""
    for start in range(0, n, MAX_ROWS):
        add(root, rows(start, min(MAX_ROWS, n - start)), is_checked=False)
    before = cache_size(root)
    began = time.perf_counter()
    add(root, rows(n, 100))
    spent = time.perf_counter() - began
    grown = cache_size(root) - before
    workspace = Workspace(root)
    single = root / "single.parquet"
    frames = [workspace.golden("support", "HEAD").read()]
    parquet.write(single, GOLDEN, pl.concat(frames))
    whole = single.stat().st_size
    told = f"{grown / 1e3:,.1f} KB (≤ 50), one Parquet file {whole / 1e6:,.1f} MB"
    print(f"growth, 100 rows on {n:,}: {told}; {spent:.1f} s")


def repository(root: Path) -> Path:
    """A repository with Git, DVC and an empty params.yaml."""
    root.mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    texts = {
        "params.yaml": "golden:\n  sets:\n    support: null\n",
        ".dvc/config": "",
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        ".dvcignore": "",
        ".gitignore": "/golden/*/data/\n*.parquet\n",
        "golden/support/dataset.yaml": "name: support\n",
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Begin")
    return root


def add(root: Path, new: pl.DataFrame, *, is_checked: bool = True) -> None:
    """Commit the rows as one part on the branch that is checked out."""
    workspace = Workspace(root)
    writer = GoldenWriter(workspace.git, workspace.dvc)
    head = str(workspace.git.head())
    golden = workspace.golden("support", head)
    ids = new["row_id"].to_list()
    plan = writer.plan(golden, Rewrite({NEW: new}, added=ids), kind="promote", at=AT)
    writer.commit(plan, Destination("next", head, "Add rows"))
    git(root, "merge", "--quiet", "--ff-only", "next")
    git(root, "branch", "--quiet", "--delete", "next")
    if is_checked:
        GoldenSet.sha256(workspace.golden("support", "HEAD"))


def cache_size(root: Path) -> int:
    """Bytes of all objects in DVC's cache."""
    return sum(p.stat().st_size for p in (root / ".dvc/cache").rglob("*") if p.is_file())


def git(root: Path, *args: str) -> str:
    """What git prints, stripped."""
    author = {f"GIT_{who}_{what}": "bench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME",)}
    emails = {f"GIT_{who}_EMAIL": "bench@example.org" for who in ("AUTHOR", "COMMITTER")}
    done = subprocess.run(
        ["/usr/bin/env", "git", *args],
        cwd=root,
        env={**os.environ, **author, **emails},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def seconds(action: Callable[[], object]) -> float:
    """The median time of a few rounds, after one that does not count."""
    action()
    times = []
    for _ in range(N_ROUNDS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return sorted(times)[N_ROUNDS // 2]


if __name__ == "__main__":
    main()
