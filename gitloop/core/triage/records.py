"""What a brief says, and what stands behind every word of it."""

from __future__ import annotations

from dataclasses import dataclass, field

FACTS = ("name", "root_cause", "severity")
ADVICE = ("immediate_fix", "quick_fix", "long_term")
SCORES = (
    "factual_grounding",
    "privacy_and_safety",
    "instruction_adherence",
    "optimal_plan_execution",
)
FIELDS = (*FACTS, *ADVICE, *SCORES)
"""What a claim may be about."""

SEVERITIES = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement about a cluster, with the words that it rests on.

    Attributes:
        field: One of `FIELDS`.
        text: The statement.
        trace_id: The trace that it cites.
        span_id: The span of it: a span's id, or "input", "context", "output", "feedback:<id>".
        quote: Words of that span, verbatim.
        value: A score "1" to "5", or a severity; "" for other fields.
    """

    field: str
    text: str
    trace_id: str
    span_id: str
    quote: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Struck:
    """A claim that does not stand.

    Attributes:
        claim: The claim.
        reason: Why, from a closed list, so that reasons can be counted.
    """

    claim: Claim
    reason: str


@dataclass(frozen=True, slots=True)
class Lift:
    """How much more often a value stands in a cluster than elsewhere.

    Attributes:
        value: The route, cohort, prompt version or term.
        n: Traces of the cluster with it.
        n_of: Traces of the cluster.
        n_else: Other traces with it.
        n_else_of: Other traces.
        lift: Ratio of the two rates.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    value: str
    n: int
    n_of: int
    n_else: int
    n_else_of: int
    lift: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that stand in a span, and what they are shown for.

    Attributes:
        text: The words, verbatim.
        trace_id: The trace.
        span_id: The span.
    """

    text: str
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Contrast:
    """A term that the cluster's traces hold more often than passing ones.

    Attributes:
        lift: How much more often.
        quote: A line that holds it.
    """

    lift: Lift
    quote: Quote


@dataclass(frozen=True, slots=True)
class Spent:
    """What a brief cost.

    Attributes:
        n_turns: Turns of the agent.
        n_calls: Calls of all models.
        n_input_tokens: Tokens read.
        n_output_tokens: Tokens written.
        cost_usd: US dollars, or None where a price is not known.
    """

    n_turns: int = 0
    n_calls: int = 0
    n_input_tokens: int = 0
    n_output_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the data say about a cluster without any model: counts, and quotes.

    Attributes:
        cluster_id: The cluster.
        name: Its keywords.
        n_failures: Its failures.
        n_traces: All traces there are.
        weight_share: Its share of the weight of all failures, [0, 1].
        severity: By the rule of `severity_of`.
        affected: "route", "user_cohort" and "prompt_version" → lifts, highest lower end first.
        comments: What users said, the most telling first.
        corrections: What users made of the answer.
        contrast: Terms that passing traces do not have.
    """

    cluster_id: str
    name: str
    n_failures: int
    n_traces: int
    weight_share: float
    severity: str
    affected: dict[str, tuple[Lift, ...]]
    comments: tuple[Quote, ...]
    corrections: tuple[Quote, ...]
    contrast: tuple[Contrast, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What models made of a cluster, after every claim was checked.

    Attributes:
        models: Part → model: agent, reader, verifier.
        kept: Claims that stand.
        struck: Claims that do not.
        spent: What it cost.
        stopped: Why the agent ended early, or "".
    """

    models: dict[str, str]
    kept: tuple[Claim, ...] = ()
    struck: tuple[Struck, ...] = ()
    spent: Spent = field(default_factory=Spent)
    stopped: str = ""
