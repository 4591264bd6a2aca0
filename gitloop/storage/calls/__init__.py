"""The call store: every answer that was paid for, by the content of its request.

Append-only shards (`shards.py`): two stores merge by set union, and several processes may write at
once. Mode record answers from the store and calls on a miss; replay treats a miss as stale; refresh
calls again whatever is known, appends the new answers, and tells both; off always calls. Only good
answers are kept: an error is asked again next time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl

from gitloop.digests import canonical_json, sha256
from gitloop.errors import StaleError
from gitloop.records import Answer
from gitloop.storage.calls.shards import KEY_SCHEMA, Taken, append, read_shard, sync
from gitloop.tables import CALLS

Call = Callable[[Sequence[Mapping[str, Any]]], list[Answer]]
Stream = Callable[[Sequence[Mapping[str, Any]]], Iterator[tuple[int, Answer]]]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A call that was made again.

    Attributes:
        call_id: Its key.
        kind: What was called.
        request: The canonical request.
        before: The answer that was known, JSON; "" where there was none.
        after: The new answer, JSON; an error leaves the known one in force.
    """

    call_id: str
    kind: str
    request: str
    before: str
    after: str


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
        mode: "record", "replay", "refresh" or "off".
        recorded: Calls that came with the commit, fitting `tables.CALLS`; consulted first.
        refresh: Names what is refreshed, so that an interrupted refresh goes on where it was.
        within: What calls are made within, e.g. a budget that they share.

    Attributes:
        n_hits: Requests that were answered from the store.
        n_misses: Requests that were called.
        spent_usd: US dollars of the calls that were made, as far as prices are known.
        n_torn: Lines of the shards read so far that hold no whole answer of this format.
        tally: What the calls come to.
    """

    def __init__(
        self,
        folder: Path,
        mode: str,
        recorded: pl.DataFrame | None = None,
        *,
        refresh: str = "all",
        within: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._within = within
        self._folder = folder
        self._mode = mode
        self._known: dict[str, str] = {}
        self._takes: dict[str, int] = {}
        self._under_way = folder / f"refreshing-{sha256(refresh)[:12]}.jsonl"
        self._refreshed: dict[str, Refreshed] = _under_way(self._under_way, mode)
        self._shards_read: set[str] = set()
        self._seen: Counter[str] = Counter()
        self._used: dict[str, dict[str, str]] = {}
        self.n_hits = 0
        self.n_misses = 0
        self.n_torn = 0
        self.tally = Tally()
        self.spent_usd = 0.0
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
        misses = self._misses(kind, keys)
        done = len(keys) - len(misses)
        self.n_hits += done
        self.n_misses += len(misses)
        tell(done)
        groups = _groups([requests[i] for i in misses], call, batch, stream)
        requested = {keys[i]: asked[i] for i in misses}
        fresh: dict[str, str] = {}
        with _Syncing(self._sync) as syncing:
            for group in self._spent(groups):
                answered = {keys[misses[place]]: _response(answer) for place, answer in group}
                fresh.update(answered)
                self.spent_usd += sum(answer.cost_usd or 0.0 for _, answer in group)
                self._keep(kind, answered, requested)
                syncing.add(key for key, said in answered.items() if _is_good(said))
                if stream is None or len(syncing) >= batch:
                    syncing.begin()
                tell(done + len(fresh))
        found = [fresh[key] if key in fresh else self._known[key] for key in keys]
        self._use(kind, zip(keys, asked, found, strict=True))
        answers = [Answer(**json.loads(response)) for response in found]
        self.tally.add(answers)
        return answers

    def _spent(
        self, groups: Iterator[list[tuple[int, Answer]]]
    ) -> Iterator[list[tuple[int, Answer]]]:
        """The groups, each called for within what calls are made within."""
        while True:
            with self._within():
                group = next(groups, None)
            if group is None:
                return
            yield group

    def _misses(self, kind: str, keys: Sequence[str]) -> list[int]:
        """The places of the keys that must be called.

        Raises:
            StaleError: Mode replay, and there are some.
        """
        misses = [i for i, key in enumerate(keys) if not self._has(key)]
        if misses and self._mode == "replay":
            raise StaleError(
                f"{len(misses)} of {len(keys)} {kind} calls were never recorded",
                hint="run with calls.mode: record where the calls can be made, and commit dvc.lock",
            )
        return misses

    def plan(self, kind: str, requests: Sequence[Mapping[str, Any]]) -> list[Answer | None]:
        """The known answer of each request, or None for a call that would be made; none is made."""
        keys = [self._key(kind, canonical_json(request)) for request in requests]
        known = [self._known[key] if self._has(key) else None for key in keys]
        return [None if said is None else Answer(**json.loads(said)) for said in known]

    def refreshed(self) -> list[Refreshed]:
        """Every call that was made again although its answer was known, by key."""
        return [told for _, told in sorted(self._refreshed.items()) if told.before]

    @property
    def is_refresh(self) -> bool:
        """Whether calls are made again although their answers are known."""
        return self._mode == "refresh"

    def finish(self) -> None:
        """The refresh is done and told: the next one begins anew."""
        self._under_way.unlink(missing_ok=True)

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

    def _has(self, key: str) -> bool:
        """Whether the key is answered without a call."""
        if self._mode == "off":
            return False
        return self._find(key) and (self._mode != "refresh" or key in self._refreshed)

    def _find(self, key: str) -> bool:
        # A recorded answer has no take: only a refresh looks into the shard for one.
        if key[0] not in self._shards_read and (key not in self._known or self._mode == "refresh"):
            self._read_shard(key[0])
        return key in self._known

    def _read_shard(self, name: str) -> None:
        """Load a shard; what came with the commit stays in force."""
        self._shards_read.add(name)
        shard = read_shard(self._folder / f"{name}.jsonl")
        self.n_torn += shard.n_torn
        for key, taken in shard.answers.items():
            self._known.setdefault(key, taken.response)
            self._takes[key] = taken.take
        for key, told in self._refreshed.items():
            if key[0] == name and _is_good(told.after):
                self._known[key] = told.after

    def _keep(self, kind: str, responses: Mapping[str, str], requested: Mapping[str, str]) -> None:
        """Append the good responses to their shards and know them from now on."""
        if self._mode == "off" or not responses:
            return
        again = [
            Refreshed(key, kind, requested[key], self._known.get(key, ""), said)
            for key, said in responses.items()
            if self._mode == "refresh"
        ]
        good = {key: said for key, said in responses.items() if _is_good(said)}
        taken = []
        for key, said in good.items():
            take = self._takes.get(key, -1) + 1 if self._mode == "refresh" else 0
            if self._mode == "refresh" and key in self._known:
                take = max(take, 1)  # an answer that only the commit has is take 0
            taken.append(Taken(key, said, take))
        if taken:
            append(self._folder, taken)
        if again:
            _note(self._under_way, again)
        for one in taken:
            self._takes[one.key] = one.take
            if self._mode == "refresh":
                self._known[one.key] = one.response
            else:
                self._known.setdefault(one.key, one.response)
        self._refreshed |= {one.call_id: one for one in again}

    def _sync(self, keys: Sequence[str]) -> None:
        """Make what was kept under these keys last through a loss of power."""
        if self._mode != "off":
            sync(self._folder, keys)


class _Syncing:
    """What was kept and not yet synced; it is synced beside the calls, which do not wait for it.

    Args:
        sync: Makes what was kept under keys last through a loss of power.
    """

    def __init__(self, sync: Callable[[Sequence[str]], None]) -> None:
        self._sync = sync
        self._keys: list[str] = []
        self._pool = ThreadPoolExecutor(1)
        self._begun: list[Future[None]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, keys: Iterable[str]) -> None:
        """These keys were kept."""
        self._keys += keys

    def begin(self) -> None:
        """Begin to sync what was added so far."""
        if self._keys:
            self._begun.append(self._pool.submit(self._sync, self._keys))
            self._keys = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Sync the rest, and wait for all; a sync that failed is told."""
        self.begin()
        self._pool.shutdown()
        for one in self._begun:
            one.result()


def _under_way(path: Path, mode: str) -> dict[str, Refreshed]:
    """What an interrupted refresh has made again already; its failures are asked again."""
    found: dict[str, Refreshed] = {}
    if mode != "refresh" or not path.is_file():
        return found
    for line in path.read_bytes().split(b"\n"):
        with suppress(ValueError, TypeError):  # torn by the interruption: asked again
            told = Refreshed(*json.loads(line))
            if _is_good(told.after):
                found[told.call_id] = told
    return found


def _note(path: Path, again: Iterable[Refreshed]) -> None:
    """Remember what a refresh has made again so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps([told.call_id, told.kind, told.request, told.before, told.after])
        for told in again
    ]
    with path.open("a", encoding="utf-8") as handle:
        handle.write("".join(f"\n{line}" for line in lines) + "\n")


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
