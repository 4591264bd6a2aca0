"""A small client for OpenAI-compatible endpoints: vLLM, Ollama, llama.cpp and the clouds.

It knows nothing of judges and targets. Whatever happens to a request, its outcome is a value.
"""

from gitloop.llm.client import ChatClient, ChatRequest, Completion
from gitloop.llm.embeddings import EmbeddingClient, EmbeddingRequest
from gitloop.llm.settings import SETTINGS, Settings, settings

__all__ = [
    "SETTINGS",
    "ChatClient",
    "ChatRequest",
    "Completion",
    "EmbeddingClient",
    "EmbeddingRequest",
    "Settings",
    "settings",
]
