"""Names for clusters, without a model: what their texts say more often than the others do."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_WORDS = 4
MIN_WORDS = 3
MAX_LINE = 100
EMPTY_LINE = "(empty text)"
_MAX_CHARS = 2_000
_MAX_TOKEN = 30
_MAX_CANDIDATES = 60

# scikit-learn's list holds words that carry meaning in a failure, and lacks everyday verbs and
# torn contractions.
_MEANINGFUL = frozenset(
    "amount bill call computer cry describe detail empty fill fire found front full "  # noqa: SIM905
    "interest mill move name serious side system show top".split()
)
_EMPTY = frozenset(
    "able couldn did didn does doesn doing don done getting going got gonna hadn hasn haven "  # noqa: SIM905
    "having hello help hey isn just know like make making need ok okay pls please thank thanks "
    "thing things tried try trying use used using wanna want wanted wants wasn way won "
    "wouldn yes".split()
)
_STOP_WORDS = (ENGLISH_STOP_WORDS - _MEANINGFUL) | _EMPTY
_PARTICLES = frozenset({"up", "down", "off", "out", "in", "back"})
_WORD = re.compile(r"[^\W\d_](?:[\w'’-]*[^\W_])?")


def shorten(text: str, limit: int = MAX_LINE) -> str:
    """Return the first line that says something, on one line, at most `limit` characters."""
    for raw in text[: 50 * limit].splitlines():
        line = " ".join(part for part in "".join(map(_printable, raw)).split())
        if line:
            return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
    return EMPTY_LINE


def _printable(character: str) -> str:
    """Return the character, a space for a control, nothing for a bidi override or surrogate."""
    if character.isprintable():
        return character
    category = unicodedata.category(character)
    # A joiner (U+200D) holds emoji and some scripts together; an override could hide text.
    return character if character == "\u200d" else " " if category in ("Cc", "Zs") else ""


def _terms(text: str) -> Iterator[str]:
    """Yield the words and pairs of adjacent words that could stand in a name."""
    head, tail = text[: _MAX_CHARS // 2], text[_MAX_CHARS // 2 :][-_MAX_CHARS // 2 :]
    words = _WORD.findall(unicodedata.normalize("NFC", f"{head}{tail}").casefold())
    previous = ""
    for word in words:
        if len(word) > _MAX_TOKEN or "'" in word or "’" in word:
            previous = ""
            continue
        meaningful = word not in _STOP_WORDS
        if meaningful and (len(word) > 2 or not word.isascii()):
            yield word
        if previous and (meaningful or word in _PARTICLES):
            yield f"{previous} {word}"
        previous = word if meaningful and len(word) > 1 else ""


def keywords(
    members: Mapping[int, Sequence[str]], background: Sequence[str]
) -> dict[int, tuple[str, ...]]:
    """Return the terms that name each cluster, most telling first.

    Class-based TF-IDF (Grootendorst 2022): share of the cluster's texts that hold the term,
    times log(1 + A / f), where f counts the term over all clusters and the noise, each as a
    share of its texts, and A is the mean number of terms per class. A text counts a term once,
    so that no long text names a cluster by itself.

    Args:
        members: Texts per cluster.
        background: Texts of the noise: a class that gets no name.

    Returns:
        Per cluster terms of three or four words in all; fewer when the texts hold fewer.
    """
    shares = {label: _shares(texts) for label, texts in members.items()}
    everywhere: Counter[str] = Counter()
    for share in (*shares.values(), _shares(background)):
        everywhere.update(share)
    average = sum(everywhere.values()) / (len(shares) + bool(background)) if shares else 0.0
    named = {}
    for label, share in shares.items():
        scored = {
            term: round(part * math.log1p(average / everywhere[term]), 9)
            for term, part in share.items()
        }
        ranked = sorted(scored, key=lambda term: (-scored[term], term))
        named[label] = _select(ranked[:_MAX_CANDIDATES])
    return named


def contrast_terms(texts: Sequence[str], others: Sequence[str], most: int) -> list[str]:
    """Return the terms that tell the texts from the others, most telling first.

    Class-based TF-IDF with the two as classes, as for `keywords`.

    Args:
        texts: What to tell apart.
        others: What from.
        most: Terms at most.
    """
    share, other = _shares(texts), _shares(others)
    mean = (sum(share.values()) + sum(other.values())) / 2
    scored = {
        term: round(part * math.log1p(mean / (part + other.get(term, 0.0))), 9)
        for term, part in share.items()
        if part > other.get(term, 0.0)
    }
    return sorted(scored, key=lambda term: (-scored[term], term))[:most]


def _shares(texts: Sequence[str]) -> dict[str, float]:
    """Return for each term the share of the texts that hold it."""
    counts = Counter(term for text in texts for term in set(_terms(text)))
    return {term: count / len(texts) for term, count in counts.items()}


def _select(ranked: Sequence[str]) -> tuple[str, ...]:
    """Return the first terms that do not repeat one another, three to four words in all."""
    chosen: list[str] = []
    taken: list[str] = []
    for term in ranked:
        words = term.split()
        repeats = any(_same_stem(word, other) for word in words for other in taken)
        if repeats or len(taken) + len(words) > MAX_WORDS:
            continue
        chosen.append(term)
        taken.extend(words)
        if len(taken) >= MIN_WORDS:
            break
    return tuple(chosen)


def _same_stem(one: str, other: str) -> bool:
    """Return whether two words look like forms of one: card and cards, activate and -ating."""
    short, long = sorted((one, other), key=lambda word: (len(word), word))
    if len(long) - len(short) > 4 or len(short) < 3:
        return short == long
    return long.startswith(short) or (len(short) > 5 and short[:-2] in long)
