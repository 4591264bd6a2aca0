"""What changed between two outputs, word by word, as HTML."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html import escape

MAX_WORDS = 1500
"""Words of each side that are compared; a diff is quadratic, and a report has to open."""

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


def words(before: str, now: str) -> tuple[str, str]:
    """(before with <del>, now with <ins>), escaped; what is cut off is told."""
    one, two = _WORDS.findall(before), _WORDS.findall(now)
    left, right = [], []
    matcher = SequenceMatcher(None, one[:MAX_WORDS], two[:MAX_WORDS], autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        old, new = escape("".join(one[i1:i2])), escape("".join(two[j1:j2]))
        is_same = tag == "equal"
        left.append(old if is_same or not old else f"<del>{old}</del>")
        right.append(new if is_same or not new else f"<ins>{new}</ins>")
    return "".join(left) + _cut(one), "".join(right) + _cut(two)


def _cut(found: list[str]) -> str:
    over = len(found) - MAX_WORDS
    return f'<span class="cut"> … {over} words more</span>' if over > 0 else ""
