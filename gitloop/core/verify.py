"""The proof of a commit: pointers, cache and records agree, and no row was lost on the way.

The records tell what must be there. Each names its parents, so of two records that speak of one row
it is known which came later, or that neither knew of the other; squash and rebase change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from gitloop.records import GoldenRecord, Lineage

_MARKERS = (b"<<<<<<< ", b">>>>>>> ", b"||||||| ")
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be.

    Attributes:
        path: The file or directory that it shows in, relative to the root.
        fact: What is wrong, in one line.
        commit: The commit that caused it, shortened, or "" where that is not known.
    """

    path: str
    fact: str
    commit: str = ""


@dataclass(frozen=True, slots=True)
class PartFacts:
    """A part as it is.

    Attributes:
        id: Stem of its files.
        path: Its pointer.
        md5: MD5 that the pointer names.
        rows: row_id → row digest.
        groups: group_id → splits of its rows.
        records: Records that its rows say they came in by (`promoted_in`).
        sets: Sets that its rows say they belong to.
    """

    id: str
    path: str
    md5: str
    rows: Mapping[str, str]
    groups: Mapping[str, frozenset[str]]
    records: frozenset[str]
    sets: frozenset[str]


@dataclass(frozen=True, slots=True)
class SetFacts:
    """A golden set as one tree holds it.

    Attributes:
        name: The set.
        parts: The parts that could be read.
        records: The records that could be read.
        sha256: Dataset digest of the parts' rows.
        is_whole: Whether every pointer, part and record could be read.
    """

    name: str
    parts: Sequence[PartFacts]
    records: Sequence[GoldenRecord]
    sha256: str
    is_whole: bool = True

    @property
    def path(self) -> str:
        """The set's directory."""
        return f"golden/{self.name}"


def check_set(facts: SetFacts) -> list[Finding]:
    """Every fault of one golden set, sorted by path."""
    history = Lineage.of(facts.records)
    found = [
        *_keys(facts),
        *_groups(facts),
        *_origins(facts),
        *_parents(facts),
        *_digest(facts, history),
        *_parts(facts, history),
        *_rows(facts, history),
    ]
    return sorted(set(found), key=lambda finding: (finding.path, finding.fact))


def has_conflict(content: bytes) -> bool:
    """Whether the text of a file holds the markers of an unresolved merge."""
    if not any(marker in content for marker in _MARKERS):
        return False
    return any(line.startswith(_MARKERS) for line in content.splitlines())


def _keys(facts: SetFacts) -> list[Finding]:
    """A row_id that stands in two parts: two promotions of one case, merged without a conflict."""
    owner: dict[str, str] = {}
    repeated: list[tuple[str, str, str]] = []
    for part in facts.parts:
        for row_id in part.rows:
            first = owner.setdefault(row_id, part.id)
            if first != part.id:
                repeated.append((part.path, first, row_id))
    return [
        Finding(
            path,
            f"{_these(row_ids, 'row')} {_verb(row_ids, 'stand')} in part {first} too:"
            f" run gitloop golden compact {facts.name}",
        )
        for (path, first), row_ids in _by_pair(repeated)
    ]


def _groups(facts: SetFacts) -> list[Finding]:
    """A group on two sides of a split: the holdout would be known to the optimizer."""
    splits: dict[str, set[str]] = {}
    for part in facts.parts:
        for group, found in part.groups.items():
            splits.setdefault(group, set()).update(found)
    return [
        Finding(facts.path, f"group {group} is in the splits {', '.join(sorted(found))}")
        for group, found in sorted(splits.items())
        if len(found) > 1
    ]


def _origins(facts: SetFacts) -> list[Finding]:
    """Rows that say they belong elsewhere, or came in by a record that is not there."""
    known = {record.id for record in facts.records}
    strangers = [
        Finding(part.path, f"holds rows of the set {name}")
        for part in facts.parts
        for name in sorted(part.sets - {facts.name})
    ]
    orphans = [
        Finding(part.path, f"holds rows that came in by {name}, of which no record is left")
        for part in facts.parts
        for name in sorted(part.records - known)
    ]
    return strangers + orphans


def _parents(facts: SetFacts) -> list[Finding]:
    """Records whose parent is unknown, or is not what they say it was."""
    known = {record.id: record for record in facts.records}
    found = []
    for record in facts.records:
        path = f"{facts.path}/log/{record.id}.yaml"
        for parent in record.content["parents"]:
            name = str(parent["record"])
            if name not in known:
                found.append(Finding(path, f"its parent {name} has no record"))
            elif parent.get("dataset_sha256") != known[name].dataset_sha256:
                found.append(Finding(path, f"its parent {name} has another dataset digest"))
        if not (
            record.id.startswith(record.version) and record.version[8:] == record.dataset_sha256[:6]
        ):
            found.append(Finding(path, "its name does not follow from its dataset digest"))
    return found


def _digest(facts: SetFacts, history: Lineage) -> list[Finding]:
    """The rows of an unmerged set are exactly those of its newest record."""
    heads = history.last(record.id for record in facts.records)
    if not facts.is_whole or len(heads) != 1:
        return []
    head = next(record for record in facts.records if record.id == heads[0])
    if head.dataset_sha256 == facts.sha256:
        return []
    told = f"says the set is {head.dataset_sha256[:12]}, but its rows are {facts.sha256[:12]}"
    return [Finding(f"{facts.path}/log/{head.id}.yaml", told)]


def _parts(facts: SetFacts, history: Lineage) -> list[Finding]:
    """Parts that no record made, that a record took away, that are gone, or are not as recorded."""
    made: dict[str, dict[str, str | None]] = {}
    for record in facts.records:
        for part in record.parts:
            made.setdefault(part.id, {})[record.id] = part.md5
        for part_id in record.removed_parts:
            made.setdefault(part_id, {})[record.id] = None
    present = {part.id: part for part in facts.parts}
    found = []
    for part_id, states in sorted(made.items()):
        last = history.last(states)
        path = f"{facts.path}/parts/{part_id}.parquet.dvc"
        here = present.get(part_id)
        # Two records side by side may together have emptied it; lost rows are found by themselves.
        if here is None and facts.is_whole and len(last) == 1 and states[last[0]] is not None:
            found.append(Finding(path, f"is gone, and no record took it away (made by {last[0]})"))
        if here is not None and all(states[name] is None for name in last):
            found.append(Finding(path, f"is here, but {last[0]} took it away"))
        if here is not None and len(last) == 1 and states[last[0]] not in (None, here.md5):
            found.append(Finding(path, f"is not as {last[0]} recorded it (md5 {here.md5[:12]})"))
    known = set(made)
    found += [
        Finding(part.path, "no record made this part")
        for part in facts.parts
        if part.id not in known
    ]
    return found


def _rows(facts: SetFacts, history: Lineage) -> list[Finding]:
    """Rows that are gone, back, unrecorded, or not what the last record made of them."""
    events = _events(facts.records)
    actual = {row_id: sha for part in facts.parts for row_id, sha in part.rows.items()}
    lost, returned, stale = [], [], []
    for row_id, states in events.items():
        last = history.last(states)
        kinds = {states[name] for name in last}
        if row_id not in actual and None not in kinds:
            lost.append((last[0], row_id))
        elif row_id in actual and kinds == {None}:
            returned.append((last[0], row_id))
        elif (
            row_id in actual
            and len(last) == 1
            and states[last[0]] not in (None, "", actual[row_id])
        ):
            stale.append((last[0], row_id))
    unknown = sorted(set(actual) - set(events))
    found = (
        [Finding(facts.path, f"no record brought in {_these(unknown, 'row')}")] if unknown else []
    )
    told: list[tuple[list[tuple[str, str]], Callable[[list[str], str], str]]] = [
        (
            lost if facts.is_whole else [],
            lambda ids, name: (
                f"{_these(ids, 'row')} of {name} {_verb(ids, 'be')} gone; no record retired them"
            ),
        ),
        (
            returned,
            lambda ids, name: f"{_these(ids, 'row')}, retired by {name}, {_verb(ids, 'be')} back",
        ),
        (stale, lambda ids, name: f"{_these(ids, 'row')}: the change by {name} is lost"),
    ]
    for cases, say in told:
        for name, pairs in groupby(sorted(cases), key=lambda case: case[0]):
            found.append(Finding(f"{facts.path}/parts", say([row_id for _, row_id in pairs], name)))
    return found


def _events(records: Iterable[GoldenRecord]) -> dict[str, dict[str, str | None]]:
    """row_id → record → row digest after it, "" where the record does not say, None for retired."""
    events: dict[str, dict[str, str | None]] = {}
    for record in records:
        for row_id in record.added:
            events.setdefault(row_id, {})[record.id] = ""
        for row_id, sha in record.changed.items():
            events.setdefault(row_id, {})[record.id] = sha
        for row_id in record.retired:
            events.setdefault(row_id, {})[record.id] = None
    return events


def _by_pair(cases: list[tuple[str, str, str]]) -> list[tuple[tuple[str, str], list[str]]]:
    pairs = groupby(sorted(cases), key=lambda case: case[:2])
    return [(pair, [row_id for *_, row_id in rows]) for pair, rows in pairs]


def _these(names: Sequence[str], noun: str) -> str:
    shown = ", ".join(sorted(names)[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{noun} {shown}" if len(names) == 1 else f"{noun}s {shown}{more}"


def _verb(names: Sequence[str], verb: str) -> str:
    is_one = len(names) == 1
    return {"be": "is" if is_one else "are", "stand": "stands" if is_one else "stand"}[verb]
