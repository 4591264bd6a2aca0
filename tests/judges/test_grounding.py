"""grounded: what counts as supported, on invented cases, invariants and public data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import judging
from gitloop.judges.metrics.grounding import supports
from gitloop.judges.metrics.words import sentences, stem
from gitloop.records import Judgement

Score = Callable[..., Judgement]
DATA = Path(__file__).parents[3] / "shared" / "data"
POLICY = (
    "Items can be returned within 30 days of delivery. A refund is paid to the original card."
    " Shipping to Norway costs 12.50 euros and takes 5 days."
)
WORDS = "return refund card norway euros 30 12 days not paid the a of cat museum 77"
TEXTS = st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=12).map(" ".join)


@pytest.fixture
def grounded(local: Callable[..., Score]) -> Score:
    """Judge an output against a context."""
    return local("grounded")


def scored(judgement: Judgement) -> float:
    """The score, which must be there."""
    assert judgement.status == "ok"
    assert judgement.score is not None
    return judgement.score


@pytest.mark.parametrize(
    ("output", "low", "high"),
    [
        ("Items can be returned within 30 days of delivery.", 1.0, 1.0),
        ("You can return an item within thirty days after delivery.", 0.7, 1.0),
        ("Items can be returned within 45 days of delivery.", 0.3, 0.6),
        ("Refunds are paid in cash at our museum in Berlin.", 0.1, 0.5),
        ("A refund is not paid to the original card.", 0.3, 0.55),
        ("The moon is made of green cheese.", 0.0, 0.35),
    ],
)
def test_support_follows_the_context(grounded: Score, output: str, low: float, high: float) -> None:
    """What the context says scores high; a changed figure, a denial and an invention do not."""
    assert low <= scored(grounded(output, context=POLICY)) <= high


def test_a_wrong_figure_costs_more_than_a_wrong_word(grounded: Score) -> None:
    """The same sentence with another number scores below one with another word."""
    figure = scored(grounded("Shipping to Norway costs 99 euros.", context=POLICY))
    word = scored(grounded("Shipping to Sweden costs 12.50 euros.", context=POLICY))
    assert figure < word < 1


def test_unsupported_spans_are_named(grounded: Score) -> None:
    """The reason counts the supported claims and quotes the figures and words that are not."""
    output = "Items can be returned within 45 days. A refund is paid to the original card."
    assert grounded(output, context=POLICY).reason == (
        "1 of 2 claims supported; figures not in the context: “45”; not in the context: “45”"
    )


def test_a_figure_must_stand_near_what_it_is_about(grounded: Score) -> None:
    """A number from a sentence about something else supports nothing."""
    swapped = grounded("Returned items: 12.50.", context=POLICY)
    assert "figures not in the context: “12.50”" in swapped.reason


def test_the_users_own_figures_may_be_repeated(grounded: Score) -> None:
    """An order number that the user gave is no invention."""
    output, context = "Order 48213: items can be returned within 30 days.", POLICY
    assert scored(grounded(output, context=context, input="my order 48213?")) > scored(
        grounded(output, context=context, input="my order?")
    )


@pytest.mark.parametrize(
    ("figure", "context"),
    [("1,000 items", "1000 items"), ("two items", "2 items"), ("06 items", "6 items")],
)
def test_figures_are_compared_by_value(grounded: Score, figure: str, context: str) -> None:
    """1,000 is 1000, two is 2, and 06 is 6."""
    assert grounded(figure, context=context).score == 1.0


def test_a_courtesy_is_no_claim(grounded: Score) -> None:
    """A greeting and a closing cost nothing, but a claim behind a greeting still counts."""
    claim = "Items can be returned within 30 days of delivery."
    polite = f"Hello Anna! {claim} Let me know if you have any other questions. Kind regards"
    assert grounded(polite, context=POLICY).score == grounded(claim, context=POLICY).score == 1.0
    hidden = "Hello Anna, your car was sold to a museum."
    assert scored(grounded(hidden, context=POLICY)) < 0.5


def test_not_knowing_is_supported_by_an_empty_context_alone(grounded: Score) -> None:
    """Where nothing was retrieved, to say so is right and to answer is not."""
    assert grounded("I don't have any information about that.", context="").score == 1.0
    assert grounded("It was built in 1873 by monks.", context="").score == 0.0
    assert scored(grounded("I don't have any information about that.", context=POLICY)) < 0.5


@pytest.mark.parametrize(
    ("output", "context", "reason"),
    [
        ("An answer.", None, "the row has no context"),
        ("", "A context.", "the output is empty"),
        (" \n", "A context.", "the output is empty"),
        ("?!", "A context.", "the output holds no word"),
    ],
)
def test_what_cannot_be_judged_is_missing(
    grounded: Score, output: str, context: str | None, reason: str
) -> None:
    """No context, or no word to hold against it, is a status and never 0."""
    assert grounded(output, context=context) == Judgement("missing", None, reason)


@pytest.mark.parametrize(
    ("output", "context"),
    [
        ("Возврат возможен в течение 30 дней.", "Возврат возможен в течение 30 дней."),
        ("三十天内可以退货。", "三十天内可以退货。"),
        ("Le café ouvre à 8 heures.", "Le café ouvre à 8 heures, sauf le lundi."),
    ],
)
def test_other_languages_are_held_against_their_own_words(
    grounded: Score, output: str, context: str
) -> None:
    """A quotation is supported in any script, and the same sentence elsewhere is not."""
    assert grounded(output, context=context).score == 1.0
    assert scored(grounded(output, context=POLICY)) < 0.3


@given(TEXTS, TEXTS)
def test_the_score_is_a_share(output: str, context: str) -> None:
    """Every claim's support lies in [0, 1]."""
    assert all(0 <= support.share <= 1 for _, support in supports(output, context))


@given(TEXTS)
def test_a_text_supports_itself(text: str) -> None:
    """A quotation of the whole context is supported whole, and names no span."""
    for _, support in supports(text, text):
        assert (support.share, support.spans, support.figures) == (1.0, (), ())


@given(TEXTS, TEXTS, TEXTS)
def test_more_unrelated_context_takes_no_word_away(output: str, context: str, more: str) -> None:
    """A word that the context supports stays supported when the context grows."""
    before = [span for _, support in supports(output, context) for span in support.spans]
    after = [span for _, s in supports(output, f"{context}\n{more}") for span in s.spans]
    assert sum(len(span.split()) for span in after) <= sum(len(span.split()) for span in before)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_can_be_judged(output: str, context: str) -> None:
    """No text breaks the judge, and sentences hold all words of a text."""
    for _, support in supports(output, context):
        assert 0 <= support.share <= 1
    assert all(sentence.words for sentence in sentences(context))


@given(st.text(alphabet="ab1.,'!?\"’)] \t\r\n\x1c-é。", max_size=40))
def test_a_text_is_cut_alike_in_ascii_and_beside_other_letters(text: str) -> None:
    """ASCII takes a shorter way to the same sentences and words."""
    plain = text.encode("ascii", "ignore").decode()
    alone, beside = sentences(f"{plain}\n\ne"), sentences(f"{plain}\n\né")
    assert alone[:-1] == beside[:-1]
    assert (alone[-1].text, beside[-1].text) == ("e", "é")


def test_a_long_text_is_judged_in_linear_work(grounded: Score) -> None:
    """A megabyte without a full stop is judged like any other text."""
    assert grounded("word " * 20_000, context="word " * 200_000).score == 1.0


@pytest.mark.parametrize(
    ("word", "expected"),
    [("returned", "return"), ("returns", "return"), ("returning", "return"), ("is", "is")],
)
def test_stems(word: str, expected: str) -> None:
    """Common English endings are taken off; three letters stay."""
    assert stem(word) == expected


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
def test_people_agree_on_public_data() -> None:
    """AUROC against human labels: at least .92 on BEGIN and .85 on MTRAG's faithfulness."""
    grounded = judging.judge("grounded")
    assert judging.auroc(judging.begin(DATA), grounded) >= 0.92
    assert judging.auroc(judging.mtrag(DATA), grounded) >= 0.85
    assert judging.auroc(judging.mtrag(DATA), grounded) > judging.peer(DATA)[0]
