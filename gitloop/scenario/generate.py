"""Two weeks of traffic of a support assistant, with what users did about it, from one seed."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gitloop.scenario import assistant, prompts, truth, world
from gitloop.scenario.signals import feedback_events
from gitloop.scenario.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STARTS_AT = datetime(2026, 5, 4, tzinfo=UTC)
SWITCHES_AT = datetime(2026, 5, 11, tzinfo=UTC)
N_DAYS = 14
ACCIDENT_RATE = 0.02
SECOND_RATE = 0.1
NOTE_RATE = 0.7
TRACE_LENGTHS = (1, 1, 1, 1, 2, 2, 3)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A generated world.

    Attributes:
        seed: What it was made from.
        traces: Rows of TRACES, in time order.
        feedback: Rows of FEEDBACK, in time order.
        truth: trace_id → what is really wrong with its answer.
        references: trace_id → the answer of the assistant under every instruction.
    """

    seed: int
    traces: tuple[dict[str, Any], ...]
    feedback: tuple[dict[str, Any], ...]
    truth: Mapping[str, Truth]
    references: Mapping[str, str]

    def to_json(self) -> str:
        """The whole world as canonical JSON: equal worlds have equal bytes."""
        content = {
            "seed": self.seed,
            "traces": self.traces,
            "feedback": self.feedback,
            "truth": {trace_id: asdict(true) for trace_id, true in self.truth.items()},
            "references": dict(self.references),
        }
        return json.dumps(content, sort_keys=True, ensure_ascii=False, default=datetime.isoformat)


def generate(seed: int, n_traces: int = 1200) -> Scenario:
    """The world of a seed.

    Args:
        seed: Any integer; the same seed gives the same bytes on every machine.
        n_traces: Number of traces, ≥ 1.
    """
    dice = random.Random(seed)  # noqa: S311  # a repeatable world is wanted, not a secret
    traces: list[dict[str, Any]] = []
    truths: dict[str, Truth] = {}
    references: dict[str, str] = {}
    ideal = prompts.ideal_file()
    cases = sorted(_cases(dice, n_traces), key=lambda case: (case["created_at"], case["input"]))
    for n, case in enumerate(cases):
        trace_id = _digest(seed, "trace", n)[:32]
        version = "1" if case["created_at"] < SWITCHES_AT else "2"
        prompt = prompts.render(prompts.prompt_file(version), case)
        output = assistant.answer(prompt, case)
        references[trace_id] = assistant.answer(prompts.render(ideal, case), case)
        true = Truth()
        if output != references[trace_id]:
            true = Truth(shape=assistant.slip(prompt, case))
        elif dice.random() < ACCIDENT_RATE:
            name, output = truth.accident(output, case["input"], dice)
            true = Truth(accident=name)
        truths[trace_id] = true
        measured = _measured(dice, prompt, output)
        versioned = {"trace_id": trace_id, "prompt_version": f"support@{version}"}
        traces.append(versioned | case | {"output": output} | measured)
    feedback = feedback_events(seed, traces, truths, references)
    return Scenario(seed, tuple(traces), tuple(feedback), truths, references)


def _cases(dice: random.Random, n_traces: int) -> Iterator[dict[str, Any]]:
    """What users asked and what the application knew, session by session."""
    n_made = 0
    n_session = 0
    while n_made < n_traces:
        n_session += 1
        session_id = f"s-{n_session:05}"
        at = STARTS_AT + timedelta(
            days=dice.randrange(N_DAYS), seconds=dice.randrange(7 * 3600, 21 * 3600)
        )
        cohort = dice.choices(list(world.COHORTS), list(world.COHORTS.values()))[0]
        channel = dice.choice(("web", "web", "app", "widget"))
        length = min(dice.choice(TRACE_LENGTHS), n_traces - n_made)
        for topic in _topics(dice, length, cohort):
            n_made += 1
            yield {
                "session_id": session_id,
                "group_id": session_id,
                "created_at": at,
                "route": topic.route,
                "user_cohort": cohort,
                **_texts(dice, topic, at),
                "attributes": json.dumps({"channel": channel, "locale": "en"}),
            }
            at += timedelta(seconds=dice.randrange(60, 900), microseconds=dice.randrange(10**6))


def _topics(dice: random.Random, length: int, cohort: str) -> list[world.Topic]:
    """The topics of a session, all different; companies write more about accounts."""
    company = cohort in {"small_business", "enterprise_admin"}
    left = list(world.TOPICS)
    chosen = []
    for _ in range(length):
        weights = [
            topic.weight * (1.8 if company and topic.route == "account" else 1.0) for topic in left
        ]
        topic = dice.choices(left, weights)[0]
        left.remove(topic)
        chosen.append(topic)
    return chosen


def _texts(dice: random.Random, topic: world.Topic, at: datetime) -> dict[str, str]:
    """What the user asked and what the application retrieved."""
    fields = _fields(dice, at)
    parts = [dice.choice(world.LEADS), dice.choice(topic.questions).format(**fields)]
    if topic.second and dice.random() < SECOND_RATE:
        start = dice.choice(("Also,", "And one more thing:", "Second question:"))
        parts.append(f"{start} {dice.choice(topic.second).format(**fields)}")
    else:
        parts.append(dice.choice(world.TAILS))
    context = topic.context.format(**fields)
    if topic.note and dice.random() < NOTE_RATE:
        context += f"\n[internal] {topic.note.format(**fields)}"
    return {"input": " ".join(part for part in parts if part), "context": context}


def _fields(dice: random.Random, at: datetime) -> dict[str, str]:
    """The facts of one case, around a point in time."""
    day = {
        "day1": at - timedelta(days=dice.randrange(4, 11)),
        "day2": at - timedelta(days=dice.randrange(1, 4)),
        "day3": at + timedelta(days=dice.randrange(4, 16)),
        "next1": at + timedelta(days=1),
        "next2": at + timedelta(days=dice.randrange(2, 4)),
    }
    seats = dice.randrange(12, 90)
    return {
        **{name: f"{value.day} {value:%B}" for name, value in day.items()},
        "order": f"NW-{dice.randrange(10000, 99999)}",
        "invoice": f"INV-{dice.randrange(10000, 99999)}",
        "account": f"ACC-{dice.randrange(10000, 99999)}",
        "item": dice.choice(world.ITEMS),
        "price": f"{dice.randrange(1500, 32000) / 100:.2f}",
        "low": str(dice.choice((10, 15, 20, 25))),
        "window": str(dice.choice((14, 21, 28, 30, 45))),
        "city": dice.choice(world.CITIES),
        "carrier": dice.choice(world.CARRIERS),
        "person": dice.choice(world.PEOPLE),
        "reason": dice.choice(world.REASONS),
        "hours": str(dice.choice((6, 12, 24, 48))),
        "minutes": str(dice.choice((15, 20, 30))),
        "seats": str(seats),
        "used": str(seats - dice.randrange(1, 12)),
        "percent": str(dice.choice((5, 10, 15))),
        "weekday": dice.choice(("Monday", "Tuesday", "Thursday", "Friday")),
    }


def _measured(dice: random.Random, prompt: str, output: str) -> dict[str, Any]:
    """What the run cost: about four characters to a token, 60 tokens a second."""
    n_input, n_output = len(prompt) // 4, max(1, len(output) // 4)
    return {
        "model": "support-assistant",
        "status": "ok",
        "latency_s": round(0.25 + n_output / 60 + dice.expovariate(3.0), 3),
        "n_input_tokens": n_input,
        "n_output_tokens": n_output,
        "cost_usd": round((n_input * 0.15 + n_output * 0.6) / 1e6, 8),
    }


def _digest(seed: int, kind: str, n: int) -> str:
    return hashlib.sha256(f"{seed}/{kind}/{n}".encode()).hexdigest()
