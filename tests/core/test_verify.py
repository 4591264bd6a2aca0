"""The proof of a golden set: each fault is found, and only faults are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.verify import PartFacts, SetFacts, check_set, has_conflict
from gitloop.records import GoldenRecord

HEX = "abcdef" + "0" * 58


def record(
    name: str,
    *parents: GoldenRecord,
    parts: Mapping[str, str] | None = None,
    **rows: Any,  # noqa: ANN401 -- added, changed, retired, removed
) -> GoldenRecord:
    """A record whose name follows from its digest, as real ones do."""
    sha = name[8:14] + "0" * 58
    content = {
        "version": name,
        "parents": [{"record": p.id, "dataset_sha256": p.dataset_sha256} for p in parents],
        "parts": [
            {"id": part, "md5": md5, "rows_sha256": "", "n_rows": 1}
            for part, md5 in (parts or {}).items()
        ],
        "removed_parts": rows.get("removed", []),
        "rows": {
            "added": rows.get("added", []),
            "changed": rows.get("changed", {}),
            "retired": rows.get("retired", []),
        },
    }
    return GoldenRecord(name, tuple(p.id for p in parents), sha, content)


def part(name: str, md5: str, rows: Mapping[str, str], **changes: Any) -> PartFacts:  # noqa: ANN401
    """A part whose rows came in by the record of the same name."""
    usual: dict[str, Any] = {
        "id": name,
        "path": f"golden/s/parts/{name}.parquet.dvc",
        "md5": md5,
        "rows": rows,
        "groups": {},
        "records": frozenset({name}),
        "sets": frozenset({"s"}),
    }
    return PartFacts(**(usual | changes))


A, B, C = "2026.05-aaaaaa", "2026.05-bbbbbb", "2026.05-cccccc"
FIRST = record(A, parts={A: "md5a"}, added=["r1", "r2"])
SECOND = record(B, FIRST, parts={B: "md5b"}, added=["r3"])
PART_A = part(A, "md5a", {"r1": "1", "r2": "2"})
PART_B = part(B, "md5b", {"r3": "3"})
SOUND = SetFacts("s", [PART_A, PART_B], [FIRST, SECOND], SECOND.dataset_sha256)


def facts_of(facts: SetFacts) -> list[str]:
    """What is wrong, without the places."""
    return [finding.fact for finding in check_set(facts)]


def test_sound_set_has_no_findings() -> None:
    """Parts and records that agree prove the set."""
    assert check_set(SOUND) == []


@pytest.mark.parametrize(
    ("facts", "fact"),
    [
        (replace(SOUND, sha256=HEX), "but its rows are abcdef000000"),
        (replace(SOUND, records=[SECOND]), f"its parent {A} has no record"),
        (replace(SOUND, parts=[PART_A]), "is gone, and no record took it away"),
        (replace(SOUND, parts=[PART_A]), f"row r3 of {B} is gone; no record retired them"),
        (replace(SOUND, records=[FIRST]), "no record made this part"),
        (replace(SOUND, records=[FIRST]), "no record brought in row r3"),
        (
            replace(SOUND, parts=[PART_A, replace(PART_B, rows={"r3": "3", "r1": "1"})]),
            f"row r1 stands in part {A} too",
        ),
        (replace(SOUND, parts=[PART_A, replace(PART_B, md5="other")]), "is not as"),
        (
            replace(SOUND, parts=[PART_A, replace(PART_B, sets=frozenset({"t"}))]),
            "holds rows of the set t",
        ),
        (
            replace(SOUND, parts=[PART_A, replace(PART_B, records=frozenset({C}))]),
            f"holds rows that came in by {C}",
        ),
        (
            replace(
                SOUND,
                parts=[
                    replace(PART_A, groups={"g": frozenset({"train"})}),
                    replace(PART_B, groups={"g": frozenset({"val"})}),
                ],
            ),
            "group g is in the splits train, val",
        ),
    ],
)
def test_each_fault_is_found(facts: SetFacts, fact: str) -> None:
    """Digest, parents, parts, rows, keys, sets and splits are each looked at."""
    assert any(fact in found for found in facts_of(facts)), facts_of(facts)


def test_parallel_records_are_no_fault() -> None:
    """Two records from one parent are a merge: neither digest is the set's, and that is right."""
    third = record(C, FIRST, parts={C: "md5c"}, added=["r4"])
    parts = [PART_A, PART_B, part(C, "md5c", {"r4": "4"})]
    assert check_set(SetFacts("s", parts, [FIRST, SECOND, third], HEX)) == []


def test_retired_row_that_is_gone_is_no_fault_and_back_is_one() -> None:
    """A record that retires a row takes it away; a merge that brings it back is found."""
    retired = record(B, FIRST, parts={A: "md5x"}, retired=["r2"])
    gone = SetFacts("s", [part(A, "md5x", {"r1": "1"})], [FIRST, retired], retired.dataset_sha256)
    assert check_set(gone) == []
    back = replace(gone, parts=[part(A, "md5x", {"r1": "1", "r2": "2"})])
    assert facts_of(back) == [f"row r2, retired by {B}, is back"]


def test_lost_change_is_found() -> None:
    """Keeping our side of a merge, with the record of theirs in the tree, is found by row."""
    ours = record(B, FIRST, parts={A: "ours"}, changed={"r1": "new"})
    theirs = record(C, FIRST, parts={A: "theirs"}, changed={"r2": "new"})
    kept_ours = SetFacts(
        "s", [part(A, "ours", {"r1": "new", "r2": "2"})], [FIRST, ours, theirs], HEX
    )
    assert facts_of(kept_ours) == [f"row r2: the change by {C} is lost"]
    merged = replace(kept_ours, parts=[part(A, "both", {"r1": "new", "r2": "new"})])
    assert check_set(merged) == []


def test_compaction_moves_rows_without_a_finding() -> None:
    """A record that joins parts takes the old ones away and brings the rows along."""
    joined = record(C, SECOND, parts={C: "md5c"}, removed=[A, B])
    rows = {"r1": "1", "r2": "2", "r3": "3"}
    compacted = part(C, "md5c", rows, records=frozenset({A, B}))
    facts = SetFacts("s", [compacted], [FIRST, SECOND, joined], joined.dataset_sha256)
    assert check_set(facts) == []
    returned = replace(facts, parts=[compacted, PART_B])
    assert any("took it away" in found for found in facts_of(returned))


def test_unreadable_part_is_not_a_lost_one() -> None:
    """Where something could not be read, its rows are not called lost as well."""
    assert check_set(replace(SOUND, parts=[PART_A], sha256=HEX, is_whole=False)) == []


def test_ten_thousand_parts_are_proved() -> None:
    """A chain of ten thousand promotions is proved in memory that grows with it, not its square."""
    records: list[GoldenRecord] = []
    for number in range(10_000):
        name = f"2026.05-{number:06x}"
        added = [f"r{number}"]
        records.append(record(name, *records[-1:], parts={name: f"md5-{number}"}, added=added))
    parts = [part(r.id, f"md5-{n}", {f"r{n}": str(n)}) for n, r in enumerate(records)]
    assert check_set(SetFacts("s", parts, records, records[-1].dataset_sha256)) == []
    lost = SetFacts("s", parts[:-1], records, records[-1].dataset_sha256)
    assert len(check_set(lost)) == 2


def test_forged_circle_of_records_ends() -> None:
    """Records that name each other as parents are looked at once."""
    one = GoldenRecord(A, (B,), FIRST.dataset_sha256, FIRST.content)
    two = GoldenRecord(B, (A,), SECOND.dataset_sha256, SECOND.content)
    assert isinstance(check_set(SetFacts("s", [PART_A, PART_B], [one, two], HEX)), list)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n", True),
        (b"a: '<<<<<<< not at the start'\n", False),
        (b"# title\n=======\n", False),
        (b"", False),
    ],
)
def test_conflict_markers_stand_at_the_start_of_a_line(text: bytes, expected: bool) -> None:
    """Markers are found where Git writes them, and a rule under a heading is none."""
    assert has_conflict(text) is expected


@given(st.lists(st.integers(0, 5), max_size=25))
def test_any_chain_of_promotions_and_retirements_is_sound(steps: list[int]) -> None:
    """A set that follows its records is always proved; take a row away and it never is."""
    records: list[GoldenRecord] = []
    rows: dict[str, str] = {}
    parts: dict[str, tuple[str, dict[str, str]]] = {}
    for number, step in enumerate(steps):
        name = f"2026.05-{number:06x}"
        last = records[-1:]
        if step == 0 and rows:
            row_id = min(rows)
            owner = next(part for part, (_, held) in parts.items() if row_id in held)
            held = {key: sha for key, sha in parts[owner][1].items() if key != row_id}
            parts[owner] = (f"md5-{number}", held)
            del rows[row_id]
            records.append(record(name, *last, parts={owner: f"md5-{number}"}, retired=[row_id]))
        else:
            new = {f"r{number}-{k}": f"{number}{k}" for k in range(step + 1)}
            rows |= new
            parts[name] = (f"md5-{number}", new)
            records.append(record(name, *last, parts={name: f"md5-{number}"}, added=list(new)))
    present = [part(name, md5, held) for name, (md5, held) in parts.items()]
    sha = records[-1].dataset_sha256 if records else HEX
    assert check_set(SetFacts("s", present, records, sha)) == []
    for index, found in enumerate(present):
        if found.rows:
            fewer = replace(found, rows=dict(list(found.rows.items())[1:]))
            broken = [*present[:index], fewer, *present[index + 1 :]]
            assert check_set(SetFacts("s", broken, records, sha)) != []
