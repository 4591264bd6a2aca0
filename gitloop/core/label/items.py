"""What a person is shown and what they answer: cases of any kind, questions, and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitloop.params import LabelForm

Key = tuple[str, str]
"""What identifies a case among all labels: (kind, the item's or the trace's id)."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who labels, and by which rules.

    Attributes:
        annotator: As in `labels/<annotator>.jsonl`.
        role: "annotator" or "senior".
        guidance_version: The guidance that is followed now.
        rubrics: The rubrics to apply → their versions, in the order in which they are asked.
        min_agreement: Share of annotators behind a verdict from which no senior is needed.
        forms: Rubric → how people answer under it; pass or fail where it is not named.
        pass_from: Rubric → least score that passes.
    """

    annotator: str
    role: str
    guidance_version: str
    rubrics: Mapping[str, str]
    min_agreement: float
    forms: Mapping[str, LabelForm] = field(default_factory=dict)
    pass_from: Mapping[str, float] = field(default_factory=dict)

    def form(self, rubric: str) -> LabelForm:
        """How people answer under the rubric."""
        return self.forms.get(rubric) or LabelForm()


@dataclass(frozen=True, slots=True)
class Passage:
    """A text beside the answer: a turn of the conversation, a tool's input, what was retrieved.

    Attributes:
        name: What it is, in a word or two: "user", "assistant", "context", "expected", …
        text: The text, as it was.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """What is looked at.

    Attributes:
        kind: One of `tables.ITEM_KINDS`.
        item_id: Which one of its kind; for a trace, the trace's id.
        trace_id: The trace that it is, or belongs to.
        title: What it is called, e.g. a tool's name, or "".
        passages: What a person needs to judge it, in reading order.
        output: The text that is judged, or None where there is none.
        rival: For a pair, the other text; `output` is "a" and this is "b".
        route: The part of the product, or None.
        user_cohort: The kind of user, or None.
        cluster_id: The cluster it stands for, or None.
        cluster_name: What that cluster is called, or None.
    """

    kind: str
    item_id: str
    trace_id: str
    title: str = ""
    passages: tuple[Passage, ...] = ()
    output: str | None = None
    rival: str | None = None
    route: str | None = None
    user_cohort: str | None = None
    cluster_id: str | None = None
    cluster_name: str | None = None

    @property
    def key(self) -> Key:
        """What identifies it among all labels."""
        return self.kind, self.item_id


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody said before; only seniors are shown it.

    Attributes:
        annotator: Who.
        label: Their label as given.
        comment: Why, or None.
        reference: What it should have said, or None.
        sections: Sections of the guidance that decided it.
    """

    annotator: str
    label: str
    comment: str | None
    reference: str | None
    sections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One question: what is this case's label under this rubric?

    Attributes:
        case: What is looked at.
        rubric: The rubric to apply.
        opinions: What annotators said, for seniors; () for annotators.
    """

    case: Case
    rubric: str
    opinions: tuple[Opinion, ...] = ()

    @property
    def trace_id(self) -> str:
        """The trace that the case is, or belongs to."""
        return self.case.trace_id


@dataclass(frozen=True, slots=True)
class Queue:
    """What there is to ask.

    Attributes:
        items: Open questions, in the order in which they are asked.
        done: Questions that need no answer any more, in that order; they may be answered anew.
        n_done: How many those are, cases that are gone included.
        gone: Ids of cases that should be shown and are no longer there, sorted.
    """

    items: tuple[Item, ...]
    n_done: int
    gone: tuple[str, ...]
    done: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """An answer.

    Attributes:
        label: What was chosen or written, as text: "pass", "4", a category, a sentence.
        comment: Why, or None.
        reference: What it should have said, or None.
        sections: Sections of the guidance that decided it.
    """

    label: str
    comment: str | None = None
    reference: str | None = None
    sections: tuple[str, ...] = ()
