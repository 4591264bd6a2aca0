"""`--format md`: Markdown for pull-request comments and job summaries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from gitloop.reports import card_markdown, diff_markdown, gate_markdown


class MarkdownRenderer:
    """Renders a value as GitHub-flavoured Markdown of at most 60,000 characters."""

    id: ClassVar[str] = "md"
    version: ClassVar[str] = "1"

    def render(self, value: Mapping[str, Any]) -> str:
        """The value as its schema is shown; one without a form of its own as a JSON block."""
        if value.get("schema") == "gitloop.gate/v1":
            return gate_markdown.render(value)
        if value.get("schema") == "gitloop.judge_card/v1":
            return card_markdown.render(value)
        if value.get("schema") == "gitloop.diff/v1":
            return diff_markdown.render(value)
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
        return f"```json\n{text}\n```"
