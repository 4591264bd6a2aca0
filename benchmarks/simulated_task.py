"""A task in which the text of the prompt causes the outcome, and whose truth is known exactly.

Twelve latent rules; a row needs one to three of them, frequent ones more often. A rule is obeyed by
chance p, which grows when the prompt states it, shrinks when the prompt states too many, and
depends on a conflict between two rules and on two traps that look like rules. Seven tenths of the
chance belong to the row (so that two prompts are paired on it), three to the row and the exact text
(so that a paraphrase can look better by luck). Beside the rules stand channels of form: a persona,
examples, and the position of a rule.

Target and teacher see only the text that they are sent. The true score of a text is a closed form,
the best one is found by trying all 4,096 sets of rules.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from statistics import NormalDist

from gitloop.core.optimize import History, Limits, World, run_search
from gitloop.optimizers.asking import dice
from gitloop.params import Prompt, parse_prompt
from gitloop.protocols import Optimizer, Search, Task
from gitloop.records import Ask, Candidate, Case, RowScore, Space

RULES = {
    "it names no source": "Name the source of each fact.",
    "it gives no date": "State every date in full.",
    "it leaves the amount out": "Give amounts with their currency.",
    "it addresses nobody": "Address the customer by name.",
    "it ends without a next step": "End with the next step.",
    "it promises too much": "Promise nothing that is not written down.",
    "it repeats the question": "Do not repeat the question.",
    "it answers one part alone": "Answer every part of the question.",
    "it uses jargon": "Use plain words.",
    "it is not in the asked format": "Write the answer as one JSON object.",
    "it guesses": "Say so when something is not known.",
    "it is too long": "Keep to three sentences.",
}
"""Symptom that the rubric names → the rule that cures it."""

PERSONA = "You are a seasoned support agent who checks every fact."
PERSONAS = (
    PERSONA,
    "You are a friendly host.",
    "You are a lawyer who weighs every word.",
    "You are a teacher of the fifth grade.",
    "You are a poet.",
    "You are a salesperson who loves the product.",
    "You are a coach.",
    "You are an engineer who likes to explain.",
)
"""Whom a teacher may think of; only who has seen what goes wrong knows that facts need checking."""

NEUTRAL = (
    "Use British spelling.",
    "Write in short paragraphs.",
    "Thank the customer for writing.",
    "Be kind.",
    "Begin with a greeting.",
    "Use the active voice.",
    "Avoid exclamation marks.",
    "Write numbers below ten as words.",
    "Use no emoji.",
    "Close with the team's name.",
    "Put the most important thing first.",
    "Use no bold text.",
    "Use the customer's own terms.",
    "Prefer lists to long sentences.",
    "Do not use the passive.",
    "Mention the opening hours.",
    "Refer to the help pages.",
    "Use the present tense.",
    "Stay polite under all circumstances.",
    "Do not speak of other companies.",
    "Vary the length of sentences.",
    "Be concise.",
    "Think step by step.",
    "Take a deep breath.",
    "Double-check the spelling.",
    "Avoid abbreviations.",
    "Sound like a person.",
    "Keep the tone professional.",
    "Write for a reader in a hurry.",
    "Use no rhetorical questions.",
    "Let each sentence say one thing.",
    "Avoid superlatives.",
    "Use a serial comma.",
    "Do not begin with an apology.",
    "Write as one would speak.",
    "Be creative.",
)
"""Lines that sound as good as any rule and change nothing, but that they crowd the rest."""
TRAPS = ("Always sound certain.", "Say yes wherever you can.")
CONFLICT = (7, 11)
"""Answering every part and keeping to three sentences get into each other's way."""

_CROWD = 6
_SYMPTOMS, _PHRASES = tuple(RULES), tuple(RULES.values())
_NORMAL = NormalDist()
_GOOD, _BAD = "an answer", "another answer"
"""Answers that passed and that did not; an example teaches where the one that it shows passed."""
_GUESSES = (*_PHRASES, *NEUTRAL)
"""What comes to the mind of a teacher that is told nothing: the rules are a quarter of it."""

PROMPT = """\
---
name: simulated
version: "1"
demos: 4
---
Answer the customer.
{{ instructions }}
{{ demos }}
{{ input }}
"""


@dataclass(frozen=True)
class SimulatedTask:
    """One world: its rows, its chances, and the truth about any text.

    Attributes:
        seed: Of everything in it.
        sizes: Split → rows.
        is_null: Whether the incumbent is already the best there is.
        feedback: What a search is told: "reasons" (which rows passed, and why training rows did
            not), "passes" (which rows passed), "means" (the scores of the training rows that were
            asked about are dealt anew among them: their mean is true, and which of them passed is
            unknown) or "nothing": every score that it sees, those of validation too, is drawn with
            the incumbent's chance. Scores on record, by which the finalist is chosen, are true.
        teaches: What the teacher does with a text, or None for the usual one.
    """

    seed: int
    sizes: dict[str, int] = field(
        default_factory=lambda: {"train": 50, "val": 40, "holdout": 70}, hash=False
    )
    is_null: bool = False
    feedback: str = "reasons"
    teaches: Callable[[str], str | None] | None = field(default=None, hash=False)

    @cached_property
    def rows(self) -> dict[str, tuple[str, ...]]:
        """Split → row ids."""
        return {
            split: tuple(f"{split}-{n:03}" for n in range(size))
            for split, size in self.sizes.items()
        }

    @cached_property
    def needs(self) -> dict[str, tuple[int, ...]]:
        """Row id → the rules that it needs: Zipf, so that few rules decide many rows."""
        order = list(range(len(RULES)))
        dice(self.seed, "rules").shuffle(order)
        weights = [1 / (place + 1) for place in range(len(order))]
        found = {}
        for row_id in (row_id for ids in self.rows.values() for row_id in ids):
            chance = dice(self.seed, "needs", row_id)
            wanted = chance.choices((1, 2, 3), (0.4, 0.4, 0.2))[0]
            drawn: dict[int, None] = {}
            while len(drawn) < wanted:
                drawn[chance.choices(order, weights)[0]] = None
            found[row_id] = tuple(sorted(drawn))
        return found

    @cached_property
    def _wanted(self) -> dict[str, Counter[tuple[int, ...]]]:
        """Split → the rules that rows need → how many rows need just them."""
        return {
            split: Counter(self.needs[row_id] for row_id in ids) for split, ids in self.rows.items()
        }

    @cached_property
    def prompt(self) -> Prompt:
        """The prompt file as it is."""
        return parse_prompt(PROMPT, source="simulated.md")

    @cached_property
    def incumbent(self) -> Candidate:
        """The prompt as it is: without a rule, or in the null world with the best rules."""
        if not self.is_null:
            return Candidate((), (("demos", ""),))
        lines = (*(_PHRASES[rule] for rule in self.best_rules), PERSONA)
        return Candidate(lines, (("demos", "\n".join(["Input: x\nOutput: y"] * 3)),))

    def text(self, candidate: Candidate) -> str:
        """What the target is sent, but for the row."""
        return self.prompt.changed(candidate).render({"input": "<the row>"})

    def truth(self, candidate: Candidate, split: str = "holdout") -> float:
        """The expected score of a candidate, in closed form."""
        return self._truth(_Stated.of(self.text(candidate)), split)

    @cached_property
    def best_rules(self) -> tuple[int, ...]:
        """The best set of rules, of all 4,096."""
        every = product((False, True), repeat=len(RULES))
        sets = (tuple(n for n, given in enumerate(bits) if given) for bits in every)
        return max(sets, key=lambda rules: self._truth(_best_form(rules), "holdout"))

    @cached_property
    def optimum(self) -> float:
        """The best expected score: of rules, persona and examples together."""
        return self._truth(_best_form(self.best_rules), "holdout")

    def closed(self, candidate: Candidate) -> float:
        """The share of the gap between incumbent and optimum that a candidate closes."""
        start = self.truth(self.incumbent)
        return (self.truth(candidate) - start) / (self.optimum - start)

    def evaluate(self, ask: Ask) -> list[RowScore]:
        """One score per row, with the symptoms of the training rows that failed."""
        text = self.text(ask.candidate)
        stated = _Stated.of(text)
        ids = self.rows[ask.split] if ask.row_ids is None else ask.row_ids
        rows = [self._scored(row_id, text, stated, ask.split) for row_id in ids]
        if ask.split != "train" or self.feedback != "means":
            return rows
        scores = [row.score for row in rows]
        dice(self.seed, "dealt", text, *ids).shuffle(scores)
        return [replace(row, score=score) for row, score in zip(rows, scores, strict=True)]

    def task(self, budget: int) -> Task:
        """What an optimizer is given."""
        return Task(
            prompt=self.prompt,
            incumbent=self.incumbent,
            space=Space({}, (), demos=self.prompt.head.demos),
            seed=self.seed,
            budget=budget,
            train=tuple(Case(row_id, f"question {row_id}") for row_id in self.rows["train"]),
            val_ids=self.rows["val"],
            has_teacher=True,
        )

    def search(self, optimizer: Optimizer, budget: int, task: Task | None = None) -> History:
        """Run an optimizer in this world."""
        teach = self.teaches or teacher(self.seed)
        world = World(self.evaluate, self.rows, teach)
        given = task or self.task(budget)
        search = optimizer.search(given)
        if self.feedback == "nothing":
            search = self._untold(search)
        return run_search(search, given.incumbent, world, Limits(budget))

    def _untold(self, search: Search) -> Search:
        """The search, which sees scores that have nothing to do with what it tries."""
        passed = [row.score or 0.0 for row in self.evaluate(Ask(self.incumbent))]
        chance = sum(passed) / len(passed)
        wish = next(search, None)
        while wish is not None:
            reply = yield wish
            if isinstance(wish, Ask) and reply and not isinstance(reply, str):
                name = wish.candidate.id
                drawn = (_hashed(f"{self.seed}/{name}/{row.row_id}") < chance for row in reply)
                reply = [replace(row, score=float(d)) for row, d in zip(reply, drawn, strict=True)]
            try:
                wish = search.send(reply)
            except StopIteration:
                return

    def _truth(self, stated: _Stated, split: str) -> float:
        chances = [self._chance(rule, stated) for rule in range(len(RULES))]
        wanted = self._wanted[split]
        total = sum(n * math.prod(chances[rule] for rule in rules) for rules, n in wanted.items())
        return total / len(self.rows[split])

    def _chance(self, rule: int, stated: _Stated) -> float:
        """How likely a needed rule is obeyed under a text."""
        base = 0.18
        gain = 0.62 if rule in stated.rules else 0.0
        dilution = max(0, stated.n_lines - _CROWD) * 0.045
        clash = 0.25 if rule in CONFLICT and set(CONFLICT) <= stated.rules else 0.0
        form = 0.05 * stated.has_persona + 0.03 * min(stated.n_demos, 3)
        position = 0.03 if rule == stated.first else 0.0
        chance = base + max(0.0, gain - dilution - clash) + form + position - 0.12 * stated.n_traps
        return min(0.97, max(0.02, chance))

    def _scored(self, row_id: str, text: str, stated: _Stated, split: str) -> RowScore:
        broken = [
            rule
            for rule in self.needs[row_id]
            if _uniform(self.seed, row_id, rule, text) >= self._chance(rule, stated)
        ]
        if split != "train":
            return RowScore(row_id, "ok", float(not broken))
        is_told = self.feedback == "reasons"
        reason = "; ".join(_SYMPTOMS[rule] for rule in broken) if is_told else ""
        return RowScore(row_id, "ok", float(not broken), reason, _BAD if broken else _GOOD)


@dataclass(frozen=True)
class _Stated:
    """What a text states, as far as it matters."""

    rules: frozenset[int]
    n_traps: int = 0
    n_demos: int = 0
    has_persona: bool = False
    extra: int = 0
    first: int | None = None

    @property
    def n_lines(self) -> int:
        """Instructions that compete for attention."""
        return len(self.rules) + self.n_traps + self.extra

    @classmethod
    def of(cls, text: str) -> _Stated:
        lines = [line[2:] for line in text.split("\n") if line.startswith("- ")]
        plain = [line.removeprefix("Please: ") for line in lines]
        rules = [_PHRASES.index(line) for line in plain if line in _PHRASES]
        traps = [line for line in plain if line in TRAPS]
        has_persona = PERSONA in plain
        return cls(
            rules=frozenset(rules),
            n_traps=len(set(traps)),
            n_demos=text.count("Output: ") - text.count(f"Output: {_BAD}"),
            has_persona=has_persona,
            extra=len(lines) - len(rules) - len(traps) - has_persona,
            first=rules[0] if rules else None,
        )


def _best_form(rules: Sequence[int]) -> _Stated:
    """These rules beside a persona and examples; which rule stands first is left out of it."""
    return _Stated(frozenset(rules), n_demos=3, has_persona=True)


def teacher(seed: int, accuracy: float = 0.8) -> Callable[[str], str | None]:
    """A teacher that knows nothing but the texts it is sent; the nth same text has its own answer.

    It reads the instructions between the first fences and the symptoms anywhere. A symptom becomes
    its rule with the given accuracy, else some other rule; a line is forgotten in 15 % of rewrites
    and a trap added in 10 %. Without symptoms it guesses a rule, or up to three where a bold
    variation is asked for: a control that is as strong as chance allows.
    """
    told: Counter[str] = Counter()

    def answer(text: str) -> str:
        chance = dice(seed, "teacher", hashlib.sha256(text.encode()).hexdigest(), told[text])
        told[text] += 1
        symptoms = _shown(text)
        if "beginning with `Reason:`" in text:
            return "\n".join(f"Reason: {symptom}" for symptom in symptoms[:2] or ["it is vague"])
        if "beginning with `Critique:`" in text:
            return "\n".join(f"Critique: {s}" for s in symptoms[:3] or ["it is vague"])
        if "`Persona:`" in text:
            knows = symptoms and chance.random() < accuracy
            return f"Persona: {PERSONA if knows else chance.choice(PERSONAS)}"
        if "<input> and <output>" in text:
            return "```\nInput: <input>\nOutput: <output>\n```"
        lines = [line[2:] for line in _first_fenced(text).split("\n") if line.startswith("- ")]
        if "Write a paraphrase" in text:
            chance.shuffle(lines)
            return _written([_politely(line) for line in lines])
        wanted = _cure_named(text, symptoms)
        rules = [
            RULES[symptom] if chance.random() < accuracy else chance.choice(_GUESSES)
            for symptom in wanted[:1]
        ]
        if not rules:
            bold = "Write a variation" in text
            rules = chance.sample(_GUESSES, chance.randint(1, 3) if bold else 1)
        if lines and chance.random() < 0.15:
            lines.pop(chance.randrange(len(lines)))
        if chance.random() < 0.10:
            rules.append(chance.choice(TRAPS))
        known = {line.removeprefix("Please: ") for line in lines}
        added = [rule for rule in dict.fromkeys(rules) if rule not in known]
        return f"Hypothesis: {'; '.join(wanted) or 'none'}\n{_written([*lines, *added])}"

    return answer


def without_answers(_text: str) -> str | None:
    """A teacher that cannot be reached."""
    return None


def talking_junk(text: str) -> str:
    """A teacher whose replies hold braces, half templates and no fences."""
    return json.dumps({"text": "{{ nothing }} {% if %} {" + str(len(text))})


def _cure_named(text: str, symptoms: Sequence[str]) -> list[str]:
    """The symptoms that a question singles out as what is wrong, or else all that it shows."""
    named = text.partition("# What is wrong with them")[2]
    return _shown(named) or list(symptoms)


def _shown(text: str) -> list[str]:
    """The symptoms that a text names, the most frequent first."""
    counts = {symptom: text.count(symptom) for symptom in _SYMPTOMS}
    return sorted((s for s in counts if counts[s]), key=lambda s: (-counts[s], s))


def _first_fenced(text: str) -> str:
    found = re.search(r"```\n(.*?)\n?```", text, re.DOTALL)
    return found[1] if found else ""


def _written(lines: Iterable[str]) -> str:
    body = "\n".join(f"- {line}" for line in lines)
    return f"```\n{body}\n```"


def _politely(line: str) -> str:
    return line.removeprefix("Please: ") if line.startswith("Please: ") else f"Please: {line}"


def _uniform(seed: int, row_id: str, rule: int, text: str) -> float:
    """A uniform draw of which seven tenths belong to the row and three to the row and the text."""
    own = _hashed(f"{seed}/{row_id}/{rule}")
    with_text = _hashed(f"{seed}/{row_id}/{rule}/{text}")
    z = math.sqrt(0.7) * _NORMAL.inv_cdf(own) + math.sqrt(0.3) * _NORMAL.inv_cdf(with_text)
    return _NORMAL.cdf(z)


def _hashed(name: str) -> float:
    """A uniform draw in (0, 1) that depends on the name alone."""
    digest = hashlib.sha256(name.encode()).digest()
    return (int.from_bytes(digest[:8], "big") + 0.5) / 2**64
