"""`--format text`: for people at a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from gitloop.reports import card_text, diff_text, gate_text


class TextRenderer:
    """Renders a value as text of at most 80 columns."""

    id: ClassVar[str] = "text"
    version: ClassVar[str] = "1"

    def render(self, value: Mapping[str, Any]) -> str:
        """The value as its schema is shown; one without a form of its own as indented JSON."""
        if value.get("schema") == "gitloop.gate/v1":
            return gate_text.render(value)
        if value.get("schema") == "gitloop.judge_card/v1":
            return card_text.render(value)
        if value.get("schema") == "gitloop.diff/v1":
            return diff_text.render(value)
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
