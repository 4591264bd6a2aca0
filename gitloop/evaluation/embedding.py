"""Texts through the pinned embedder; what a server answers goes through the call store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gitloop.errors import ApiError, CallTimeoutError, ConfigError
from gitloop.plugins import load
from gitloop.protocols import Embedder, Progress, RemoteEmbedder, silent
from gitloop.storage.calls import CallStore
from gitloop.workspace import Workspace

_BATCH = 256
"""Answers between two writes to the call store; a killed run loses at most as many."""


def open_embedder(workspace: Workspace) -> Embedder | RemoteEmbedder:
    """The embedder that params.yaml pins.

    Raises:
        ConfigError: It has another version than the pinned one, or a parameter does not fit.
        PluginError: There is none of that name, or the package behind it is not installed.
    """
    pin = workspace.params.embedder
    plugin: Any = load("embedders", pin.use)
    if plugin.version != pin.version:
        raise ConfigError(
            f"embedder {pin.use} is version {plugin.version}, but params.yaml pins {pin.version}",
            hint="edit params.yaml: embedder.version; cluster ids may change",
        )
    found: Embedder | RemoteEmbedder = plugin(
        dimensions=pin.dimensions, root=workspace.root, **pin.parameters
    )
    return found


def embed(
    embedder: Embedder | RemoteEmbedder,
    texts: Sequence[str],
    trace_ids: Sequence[str],
    store: CallStore,
    progress: Progress = silent,
) -> np.ndarray:
    """One vector per text, float32 (n, dimensions).

    Args:
        embedder: As `open_embedder` gives it.
        texts: Distinct texts.
        trace_ids: The trace that each text stands for, for vectors that were computed elsewhere.
        store: Where every call goes through.
        progress: Is told how many texts have their vector.

    Raises:
        ConfigError: The vectors have another length than params.yaml pins.
        DataError: The embedder has no usable vector for a text.
        ApiError: The server failed; what it answered before is kept in the call store.
        CallTimeoutError: The same, and most calls were too slow.
        StaleError: Mode replay, and a text was never embedded.
    """
    if isinstance(embedder, RemoteEmbedder):
        vectors = _from_server(embedder, texts, store, progress)
    else:
        vectors = embedder.embed(texts, trace_ids)
    wanted = (len(texts), embedder.dimensions)
    if len(texts) and vectors.shape != wanted:
        raise ConfigError(
            f"embedder {embedder.id} gives vectors of {vectors.shape[1]} dimensions,"
            f" but params.yaml pins {embedder.dimensions}",
            hint=f"edit params.yaml: embedder.dimensions: {vectors.shape[1]}",
        )
    return vectors


def _from_server(
    embedder: RemoteEmbedder, texts: Sequence[str], store: CallStore, progress: Progress
) -> np.ndarray:
    requests = [embedder.request(text) for text in texts]
    answers = store.ask(
        "embedder",
        requests,
        embedder.call,
        batch=_BATCH,
        tell=lambda done: progress("embedding", done, len(requests)),
        stream=embedder.stream,
    )
    failed = [answer for answer in answers if answer.status != "ok"]
    if failed:
        is_late = all(answer.status == "timeout" for answer in failed)
        raise (CallTimeoutError if is_late else ApiError)(
            f"the embedder failed on {len(failed)} of {len(answers)} texts;"
            f" the first: {failed[0].error}",
            hint="what was answered is kept: run the command again once the cause is gone",
        )
    return embedder.vectors(answers)
