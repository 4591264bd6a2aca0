"""Golden sets beside what a team would use without them, in one process run.

    python benchmarks/golden.py [--rows 1000000] [--diff 100000] [--parts 500] [--folder DIR]

growth:  bytes that 100 more rows add to DVC's cache, beside one Parquet file.   wanted ≤ 50 KB
diff:    row diff of two versions over polars' keyed join of the same files.     wanted ≤ 3
         daff and csv-diff over ours, where they are installed.                  wanted ≥ 20
reading: a set at an old revision, with `dvc.api.open` of the same file over it. wanted ≥ 20
git:     `git diff` of a pointer whose rows are remembered, above plain.         wanted ≤ 60 ms
parts:   CPU of `verify` over many parts, the second time.                       wanted ≤ 2 s
         parts after `compact`, and whether the dataset digest stayed.
"""

from __future__ import annotations

import argparse
import importlib.util
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

import dvc.api  # type: ignore[import-untyped]
import polars as pl

from gitloop.core.diff import compare
from gitloop.digests import row_id
from gitloop.steps.golden import ChangeRequest, compact
from gitloop.steps.verify import verify
from gitloop.storage import drivers, parquet
from gitloop.storage.git import GitRepository
from gitloop.storage.golden import GoldenSet
from gitloop.storage.golden_commits import NEW, Destination, GoldenWriter, Rewrite
from gitloop.storage.golden_parts import MAX_ROWS
from gitloop.tables import GOLDEN
from gitloop.workspace import Workspace

N_ROUNDS = 5
WORDS = ("parcel", "order", "refund", "invoice", "delivery", "account", "address", "return")
AT = datetime(2026, 5, 28, tzinfo=UTC)


def main() -> None:
    """Run every comparison and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows that 100 are added to")
    parser.add_argument("--diff", type=int, default=100_000, help="rows of the compared versions")
    parser.add_argument("--parts", type=int, default=500, help="parts to verify and compact")
    parser.add_argument("--folder", type=Path, default=None, help="a directory on a real disk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        diffing(folder, options.diff)
        peers(folder, min(options.diff, 10_000))
        reading(repository(folder / "reading"))
        git_diff(repository(folder / "git"))
        many_parts(repository(folder / "parts"), options.parts)
        growth(repository(folder / "growth"), options.rows)
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
    """The rows with 1 % of the labels and references changed, in another order."""
    is_hit = pl.int_range(pl.len()) % 100 == 0
    labels = pl.Series("labels", [[{"rubric": "grounded", "expected": "pass"}]] * before.height)
    return before.with_columns(
        pl.when(is_hit).then(labels.cast(GOLDEN.schema["labels"])).otherwise("labels"),
        pl.when(is_hit).then(pl.lit("Better.")).otherwise("reference").alias("reference"),
    ).reverse()


def diffing(folder: Path, n: int) -> None:
    """Row diff over polars' own join of the same two files."""
    before, after = folder / "a.parquet", folder / "b.parquet"
    table = rows(0, n)
    table.write_parquet(before)
    changed(table).write_parquet(after)

    def ours() -> None:
        compare(pl.read_parquet(before), pl.read_parquet(after), {})

    def join() -> None:
        pl.read_parquet(before).join(pl.read_parquet(after), on="row_id", how="full")

    base, mine = seconds(join), seconds(ours)
    print(f"diff, {n:,} rows: join {base:.3f} s, ours {mine:.3f} s: {mine / base:.2f} × (≤ 3)")


def peers(folder: Path, n: int) -> None:
    """Daff and csv-diff over ours, on the columns that a CSV can hold."""
    table = rows(0, n)
    flat = [name for name, dtype in table.schema.items() if dtype != pl.List]
    one, other = table.select(flat), changed(table).select(flat)
    paths = folder / "a.csv", folder / "b.csv"
    one.write_csv(paths[0])
    other.write_csv(paths[1])
    mine = seconds(lambda: compare(pl.read_csv(paths[0]), pl.read_csv(paths[1]), {}))
    programs = {
        "csv_diff": "import csv_diff\n"
        "a, b = (csv_diff.load_csv(open(p), key='row_id') for p in sys.argv[1:3])\n"
        "csv_diff.compare(a, b)",
        "daff": "import csv, daff\n"
        "a, b = (daff.PythonTableView([list(r) for r in csv.reader(open(p))])"
        " for p in sys.argv[1:3])\n"
        "flags = daff.CompareFlags()\nflags.addPrimaryKey('row_id')\n"
        "daff.TableDiff(daff.compareTables(a, b, flags).align(), flags).hilite("
        "daff.PythonTableView([]))",
    }
    for name, program in programs.items():
        if importlib.util.find_spec(name) is None:
            print(f"diff, {name}: not installed; pip install daff csv-diff to compare")
            continue
        timed = f"import sys, time\nstart = time.perf_counter()\n{program}\n"
        timed += "print(time.perf_counter() - start)"
        command = [sys.executable, "-W", "ignore", "-c", timed, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        theirs = float(done.stdout.splitlines()[-1])
        told = f"{name} {theirs:.2f} s, ours {mine:.3f} s: {theirs / mine:.0f} × (≥ 20)"
        print(f"diff, {n:,} rows of CSV: {told}")


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

    def diff(*options: str) -> None:
        command = ["/usr/bin/env", "git", "diff", *options, start, "HEAD", *scope]
        subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)

    diff()  # the first time the rows are remembered
    plain, driven = seconds(lambda: diff("--no-textconv")), seconds(diff)
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
