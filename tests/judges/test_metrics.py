"""The further local metrics: each on cases that decide it, and against reference figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.errors import ConfigError
from gitloop.judges.metrics import NAMES, metric, runs
from gitloop.judges.metrics.form import cited, links, numbers
from gitloop.judges.metrics.overlap import Compare, bleu, chrf, rouge_l, rouge_n
from gitloop.judges.metrics.refusal import refusal
from gitloop.judges.metrics.retrieval import mrr, ndcg, precision_at_k, recall_at_k
from gitloop.records import Judgement

Local = Callable[..., Callable[..., Judgement]]
WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat", "dog"]), max_size=10)
TEXTS = WORDS.map(" ".join)
SYMBOLS = st.lists(st.sampled_from([0, 1, 2, 3, 2**31 - 1]), max_size=12)
REFERENCES = [
    # output, reference; BLEU and chrF by sacrebleu 2.6.0, ROUGE 1, 2 and L by rouge-score 0.1.2
    (
        "the cat sat on the mat",
        "the cat is on the mat",
        (0.379918, 0.645779, 0.833333, 0.6, 0.833333),
    ),
    (
        "Items can be returned within 30 days.",
        "You can return items within 30 days of delivery.",
        (0.181904, 0.45382, 0.625, 0.285714, 0.5),
    ),
    ("hello", "goodbye", (0.0, 0.060606, 0.0, 0.0, 0.0)),
    ("the the the the", "the cat", (0.159736, 0.178689, 0.333333, 0.0, 0.333333)),
    ("a b c d e f", "a b c d e f", (1.0, 1.0, 1.0, 1.0, 1.0)),
    (
        "Der schnelle braune Fuchs",
        "Der schnelle Fuchs springt",
        (0.353553, 0.588349, 0.75, 0.333333, 0.75),
    ),
]


def test_overlap_is_the_reference_implementations() -> None:
    """BLEU, chrF and ROUGE of a batch give the figures of sacrebleu and rouge-score for each."""
    outputs, references, figures = zip(*REFERENCES, strict=True)
    found = [
        bleu(outputs, references),
        chrf(outputs, references),
        rouge_n(outputs, references, 1),
        rouge_n(outputs, references, 2),
        rouge_l(outputs, references),
    ]
    assert list(zip(*found, strict=True)) == [pytest.approx(row, abs=1e-6) for row in figures]


@pytest.mark.parametrize("measure", [bleu, chrf, rouge_l, partial(rouge_n, order=2)])
@given(one=TEXTS, other=TEXTS)
def test_overlap_is_a_share_and_1_for_the_same_text(measure: Compare, one: str, other: str) -> None:
    """Each measure lies in [0, 1] and is 1 for a text and itself."""
    apart, same = measure([one, one], [other, one])
    assert 0 <= apart <= 1 + 1e-9
    assert same == pytest.approx(float(bool(one) or measure is not bleu))


@given(st.lists(st.tuples(SYMBOLS, SYMBOLS), max_size=5), st.integers(1, 6), st.integers(1, 30))
def test_shared_runs_are_those_of_two_bags(
    pairs: list[tuple[list[int], list[int]]], most: int, most_symbols: int
) -> None:
    """Whatever is counted together, each pair has the runs that two bags of them share."""
    arrays = [(np.array(said, np.int64), np.array(wanted, np.int64)) for said, wanted in pairs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_MOST_SYMBOLS", most_symbols)
        found = runs.shared_runs(arrays, most)
    for place, pair in enumerate(pairs):
        for order in range(1, most + 1):
            said, wanted = (
                Counter(tuple(own[i : i + order]) for i in range(len(own) - order + 1))
                for own in pair
            )
            expected = (said.total(), wanted.total(), (said & wanted).total())
            told = (one[place, order - 1] for one in (found.said, found.wanted, found.shared))
            assert tuple(told) == expected


def test_shared_runs_of_millions_of_symbols() -> None:
    """A pair with more different symbols than fit into an integer three by three is counted too."""
    said = np.arange(2**21 + 5)
    found = runs.shared_runs([(said, said[1:])], 5)
    assert found.shared.tolist() == [[len(said) - order for order in range(1, 6)]]


@pytest.mark.parametrize(
    ("name", "arguments", "output", "expected"),
    [
        ("length", {"min": 2, "max": 3}, "two words", 1.0),
        ("length", {"max": 1}, "two words", 0.0),
        ("length", {"min": 3}, "two words", 0.0),
        ("length", {"max": 9, "unit": "characters"}, " two words ", 1.0),
        ("length", {"max": 1, "unit": "sentences"}, "One. Two.", 0.0),
        ("length", {"max": 2, "unit": "lines"}, "a\n\nb\n", 1.0),
        ("one_line", {}, " a b \n", 1.0),
        ("one_line", {}, "a\nb", 0.0),
        ("one_line", {}, "", 0.0),
        ("is_email", {}, " ada@example.org ", 1.0),
        ("is_email", {}, "write to ada@example.org", 0.0),
        ("is_email", {}, "ada@localhost", 0.0),
        ("is_email", {}, "a..b@example.org", 0.0),
        ("is_email", {}, "ada@exa_mple.org", 0.0),
        ("links", {}, "no links", 1.0),
        ("links", {"min": 1}, "no links", 0.0),
        ("links", {"hosts": ["example.org"]}, "see https://docs.example.org/a.", 1.0),
        ("links", {"hosts": ["example.org"]}, "see https://badexample.org/", 0.0),
        ("links", {"hosts": ["example.org"]}, "https://example.org.evil.com", 0.0),
        ("links", {}, "https://exa mple", 0.0),
        ("links", {"max": 1}, "www.example.org and www.example.com", 0.0),
        ("json", {}, '{"a": [1, null]}', 1.0),
        ("json", {}, "{'a': 1}", 0.0),
        ("json", {}, "NaN", 0.0),
        ("json", {}, "", 0.0),
        ("json", {"kind": "array"}, "{}", 0.0),
        ("json", {}, "```json\n{}\n```", 0.0),
        ("json", {"fenced": True}, "```json\n{}\n```", 1.0),
        ("json", {}, "[" * 100_000, 0.0),
        ("fields", {"required": ["a", "b.c"]}, '{"a": 1, "b": {"c": "x"}}', 1.0),
        ("fields", {"required": ["a", "b.c"]}, '{"a": 0, "b": {"c": " "}}', 0.5),
        ("fields", {"required": ["a"]}, "[1]", 0.0),
        ("citations", {}, "It is so [1]. And so [2, 3].", 1.0),
        ("citations", {}, "It is so. [1] And this is not.", 0.5),
        ("citations", {"sources": 2}, "It is so [3].", 0.0),
        ("refusal", {}, "Your refund takes 5 days.", 1.0),
        ("refusal", {}, "I'm sorry, but I can't help with that.", 0.0),
        ("refusal", {"expect": "refusal"}, "I cannot provide medical advice.", 1.0),
        ("refusal", {"expect": "refusal"}, "Take two pills.", 0.0),
    ],
)
def test_form(
    local: Local, name: str, arguments: dict[str, Any], output: str, expected: float
) -> None:
    """Each metric of an output's form gives 1 where it holds, and less where it does not."""
    assert local(name, **arguments)(output).score == expected


@pytest.mark.parametrize(
    ("arguments", "output", "reference", "expected"),
    [
        ({}, "The total is 1,250.50 euros", "1250.5", 1.0),
        ({}, "3 + 4 = 7", "7", 1.0),
        ({"take": "first"}, "3 + 4 = 7", "7", 0.0),
        ({"take": "any"}, "7 is 3 + 4", "7", 1.0),
        ({"tolerance": 0.1}, "about 3.1", "3.14", 1.0),
        ({"tolerance": 0.01, "relative": True}, "101", "100", 1.0),
        ({}, "−5", "-5", 1.0),
        ({}, "none", "5", 0.0),
    ],
)
def test_numeric(
    local: Local, arguments: dict[str, Any], output: str, reference: str, expected: float
) -> None:
    """The number counts by value, within the tolerance."""
    assert local("numeric", **arguments)(output, reference=reference).score == expected


def test_links_and_numbers_and_citations_are_read_as_people_do() -> None:
    """Punctuation around them is not part of them."""
    assert links("(see https://a.org/x_(y)), or <www.b.org>.") == [
        "https://a.org/x_(y)",
        "www.b.org",
    ]
    assert [str(n) for n in numbers("v1.2 costs $1,000.50, not 2e3 or -4")] == [
        *("1000.50", "2E+3", "-4"),
    ]
    assert cited("a [1], b [2;4-6] c [x] d[12]") == [1, 2, 4, 5, 6, 12]


SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("output", "expected", "words"),
    [
        ('{"n": 1}', 1.0, ""),
        ('{"n": "1"}', 0.0, '/n: "1" is not of type "integer"'),
        ("{}", 0.0, '/: "n" is a required property'),
        ('{"n": 1, "m": 2}', 0.0, "/: Additional properties are not allowed"),
        ("nothing", 0.0, "not JSON"),
        (r'{"n": 1, "m": "\ud800"}', 0.0, "/: it holds half of a surrogate pair"),
    ],
)
def test_json_schema(local: Local, output: str, expected: float, words: str) -> None:
    """The reason names the place of each fault."""
    found = local("json_schema", schema=SCHEMA)(output)
    assert found.score == expected
    assert found.reason.startswith(words)


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/schema.json", "other.json", "#/$defs/no"])
def test_a_schema_visits_no_address(local: Local, target: str) -> None:
    """A reference to what the schema does not hold is refused before any row is judged."""
    with pytest.raises(ConfigError, match="schema is not valid"):
        local("json_schema", schema={"$ref": target})


CALLS = [
    {"name": "find_order", "arguments": {"id": "7"}},
    {"name": "refund", "arguments": {"id": "7", "amount": 12}},
]
OPENAI = {
    "tool_calls": [
        {"function": {"name": call["name"], "arguments": json.dumps(call["arguments"])}}
        for call in CALLS
    ]
}
WRONG = [CALLS[0], {"name": "refund", "arguments": {"id": "8", "amount": 12}}]


@pytest.mark.parametrize(
    ("by", "output", "expected"),
    [
        ("exact", CALLS, 1.0),
        ("exact", OPENAI, 1.0),
        ("exact", WRONG, 0.0),
        ("exact", CALLS[::-1], 0.0),
        ("exact", [*CALLS, CALLS[0]], 0.0),
        ("names", CALLS[::-1], 1.0),
        ("names", CALLS[:1], 0.666667),
        ("order", CALLS[::-1], 0.5),
        ("arguments", WRONG, 0.8),
        ("arguments", CALLS[::-1], 1.0),
        ("arguments", [{"name": "other", "arguments": {}}], 0.0),
        ("exact", [], 0.0),
    ],
)
def test_tool_calls(local: Local, by: str, output: Any, expected: float) -> None:  # noqa: ANN401
    """Calls are compared by name, order and value, in either form."""
    judged = local("tool_calls", by=by)(json.dumps(output), reference=json.dumps(CALLS))
    assert judged.score == expected


def test_no_call_where_none_is_expected_is_right(local: Local) -> None:
    """An empty output calls nothing."""
    assert local("tool_calls")("", reference="[]").score == 1.0
    assert local("tool_calls")(json.dumps(CALLS), reference="[]").score == 0.0


@pytest.mark.parametrize(
    ("output", "expected", "words"),
    [
        (CALLS[:1], 1.0, ""),
        ([{"name": "find_order", "arguments": {"id": 7}}], 0.0, "find_order/id: 7 is not of type"),
        (CALLS, 0.0, "there is no tool refund"),
        ({"x": 1}, 0.0, "no tool calls: a tool call has no name"),
    ],
)
def test_tool_schema(local: Local, output: Any, expected: float, words: str) -> None:  # noqa: ANN401
    """A call of an unknown tool, or with arguments that do not fit, fails and is named."""
    tools = {"find_order": {"properties": {"id": {"type": "string"}}}}
    judged = local("tool_schema", tools=tools)(json.dumps(output))
    assert judged.score == expected
    assert judged.reason.startswith(words)


def test_rankings_have_the_published_figures() -> None:
    """NDCG of the textbook's example (Järvelin and Kekäläinen's form with linear gains)."""
    gains = {"a": 3.0, "b": 2.0, "c": 3.0, "e": 1.0, "f": 2.0}
    assert ndcg(list("abcdef"), gains, 6) == pytest.approx(0.960819, abs=1e-4)
    assert mrr(["x", "a", "b"], gains, 10) == 0.5
    assert mrr(["x", "a"], gains, 1) == 0.0
    assert precision_at_k(["a", "x", "b"], gains, 4) == 0.5
    assert recall_at_k(["a", "x", "b"], gains, 3) == 0.4


@given(st.permutations("abcde"), st.integers(1, 6))
def test_rankings_are_shares_and_the_ideal_is_best(order: list[str], k: int) -> None:
    """Each measure lies in [0, 1], and no ranking beats the ideal one."""
    gains = {"a": 2.0, "b": 1.0, "z": 0.0}
    ideal = list("abcde")
    for measure in (ndcg, mrr, precision_at_k, recall_at_k):
        assert 0 <= measure(order, gains, k) <= measure(ideal, gains, k) <= 1


@pytest.mark.parametrize(
    ("output", "reference", "expected"),
    [
        ('["a", "b"]', '["b"]', 0.5),
        ("a\nb\n", "b", 0.5),
        ('["a"]', '{"a": 2, "b": 1}', 1.0),
        ("[1, 2]", "[2]", 0.5),
        ('["x"]', '["b"]', 0.0),
    ],
)
def test_rankings_are_read_from_lists_and_lines(
    local: Local, output: str, reference: str, expected: float
) -> None:
    """JSON lists, JSON objects with gains, and lines of text."""
    assert local("mrr")(output, reference=reference).score == expected


@pytest.mark.parametrize("reference", ["[]", "", '{"a": -1}', '{"a": "x"}', '{"a": 0}'])
def test_a_reference_without_anything_relevant_is_missing(local: Local, reference: str) -> None:
    """Where nothing is relevant there is nothing to rank: a status, never 0."""
    assert local("ndcg")('["a"]', reference=reference).status == "missing"


PASSAGES = "Refunds take 5 days.\n\nOur shop is in Oslo."


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("context_recall", {"context": PASSAGES, "reference": "A refund takes 5 days."}, 1.0),
        ("context_recall", {"context": PASSAGES, "reference": "It opens on Mondays."}, 0.0),
        ("context_precision", {"context": PASSAGES, "reference": "Refunds take 5 days."}, 1.0),
        ("context_precision", {"context": PASSAGES, "reference": "The shop is in Oslo."}, 0.5),
        ("context_precision", {"context": PASSAGES, "reference": "Bring your own mug."}, 0.0),
    ],
)
def test_contexts_are_held_against_references(
    local: Local, name: str, fields: dict[str, str], expected: float
) -> None:
    """Recall asks whether the context holds the reference, precision whether it comes first."""
    assert local(name)("an output", **fields).score == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize(
    ("asked", "expected", "reason"),
    [
        ("How long do refunds take?", 2 / 3, "not in the context: “long”"),
        ("Is the shop in Oslo?", 1.0, ""),
        ("Is the shop in Bergen since 1999?", 0.2, "not in the context: “Bergen”, “since”, “1999”"),
        ("Do you sell mugs?", 0.0, "not in the context: “sell”, “mugs”"),
    ],
)
def test_a_context_is_relevant_as_far_as_it_speaks_of_the_question(
    local: Local, asked: str, expected: float, reason: str
) -> None:
    """No reference is asked for; a figure weighs twice, and what is lacking is named."""
    found = local("context_relevance")("an output", input=asked, context=PASSAGES)
    assert found.score == pytest.approx(expected, abs=1e-6)
    assert found.reason == reason
    assert local("context_relevance")("x", input="what?", context=PASSAGES).status == "missing"


def test_utilisation_rises_with_what_the_output_uses(local: Local) -> None:
    """An output that uses both passages scores above one that uses a single one."""
    score = local("context_utilisation")
    both = score("Refunds take 5 days, and our shop is in Oslo.", context=PASSAGES).score
    single = score("Refunds take 5 days.", context=PASSAGES).score
    assert both is not None
    assert single is not None
    assert both > single > 0


@pytest.mark.parametrize(
    "text",
    [
        "I can't help with that.",
        "I'm sorry, but I am not able to assist with this.",
        "Unfortunately I can't help with that. Please try another channel.",
        "As an AI language model, I cannot give legal advice.",
        "I must respectfully decline.",
        "I won’t provide that.",
        "Sorry, I can’t discuss this.",
    ],
)
def test_refusals_are_seen(text: str) -> None:
    """The usual ways to decline."""
    assert refusal(text) == text or text.startswith(refusal(text))
    assert refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "You can't return items after 30 days.",
        "I can help with that.",
        "The bank cannot provide the statement before Monday.",
        "If I can't see the order, I will ask you for its number.",
        "We cannot wait to welcome you!",
        "I don't think that you need to call us.",
    ],
)
def test_answers_are_no_refusals(text: str) -> None:
    """A sentence with "cannot" that declines nothing is an answer."""
    assert refusal(text) == ""


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("length", {}, "says neither min nor max"),
        ("length", {"min": 3, "max": 2}, "min is 3, above max, 2"),
        ("length", {"max": -1}, "max is -1, below 0"),
        ("length", {"max": 2, "unit": "word"}, "did you mean words?"),
        ("json_schema", {}, "scorer.local.schema is missing"),
        ("json_schema", {"schema": {"type": "int"}}, "schema is not valid at /type"),
        ("fields", {"required": []}, "is [], below 1"),
        ("tool_schema", {"tools": {"f": 1}}, "tools.f is no JSON schema"),
        ("ndcg", {"k": 0}, "k is 0, below 1"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(
    local: Local, name: str, arguments: dict[str, Any], words: str
) -> None:
    """Every metric checks its arguments before it judges."""
    with pytest.raises(ConfigError) as caught:
        local(name, **arguments)
    assert words in caught.value.message


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_is_documented_and_checked(local: Local, name: str) -> None:
    """A metric says what it needs and returns, and gives a status where a row lacks that."""
    found = metric(name)
    assert found.name == name
    assert found.doc[0].islower()
    assert found.returns in {"0 or 1", "0 to 1"}
    needed: dict[str, dict[str, Any]] = {
        "contains": {"all": ["x"]},
        "regex": {"match": "x"},
        "length": {"max": 3},
        "json_schema": {"schema": {}},
        "fields": {"required": ["x"]},
        "tool_schema": {"tools": {}},
        "language": {"allow": ["en"]},
        "topic": {"on": ["x"]},
    }
    if name == "embedding" and find_spec("torch") is None:
        pytest.skip("the extra [minilm] is not installed")
    judged = local(name, **needed.get(name, {}))(None, input=None)
    assert (judged.status, judged.score) == ("missing", None)


@pytest.mark.parametrize("name", ["json", "links", "is_email", "one_line", "refusal", "citations"])
@given(text=st.text(max_size=60))
def test_any_text_is_judged(name: str, text: str) -> None:
    """No text breaks a metric; scores lie in [0, 1]."""
    found = metric(name)
    defaults = {key: argument.default for key, argument in found.arguments.items()}
    for judged in found.make(defaults)([{"output": text}]):
        assert judged.score is None or 0 <= judged.score <= 1
