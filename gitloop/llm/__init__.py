"""A small client for OpenAI-compatible endpoints: vLLM, Ollama, llama.cpp and the clouds.

It knows nothing of judges and targets. Whatever happens to a request, its outcome is a value. The
client itself is imported when the first request is made, so that a replay never loads it.
"""

from gitloop.llm.chats import Chats, open_chats, open_litellm
from gitloop.llm.limits import run_budget, spending
from gitloop.llm.messages import ChatRequest, Completion
from gitloop.llm.settings import SETTINGS, Limits, Price, Settings, settings

__all__ = [
    "SETTINGS",
    "ChatRequest",
    "Chats",
    "Completion",
    "Limits",
    "Price",
    "Settings",
    "open_chats",
    "open_litellm",
    "run_budget",
    "settings",
    "spending",
]
