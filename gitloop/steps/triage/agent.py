"""The agent at work on one cluster: it reads and submits, and every claim is checked."""

from __future__ import annotations

from dataclasses import dataclass

from gitloop.core import triage as core
from gitloop.core.triage import Casebook, Claim, Evidence, Findings, Messages, Struck, Use
from gitloop.params import Triage
from gitloop.steps.triage.models import Asked, Purse

_READING = 0.6
"""Share of the budget that reading may take; the rest is for the brief and its second pass."""
_MOST_FAULTS = 3
"""Answers in a row that cannot be read before the agent is given up."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Who works on a cluster.

    Attributes:
        agent: Reads and submits.
        reader: Cuts long spans down, or None.
        verifier: Doubts every claim.
    """

    agent: Asked
    reader: Asked | None
    verifier: Asked

    def models(self) -> dict[str, str]:
        """Part → model."""
        found = {"agent": self.agent.model, "verifier": self.verifier.model}
        return found | ({"reader": self.reader.model} if self.reader else {})


class Investigation:
    """One cluster under investigation.

    Args:
        staff: Who works on it.
        limits: What they may spend.
        casebook: What they may read.
        evidence: What the data say.
    """

    def __init__(
        self, staff: Staff, limits: Triage, casebook: Casebook, evidence: Evidence
    ) -> None:
        self._staff, self._limits = staff, limits
        self._casebook, self._evidence = casebook, evidence
        self._purse = Purse(limits.max_tokens, limits.max_usd)
        self._n_turns = 0

    def run(self) -> Findings:
        """What stands of the agent's claims.

        Raises:
            ApiError: A server failed; the answers so far are kept.
            CallTimeoutError: It was too slow.
            StaleError: Mode replay, and an answer was never recorded.
        """
        messages, why = self._read()
        claims, struck, fault = self._submit(messages, why)
        quoted, unquoted = core.check_quotes(claims, self._casebook)
        kept, doubted = self._doubt(quoted)
        return Findings(
            models=self._staff.models(),
            kept=tuple(kept),
            struck=(*struck, *unquoted, *doubted),
            spent=self._purse.spent(self._n_turns),
            stopped=fault or why,
        )

    def _read(self) -> tuple[Messages, str]:
        """The conversation up to the question for the brief, and why reading ended early or ""."""
        messages = core.opening(self._evidence)
        n_faults = 0
        while True:
            if self._n_turns >= self._limits.max_turns - 1:
                return core.asked_for_brief(messages, "", _told("turns")), "all turns were taken"
            if self._purse.share >= _READING:
                return core.asked_for_brief(messages, "", _told("budget")), "the budget was spent"
            said = self._turn(messages, core.TURN_SCHEMA)
            try:
                use = core.read_turn(said)
            except ValueError as error:
                n_faults += 1
                if n_faults >= _MOST_FAULTS:
                    return messages, "its turns could not be read"
                messages = core.corrected(messages, said, str(error))
                continue
            n_faults = 0
            if use.tool == "submit":
                return core.asked_for_brief(messages, said, ""), ""
            messages = core.grown(messages, said, self._use(use))

    def _turn(self, messages: Messages, schema: dict[str, object]) -> str:
        (answer,) = self._staff.agent.ask([messages], schema)
        self._purse.pay([answer])
        self._n_turns += 1
        return str(answer.value.get("text") or "")

    def _use(self, use: Use) -> str:
        """What the tool answers; a long span goes through the reader, whose words are checked."""
        span = self._casebook.span(use.trace_id, use.span_id)
        reader = self._staff.reader
        is_long = span is not None and len(span.text) >= self._limits.long_span
        if use.tool != "read_span" or reader is None or span is None or not is_long:
            return core.run(use, self._casebook, self._evidence)
        part = core.window(span.text, use.offset)
        (answer,) = reader.ask([core.to_reader(part, use.text)], core.READER_SCHEMA)
        self._purse.pay([answer])
        try:
            told = core.read_passages(str(answer.value.get("text") or ""))
        except ValueError:
            told = []
        passages = [p for p in told if self._casebook.holds(use.trace_id, use.span_id, p)]
        size = f"{len(span.text)} characters"
        head = f"[{span.span_id}] {span.title}, {size}; passages of it from {use.offset} on:"
        if not passages:  # a reader that copies nothing is not believed: the span's own words are
            passages = [span.text[use.offset :][: self._limits.long_span]]
        return "\n".join([head, *(f"- {passage}" for passage in passages)])

    def _submit(self, messages: Messages, why: str) -> tuple[list[Claim], list[Struck], str]:
        """The claims of the brief, the entries that are none, and why there is no brief or ""."""
        if why == "its turns could not be read":
            return [], [], why
        for _ in range(_MOST_FAULTS):
            if self._purse.share >= 1.0:
                return [], [], "the budget was spent before the brief"
            said = self._turn(messages, core.BRIEF_SCHEMA)
            try:
                claims, struck = core.read_claims(said)
            except ValueError as error:
                messages = core.corrected(messages, said, str(error))
            else:
                return claims, struck, ""
        return [], [], "its brief could not be read"

    def _doubt(self, claims: list[Claim]) -> tuple[list[Claim], list[Struck]]:
        """The claims that the second pass upholds, and the others; what it cannot pay is struck."""
        kept, struck = [], []
        for claim in claims:
            if self._purse.share >= 1.0:
                struck.append(Struck(claim, core.UNCHECKED))
                continue
            asked = core.doubts(claim, self._casebook)
            (answer,) = self._staff.verifier.ask([asked], core.VERDICT_SCHEMA)
            self._purse.pay([answer])
            reason = core.verdict(str(answer.value.get("text") or ""))
            if reason:
                struck.append(Struck(claim, reason))
            else:
                kept.append(claim)
        return kept, struck


def _told(what: str) -> str:
    return f"Your {what} are used up. " if what == "turns" else "Your budget is used up. "
