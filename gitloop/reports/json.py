"""`--format json`: for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar


class JsonRenderer:
    """Renders a value as sorted, indented JSON: the same value is the same text."""

    id: ClassVar[str] = "json"
    version: ClassVar[str] = "1"

    def render(self, value: Mapping[str, Any]) -> str:
        """The value as JSON."""
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
