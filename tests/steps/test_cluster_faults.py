"""`gitloop cluster` and `gitloop triage` on failures that nobody would design."""

from __future__ import annotations

import base64
import random
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from gitloop.steps.cluster import cluster_failures
from gitloop.steps.triage import triage
from gitloop.storage import parquet
from gitloop.tables import JOINED, MEMBERS
from tests.failing import failure, write_failures
from tests.repositories import Repository

_DICE = random.Random(4)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _gibberish(n: int) -> str:
    return "".join(_DICE.choice(_LETTERS) for _ in range(n))


def _base64(n: int) -> str:
    return base64.b64encode(_DICE.randbytes(n)).decode()


CASES = {
    "one": ["it is wrong"],
    "two": ["it is wrong", "quite another thing"],
    "all identical": ["it is wrong"] * 30,
    "nearly identical": [f"order {n} never came to my house in the hills" for n in range(30)],
    "all noise": [_gibberish(40) for _ in range(25)],
    "empty texts": [""] * 6 + ["   \n\t "] * 3 + ["something"],
    "a megabyte": ["x " * 500_000, _gibberish(1_000_000), "short", "short one", "short two"],
    "emoji": [f"👩‍👩‍👧‍👦 {'🙈' * (n % 4)} refund 🧾" for n in range(12)],
    "right to left": [f"أين طلبي رقم {n} من فضلك" for n in range(8)]
    + [f"\u202eשלום {n}\u202c איפה ההחזר" for n in range(8)],
    "code": [f"def f_{n}(x):\n    return x[{n}] + <b>&amp;</b>" for n in range(10)],
    "base64": [_base64(600) for _ in range(10)],
    "controls": ["a\x00b\x07c\x1b[31mred", "\u2028\u2029\ufeff", "{{7*7}}${x}<!--"] * 4,
}


@pytest.mark.parametrize("name", list(CASES))
def test_strange_failures_are_all_accounted_for(repository: Repository, name: str) -> None:
    """Each is in one cluster or listed as a one-off; map, briefs and a second run work."""
    texts = CASES[name]
    rows = [failure(f"t{n:03}", text, "") for n, text in enumerate(texts)]
    frame = pl.DataFrame(rows, schema_overrides=dict(JOINED.schema))
    write_failures(repository, JOINED.order(JOINED.complete(frame)))
    report = cluster_failures(repository.root)
    members = parquet.read(repository.root / "loop/cluster/members.parquet", MEMBERS)
    assert members["trace_id"].to_list() == [row["trace_id"] for row in rows]
    assert sum(line.n_failures for line in report.clusters) + report.n_noise == len(texts)
    assert all(line.name.strip() and line.line.strip() for line in report.clusters)
    assert members.filter(pl.col("cluster_id").is_null())["probability"].to_list() == (
        [0.0] * report.n_noise
    )
    ET.fromstring(repository.read("loop/cluster/map.svg"))  # noqa: S314 -- our own bytes
    page = (repository.root / "loop/cluster/map.html").read_bytes()
    assert len(triage(repository.root).briefs) == len(report.clusters)
    again = cluster_failures(repository.root)
    assert again.clusters == report.clusters
    assert (repository.root / "loop/cluster/map.html").read_bytes() == page


@pytest.mark.parametrize(
    ("name", "n_clusters"), [("all identical", 1), ("nearly identical", 1), ("all noise", 0)]
)
def test_what_is_one_is_one_and_what_is_none_is_none(
    repository: Repository, name: str, n_clusters: int
) -> None:
    """Thirty times the same is a cluster; twenty-five strangers are none."""
    rows = [failure(f"t{n:03}", text, "") for n, text in enumerate(CASES[name])]
    frame = pl.DataFrame(rows, schema_overrides=dict(JOINED.schema))
    write_failures(repository, JOINED.order(JOINED.complete(frame)))
    assert len(cluster_failures(repository.root).clusters) == n_clusters
