"""Six kinds of items, five kinds of answers, blind pairs, and sections of the guidance."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core import label as core
from gitloop.core.label import Case, Given, Item, Session
from gitloop.errors import ConfigError
from gitloop.params import LabelForm, parse_rubric, sections
from gitloop.tables import GOLDEN, OUTPUTS, TRACES
from tests.labelled import START, traces

SESSION = Session("amara", "annotator", "2", {"grounded": "1"}, 0.6)
PAIR = Item(Case("pair", "p1", "t1", output="text of a", rival="text of b"), "preference")


def span(span_id: str, kind: str | None, output: str | None = "done") -> dict[str, Any]:
    """A span of that kind."""
    empty = dict.fromkeys(dict(TRACES.schema["spans"].inner.to_schema()), None)  # type: ignore[attr-defined]
    told = {"span_id": span_id, "name": f"step {span_id}", "kind": kind, "output": output}
    return empty | told | {"input": f"input {span_id}" if output else None}


def shown(*trace_ids: str) -> core.Shown:
    """The traces, shown for one cluster."""
    return dict.fromkeys(trace_ids, ("c1", "about refunds"))


def test_spans_and_tool_calls_are_told_apart() -> None:
    """A trace's tool calls are one kind, its other spans that say something the other."""
    spans = [[span("a", "LLM"), span("b", "TOOL"), span("c", None), span("d", "CHAIN", None)]]
    known = traces(["t1"], spans=spans)
    calls = core.span_cases(known, shown("t1"), "tool_call")
    others = core.span_cases(known, shown("t1"), "span")
    assert [(case.item_id, case.title) for case in calls] == [("t1/b", "step b")]
    assert [case.item_id for case in others] == ["t1/a", "t1/c"]
    names = [(passage.name, passage.text) for passage in calls[0].passages]
    assert names == [("user asked", "question t1"), ("call", "input b")]
    assert (calls[0].output, calls[0].trace_id, calls[0].cluster_id) == ("done", "t1", "c1")


def test_a_session_is_read_turn_by_turn() -> None:
    """All turns in order of time; the last answer is what is judged."""
    known = traces(["t1", "t2", "t3"], session_id=["s1", "s2", "s1"], context="rules")
    (case,) = core.session_cases(known, shown("t1"))
    said = [(passage.name, passage.text) for passage in case.passages]
    assert said == [
        ("user", "question t1"),
        ("it", "answer t1"),
        ("user", "question t3"),
        ("context", "rules"),
    ]
    assert (case.item_id, case.trace_id, case.output) == ("s1", "t3", "answer t3")
    assert case.cluster_id == "c1"


def test_traces_without_a_session_make_none() -> None:
    """A trace that belongs to no session is no session of one."""
    assert core.session_cases(traces(["t1"]), shown("t1")) == []


def golden(**other: Any) -> pl.DataFrame:  # noqa: ANN401 -- any column
    """One golden row."""
    row = {
        "row_id": "r1", "set": "support", "split": "train", "input": "when?", "context": "rules",
        "reference": "30 days", "bad_output": "5 days", "labels": [], "annotators": [],
        "guidance_version": "1", "source_trace_id": "t1", "source_feedback_ids": [],
        "group_id": "g", "promoted_in": "x",
    }  # fmt: skip
    return pl.DataFrame([row | other], schema=GOLDEN.schema)


def test_a_golden_row_shows_what_failed_beside_its_reference() -> None:
    """What is judged again is the output that failed; a row that passed shows its reference."""
    (failed,) = core.golden_cases(golden())
    (passed,) = core.golden_cases(golden(bad_output=None))
    assert (failed.output, failed.passages[-1].name) == ("5 days", "reference")
    assert (passed.output, passed.passages[-1].name) == ("30 days", "context")
    assert failed.key == ("golden_row", "r1")


def test_a_prototype_run_is_known_by_what_it_said() -> None:
    """Replicates that say the same are one item; another answer to the row is another item."""
    said = ["5 days", "5 days", "30 days", None]
    runs = [
        {"item_id": "r1", "set": "support", "replicate": n, "status": "ok", "output": text}
        for n, text in enumerate(said)
    ]
    outputs = pl.DataFrame(runs, schema=OUTPUTS.schema)
    first, second = core.run_cases(outputs, golden())
    assert (first.output, second.output) == ("5 days", "30 days")
    assert first.item_id != second.item_id
    assert all(case.item_id.startswith("r1@") for case in (first, second))


@pytest.mark.parametrize("kind", ["span", "session", "tool_call", "prototype_run", "golden_row"])
def test_labels_of_other_kinds_name_their_item(kind: str) -> None:
    """Such a label has an item_id and an id of its own, beside the trace that it belongs to."""
    item = Item(Case(kind, "i1", "t1", output="said"), "grounded")
    row = core.label_row(SESSION, item, Given("pass"), at=START)
    trace = Item(Case("trace", "t1", "t1", output="said"), "grounded")
    other = core.label_row(SESSION, trace, Given("pass"), at=START)
    assert (row["item_kind"], row["item_id"], row["trace_id"]) == (kind, "i1", "t1")
    assert other["item_id"] is None
    assert row["label_id"] != other["label_id"]


STARS = LabelForm(type="star", stars=5)
NUMBER = LabelForm(type="numeric", worst=10, best=0, step=0.5)
CHOICE = LabelForm(type="categorical", choices=("bad", "good", "unsure"), scores={"bad": 0.25})


@pytest.mark.parametrize(
    ("form", "answer", "label", "score"),
    [
        (LabelForm(), "pass", "pass", 1.0),
        (LabelForm(), "fail", "fail", 0.0),
        (STARS, "4", "4", 0.75),
        (STARS, " 1 ", "1", 0.0),
        (NUMBER, "2,5", "2.5", 0.75),
        (NUMBER, "10", "10", 0.0),
        (CHOICE, "bad", "bad", 0.25),
        (CHOICE, "unsure", "unsure", None),
        (LabelForm(type="categorical", choices=("fail", "pass", "n/a")), "pass", "pass", 1.0),
        (LabelForm(type="text"), "it refuses", "it refuses", None),
    ],
)
def test_an_answer_is_worth_what_its_form_says(
    form: LabelForm, answer: str, label: str, score: float | None
) -> None:
    """Scores lie in [0, 1], higher is better, whichever end of the numbers is best."""
    assert form.grade(answer) == (label, score)


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        (LabelForm(), "maybe"), (STARS, "0"), (STARS, "6"), (STARS, "4.5"), (STARS, "²"),
        (NUMBER, "11"), (NUMBER, "0.3"), (NUMBER, "nan"), (NUMBER, "inf"), (NUMBER, ""),
        (CHOICE, "worse"), (LabelForm(type="text"), "  "), (LabelForm(type="text"), "x" * 10_001),
    ],
)  # fmt: skip
def test_what_a_form_does_not_take_is_refused(form: LabelForm, answer: str) -> None:
    """Nothing is rounded, cut or guessed."""
    with pytest.raises(ValueError, match=r"."):
        form.grade(answer)


@given(number=st.integers(2, 10))
def test_stars_reach_from_nought_to_one(number: int) -> None:
    """The first star scores 0, the last 1, and more stars never score less."""
    form = LabelForm(type="star", stars=number)
    scores = [form.grade(str(n))[1] for n in range(1, number + 1)]
    assert (scores[0], scores[-1]) == (0.0, 1.0)
    assert scores == sorted(scores, key=lambda score: score or 0.0)


@pytest.mark.parametrize(
    "line",
    [
        "{type: categorical}", "{choices: [a, b]}", "{type: categorical, choices: [a, a]}",
        "{type: categorical, choices: [a, b], scores: {c: 1}}", "{type: stars}",
        "{type: categorical, choices: [a, b], scores: {a: 2}}", "{type: numeric, worst: 1}",
        "{type: star, stars: 1}", "{type: text, level: ratio}",
    ],
)  # fmt: skip
def test_a_form_that_makes_no_sense_is_refused(line: str) -> None:
    """A rubric's faulty form is told with its line."""
    text = f'name: a\nversion: "1"\nlabel: {line}\nscorer: {{local: {{metric: contains}}}}\n'
    with pytest.raises(ConfigError, match=r"rubrics/a\.yaml:3"):
        parse_rubric(text, source="rubrics/a.yaml")


def test_how_people_answer_is_not_part_of_what_a_judge_scores() -> None:
    """Another form leaves the rubric's digest, and so every recorded score, as it was."""
    text = 'name: a\nversion: "1"\nscorer: {local: {metric: contains}}\n'
    plain = parse_rubric(text, source="a")
    starred = parse_rubric(f"{text}label: {{type: star}}\n", source="a")
    assert starred.sha256 == plain.sha256


def view(session: Session, seed: int = 0) -> dict[str, Any]:
    """The pair as the person is shown it."""
    return core.view(session, PAIR, seed=seed, own=None, draft=None)


def test_a_pair_is_blind_and_its_order_random() -> None:
    """Which text comes first differs between people and seeds, and never says which is a."""
    orders = {
        tuple(view(Session(f"p{n}", "annotator", "1", {}, 0.6), seed)["texts"])
        for n in range(8)
        for seed in range(2)
    }
    assert orders == {("text of a", "text of b"), ("text of b", "text of a")}
    assert view(SESSION)["form"]["choices"] == ["first", "second", "tie"]
    assert view(SESSION) == view(SESSION)


@given(seed=st.integers(0, 50))
def test_a_preference_is_stored_as_the_text_and_not_the_place(seed: int) -> None:
    """Whoever prefers the text of b has a label "b", wherever b was shown."""
    place = "first" if view(SESSION, seed)["texts"][0] == "text of b" else "second"
    answer = core.given(SESSION, PAIR, {"label": place}, seed=seed)
    row = core.label_row(SESSION, PAIR, answer, at=START)
    assert (row["label"], row["item_kind"], row["rubric"]) == ("b", "pair", "preference")
    again = core.view(SESSION, PAIR, seed=seed, own=row, draft=None)
    assert again["own"]["label"] == place
    assert core.given(SESSION, PAIR, {"label": "tie"}, seed=seed).label == "tie"


def test_guidance_has_sections_by_headings_or_paragraphs() -> None:
    """Headings name sections; without any, paragraphs have numbers; names stay unique."""
    told = sections("Read this.\n# Dates\nAll of them.\n## Dates\nAgain.\n# §\n")
    assert [(one.section_id, one.title, one.text) for one in told] == [
        ("preface", "preface", "Read this."),
        ("dates", "Dates", "All of them."),
        ("dates-2", "Dates", "Again."),
        ("section", "§", ""),
    ]
    assert [one.section_id for one in sections("One.\n\nTwo.\n")] == ["1", "2"]
    assert sections(" \n") == ()


def test_a_revision_tells_labels_apart() -> None:
    """Another label, or the same one given again later, is another revision."""
    row = core.label_row(SESSION, PAIR, Given("a"), at=START)
    later = row | {"created_at": START + timedelta(seconds=1)}
    names = {core.revision(None), core.revision(row), core.revision(later)}
    assert len(names) == 3
