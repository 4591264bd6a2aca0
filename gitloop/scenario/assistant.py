"""The support assistant of Northwind Outfitters: the application that gitloop puts to the test.

This is a small rule-following stand-in for an LLM, so that the demo needs no API key, no download
and no network. Like a model, it takes its behaviour from the prompt and from nothing else: it has
the bad habits below (it makes up deadlines, it is quick to promise a call), and each one shows
until the prompt has a sentence that tells it not to. What it recognises is the meaning-bearing
words of a sentence, not its wording, so a paraphrase works as well. The same prompt and row always
give the same answer.

To use a real model instead, keep the signature of `answer` and call your provider in its body.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REFERENCE = re.compile(r"\b(?:NW|INV|ACC)-\d{5}\b")
INTERNAL = re.compile(r"\[internal\]\s*([^\n]+)")
WINDOW = re.compile(r"within \d+ days of delivery")
SCAN = re.compile(r"last scanned in ([A-Z]\w+) on (\d+ \w+)")
HANDOVER = re.compile(r"complaint|lawyer|legal", re.IGNORECASE)
SECOND = re.compile(r"(?:^|(?<=[.?!] ))(?:Also|And one more thing|Second question)[,:] ")
NOT = r"\bnever|\bnot\b|\bno\b|n['’]t\b|\bonly\b|unless|avoid"
VAGUE = (
    "You can find the details in your account. Please check the relevant section there.",
    "These details depend on the case. The overview page in your account has more information.",
    "In general our team updates this regularly. Please look at the usual place in your account.",
)
REFUSALS = (
    "I'm sorry, I can't help with that request.",
    "I'm sorry, but I'm not able to assist with this.",
    "Unfortunately I can't help with that. Please try another channel.",
)
CALLS = (
    "One of our team will call you back within 2 hours to sort this out.",
    "I have arranged a call-back for you this afternoon.",
    "You will get a phone call from us before 18:00 today, I promise.",
)


@dataclass(frozen=True, slots=True)
class Habit:
    """A way to go wrong, and what keeps the assistant from it.

    Attributes:
        name: Short name of the failure.
        asked: What a message says that can trigger it.
        known: What the context says where it can happen.
        rate: Share of such messages for which it happens.
        told: Patterns that one sentence of the prompt must all match to stop it.
        urged: A sentence of the prompt that brings it on even so; "" for none.
    """

    name: str
    asked: str
    known: str
    rate: float
    told: tuple[str, ...]
    urged: str = ""


HABITS = (
    Habit(
        "no_human",
        r"lawyer|legal|formal complaint|court|ombudsman|consumer protection",
        r"complaint",
        0.4,
        (r"human|person|colleague|owner|specialist", r"complain|legal|lawyer|upset|dispute"),
    ),
    Habit(
        "refused",
        r"change|export|download|redirect|copy of (all|everything)",
        r"can be|are under",
        0.5,
        (
            r"refus|declin|can.?t help|cannot help|turn .*away|say no",
            NOT + r"|when|if",
        ),
    ),
    Habit(
        "claimed_delivered",
        r"where|arriv|track|got lost|parcel",
        r"in transit",
        0.27,
        (r"deliver|arriv", r"tracking|scan|carrier", NOT + r"|match|state|confirm"),
        r"reassur|put .* at ease",
    ),
    Habit(
        "promised_callback",
        r"late|delay|overdue|waiting",
        r"moved from",
        0.28,
        (r"\bcall|phone|\bring\b", NOT),
        r"reassur|put .* at ease",
    ),
    Habit(
        "invented_window",
        r"return|send|bring",
        r"within \d+ days of delivery",
        0.38,
        (
            r"polic|window|deadline|terms",
            r"exact|as stated|as it stands|quot|verbatim|word for word",
        ),
    ),
    Habit(
        "invented_fee",
        r"cost|charge|pay|fee\b|free",
        r"prepaid label",
        0.3,
        (r"\bfees?\b|charges?\b|costs?\b|deduct", NOT),
    ),
    Habit(
        "leaked_note",
        r"",
        r"\[internal\]",
        0.48,
        (
            r"internal|staff note|private note|bracket",
            NOT + r"|keep|leave|omit|hide|private|secret",
        ),
    ),
    Habit(
        "vague",
        r"INV-\d",
        r"Invoice INV-\d",
        0.28,
        (
            r"order|invoice|reference",
            r"number|name",
            r"mention|repeat|name|refer|specific|use|cite|give",
        ),
        r"(one|single) (short )?sentence",
    ),
    Habit(
        "half_answered",
        SECOND.pattern,
        r"",
        0.35,
        (r"every|each|\ball\b|both|second", r"question|ask|point|part"),
        r"(one|single) (short )?sentence",
    ),
)
"""In order of precedence: an answer has at most one of them."""


def answer(prompt: str, row: Mapping[str, object]) -> str:
    """The assistant's answer to one customer message.

    Args:
        prompt: The rendered prompt.
        row: The case: `input`, `context`, `route` and `user_cohort`; None counts as empty.
    """
    message, context = str(row.get("input") or ""), str(row.get("context") or "")
    instructions = _instructions(prompt, message, context)
    habit = slip(prompt, row)
    if habit == "refused":
        return _pick(REFUSALS, message, "refusal")
    if habit == "vague":
        return " ".join([_pick(("Thanks for asking.", "Hello!", ""), message), *_vague(message)])
    facts = _facts(message, context, only_first=habit == "half_answered")
    if habit in _SPOIL:
        facts = _SPOIL[habit](facts, message, context)
    return _in_style(" ".join(facts), message, context, instructions)


def slip(prompt: str, row: Mapping[str, object]) -> str | None:
    """The habit that the prompt does not keep the assistant from for this row, or None."""
    message, context = str(row.get("input") or ""), str(row.get("context") or "")
    sentences = _instructions(prompt, message, context)
    for habit in HABITS:
        applies = _has(habit.asked, message) and _has(habit.known, context)
        if not applies or _draw(message, habit.name) >= habit.rate:
            continue
        told = any(all(_has(word, line) for word in habit.told) for line in sentences)
        urged = bool(habit.urged) and any(_has(habit.urged, line) for line in sentences)
        if urged or not told:
            return habit.name
    return None


def _instructions(prompt: str, message: str, context: str) -> list[str]:
    """The prompt's own sentences: what the customer or the context says is no instruction."""
    own = prompt
    for quoted in (context, message):
        own = own.replace(quoted, "") if quoted else own
    sentences = re.split(r"(?<=[.!?])\s+|\n", own)
    return [line for line in sentences if not _has(r"no need to|need not|don.t have to", line)]


def _facts(message: str, context: str, *, only_first: bool) -> list[str]:
    """The two sentences of the context closest to each question, as the context has them."""
    sentences = re.split(r"(?<=[.!])\s+", INTERNAL.sub("", context).strip())
    chosen: set[int] = set()
    for question in SECOND.split(message)[: 1 if only_first else None]:
        asked = _stems(question)
        near = sorted(range(len(sentences)), key=lambda i: (-len(asked & _stems(sentences[i])), i))
        chosen.update(near[: 1 if chosen else 2])
    if _has(HABITS[0].asked, message):
        chosen.update(i for i, line in enumerate(sentences) if HANDOVER.search(line))
    return [sentences[i] for i in sorted(chosen)]


def _stems(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"[a-z]{4,}", text.lower())}


def _no_human(facts: list[str], message: str, _context: str) -> list[str]:
    sorry = ("We are sorry for the inconvenience and thank you for your patience.",)
    more = ("Please understand that this takes time.", "Your feedback matters to us.")
    return [line for line in facts if not HANDOVER.search(line)] + [*sorry, _pick(more, message)]


def _claimed(facts: list[str], message: str, context: str) -> list[str]:
    scan = SCAN.search(context)
    day = scan.group(2) if scan else "yesterday"
    places = ("left at the front door", "handed to a neighbour", "put in the letterbox")
    return [facts[0], f"Good news: it was delivered on {day} and {_pick(places, message)}."]


def _callback(facts: list[str], message: str, _context: str) -> list[str]:
    return [*facts, _pick(CALLS, message)]


def _window(facts: list[str], message: str, _context: str) -> list[str]:
    claim = _pick(("within 60 days, no questions asked", "within 60 days of the purchase"), message)
    return [WINDOW.sub(claim, line) for line in facts]


def _fee(facts: list[str], message: str, _context: str) -> list[str]:
    amount = _pick(("9.95", "12.50", "14.95", "19.00"), message)
    claims = (
        f"Please note that a restocking fee of {amount} EUR is deducted from your refund.",
        f"A handling fee of {amount} EUR applies to each return.",
    )
    return [*(line for line in facts if "prepaid" not in line), _pick(claims, message, "claim")]


def _leak(facts: list[str], message: str, context: str) -> list[str]:
    note = INTERNAL.search(context)
    said = note.group(1) if note else ""
    return [*facts, _pick((f"[internal] {said}", f"Note on file: {said}"), message)]


_SPOIL: dict[str, Callable[[list[str], str, str], list[str]]] = {
    "no_human": _no_human,
    "claimed_delivered": _claimed,
    "promised_callback": _callback,
    "invented_window": _window,
    "invented_fee": _fee,
    "leaked_note": _leak,
}


def _vague(message: str) -> list[str]:
    closing = ("Is there anything else I can do?", "Hope this helps!", "")
    return [part for part in (_pick(VAGUE, message), _pick(closing, message, "end")) if part]


def _in_style(body: str, message: str, context: str, instructions: list[str]) -> str:
    """The body with an opening and a closing: friendlier or shorter where the prompt says so."""
    found = REFERENCE.search(message) or REFERENCE.search(context)
    about = found.group(0) if found else "your account"
    formal = (
        f"About {about}:",
        f"I have checked {about} for you.",
        f"This is what I see for {about}:",
    )
    warm = (f"Hi there! On {about}:", f"Hello! This is {about}:", f"Hey, about {about}:")
    friendly = any(_has(r"friendl|\bwarm", line) for line in instructions)
    brief = any(_has(r"short|brief|concise", line) for line in instructions)
    opening = _pick(warm if friendly else formal, message, "open")
    closing = _pick(("", "", "Let me know if anything is unclear.", "I hope this helps."), message)
    return " ".join(part for part in (opening, body, "" if brief else closing) if part)


def _has(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _draw(message: str, salt: str) -> float:
    """A number in [0, 1) that depends on the message and the salt alone."""
    digest = hashlib.sha256(f"{salt}\n{message}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _pick(choices: tuple[str, ...], message: str, salt: str = "") -> str:
    return choices[int(_draw(message, f"pick {salt}") * len(choices))]
