"""The call store: every answer that was paid for, by the content of its request.

Append-only JSON lines in shards by the first two digits of the key: two stores merge by set union.
Mode record answers from the store and calls on a miss; replay treats a miss as stale; off always
calls. Only good answers are kept: an error is asked again next time.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.digests import canonical_json, sha256_of
from gitloop.errors import StaleError
from gitloop.records import Answer
from gitloop.tables import CALLS

KEY_SCHEMA = "gitloop.call/v1"

Call = Callable[[Sequence[Mapping[str, Any]]], list[Answer]]


class CallStore:
    """The store, as one step sees it.

    Args:
        folder: Directory of the shards.
        mode: "record", "replay" or "off".
        recorded: Calls that came with the commit, fitting `tables.CALLS`; consulted first.
    """

    def __init__(self, folder: Path, mode: str, recorded: pl.DataFrame | None = None) -> None:
        self._folder = folder
        self._mode = mode
        self._known: dict[str, Answer] = {}
        self._shards_read: set[str] = set()
        self._seen: Counter[str] = Counter()
        self._used: dict[str, dict[str, str]] = {}
        self.n_hits = 0
        self.n_misses = 0
        self.n_torn = 0
        if recorded is not None:
            for row in recorded.iter_rows(named=True):
                self._known[row["call_id"]] = Answer(**json.loads(row["response"]))

    def ask(self, kind: str, requests: Sequence[Mapping[str, Any]], call: Call) -> list[Answer]:
        """One answer per request, in order; misses are called in one batch.

        Args:
            kind: "judge", "target", "teacher" or "embedder".
            requests: What decides each answer. The nth identical request of this store's life has
                its own answer, so that a second draw is a second draw.
            call: Answers a batch of requests.

        Raises:
            StaleError: Mode replay, and an answer was never recorded.
        """
        keys = [self._key(kind, request) for request in requests]
        misses = [i for i, key in enumerate(keys) if self._mode == "off" or not self._find(key)]
        if misses and self._mode == "replay":
            raise StaleError(
                f"{len(misses)} of {len(keys)} {kind} calls were never recorded",
                hint="run with calls.mode: record where the calls can be made, and commit dvc.lock",
            )
        fresh = dict(
            zip(misses, call([requests[i] for i in misses]) if misses else [], strict=True)
        )
        self.n_hits += len(keys) - len(misses)
        self.n_misses += len(misses)
        self._append({keys[i]: answer for i, answer in fresh.items() if answer.status == "ok"})
        answers = [fresh[i] if i in fresh else self._known[key] for i, key in enumerate(keys)]
        for key, request, answer in zip(keys, requests, answers, strict=True):
            if answer.status == "ok":
                self._used[key] = {
                    "call_id": key,
                    "kind": kind,
                    "request": canonical_json(request),
                    "response": canonical_json(asdict(answer)),
                }
        return answers

    def used(self) -> pl.DataFrame:
        """Every good call that was answered so far, fitting `tables.CALLS`."""
        rows = [self._used[key] for key in sorted(self._used)]
        return pl.DataFrame(rows, schema=CALLS.schema)

    def _key(self, kind: str, request: Mapping[str, Any]) -> str:
        base = sha256_of({"kind": kind, "request": request})
        nth = self._seen[base]
        self._seen[base] += 1
        return sha256_of({"base": base, "nth": nth, "schema": KEY_SCHEMA})

    def _find(self, key: str) -> bool:
        if key not in self._known and key[:2] not in self._shards_read:
            self._read_shard(key[:2])
        return key in self._known

    def _read_shard(self, shard: str) -> None:
        """Load a shard; a line that a killed process left half-written is counted and skipped."""
        self._shards_read.add(shard)
        path = self._folder / f"{shard}.jsonl"
        if not path.is_file():
            return
        for line in path.read_bytes().split(b"\n"):
            if not line:
                continue
            try:
                entry = json.loads(line)
                self._known.setdefault(entry["call_id"], Answer(**entry["response"]))
            except (ValueError, KeyError, TypeError):
                self.n_torn += 1

    def _append(self, answers: Mapping[str, Answer]) -> None:
        self._known.update(answers)
        if self._mode == "off" or not answers:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        shards: dict[str, list[str]] = {}
        for key, answer in answers.items():
            line = canonical_json({"call_id": key, "response": asdict(answer)})
            shards.setdefault(key[:2], []).append(line)
        for shard, lines in sorted(shards.items()):
            # The line break comes first: a torn line before us stays a line of its own.
            block = "".join(f"\n{line}" for line in lines).encode() + b"\n"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            descriptor = os.open(self._folder / f"{shard}.jsonl", flags, 0o644)
            try:
                os.write(descriptor, block)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
