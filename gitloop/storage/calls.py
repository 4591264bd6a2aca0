"""The call store: every answer that was paid for, by the content of its request.

Append-only JSON lines in shards by the first digit of the key: two stores merge by set union, and
several processes may write at once. Each line carries a checksum, so that a line which a killed
process left half-written, a flipped bit or another format is told from an answer and skipped.
Mode record answers from the store and calls on a miss; replay treats a miss as stale; off always
calls. Only good answers are kept: an error is asked again next time.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.digests import canonical_json, sha256
from gitloop.errors import StaleError
from gitloop.records import Answer
from gitloop.tables import CALLS

KEY_SCHEMA = "gitloop.call/v1"

Call = Callable[[Sequence[Mapping[str, Any]]], list[Answer]]
Stream = Callable[[Sequence[Mapping[str, Any]]], Iterator[tuple[int, Answer]]]

_LINE = re.compile(
    rb'\{"call_id":"([0-9a-f]{64})","check":"([0-9a-f]{16})","response":(\{.*\}),"schema":"%b"\}'
    % KEY_SCHEMA.encode()
)


def _nobody(done: int) -> None:
    """Tell nobody how many are done."""


@dataclass(slots=True)
class Tally:
    """What the calls of a store's life come to; one from the store counts as when it was paid.

    Attributes:
        n_calls: Calls that were asked for.
        tokens: Tokens, as far as answers told them.
        cost_usd: US dollars, as far as answers told them.
    """

    n_calls: int = 0
    tokens: int = 0
    cost_usd: float = 0.0

    def add(self, answers: Sequence[Answer]) -> None:
        """Count these answers too."""
        self.n_calls += len(answers)
        self.tokens += sum(answer.tokens or 0 for answer in answers)
        self.cost_usd += sum(answer.cost_usd or 0.0 for answer in answers)


class CallStore:
    """The store, as one step sees it.

    Args:
        folder: Directory of the shards.
        mode: "record", "replay" or "off".
        recorded: Calls that came with the commit, fitting `tables.CALLS`; consulted first.

    Attributes:
        n_hits: Requests that were answered from the store.
        n_misses: Requests that were called.
        n_torn: Lines of the shards read so far that hold no whole answer of this format.
        tally: What the calls come to.
    """

    def __init__(self, folder: Path, mode: str, recorded: pl.DataFrame | None = None) -> None:
        self._folder = folder
        self._mode = mode
        self._known: dict[str, str] = {}
        self._shards_read: set[str] = set()
        self._seen: Counter[str] = Counter()
        self._used: dict[str, dict[str, str]] = {}
        self.n_hits = 0
        self.n_misses = 0
        self.n_torn = 0
        self.tally = Tally()
        if recorded is not None:
            self._known.update(recorded.select("call_id", "response").iter_rows())

    def ask(
        self,
        kind: str,
        requests: Sequence[Mapping[str, Any]],
        call: Call,
        *,
        batch: int = 1024,
        tell: Callable[[int], None] = _nobody,
        stream: Stream | None = None,
    ) -> list[Answer]:
        """One answer per request, in order; each good one is written down as it comes.

        However the calls end, by SIGKILL too, what was answered before is kept; a loss of power
        may take a batch of what came last.

        Args:
            kind: "judge", "target", "teacher" or "embedder".
            requests: What decides each answer. The nth identical request of this store's life has
                its own answer, so that a second draw is a second draw.
            call: Answers a batch of requests.
            batch: Most requests in one call, ≥ 1.
            tell: Is told how many requests have their answer.
            stream: Answers all requests, each with its place, as they come; in place of `call`.

        Raises:
            StaleError: Mode replay, and an answer was never recorded.
        """
        asked = [canonical_json(request) for request in requests]
        keys = [self._key(kind, request) for request in asked]
        misses = [i for i, key in enumerate(keys) if self._mode == "off" or not self._find(key)]
        if misses and self._mode == "replay":
            raise StaleError(
                f"{len(misses)} of {len(keys)} {kind} calls were never recorded",
                hint="run with calls.mode: record where the calls can be made, and commit dvc.lock",
            )
        done = len(keys) - len(misses)
        self.n_hits += done
        self.n_misses += len(misses)
        tell(done)
        groups = _groups([requests[i] for i in misses], call, batch, stream)
        fresh: dict[str, str] = {}
        unsynced: dict[str, str] = {}
        try:
            for group in groups:
                answered = {keys[misses[place]]: _response(answer) for place, answer in group}
                fresh.update(answered)
                good = {key: said for key, said in answered.items() if _is_good(said)}
                self._keep(good)
                unsynced |= good
                if stream is None or len(unsynced) >= batch:
                    self._sync(unsynced)
                    unsynced = {}
                tell(done + len(fresh))
        finally:
            self._sync(unsynced)
        found = [fresh[key] if key in fresh else self._known[key] for key in keys]
        self._use(kind, zip(keys, asked, found, strict=True))
        answers = [Answer(**json.loads(response)) for response in found]
        self.tally.add(answers)
        return answers

    def _use(self, kind: str, answered: Iterable[tuple[str, str, str]]) -> None:
        """Note the good ones of these keys, canonical requests and responses."""
        for key, request, response in answered:
            if _is_good(response):
                self._used[key] = {
                    "call_id": key,
                    "kind": kind,
                    "request": request,
                    "response": response,
                }

    def used(self) -> pl.DataFrame:
        """Every good call that was answered so far, fitting `tables.CALLS`."""
        rows = [self._used[key] for key in sorted(self._used)]
        return pl.DataFrame(rows, schema=CALLS.schema)

    def _key(self, kind: str, request: str) -> str:
        """The key of a canonical request, the nth of its kind in this store's life."""
        base = sha256(f'{{"kind":"{kind}","request":{request}}}')
        nth = self._seen[base]
        self._seen[base] += 1
        return sha256(f'{{"base":"{base}","nth":{nth},"schema":"{KEY_SCHEMA}"}}')

    def _find(self, key: str) -> bool:
        if key not in self._known and key[0] not in self._shards_read:
            self._read_shard(key[0])
        return key in self._known

    def _read_shard(self, shard: str) -> None:
        """Load a shard. The first good line of a key counts: an answer never changes later."""
        self._shards_read.add(shard)
        path = self._folder / f"{shard}.jsonl"
        if not path.is_file():
            return
        for line in path.read_bytes().split(b"\n"):
            if not line:
                continue
            whole = _LINE.fullmatch(line)
            if whole is None or _check(whole[1], whole[3]) != whole[2].decode():
                self.n_torn += 1
            else:
                self._known.setdefault(whole[1].decode(), whole[3].decode())

    def _keep(self, responses: Mapping[str, str]) -> None:
        """Append the responses to their shards and know them from now on."""
        if self._mode == "off" or not responses:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        shards: dict[str, list[str]] = {}
        for key, response in responses.items():
            self._known.setdefault(key, response)
            shards.setdefault(key[0], []).append(_line(key, response))
        for shard, lines in sorted(shards.items()):
            # The line break comes first: a torn line before us stays a line of its own.
            _append(self._folder / f"{shard}.jsonl", "\n" + "\n".join(lines) + "\n")

    def _sync(self, keys: Iterable[str]) -> None:
        """Make what was kept under these keys last through a loss of power."""
        if self._mode == "off":
            return
        for shard in sorted({key[0] for key in keys}):
            descriptor = os.open(self._folder / f"{shard}.jsonl", os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _groups(
    requests: Sequence[Mapping[str, Any]], call: Call, batch: int, stream: Stream | None
) -> Iterator[list[tuple[int, Answer]]]:
    """The answers with their places, in groups as they come."""
    if stream is not None:
        for place, answer in stream(requests) if requests else ():
            yield [(place, answer)]
        return
    for start in range(0, len(requests), batch):
        part = requests[start : start + batch]
        yield list(zip(range(start, start + len(part)), call(part), strict=True))


def _response(answer: Answer) -> str:
    """The answer as ASCII JSON, its text exactly as it came: an output is not ours to normalise.

    What JSON cannot hold makes the answer an error.
    """
    value = {
        "cost_usd": answer.cost_usd,
        "error": answer.error,
        "latency_s": answer.latency_s,
        "status": answer.status,
        "value": answer.value,
    }
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        return _response(Answer("error", error=f"the answer is not JSON: {error}"))


def _is_good(response: str) -> bool:
    return '"status":"ok"' in response and json.loads(response)["status"] == "ok"


def _check(key: bytes, response: bytes) -> str:
    """Sixteen hex digits that tell whether a line is as it was written."""
    return sha256((key + response).decode("latin-1"))[:16]


def _line(key: str, response: str) -> str:
    check = _check(key.encode(), response.encode())
    return f'{{"call_id":"{key}","check":"{check}","response":{response},"schema":"{KEY_SCHEMA}"}}'


def _append(path: Path, block: str) -> None:
    """Append the block; writers in other processes wait for their turn."""
    content = block.encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)
