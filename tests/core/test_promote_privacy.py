"""Secrets are found and personal data is masked, whatever surrounds it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.promote import screen
from gitloop.core.promote.privacy import NAME_COLUMNS, TEXT_COLUMNS, find_secrets, mask
from gitloop.protocols import silent

KEY = "AKIA" + "IOSFODNN7EXAMPLA"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to ada.l+x@mail.example.co.uk, please", "write to <EMAIL>, please"),
        ("pay to DE89 3704 0044 0532 0130 00 today", "pay to <IBAN> today"),
        ("pay to GB33BUKB20201555555555.", "pay to <IBAN>."),
        ("call +49 30 901820 now", "call <PHONE> now"),
        ("call (415) 555-2671 or 415-555-0123", "call <PHONE> or <PHONE>"),
        ("card 4111 1111 1111 1111, exp. 12/27", "card <CARD>, exp. 12/27"),
        ("card 378282246310005 declined", "card <CARD> declined"),
        ("from 203.0.113.7 and 2001:db8::1:2", "from <IP> and <IP>"),
    ],
)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    """E-mail, phone, card, IBAN and IP address are replaced by their kind."""
    assert mask(text)[0] == masked


@pytest.mark.parametrize(
    "text",
    [
        "order 20260518-123456 of 2026-05-18 at 10:30:00",
        "card 4111 1111 1111 1112 fails Luhn's check",
        "pay to DE89 3704 0044 0532 0130 01",
        "call std::string::find at 127.0.0.1",
        "version 1.2.3, ticket 4155552671, twitter @ada",
        "",
    ],
)
def test_what_only_looks_alike_stays(text: str) -> None:
    """Order numbers, dates, versions and failed check digits are no personal data."""
    assert mask(text) == (text, {})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"my key is {KEY} ok", "AWS Access Key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "Private Key"),
        ("see https://user:pa55word@example.org/x", "Basic Auth Credentials"),
        ("password: hunter22xyz", "Secret Keyword"),
        ("use sk-proj-aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF", "Base64 High Entropy String"),
        ("ghp_" + "a1B2c3D4e5F6g7H8i9" * 2, "GitHub Token"),
    ],
)
def test_secret_is_found(text: str, kind: str) -> None:
    """Keys, tokens and pasted passwords are found in prose."""
    assert kind in find_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "I forgot my password: please help",
        "password: how do I change it?",
        "trace 0af7651916cd43dd8448eb211c80319c",
        "request 3f2504e0-4f89-11d3-9a0c-0305e82c3301 failed",
        "see docs.example.org/Guides/How-To-2026/Configure_Webhooks",
    ],
)
def test_ids_and_questions_are_no_secrets(text: str) -> None:
    """Talk about passwords, ids and paths do not block a promotion."""
    assert find_secrets(text) == []


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_masking_is_stable(text: str) -> None:
    """Masking twice is masking once, and a text without findings is unchanged."""
    once, found = mask(text)
    assert mask(once)[0] == once
    assert found or once == text


@pytest.mark.parametrize("text", ["a" * 1_000_000, "1 " * 300_000, "a@" * 300_000, "1.1.1.1 " * 50])
def test_hostile_texts_end(text: str) -> None:
    """A million characters of the worst kind are screened in linear time."""
    assert len(mask(text)[0]) <= len(text)


def test_findings_name_place_and_kind_only() -> None:
    """A finding says trace, column, kind and number, and never the value."""
    columns = {name: [None] for name in (*TEXT_COLUMNS, *NAME_COLUMNS)}
    rows = pl.DataFrame(
        columns
        | {
            "source_trace_id": ["t1"],
            "input": ["I am ada@example.org"],
            "bad_output": [f"use {KEY}"],
            "group_id": ["bo@example.org"],
            "source_feedback_ids": [["f1", "from 203.0.113.9"]],
            "prompt_version": ["1.2.3.4"],
        }
    )
    found = screen(rows, silent)
    assert [(f.trace_id, f.column, f.kind, f.n) for f in found.secrets] == [
        ("t1", "bad_output", "AWS Access Key", 1)
    ]
    assert [(f.column, f.kind) for f in found.masked] == [("input", "email")]
    assert [(f.column, f.kind) for f in found.exposed] == [
        ("source_feedback_ids", "ip"),
        ("group_id", "email"),
    ]
    assert found.rows["input"].to_list() == ["I am <EMAIL>"]
    assert KEY not in repr(found.secrets)
