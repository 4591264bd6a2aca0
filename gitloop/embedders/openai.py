"""Vectors from any OpenAI-compatible embeddings endpoint: vLLM, Ollama, llama.cpp and the clouds.

    embedder:
      use: openai
      version: "1"
      dimensions: 1536
      parameters: {model: text-embedding-3-small, base_url: "http://127.0.0.1:8000/v1"}

One recorded call per text, whatever a request to the server holds: a server that dies half way
costs what it had not answered yet, and a text that comes again tomorrow is not embedded again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gitloop.arguments import Argument, check
from gitloop.errors import ApiError
from gitloop.llm import SETTINGS, Completion, settings
from gitloop.llm.embeddings import EmbeddingClient, EmbeddingRequest
from gitloop.llm.settings import require_key
from gitloop.records import Answer

_ARGUMENTS = {
    "model": Argument("text", "the model's name, with its version"),
    "batch": Argument("integer", "texts of one request", default=64, low=1, high=2048),
    "max_chars": Argument(
        "integer", "of a longer text, the head and the tail are sent", default=8000, low=100
    ),
    "extra": Argument("mapping", "whatever else the server takes, e.g. dimensions", default={}),
}
_EMPTY = "(empty)"
"""What is sent for a text without a character: servers refuse the empty string."""


class OpenaiEmbedder:
    """Texts as unit vectors of a model behind an endpoint.

    Args:
        dimensions: Length of the model's vectors.
        root: Not looked at.
        parameters: `model`, `batch`, `max_chars`, `extra`, and how the endpoint is reached.

    Raises:
        ConfigError: A parameter is unknown, missing or out of range.
    """

    id: ClassVar[str] = "openai"
    version: ClassVar[str] = "1"

    def __init__(self, dimensions: int, root: Path, **parameters: Any) -> None:  # noqa: ANN401, ARG002
        where = "params.yaml: embedder.parameters"
        known = check(parameters, {**SETTINGS, **_ARGUMENTS}, where=where)
        self.dimensions = dimensions
        self._settings = settings(known, where=where)
        self._key_variable = known["api_key_env"]
        self._batch, self._max_chars = known["batch"], known["max_chars"]
        self._pinned = {
            "embedder": f"{self.id}/{self.version}",
            "model": known["model"],
            "extra": dict(known["extra"]),
        }

    def request(self, text: str) -> dict[str, Any]:
        """Model, further parameters, and the text as it is sent."""
        if len(text) > self._max_chars:
            half = self._max_chars // 2
            text = f"{text[:half]} {text[-half:]}"
        sent = text.encode("utf-8", "replace").decode().strip()
        return {**self._pinned, "input": sent or _EMPTY}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One answer per request, in order."""
        return [answer for _, answer in sorted(self.stream(requests), key=lambda pair: pair[0])]

    def stream(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Answer]]:
        """Each answer with its place, as the batches come."""
        require_key(self._settings, self._key_variable)
        client = EmbeddingClient(self._settings)
        starts = range(0, len(requests), self._batch)
        batches = [requests[start : start + self._batch] for start in starts]
        asked = [
            EmbeddingRequest(
                str(batch[0]["model"]),
                sampling=batch[0]["extra"],
                inputs=tuple(str(one["input"]) for one in batch),
            )
            for batch in batches
        ]
        for number, completion in client.stream(asked):
            answers = _answers(completion, len(batches[number]))
            yield from zip(range(starts[number], len(requests)), answers, strict=False)

    def vectors(self, answers: Sequence[Answer]) -> np.ndarray:
        """The vectors in good answers as unit rows, float32 (n, d).

        Raises:
            ApiError: The server gave vectors of different lengths.
        """
        rows = [np.frombuffer(base64.b64decode(a.value["vector"]), dtype="<f4") for a in answers]
        if len({len(row) for row in rows}) > 1:
            raise ApiError(
                "the embeddings endpoint gave vectors of different lengths",
                hint="clear .gitloop/calls, or name the model with its version",
            )
        found = np.array(rows, dtype=np.float64).reshape(len(rows), -1)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def _answers(completion: Completion, n_texts: int) -> list[Answer]:
    """One answer per text of a request; its cost is shared among them."""
    if completion.status != "ok":
        return [Answer(completion.status, {}, completion.error)] * n_texts
    vectors = json.loads(completion.text)
    if len(vectors) != n_texts:
        told = f"it gave {len(vectors)} vectors for {n_texts} texts"
        return [Answer("error", {}, told)] * n_texts
    cost = completion.cost_usd
    each = None if cost is None else round(cost / n_texts, 12)
    return [
        Answer("ok", {"vector": vector, "model": completion.model}, cost_usd=each)
        for vector in vectors
    ]
