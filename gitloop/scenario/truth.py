"""What is really wrong with an answer, and the one-off accidents that no prompt causes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitloop.scenario.assistant import REFERENCE

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

RUBRICS = {
    "grounded": "The answer rests on the context: every figure, date and claim in it is the"
    " context's, and it does state what the context says. An answer that uses nothing of the"
    " context is not grounded in it.",
    "resolved": "The customer can act on the answer: everything they asked is answered, a person"
    " is named where a complaint needs one, and nothing internal is shown.",
}
"""Rubric → what passes."""

FAILS = {
    "invented_window": ("grounded",),
    "invented_fee": ("grounded",),
    "claimed_delivered": ("grounded", "resolved"),
    "promised_callback": ("grounded",),
    "no_human": ("resolved",),
    "leaked_note": ("resolved",),
    "refused": ("grounded", "resolved"),
    "vague": ("grounded", "resolved"),
    "half_answered": ("resolved",),
    "cut_off": ("resolved",),
    "garbled": ("resolved",),
    "wrong_name": ("grounded",),
    "wrong_reference": ("grounded",),
    "other_language": ("grounded", "resolved"),
    "echoed": ("grounded", "resolved"),
}
"""Failure shape or accident → the rubrics that it fails."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is really wrong with one answer.

    Attributes:
        shape: The failure shape that the prompt let through, or None.
        accident: The one-off accident that befell the answer, or None; never beside a shape.
    """

    shape: str | None = None
    accident: str | None = None

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.shape or self.accident)

    def verdict(self, rubric: str) -> str:
        """The right label under a rubric: "pass" or "fail"."""
        return "fail" if rubric in FAILS.get(self.shape or self.accident or "", ()) else "pass"


def accident(output: str, message: str, dice: random.Random) -> tuple[str, str]:
    """A one-off accident: its name, and what it makes of the answer."""
    name = dice.choice(sorted(ACCIDENTS))
    return name, ACCIDENTS[name](output, message, dice)


def _cut_off(output: str, _message: str, dice: random.Random) -> str:
    return output[: int(len(output) * dice.uniform(0.3, 0.55))]


def _garbled(output: str, _message: str, dice: random.Random) -> str:
    words = output.split(" ")
    long = [i for i, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    for i in dice.sample(long, k=max(1, len(long) * 2 // 3)):
        letters = list(words[i])
        dice.shuffle(letters)
        words[i] = "".join(letters)
    return " ".join(words)


def _wrong_name(output: str, _message: str, dice: random.Random) -> str:
    name = dice.choice(("Fitzgerald", "Yamamoto", "van der Berg", "Oyelaran", "Petrova", "Quispe"))
    wish = dice.choice(("happy birthday!", "welcome back after 3 years.", "as agreed on Monday:"))
    return f"Dear {dice.choice(('Ms', 'Mr', 'Dr'))} {name}, {wish} {output}"


def _wrong_reference(output: str, _message: str, dice: random.Random) -> str:
    return REFERENCE.sub(lambda found: f"{found.group(0)[:-5]}{dice.randrange(10**5):05}", output)


def _other_language(_output: str, _message: str, dice: random.Random) -> str:
    return dice.choice(
        (
            "Vielen Dank für Ihre Nachricht. Wir haben alles geprüft und melden uns bald.",
            "Merci pour votre message, votre dossier est bien enregistré chez nous.",
            "Gracias por escribirnos. Todo está en orden con su pedido.",
            "Grazie per averci scritto, la pratica risulta aperta.",
            "Bedankt voor je bericht, het staat allemaal in je account.",
            "Obrigado pela mensagem. O seu pedido segue como previsto.",
        )
    )


def _echoed(_output: str, message: str, dice: random.Random) -> str:
    before = dice.choice(("You wrote:", "Customer message:", "Summary of the request:", ">"))
    return f"{before} {message}"


ACCIDENTS: dict[str, Callable[[str, str, random.Random], str]] = {
    "cut_off": _cut_off,
    "garbled": _garbled,
    "wrong_name": _wrong_name,
    "wrong_reference": _wrong_reference,
    "other_language": _other_language,
    "echoed": _echoed,
}
