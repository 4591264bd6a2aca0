"""gitloop: the LLM-evaluation feedback loop that lives in your Git repository."""

__version__ = "0.1.0"
