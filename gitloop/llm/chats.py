"""Chats that are opened with the first request: a replay imports no client and needs no key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from gitloop.errors import PluginError
from gitloop.llm.messages import ChatRequest, Completion
from gitloop.llm.settings import Settings, require_key


class Client(Protocol):
    """Whatever answers chat requests."""

    def stream(self, requests: Sequence[ChatRequest]) -> Iterator[tuple[int, Completion]]:
        """The place and completion of each request, as they come."""


class Chats:
    """Chat requests to one endpoint.

    Args:
        connect: Makes the client, once, when the first request is made.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client: Client | None = None

    def stream(self, requests: Sequence[ChatRequest]) -> Iterator[tuple[int, Completion]]:
        """The place and completion of each request, as they come."""
        if not requests:
            return
        if self._client is None:
            self._client = self._connect()
        yield from self._client.stream(requests)


def open_chats(known: Settings, variable: str, root: Path) -> Client:
    """A client of an OpenAI-compatible endpoint; with `batch`, of its batch API.

    Args:
        known: How it is reached.
        variable: The environment variable that holds the key.
        root: The repository's root, where batches under way are remembered.

    Raises:
        ConfigError: The endpoint wants a key, and there is none.
    """
    require_key(known, variable)
    if known.is_batch:
        folder = root / ".gitloop" / "calls" / "batches"
        batched: Client = import_module("gitloop.llm.batch").BatchClient(known, folder)
        return batched
    client: Client = import_module("gitloop.llm.client").ChatClient(known)
    return client


def open_litellm(known: Settings) -> Client:
    """A client that reaches the model through litellm.

    Raises:
        PluginError: litellm is not installed.
    """
    try:
        transport = import_module("gitloop.llm.litellm").LitellmTransport(known)
    except ImportError as error:
        raise PluginError(
            f"litellm cannot be imported: {error}", hint="run: pip install 'gitloop[litellm]'"
        ) from error
    client: Client = import_module("gitloop.llm.client").ChatClient(known, transport=transport)
    return client
