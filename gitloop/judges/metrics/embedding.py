"""embedding: how near the output's meaning is to the reference's, by an embedder's vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gitloop.arguments import Argument
from gitloop.judges.metrics.metric import Fields, Metric, Scorer, graded
from gitloop.plugins import load
from gitloop.records import Judgement


def _make(arguments: Mapping[str, Any]) -> Scorer:
    embedder: Any = load("embedders", arguments["embedder"])()

    def score(rows: Sequence[Fields]) -> list[Judgement]:
        texts = [fields[name] for fields in rows for name in ("output", "reference")]
        vectors = embedder.embed(texts).reshape(len(rows), 2, -1) if rows else np.empty((0, 2, 1))
        return [graded(float(pair[0] @ pair[1])) for pair in vectors]

    return score


EMBEDDING = Metric(
    name="embedding",
    doc="the output means what the reference means: the cosine of their vectors, at least 0",
    needs=("output", "reference"),
    returns="0 to 1",
    make=_make,
    arguments={
        "embedder": Argument(
            "text",
            "an embedder whose vectors do not depend on the other texts",
            default="minilm",
            choices=("minilm",),
        )
    },
    takes_empty=False,
)
