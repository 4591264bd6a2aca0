"""embedding: how near the output's meaning is to the reference's, by an embedder's vectors.

scorer: {local: {metric: embedding}}                     # minilm, here
scorer: {local: {metric: embedding, embedder: openai}}   # an endpoint; the pin names the model
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gitloop.arguments import Argument
from gitloop.judges.metrics.metric import Fields, Metric, Scorer, graded
from gitloop.plugins import load
from gitloop.records import Answer, Judgement

_COMPARED = ("output", "reference")


def _make(arguments: Mapping[str, Any]) -> Scorer:
    if _is_remote(arguments):
        return _remote(arguments["pin"])
    embedder: Any = load("embedders", arguments["embedder"])()

    def score(rows: Sequence[Fields]) -> list[Judgement]:
        texts = [fields[name] for fields in rows for name in _COMPARED]
        vectors = embedder.embed(texts).reshape(len(rows), 2, -1) if rows else np.empty((0, 2, 1))
        return [graded(float(pair[0] @ pair[1])) for pair in vectors]

    return score


def _remote(pin: Mapping[str, Any]) -> Scorer:
    """The metric by the vectors of a server; a row for which it gave none is an error."""
    embedder: Any = load("embedders", "openai")(dimensions=0, root=Path(), **pin)

    def score(rows: Sequence[Fields]) -> list[Judgement]:
        texts = list(dict.fromkeys(fields[name] for fields in rows for name in _COMPARED))
        answers = embedder.call([embedder.request(text) for text in texts])
        answered: dict[str, Answer] = dict(zip(texts, answers, strict=True))
        return [_judged(*(answered[fields[name]] for name in _COMPARED)) for fields in rows]

    def _judged(output: Answer, reference: Answer) -> Judgement:
        failed = next((one for one in (output, reference) if one.status != "ok"), None)
        if failed is not None:
            return Judgement(failed.status, None, failed.error)
        said, wanted = embedder.vectors([output, reference])
        return graded(float(said @ wanted))

    return score


def _is_remote(arguments: Mapping[str, Any]) -> bool:
    return bool(arguments["embedder"] == "openai")


EMBEDDING = Metric(
    name="embedding",
    doc="the output means what the reference means: the cosine of their vectors, at least 0",
    needs=_COMPARED,
    returns="0 to 1",
    make=_make,
    arguments={
        "embedder": Argument(
            "text",
            "minilm (here), or openai (an embeddings endpoint, as the pin's model and parameters"
            " have it); vectors do not depend on the other texts",
            default="minilm",
            choices=("minilm", "openai"),
        )
    },
    takes_empty=False,
    is_remote=_is_remote,
)
