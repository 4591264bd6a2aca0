"""Texts as sentences and words, the same way for every metric and every language.

Words are compared by their stems: case folded, compatibility forms joined (NFKC), and the most
common English endings taken off, as in Harman's and Paice's suffix stemmers. Scripts without blanks
between words (Chinese, Japanese, Thai) are compared by overlapping pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

_GRAMMAR = """
    a an the and or but if then of to in on at by for with from as is are was were be been being am
    it its this that these those he she they them his her their i you we my your our me us him do
    does did have has had not no so than too very can will just would could should may might must
    about into over after before also there here what which who whom how when where why such any
    some all each more most other own same only both again while
"""
_DENIALS = "not no never without cannot neither nor none nobody nothing ain't"
_SUFFIXES = """
    ingly edly ations ation ments ment nesses ness ings ing ies ied ily est ers er ed es ly s e
"""
_SMALL = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty
"""
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety"

FUNCTION_WORDS = frozenset(_GRAMMAR.split())
"""English words that carry grammar rather than content."""

NEGATIONS = frozenset(_DENIALS.split())
"""English words that deny; so does whatever ends in n't."""

_ENDINGS = tuple(_SUFFIXES.split())
_NUMERALS = {word: str(value) for value, word in enumerate(_SMALL.split()) if word != "one"} | {
    word: str(10 * value) for value, word in enumerate(_TENS.split(), start=1)
}
"""Spelled-out numbers; "one" is left out, because it is a pronoun as often."""

_WORD = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
_ASCII_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*|[0-9]+(?:[.,:/][0-9]+)*")
"""The same for a text of ASCII alone, in less time."""
_LIST_MARK = re.compile(r"^[ \t]*(?:[-*•#>]+|\(?\d{1,2}[.)]|\(?[a-z][.)])[ \t]+", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)\]]*\s+|(?<=[。！？])|\n+")
_ASCII_END = re.compile(r"[.!?\n](?:(?<=\n)\n*|(?<=[.!?])[\")\]]*\s+)")
"""The same in ASCII, mark and all: what begins with one class is found five times as fast."""
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text.

    Attributes:
        text: As it stands there.
        stem: What it is compared by.
        is_figure: Whether it is a number, in digits or spelled out.
        is_function: Whether it carries grammar rather than content.
        is_negation: Whether it denies what it stands with.
    """

    text: str
    stem: str
    is_figure: bool = False
    is_function: bool = False
    is_negation: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, or one line of a list.

    Attributes:
        text: As it stands there, without a list's mark.
        words: Its words, in order; never empty.
        stems: The stems of its words.
        is_negated: Whether it denies something.
    """

    text: str
    words: tuple[Word, ...]
    stems: frozenset[str]
    is_negated: bool


def words(text: str) -> list[Word]:
    """The words of a text, in order."""
    return list(map(_word, _split(text)))


def tokens(text: str) -> list[str]:
    """The words of a text in order, case folded and otherwise as they stand there."""
    return _split(text.casefold())


def _split(text: str) -> list[str]:
    """The words of a text as they stand there, in NFKC."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    found = []
    for token in _WORD.findall(unicodedata.normalize("NFKC", text)):
        if _UNSPACED.search(token) and len(token) > 1:
            found += [token[i : i + 2] for i in range(len(token) - 1)]
        else:
            found.append(token)
    return found


_STEM, _IS_NEGATION = attrgetter("stem"), attrgetter("is_negation")


@lru_cache(maxsize=1024)
def sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text, in order; those without a word are left out."""
    found = []
    for part in _parts(_LIST_MARK.sub("", text)):
        if own := tuple(words(part)):
            stems = frozenset(map(_STEM, own))
            is_negated = any(map(_IS_NEGATION, own))
            found.append(Sentence(" ".join(part.split()), own, stems, is_negated))
    return tuple(found)


def _parts(text: str) -> list[str]:
    """The text, cut behind each sentence and line."""
    if not text.isascii():
        return _SENTENCE_END.split(text)
    parts, start = [], 0
    for end in _ASCII_END.finditer(text):
        parts.append(text[start : end.start() + (text[end.start()] != "\n")])
        start = end.end()
    return [*parts, text[start:]]


@lru_cache(maxsize=65536)
def _word(token: str) -> Word:
    folded = token.casefold().replace("’", "'")
    if folded in _NUMERALS:
        return Word(token, _NUMERALS[folded], is_figure=True)
    if token[0].isdigit():
        return Word(token, _figure(token), is_figure=True)
    denies = folded in NEGATIONS or folded.endswith("n't")
    return Word(token, stem(folded), is_function=folded in FUNCTION_WORDS, is_negation=denies)


def _figure(token: str) -> str:
    """A number in one form: 1,000 and 1000 are equal, and so are 06 and 6."""
    plain = re.sub(r",(?=\d{3}\b)", "", token)
    return plain.lstrip("0") or "0"


def stem(word: str) -> str:
    """The case-folded word without its ending, never shorter than three letters."""
    word = word.removesuffix("'s")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
