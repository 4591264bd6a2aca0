"""Claims held against their sources, tools that only read, and the rule of severity."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.triage import (
    CONTRADICTED,
    UNCHECKED,
    UNSUPPORTED,
    Casebook,
    Claim,
    Evidence,
    Span,
    Use,
    check_quotes,
    read_claims,
    read_turn,
    run,
    severity_of,
    verdict,
)
from gitloop.core.triage.checking import fenced

TEXT = "The parcel\n\twas  delivered and put into your letterbox.  Good news!"
BOOK = Casebook(
    spans={"t1": (Span("output", "output", TEXT), Span("s1", "tool", "404")), "t2": ()},
    failing=("t1", "t2"),
    passing=(),
    facts={"t1": {"route": "tracking"}, "t2": {}},
)
EVIDENCE = Evidence("c-1", "parcel", 2, 9, 0.2, "high", {}, (), (), ())


def claim(quote: str, span_id: str = "output", trace_id: str = "t1") -> Claim:
    """A root cause with this quote."""
    return Claim("root_cause", "why", trace_id, span_id, quote)


@pytest.mark.parametrize(
    "quote", ["was delivered and put into", " delivered\nand put into your letterbox. ", TEXT]
)
def test_a_quote_may_differ_in_blanks_alone(quote: str) -> None:
    """Runs of blanks are one blank; every other character counts."""
    kept, struck = check_quotes([claim(quote)], BOOK)
    assert (len(kept), struck) == (1, [])


@pytest.mark.parametrize(
    "wrong",
    [
        claim("was Delivered and put into"),
        claim("delivered"),
        claim(""),
        claim("   "),
        claim("was delivered and put into", span_id="s1"),
        claim("was delivered and put into", span_id="s9"),
        claim("was delivered and put into", trace_id="t9"),
    ],
)
def test_a_quote_that_is_not_there_strikes_the_claim(wrong: Claim) -> None:
    """Another case, a shred, nothing, another span, no span, no trace: all struck."""
    kept, struck = check_quotes([wrong], BOOK)
    assert (kept, [one.claim for one in struck]) == ([], [wrong])


def test_a_whole_short_span_is_a_quote() -> None:
    """A span of three characters can be quoted whole."""
    kept, _ = check_quotes([claim("404", span_id="s1")], BOOK)
    assert len(kept) == 1


@given(start=st.integers(0, 40), width=st.integers(16, 40))
def test_every_verbatim_part_is_upheld(start: int, width: int) -> None:
    """Whatever is cut out of a span stands in it."""
    part = TEXT[start : start + width]
    kept, struck = check_quotes([claim(part)], BOOK)
    assert len(kept) + len(struck) == 1
    assert kept or len(" ".join(part.split())) < 16


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"verdict": "supported"}', ""),
        ('Well: {"reason": "no", "verdict": "contradicted"} so', CONTRADICTED),
        ('{"verdict": "not_stated"}', UNSUPPORTED),
        ('{"verdict": "perhaps"}', UNCHECKED),
        ("supported", UNCHECKED),
        ("[]", UNCHECKED),
        ("", UNCHECKED),
    ],
)
def test_the_second_pass_fails_closed(said: str, reason: str) -> None:
    """Only a clear "supported" upholds a claim."""
    assert verdict(said) == reason


def test_claims_of_another_form_are_struck_not_lost() -> None:
    """An unknown field, a score out of range and a bare string are counted as claims."""
    entries = [
        {"field": "root_cause", "text": "why", "trace_id": "t", "span_id": "s", "quote": "q"},
        {"field": "blame", "text": "who"},
        {"field": "factual_grounding", "text": "bad", "value": "6"},
        {"field": "severity", "text": "bad", "value": "apocalyptic"},
        "the database",
    ]
    claims, struck = read_claims(json.dumps({"claims": entries}))
    assert (len(claims), len(struck)) == (1, 4)


@pytest.mark.parametrize("said", ["", "no", "[1]", '{"claims": 3}', '{"brief": []}'])
def test_a_submission_that_holds_no_claims_is_told(said: str) -> None:
    """Text, a list, another object: a value error, never an empty brief."""
    with pytest.raises(ValueError, match="it "):
        read_claims(said)


@pytest.mark.parametrize("offset", [-5, 1e300, "ten", None, True])
def test_a_turn_with_a_strange_offset_is_read(offset: object) -> None:
    """Whatever stands for the offset, the tool gets a whole number from 0 on."""
    assert read_turn(json.dumps({"tool": "list_failures", "offset": offset})).offset >= 0


@pytest.mark.parametrize(
    "use",
    [
        Use("read_trace", trace_id="t9"),
        Use("read_span", trace_id="t1", span_id="x"),
        Use("search"),
        Use("search", text="nowhere"),
        Use("list_failures", offset=10**9),
        Use("rm"),
        Use("read_feedback", trace_id="t1"),
        Use("contrast"),
        Use("list_passing"),
    ],
)
def test_a_tool_answers_whatever_it_is_asked(use: Use) -> None:
    """A use that makes no sense is told in words."""
    assert run(use, BOOK, EVIDENCE)


def test_a_long_span_is_read_in_windows() -> None:
    """A span of a megabyte never fills a model's context; its windows together are all of it."""
    text = "".join(f"{number:07} " for number in range(125_000))
    long = Casebook({"t1": (Span("s1", "tool", text),)}, ("t1",), (), {"t1": {}})
    read, offset = "", 0
    while offset < len(text):
        use = Use("read_span", trace_id="t1", span_id="s1", offset=offset)
        answer = run(use, long, EVIDENCE)
        assert len(answer) < 13_000
        read += answer.removeprefix("[s1] tool\n").split("\n(and ", 1)[0]
        offset += 12_000
    assert read == text


def test_a_trace_of_many_spans_is_read_in_pages() -> None:
    """Twenty spans at a time, and where the next ones are."""
    spans = tuple(Span(f"s{number}", "tool", "404") for number in range(45))
    many = Casebook({"t1": spans}, ("t1",), (), {"t1": {}})
    first = run(Use("read_trace", trace_id="t1"), many, EVIDENCE)
    last = run(Use("read_trace", trace_id="t1", offset=40), many, EVIDENCE)
    assert (first.count("[s"), last.count("[s")) == (20, 5)
    assert "and 25 more: offset 20" in first


def test_search_finds_across_line_breaks() -> None:
    """A search looks through blanks as a quote does, and says where."""
    found = run(Use("search", text="PARCEL was delivered"), BOOK, EVIDENCE)
    assert "failing t1 [output]" in found


@given(st.text())
def test_marks_cannot_be_closed_from_inside(text: str) -> None:
    """The digest in the marks does not stand in the text."""
    mark = fenced(text).split(">>", 1)[0].removeprefix("<<data ")
    assert len(mark) == 12
    assert mark not in text


def test_severity_follows_the_share_of_weight() -> None:
    """A quarter is critical, a tenth high, 3 % medium, less is low."""
    assert [severity_of(share) for share in (0.25, 0.1, 0.03, 0.029)] == [
        "critical",
        "high",
        "medium",
        "low",
    ]
