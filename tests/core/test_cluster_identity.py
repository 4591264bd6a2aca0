"""Tonight's clusters keep last night's ids where they are the same clusters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.cluster import Change, Night, match


def _night(groups: dict[str, str], noise: str = "", **medoids: str) -> Night:
    """Return a night of one-letter failures: cluster_id → letters."""
    members = dict.fromkeys(noise, "") | {
        letter: name for name, letters in groups.items() for letter in letters
    }
    return Night(members, {name: letters[0] for name, letters in groups.items()} | medoids)


def test_same_members_keep_the_id() -> None:
    """Clusters are recognised by their members, whatever tonight's ids are."""
    found = match(_night({"c-1": "abcd", "c-2": "efgh"}), _night({"c-8": "efg", "c-9": "abcx"}))
    assert found.ids == {"c-8": "c-2", "c-9": "c-1"}
    assert (found.births, found.deaths, found.splits, found.merges) == ((), (), (), ())
    assert (found.n_persisting, found.n_kept, found.kept_rate) == (6, 6, 1.0)


def test_births_and_deaths_are_recorded() -> None:
    """A cluster of new failures is born; one whose failures are gone has died."""
    found = match(_night({"c-1": "abc"}), _night({"c-9": "xyz"}))
    assert (found.births, found.deaths) == (("c-9",), ("c-1",))
    assert found.kept_rate == 1.0


def test_the_larger_part_of_a_split_keeps_the_id() -> None:
    """Both parts are named, and the failures of the smaller one do not count as kept."""
    found = match(_night({"c-1": "abcdef"}), _night({"c-8": "ef", "c-9": "abcd"}))
    assert found.ids == {"c-8": "c-8", "c-9": "c-1"}
    assert found.splits == (Change("c-1", ("c-1", "c-8")),)
    assert (found.n_persisting, found.n_kept) == (6, 4)


def test_the_larger_part_of_a_merge_gives_the_id() -> None:
    """The merged cluster continues its larger source; the other has died."""
    found = match(_night({"c-1": "abcd", "c-2": "ef"}), _night({"c-9": "abcdef"}))
    assert found.ids == {"c-9": "c-1"}
    assert found.merges == (Change("c-1", ("c-1", "c-2")),)
    assert found.deaths == ("c-2",)


def test_a_new_cluster_never_takes_a_known_id() -> None:
    """When the smaller part of a split holds the old medoid, its own id is replaced."""
    found = match(_night({"c-1": "abcdef"}), _night({"c-1": "ab", "c-9": "cdef"}))
    assert found.ids["c-9"] == "c-1"
    assert found.ids["c-1"] not in {"c-1", "c-9"}


def test_equal_parts_follow_the_medoid() -> None:
    """Between equal overlaps the part with the old medoid keeps the id."""
    previous = _night({"c-1": "abcd"})
    assert match(previous, _night({"c-8": "cd", "c-9": "ab"})).ids["c-9"] == "c-1"
    assert match(previous, _night({"c-8": "ab", "c-9": "cd"})).ids["c-8"] == "c-1"


def test_a_small_overlap_is_no_identity() -> None:
    """Below the floor a cluster is new, even if nothing else claims the id."""
    previous, current = _night({"c-1": "abcdefgh"}, "xyz"), _night({"c-9": "axyz"}, "bcdefgh")
    found = match(previous, current)
    assert found.births == ("c-9",)
    assert match(previous, current, 0.05).births == ()


@pytest.mark.parametrize("first", [{}, {"c-1": "abc"}])
def test_first_and_empty_nights_work(first: dict[str, str]) -> None:
    """Nothing before, or nothing now, is a plain result."""
    found = match(_night({}), _night(first))
    assert (found.births, found.deaths) == (tuple(first), ())
    assert match(_night(first), _night({})).deaths == tuple(first)


@given(
    st.dictionaries(st.integers(0, 60).map(str), st.sampled_from(["", "c-1", "c-2", "c-3"])),
    st.dictionaries(st.integers(0, 60).map(str), st.sampled_from(["", "c-2", "c-7", "c-8"])),
)
def test_ids_stay_one_to_one(old: dict[str, str], new: dict[str, str]) -> None:
    """Every cluster of tonight has its own final id; births, matches and deaths add up."""
    nights = [
        Night(members, {name: trace_id for trace_id, name in members.items() if name})
        for members in (old, new)
    ]
    found = match(nights[0], nights[1])
    assert sorted(found.ids) == sorted(nights[1].medoids)
    assert len(set(found.ids.values())) == len(found.ids)
    assert len(found.births) + len(found.matches) == len(nights[1].medoids)
    assert len(found.deaths) + len(found.matches) == len(nights[0].medoids)
    assert not set(found.births) & set(nights[0].medoids)
    assert 0 <= found.n_kept <= found.n_persisting


@given(st.dictionaries(st.integers(0, 60).map(str), st.sampled_from(["", "c-1", "c-2", "c-3"])))
def test_an_unchanged_night_changes_nothing(members: dict[str, str]) -> None:
    """The same clusters keep their ids, all of them."""
    night = Night(members, {name: trace_id for trace_id, name in members.items() if name})
    found = match(night, night)
    assert all(own == final for own, final in found.ids.items())
    assert found.n_kept == found.n_persisting
