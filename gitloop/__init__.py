"""gitloop: the LLM-evaluation feedback loop that lives in your Git repository.

From Python: `from gitloop import evaluate, load_golden`. Both load on first use (PEP 562), so that
`gitloop --help` stays instant.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the recorder is imported by host applications: typing would cost them ms
if TYPE_CHECKING:
    from typing import Any

    from gitloop.steps.evaluate import evaluate, load_golden

__version__ = "0.1.0"
__all__ = ["evaluate", "load_golden"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- PEP 562
    """A public name, imported now."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    # By name: what our own modules import is no part of an application that lives beside them.
    return getattr(import_module(f"{__name__}.steps.evaluate"), name)
