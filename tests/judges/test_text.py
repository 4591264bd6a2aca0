"""equals, contains, regex, similarity: what passes, what fails, and what a rubric may not say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.errors import ConfigError
from gitloop.judges.metrics.similarity import (
    edit_similarity,
    token_f1,
)
from gitloop.judges.metrics.text import matcher
from gitloop.records import Judgement

Local = Callable[..., Callable[..., Judgement]]
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8)


@pytest.mark.parametrize(
    ("arguments", "output", "reference", "expected"),
    [
        ({}, " 30  days\n", "30 days", 1.0),
        ({}, "30 Days", "30 days", 0.0),
        ({"ignore_case": True}, "30 Days", "30 days", 1.0),
        ({"to": "NO"}, "NO", None, 1.0),
        ({"to": "NO"}, "YES", "YES", 0.0),
        ({}, "", "", 1.0),
    ],
)
def test_equals(
    local: Local, arguments: dict[str, Any], output: str, reference: str | None, expected: float
) -> None:
    """The output equals the reference, or a fixed text, but for blanks."""
    assert local("equals", **arguments)(output, reference=reference).score == expected


@pytest.mark.parametrize(
    ("arguments", "output", "expected", "reason"),
    [
        ({"all": ["refund", "days"]}, "A Refund takes 3 days", 1.0, ""),
        ({"all": ["refund", "days"]}, "A refund", 0.0, "lacks “days”"),
        ({"any": ["yes", "no"]}, "No.", 1.0, ""),
        ({"any": ["yes", "no"]}, "Maybe", 0.0, "has none of “yes”, “no”"),
        ({"none": ["sorry"]}, "So sorry!", 0.0, "has “sorry”"),
        ({"all": ["a"], "none": ["b"]}, "c", 0.0, "lacks “a”"),
        ({"all": ["no"], "whole_words": True}, "I know", 0.0, "lacks “no”"),
        ({"all": ["C++"], "whole_words": True}, "use C++ now", 1.0, ""),
        ({"all": ["Days"], "ignore_case": False}, "days", 0.0, "lacks “Days”"),
        ({"all": ["two words"]}, "two \n words", 1.0, ""),
    ],
)
def test_contains(
    local: Local, arguments: dict[str, Any], output: str, expected: float, reason: str
) -> None:
    """All, any or none of the words are there, and the reason names the ones that are not."""
    assert local("contains", **arguments)(output) == Judgement("ok", expected, reason)


@pytest.mark.parametrize(
    ("arguments", "output", "expected"),
    [
        ({"match": r"\d+ days"}, "within 30 days", 1.0),
        ({"match": r"^\d+ days$"}, "within 30 days", 0.0),
        ({"forbid": r"(?i)password"}, "your PassWord", 0.0),
        ({"forbid": "password", "ignore_case": True}, "your PassWord", 0.0),
        ({"match": "a", "forbid": "b"}, "a", 1.0),
        ({"match": "a", "forbid": "b"}, "ab", 0.0),
        ({"match": r"\w+"}, "Größe", 1.0),
    ],
)
def test_regex(local: Local, arguments: dict[str, Any], output: str, expected: float) -> None:
    """A pattern matches somewhere, and another nowhere."""
    assert local("regex", **arguments)(output).score == expected


def test_no_pattern_is_catastrophic(local: Local) -> None:
    """A pattern that takes a backtracking engine ages is answered at once."""
    assert local("regex", match=r"^(a+)+$")("a" * 20_000 + "b").score == 0.0
    assert local("regex", match=r"^(a|aa|a?)*$")("a" * 20_000 + "b").score == 0.0


@pytest.mark.parametrize(
    ("metric", "arguments", "words"),
    [
        ("contains", {}, "scorer.local.says neither all, nor any, nor none"),
        ("contains", {"al": ["x"]}, "unknown argument .*scorer.local.al; did you mean all?"),
        ("contains", {"all": "x"}, "scorer.local.all is 'x', not a list of texts"),
        ("contains", {"all": [""]}, "holds something that is not a text, or an empty one"),
        ("contains", {"all": ["x"], "ignore_case": 1}, "ignore_case is 1, not true or false"),
        ("regex", {}, "says neither match nor forbid"),
        ("regex", {"match": "(a"}, "match is not a valid pattern: unclosed group"),
        ("regex", {"match": "(?=a)"}, "look-ahead and look-behind, is not supported"),
        ("regex", {"match": "a" * 1001}, "match has 1001 characters, more than 1000"),
        ("similarity", {"by": "word"}, "not one of words, recall, characters; did you mean words?"),
        ("equals", {"to": 3}, "scorer.local.to is 3, not a text"),
        ("grounded", {"strict": True}, "unknown argument .*scorer.local.strict"),
        ("groundd", {}, "there is no metric groundd; did you mean grounded?"),
    ],
)
def test_a_rubric_that_makes_no_sense_is_refused(
    local: Local, metric: str, arguments: dict[str, Any], words: str
) -> None:
    """Each fault of a rubric's form is told in words, with the nearest name."""
    with pytest.raises(ConfigError, match=words):
        local(metric, **arguments)


def test_all_faults_of_a_form_are_told_at_once(local: Local) -> None:
    """A form with two faults is one error with two lines."""
    with pytest.raises(ConfigError) as caught:
        local("contains", al=["x"], any="y")
    assert caught.value.message.count("\n") == 1


@pytest.mark.parametrize("metric", ["equals", "similarity"])
def test_a_row_without_a_reference_is_missing(local: Local, metric: str) -> None:
    """A metric that needs a reference gives a status, and never 0, where the row has none."""
    assert local(metric)("an answer").status == "missing"
    assert local(metric)("an answer").score is None


@pytest.mark.parametrize("metric", ["equals", "similarity", "grounded"])
def test_a_row_without_an_output_is_missing(local: Local, metric: str) -> None:
    """No output is no score."""
    judged = local(metric)(None, reference="x", context="x")
    assert (judged.status, judged.score) == ("missing", None)
    assert judged.reason == "the row has no output"


@pytest.mark.parametrize(
    ("by", "output", "reference", "expected"),
    [
        ("words", "the cat sat", "the cat", 0.8),
        ("words", "The CAT", "the cat", 1.0),
        ("words", "dog", "cat", 0.0),
        ("words", "", "cat", 0.0),
        ("words", "", "", 1.0),
        ("recall", "the cat sat down", "the cat", 1.0),
        ("recall", "cat", "the cat", 0.5),
        ("recall", "dog", "", 1.0),
        ("characters", "kitten", "sitting", 0.571429),
        ("characters", "", "", 1.0),
        ("characters", "abc", "", 0.0),
    ],
)
def test_similarity(local: Local, by: str, output: str, reference: str, expected: float) -> None:
    """Token F1 as in SQuAD, or one minus the normalised Levenshtein distance."""
    assert local("similarity", by=by)(output, reference=reference).score == expected


@given(WORDS, WORDS)
def test_token_f1_is_a_symmetric_share(one: list[str], other: list[str]) -> None:
    """F1 lies in [0, 1], is symmetric, and is 1 for the same bag alone."""
    score = token_f1(one, other)
    assert 0 <= score <= 1
    assert score == token_f1(other, one)
    assert (score == 1) == (sorted(one) == sorted(other))


@given(WORDS, WORDS)
def test_token_f1_does_not_fall_when_a_shared_word_is_added(
    one: list[str], other: list[str]
) -> None:
    """A word that both gain never makes them less alike."""
    assert token_f1([*one, "x"], [*other, "x"]) >= token_f1(one, other)


def _reference_distance(one: str, other: str) -> int:
    """Levenshtein by the textbook's table (Wagner and Fischer, 1974)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_edit_similarity_is_by_the_textbooks_distance(one: str, other: str) -> None:
    """It is 1 minus what the table gives, over the longer length."""
    longest = max(len(one), len(other), 1)
    assert edit_similarity(one, other) == 1 - _reference_distance(one, other) / longest


@given(st.text(max_size=20), st.text(max_size=20))
def test_edit_similarity_is_a_symmetric_share(one: str, other: str) -> None:
    """It lies in [0, 1], is symmetric, and is 1 for equal texts alone."""
    score = edit_similarity(one, other)
    assert 0 <= score <= 1
    assert score == edit_similarity(other, one)
    assert (score == 1) == (one == other)


@given(st.text(max_size=30))
def test_a_matcher_takes_any_text(text: str) -> None:
    """No text that a table can hold breaks the pattern engine."""
    held = text.encode("utf-8", "replace").decode()
    assert matcher("(?s)^.*$")([held]) == [True]
