"""Embeddings from an OpenAI-compatible endpoint, with the retries and limits of the chat client."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from gitloop.llm.client import ChatClient
from gitloop.llm.messages import ChatRequest, Completion
from gitloop.llm.transport import Reply


@dataclass(frozen=True, slots=True)
class EmbeddingRequest(ChatRequest):
    """Texts to embed in one call.

    Attributes:
        messages: Not used.
        inputs: The texts, none empty.
    """

    messages: tuple[Mapping[str, str], ...] = ()
    inputs: tuple[str, ...] = field(kw_only=True)


class EmbeddingClient(ChatClient):
    """Asks one endpoint for vectors; a good completion's text is a JSON list of them.

    Each vector is the base64 of its little-endian float32 numbers.
    """

    path: ClassVar[str] = "/embeddings"

    def _payload(self, request: ChatRequest, form: int) -> dict[str, Any]:  # noqa: ARG002 -- the base's
        inputs = list(request.inputs) if isinstance(request, EmbeddingRequest) else []
        return {"model": request.model, "input": inputs, **request.sampling}

    def _read(self, reply: Reply, latency_s: float) -> tuple[Completion, str | None]:
        """The vectors in a 200; a body that holds none may be asked for again."""
        try:
            value = json.loads(reply.body)
            rows = sorted(value["data"], key=lambda row: int(row["index"]))
            vectors = [_packed(row["embedding"]) for row in rows]
            n_input = int((value.get("usage") or {}).get("prompt_tokens") or 0)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error):
            shown = " ".join(reply.body[:80].decode(errors="replace").split())
            return Completion("error", error=f"it answered {shown!r}, no embeddings"), ""
        completion = Completion(
            status="ok",
            text=json.dumps(vectors),
            model=str(value.get("model") or ""),
            n_input_tokens=n_input,
            latency_s=latency_s,
            cost_usd=self._purse.pay(n_input, 0),
        )
        return completion, None


def _packed(vector: Any) -> str:  # noqa: ANN401 -- JSON holds anything
    """The numbers of a vector as base64 of little-endian float32; base64 comes as it is."""
    if isinstance(vector, str):
        base64.b64decode(vector, validate=True)
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
