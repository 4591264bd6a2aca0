"""`gitloop label`: cases on a local page, or in the terminal one key at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.cli.sitting import Announcer, Sitting, asks_people, sit
from gitloop.cli.terminal import (
    WIDTH,
    field,
    key,
    printable,
    read_line,
    tell,
    words,
)

if TYPE_CHECKING:
    from gitloop.core.label import Given, Item
    from gitloop.params import LabelForm
    from gitloop.steps.label import LabelPlan, LabelReport, Question

KEYS = {"p": "pass", "f": "fail"}
MOVES = {"s": "skip", "q": "quit"}
DONE = "nothing is left to label; next: gitloop agree"


@click.command(cls=Verb)
@click.option("--senior", is_flag=True, help="Settle what annotators disagree on; shows both.")
@click.option("--rubric", "rubrics", multiple=True, metavar="NAME", help="Only this rubric.")
@click.option(
    "--kind",
    type=click.Choice(["trace", "span", "session", "tool_call", "prototype_run", "golden_row"]),
    default="trace",
    show_default=True,
    metavar="KIND",
    help="What to look at: trace, span, session, tool_call, prototype_run or golden_row.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="A random sample of N, in place of clusters' representatives.",
)
@click.option(
    "--abstained",
    type=click.IntRange(min=1),
    metavar="N",
    help="Judge N random traces; label those on which a judge abstains.",
)
@click.option(
    "--order",
    type=click.Choice(["boundary", "disagreement"]),
    help="All failures, those first that a label teaches most about.",
)
@asks_people
@pass_console
def label(
    console: Console,
    *,
    sitting: Sitting,
    senior: bool,
    rubrics: tuple[str, ...],
    kind: str,
    sample: int | None,
    abstained: int | None,
    order: str | None,
) -> None:
    """Say pass or fail on cases; every answer is saved at once in labels/.

    \b
    gitloop label                    representatives of the open clusters, on a page
    gitloop label --sample 50        a random sample, to calibrate judges on
    gitloop label --abstained 200    what the judges leave to people, of 200 traces
    gitloop label --order boundary   failures between two clusters first
    gitloop label --senior           what annotators disagree on
    gitloop label --kind tool_call   the tool calls of those traces
    gitloop label --terminal         here, one key per verdict
    """  # noqa: D301 -- \b is click's mark for a verbatim block
    from gitloop.steps.label import LabelPlan
    from gitloop.steps.label import label as step

    if sum((senior, sample is not None, abstained is not None, order is not None)) > 1:
        raise click.UsageError("--senior, --sample, --abstained and --order exclude each other")
    plan = LabelPlan(
        sitting.annotator, senior, rubrics, sample, abstained, kind, order, sitting.is_committed
    )

    def on_page() -> Callable[[Announcer], LabelReport]:
        from gitloop.steps.label.page import label_page

        return lambda announce: label_page(console.directory, plan, announce, port=sitting.port)

    sit(
        console,
        sitting,
        "gitloop label",
        in_terminal=lambda: step(console.directory, lambda asked: _ask(console, asked), plan),
        on_page=on_page,
        when_done=lambda report: _when_done(report, plan),
    )


def _when_done(report: LabelReport, plan: LabelPlan) -> str:
    """What is told where nothing is left, or where there was nothing from the start."""
    if report.n_labelled or report.n_done:
        return DONE
    if plan.is_senior:
        return "nothing to ask: annotators disagree on nothing; next: gitloop agree"
    if plan.n_judged is not None:
        return "nothing to ask: judges leave none of these traces to people"
    return f"nothing to ask: none of these cases holds a {plan.kind}".replace("_", " ")


def _ask(console: Console, question: Question) -> Given | str:
    """Show the case, take an answer, and the words that go with it."""
    from gitloop.core.label import Given

    for line in _case(question):
        tell(console, line)
    answer = _answer(console, question.form)
    if answer in MOVES.values():
        return answer
    comment = words(console, "why? (enter: say nothing) ")
    reference = None
    if question.form.type != "thumbs" or answer == "fail":
        reference = words(console, "what should it have said? (enter: nothing) ")
    return Given(answer, comment, reference, _sections(console, question))


def _sections(console: Console, question: Question) -> tuple[str, ...]:
    """The ids of the guidance's sections that decided; not asked where there is no choice."""
    if len(question.sections) < 2:
        return ()
    for number, section in enumerate(question.sections, start=1):
        tell(console, f"  [{number}] {printable(section.title)}"[:WIDTH])
    while True:
        told = words(console, "which sections decided? (numbers; enter: none) ") or ""
        wanted = told.replace(",", " ").split()
        numbers = [int(word) for word in wanted if word.isdecimal()]
        if len(numbers) == len(wanted) and all(
            1 <= number <= len(question.sections) for number in numbers
        ):
            return tuple(question.sections[number - 1].section_id for number in numbers)
        tell(console, f"{told!r} is not numbers from 1 to {len(question.sections)}")


def _answer(console: Console, form: LabelForm) -> str:
    """An answer that the form takes, "skip" or "quit"."""
    keys = _keys(form)
    while True:
        tell(console, style(_prompt(form, keys), bold=True), is_line=False)
        word, refused = _pressed(console, keys) if keys else _written()
        if word in MOVES.values():
            return word
        try:
            if word:
                return form.grade(word)[0]
        except ValueError as error:
            refused = str(error)
        tell(console, refused)


def _pressed(console: Console, keys: dict[str, str]) -> tuple[str, str]:
    """What the next key means, or "" and why it means nothing."""
    pressed = key()
    if not pressed:
        tell(console)
        return "quit", ""
    word = (keys | MOVES).get(pressed.lower(), "")
    if word:
        tell(console, word)
    return word, f"{pressed!r} is none of {', '.join(keys | MOVES)}"


def _written() -> tuple[str, str]:
    """What the next line says, or "" where it is empty."""
    written = read_line()
    word = written.strip() if written else "q"
    return MOVES.get(word, word), ""


def _keys(form: LabelForm) -> dict[str, str]:
    """Key → answer, where one key is enough."""
    if form.type == "thumbs":
        return KEYS
    if form.type == "star" and form.stars <= 9:
        return {str(number): str(number) for number in range(1, form.stars + 1)}
    if form.type == "categorical" and len(form.choices) <= 9:
        return {str(number): choice for number, choice in enumerate(form.choices, start=1)}
    return {}


def _prompt(form: LabelForm, keys: dict[str, str]) -> str:
    if form.type == "thumbs":
        return "[p]ass  [f]ail  [s]kip  [q]uit "
    told = "  ".join(f"[{key}] {word}" if key != word else f"[{key}]" for key, word in keys.items())
    if form.type == "numeric":
        told = f"a number from {min(form.worst, form.best):g} to {max(form.worst, form.best):g}"
    if form.type == "text":
        told = "your answer"
    return f"{told or ' | '.join(form.choices)}  [s]kip  [q]uit "


def _case(question: Question) -> list[str]:
    item, case = question.item, question.item.case
    parts = (case.title, case.route, case.user_cohort, case.cluster_name)
    place = printable(" · ".join(part for part in parts if part))
    head = f"{question.number}/{question.n_questions}  {item.rubric}"
    space = WIDTH - len(head) - 2
    place = place if len(place) <= space else f"{place[: space - 1]}…"
    lines = ["", style(head, bold=True) + (f"  {place}" if place else "")]
    lines.append(style("─" * WIDTH, dim=True))
    lines += field(f"guidance {question.guidance_version}", question.guidance)
    for passage in case.passages:
        lines += field("assistant" if passage.name == "it" else passage.name, passage.text)
    said = "result" if case.kind == "tool_call" else "answer"
    lines += field(said, case.output or f"(no {said})") + _opinions(item)
    return lines + field("question", question.form.question)


def _opinions(item: Item) -> list[str]:
    lines = []
    for opinion in item.opinions:
        lines += field(
            opinion.annotator, " — ".join(filter(None, (opinion.label, opinion.comment)))
        )
        lines += field(f"{opinion.annotator}'s reference", opinion.reference)
    return lines
