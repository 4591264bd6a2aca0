"""What a plain file's columns say it holds."""

from __future__ import annotations

from collections.abc import Container, Mapping


def is_feedback(names: Container[str], columns: Mapping[str, str]) -> bool:
    """Whether a file with these columns holds feedback rather than traces.

    Args:
        names: The file's column names.
        columns: Our column → theirs.
    """
    return any(
        name in names or columns.get(name, name) in names for name in ("signal_type", "feedback_id")
    )
