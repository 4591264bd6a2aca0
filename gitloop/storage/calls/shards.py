"""The call store's files: JSON lines in shards by the first digit of the key.

Each line carries a checksum, so that a line which a killed process left half-written, a flipped bit
or another format is told from an answer. A key's answer is the line of the highest take; of several
lines of one take, the least by its bytes. So the order of lines never counts, and two stores merge
by set union, whichever comes first.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitloop.digests import sha256

KEY_SCHEMA = "gitloop.call/v1"

_LINE = re.compile(
    rb'\{"call_id":"([0-9a-f]{64})","check":"([0-9a-f]{16})","response":(\{.*\}),"schema":"%b"'
    rb'(?:,"take":([1-9][0-9]{0,8}))?\}' % KEY_SCHEMA.encode()
)


@dataclass(frozen=True, slots=True)
class Taken:
    """One recorded answer.

    Attributes:
        key: The call's key.
        response: The answer, JSON.
        take: 0 for the first answer; each refresh adds one.
    """

    key: str
    response: str
    take: int = 0

    def beats(self, other: Taken | None) -> bool:
        """Whether it is the key's answer rather than the other."""
        if other is None or self.take != other.take:
            return other is None or self.take > other.take
        return self.response < other.response


@dataclass(frozen=True, slots=True)
class Shard:
    """What a shard's file holds.

    Attributes:
        answers: Key → its answer.
        n_lines: Lines that hold a whole answer.
        n_torn: Lines that do not.
    """

    answers: dict[str, Taken]
    n_lines: int = 0
    n_torn: int = 0


def shard_files(folder: Path) -> list[Path]:
    """The shards of a store, sorted."""
    return sorted(folder.glob("[0-9a-f].jsonl"))


def read_shard(path: Path) -> Shard:
    """What a shard holds; nothing where there is no such file."""
    if not path.is_file():
        return Shard({})
    return parse_shard(path.read_bytes())


def parse_shard(content: bytes) -> Shard:
    """What the bytes of a shard hold."""
    answers: dict[str, Taken] = {}
    n_lines = n_torn = 0
    for line in content.split(b"\n"):
        if not line:
            continue
        found = _parsed(line)
        if found is None:
            n_torn += 1
            continue
        n_lines += 1
        if found.beats(answers.get(found.key)):
            answers[found.key] = found
    return Shard(answers, n_lines, n_torn)


def _parsed(line: bytes) -> Taken | None:
    """The answer in a line, or None where it holds no whole one of this format."""
    whole = _LINE.fullmatch(line)
    if whole is None:
        return None
    take = int(whole[4] or b"0")
    if _check(whole[1], whole[3], take) != whole[2].decode():
        return None
    return Taken(whole[1].decode(), whole[3].decode(), take)


def _check(key: bytes, response: bytes, take: int) -> str:
    """Sixteen hex digits that tell whether a line is as it was written."""
    marked = b"" if take == 0 else b"#%d" % take
    return sha256((key + response + marked).decode("latin-1"))[:16]


def line_of(taken: Taken) -> str:
    """The line of an answer."""
    check = _check(taken.key.encode(), taken.response.encode(), taken.take)
    take = f',"take":{taken.take}' if taken.take else ""
    return (
        f'{{"call_id":"{taken.key}","check":"{check}","response":{taken.response},'
        f'"schema":"{KEY_SCHEMA}"{take}}}'
    )


def append(folder: Path, answers: Iterable[Taken]) -> None:
    """Append the answers to their shards; writers in other processes wait for their turn."""
    shards: dict[str, list[str]] = {}
    for taken in answers:
        shards.setdefault(taken.key[0], []).append(line_of(taken))
    for shard, lines in sorted(shards.items()):
        # The line break comes first: a torn line before us stays a line of its own.
        content = ("\n" + "\n".join(lines) + "\n").encode()
        with _locked(folder / f"{shard}.jsonl") as descriptor:
            while content:
                content = content[os.write(descriptor, content) :]


def sync(folder: Path, keys: Iterable[str]) -> None:
    """Make what was appended under these keys last through a loss of power.

    All shards at once: a disk takes about as long for one as for sixteen.
    """
    shards = {folder / f"{key[0]}.jsonl" for key in keys}
    if not shards:
        return
    with ThreadPoolExecutor(len(shards)) as pool:
        list(pool.map(_sync, shards))
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the name of a new shard
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    """Without the lock, so that nobody waits: whoever rewrites a shard syncs it as well."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def rewrite(path: Path, dropped: Iterable[str]) -> None:
    """Leave one line per answer in a shard, sorted, without the answers of these keys.

    Writers in other processes wait meanwhile, and then write to the new file; what they added
    before stays.
    """
    with _locked(path):
        answers = read_shard(path).answers
        lines = [line_of(answers[key]) for key in sorted(answers.keys() - set(dropped))]
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as handle:
            handle.write("".join(f"{line}\n" for line in lines).encode())
            handle.flush()
            os.fsync(handle.fileno())
        fresh.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The shard, open for appending and locked; another process may have replaced it meanwhile."""
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_same(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        there, here = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
