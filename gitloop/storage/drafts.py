"""Unsaved answers: `.gitloop/drafts/<annotator>.json`, which Git ignores.

What a person has typed is on disk a moment later, long before they decide that it is an answer.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gitloop.storage.files import write_json

FOLDER = ".gitloop/drafts"


def read_drafts(root: Path, annotator: str) -> dict[str, dict[str, Any]]:
    """Name of a question → what the annotator typed there; {} where nothing is unsaved.

    A file that cannot be read is moved aside, to `<annotator>.broken.json`: it stands in nobody's
    way, and is not lost.
    """
    path = root / FOLDER / f"{annotator}.json"
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        path.replace(path.with_suffix(".broken.json"))
        return {}
    found = value if isinstance(value, dict) else {}
    return {name: draft for name, draft in found.items() if isinstance(draft, dict)}


def keep_draft(root: Path, annotator: str, name: str, draft: Mapping[str, Any] | None) -> None:
    """Replace the draft of one question, or drop it with None; on disk when this returns.

    Two windows, and two processes, take turns: neither undoes what the other kept.
    """
    with _alone(root, annotator, ""):
        drafts = read_drafts(root, annotator)
        before = drafts.pop(name, None)
        if draft is not None:
            drafts[name] = dict(draft)
        elif before is None:
            return
        write_json(root / FOLDER / f"{annotator}.json", drafts)


@contextmanager
def taking_turns(root: Path, annotator: str) -> Iterator[None]:
    """Hold off every other process that answers for this annotator.

    Between looking at what is there and writing, nobody else may write.
    """
    with _alone(root, annotator, "turn."):
        yield


@contextmanager
def _alone(root: Path, annotator: str, what: str) -> Iterator[None]:
    lock = root / FOLDER / f".{annotator}.{what}lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
