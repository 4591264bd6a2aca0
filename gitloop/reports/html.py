"""`html`: one file that needs nothing else, for a browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gitloop.errors import DataError
from gitloop.reports import card_html, cluster_html, diff_html, gate_html


class HtmlRenderer:
    """Renders a gate document, with its evidence, as one self-contained HTML file."""

    id: ClassVar[str] = "html"
    version: ClassVar[str] = "1"

    def render(self, value: Mapping[str, Any]) -> str:
        """The value as HTML.

        Raises:
            DataError: The value's schema has no HTML form.
        """
        if value.get("schema") == "gitloop.gate/v1":
            return gate_html.render(value)
        if value.get("schema") == "gitloop.judge_card/v1":
            return card_html.render(value)
        if value.get("schema") == "gitloop.diff/v1":
            return diff_html.render(value)
        if value.get("schema") == "gitloop.cluster_map/v1":
            return cluster_html.render(value)
        raise DataError(f"there is no HTML form of {value.get('schema')}")
