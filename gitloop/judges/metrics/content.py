"""Scanners of what a text is about: language, topic, personal_data.

The language is py3langid's guess among its 140; it counts only where it is surer than not, and a
text of a few letters has none. A topic is found by its words, whatever their inflection. Personal
data is what has a grammar or check digits of its own: e-mail addresses, international phone numbers
(libphonenumber), cards (Luhn), IBANs (ISO 13616) and US social security numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import numpy as np
import phonenumbers
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from gitloop.arguments import Argument
from gitloop.judges.metrics.metric import Fields, Metric, Scorer, each, quoted, unjudgeable, verdict
from gitloop.judges.metrics.scanners import scanner
from gitloop.judges.metrics.words import tokens
from gitloop.records import Judgement

SURE = 0.5
"""Probability from which a guess of a language counts."""
_FEWEST_LETTERS = 16
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\S+@\S+", re.DOTALL)
_CODE_MARKS = ("`", "://", "@")
"""Each match of `_CODE` holds one of them."""


@cache
def _identifier() -> LanguageIdentifier:
    made = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # py3langid keeps half floats and widens the rows that it needs for every text: once is enough.
    made.nb_ptc = made.nb_ptc.astype(np.float32)
    return made


def language(text: str) -> str:
    """The ISO 639-1 code of the text's language, or "" where it is too short or unclear.

    Code, web and e-mail addresses are left out.
    """
    plain = _CODE.sub(" ", text) if any(mark in text for mark in _CODE_MARKS) else text
    if sum(map(str.isalpha, plain)) < _FEWEST_LETTERS:
        return ""
    code, chance = _identifier().classify(plain)
    return str(code) if chance >= SURE else ""


def _make_language(arguments: Mapping[str, Any]) -> Scorer:
    allowed, field, model = arguments["allow"], arguments["of"], arguments["same_as"]
    if not allowed and model is None:
        raise ValueError("allow and same_as are both missing: which language is right?")
    unknown = sorted(set(allowed) - set(_identifier().labels))
    if unknown:
        raise ValueError(f"allow holds {unknown[0]}, no ISO 639-1 code of a known language")

    def score(fields: Fields) -> Judgement:
        if field not in fields:
            return unjudgeable(f"the row has no {field}")
        wanted = set(allowed)
        if model is not None:
            asked = language(fields.get(model, ""))
            if not asked:
                return unjudgeable(f"the language of the {model} is not clear")
            wanted.add(asked)
        found = language(fields[field])
        if not found:
            return unjudgeable(f"the language of the {field} is not clear")
        told = "" if found in wanted else f"{found}, not {' or '.join(sorted(wanted))}"
        return verdict(passes=found in wanted, reason=told)

    return each(score)


LANGUAGE = Metric(
    name="language",
    doc="the text is in the right language; one that is too short to tell has no score",
    needs=(),
    takes=("output", "input", "context"),
    returns="0 or 1",
    make=_make_language,
    arguments={
        "of": Argument(
            "text", "which text is read", default="output", choices=("output", "input", "context")
        ),
        "allow": Argument("words", "ISO 639-1 codes, e.g. en, de", default=()),
        "same_as": Argument(
            "text",
            "the text whose language is right as well",
            default=None,
            choices=("input", "context"),
            is_nullable=True,
        ),
    },
)


def _make_topic(arguments: Mapping[str, Any]) -> Scorer:
    on, off = _phrases(arguments["on"]), _phrases(arguments["off"])
    if not on and not off:
        raise ValueError("on and off are both missing: which topics are right?")
    field = arguments["of"]

    def score(fields: Fields) -> Judgement:
        if field not in fields:
            return unjudgeable(f"the row has no {field}")
        said = list(map(_uninflected, tokens(fields[field])))
        strays = [phrase for phrase, stems in off.items() if _holds(said, stems)]
        if strays:
            return verdict(passes=False, reason=f"speaks of {quoted(strays)}")
        found = not on or any(_holds(said, stems) for stems in on.values())
        return verdict(passes=found, reason="" if found else "speaks of none of its topics")

    return each(score)


def _phrases(given: list[str]) -> dict[str, list[str]]:
    return {phrase: list(map(_uninflected, tokens(phrase))) for phrase in given}


_INFLECTIONS = (("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""))


@lru_cache(maxsize=65536)
def _uninflected(word: str) -> str:
    """The word without plural, -ed or -ing; stems would take "better" for "betting".

    The last letter counts once, and a silent e not at all: bet, bets and betting are one word.
    """
    word = word.replace("’", "'").removesuffix("'s")
    for ending, instead in _INFLECTIONS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending) + instead
            break
    word = word.removesuffix("e")
    return word[:-1] if word[-2:-1] == word[-1:] else word


def _holds(said: list[str], stems: list[str]) -> bool:
    """Whether the stems stand in the text side by side."""
    n = len(stems)
    return n > 0 and any(said[i : i + n] == stems for i in range(len(said) - n + 1))


TOPIC = Metric(
    name="topic",
    doc="the text speaks of its topics and of no forbidden one, whatever its words' inflections",
    needs=(),
    takes=("output", "input", "context"),
    returns="0 or 1",
    make=_make_topic,
    arguments={
        "of": Argument(
            "text", "which text is read", default="output", choices=("output", "input", "context")
        ),
        "on": Argument("words", "words or phrases of which one must be there", default=()),
        "off": Argument("words", "words or phrases of which none may be there", default=()),
    },
)

_EMAIL = re.compile(r"[\w.%+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8}")
_CARD = re.compile(
    r"(?<![\w.\-])[2-6](?:\d{12,18}|\d{3}([ \-])(?:\d{4}\1\d{4}\1\d{1,7}|\d{6}\1\d{4,5}))(?![\w\-])"
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_SSN = re.compile(r"(?<![\w\-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w\-])")


def personal_data(text: str, regions: tuple[str, ...] = ()) -> list[str]:
    """The kinds of personal data in the text, sorted; never the data itself.

    Args:
        text: Any text.
        regions: ISO 3166 codes of countries whose phone numbers count without a country code too.
    """
    found = set()
    if _EMAIL.search(text):
        found.add("e-mail address")
    if any(_luhn(re.sub(r"\D", "", match[0])) for match in _CARD.finditer(text)):
        found.add("card number")
    if any(_is_iban(match[0].replace(" ", "")) for match in _IBAN.finditer(text)):
        found.add("IBAN")
    if _SSN.search(text):
        found.add("social security number")
    strict = phonenumbers.Leniency.STRICT_GROUPING
    for region in regions or (None,):
        if any(phonenumbers.PhoneNumberMatcher(text, region, leniency=strict)):
            found.add("phone number")
    return sorted(found)


def _luhn(digits: str) -> bool:
    """Whether a card's check digit is right (ISO/IEC 7812)."""
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(d - 9 * (d > 9) for d in doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether an IBAN's check digits are right (ISO 13616, mod 97)."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


PERSONAL_DATA = scanner(
    "personal_data",
    "the text holds no e-mail address, phone, card, IBAN or social security number",
    lambda given: lambda text: personal_data(text, tuple(given["regions"])),
    {
        "regions": Argument(
            "words", "countries whose phone numbers count without +…, e.g. DE, US", default=()
        )
    },
    of="output",
)
