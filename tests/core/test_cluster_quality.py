"""Real queries fall into their intents, and keep their clusters over a night."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from gitloop.core.cluster import ClusterSettings, Night, cluster, match
from gitloop.embedders.tfidf import TfidfEmbedder

_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "banking77"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _DATA.exists(), reason="../shared/data/banking77 is not here"),
]


def _column(name: str, key: str) -> list[str]:
    """Return one column of a table of the data set."""
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line)[key] for line in lines]


def test_banking77_by_default_settings() -> None:
    """6,000 queries reach an AMI of .50 with noise ≤ .45, and 95 % keep their id overnight."""
    texts, ids = _column("traces.jsonl", "prompt"), _column("traces.jsonl", "trace_id")
    intents = dict(
        zip(_column("labels.jsonl", "trace_id"), _column("labels.jsonl", "label"), strict=True)
    )
    order = np.random.default_rng(0).permutation(len(texts))
    last: Night | None = None
    for start in (0, 600):
        rows = order[start : start + 6_000].tolist()
        chosen, names = [texts[row] for row in rows], [ids[row] for row in rows]
        result = cluster(
            chosen,
            TfidfEmbedder().embed(chosen),
            names,
            np.ones(len(rows)),
            ClusterSettings(),
            last.members if last else None,
        )
        truth = [intents[name] for name in names]
        assert adjusted_mutual_info_score(truth, result.labels) >= 0.50
        assert result.metrics.noise_rate <= 0.45
        known = [one.cluster_id for one in result.clusters] + [""]
        night = Night(
            {name: known[label] for name, label in zip(names, result.labels.tolist(), strict=True)},
            {one.cluster_id: one.medoid_trace_id for one in result.clusters},
        )
        if last:
            assert match(last, night).kept_rate >= 0.95
        last = night
