"""Judge cards as text, Markdown and HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from gitloop.core.calibrate import fit, judge_card, scored_items
from gitloop.plugins import load
from gitloop.records import as_json
from tests.calibrated import evidence, policy
from tests.labelled import scores

NASTY = "<script>alert(1)</script> | `rm` **bold** \x1b[2J [link](x)\n# head"


@pytest.fixture
def cards() -> dict[str, Any]:
    """A document with one card, on which a user's text tries everything."""
    names = [f"t{n:02}" for n in range(80)]
    verdicts = {name: "pass" if n % 2 else "fail" for n, name in enumerate(names)}
    judged = {name: 0.3 + 0.4 * (n % 2 != (n % 11 == 0)) for n, name in enumerate(names)}
    said, given = evidence(verdicts, output=NASTY), scores(judged)
    found = fit(said, given, policy(max_judge_error=0.2, holdout_rate=0.2))
    value = as_json(judge_card(found, scored_items(said, given)))
    value["rubric"] = {"name": "grounded", "version": "1", "description": ""}
    value["position_bias"] = {"reason": "not measured: gitloop judge bias"}
    return {
        "schema": "gitloop.judge_card/v1",
        "cards": [value | {"judge": "recorded/1", "guidance_version": "1"}],
    }


class Tags(HTMLParser):
    """The tags of a page, and whether all that were opened were closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 -- the signature
        """Remember an opened tag."""
        self.seen.add(tag)
        if tag not in {"meta", "line", "circle", "polygon", "polyline"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last opened tag, which must be this one."""
        if tag not in {"line", "circle", "polygon", "polyline"}:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_runs_nothing(cards: dict[str, Any]) -> None:
    """HTML is well formed, holds no script, and escapes every text."""
    page = load("reports", "html")().render(cards)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert "script" not in tags.seen
    assert {"svg", "table", "details"} <= tags.seen
    assert "&lt;script&gt;" in page


def test_markdown_shows_texts_and_obeys_none(cards: dict[str, Any]) -> None:
    """A user's text can neither break a table's row, nor link, nor be a tag."""
    text = load("reports", "md")().render(cards)
    rows = [line for line in text.splitlines() if line.startswith("| `t")]
    assert rows
    for row in rows:
        assert row.replace("\\|", "").count("|") == 7
        assert "<script>" not in row
        assert "\\[link\\]" in row


def test_text_fits_a_terminal(cards: dict[str, Any]) -> None:
    """No line is wider than 80 columns, and no control character reaches the terminal."""
    text = load("reports", "text")().render(cards)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "\x1b" not in text
    assert "7 items on which they differ" in text or "8 items on which they differ" in text
