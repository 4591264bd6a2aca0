"""YAML as gitloop writes and reads it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gitloop.documents import dump, nearest, parse, rewritten
from gitloop.errors import ConfigError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5))
def test_what_is_written_is_read(value: dict[str, Any]) -> None:
    """Any value of text, numbers, lists and mappings survives the way to a file and back."""
    assert parse(dump(value), source="x.yaml").value == (value or {})


@pytest.mark.parametrize(
    "text", ["yes", "no", "on", "null", "~", "1e3", "012", "2026-05-01", "#x", "a: b"]
)
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    """Words that YAML would read as another type stay text."""
    assert parse(dump({"a": text}), source="x.yaml").value == {"a": text}


@pytest.mark.parametrize(
    "text",
    [
        "", "~", "null", "NULL", "nil", "true", "False", "yes", "No", "on", "y", "<",
        "0", "-7", "+3", "012", "08", "0o17", "0x1F", "0b101", "1_000", "1:30", "-", "+", "-a",
        "1.5", "1.", ".5", "-.5e+3", "1e3", "1e-3", "1E+3", "1.e3", ".inf", "-.INF", ".nan", ".",
        '"1"', "1.2.3", "'true'", "2026-05-01x", "a: {b: [1, two, 3.0]}", "- 1\n- [x, {y: z}]\n",
        "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\n", "a: |\n  one\n  two\n", "a: >-\n  one\n  two\n",
        "# only a comment\n", "---\na: 1\n", "a: !!str 5", "? a\n: b\n", "a:\nb:\n- 1\n",
    ],
)  # fmt: skip
def test_yaml_is_read_as_dvc_reads_it(text: str) -> None:
    """A file is to us what it is to DVC's reader, ruamel.yaml in its safe form."""
    theirs = YAML(typ="safe", pure=True).load(text)
    assert repr(parse(text, source="x.yaml").value) == repr(theirs)


def test_a_date_stays_text() -> None:
    """A version that looks like a date is not turned into one."""
    document = parse("a: 2026-05-01\nb: 2026-05-01T10:00:00Z\n", source="x.yaml")
    assert document.value == {"a": "2026-05-01", "b": "2026-05-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", r"x\.yaml:3: not valid YAML: found duplicate key \"a\""),
        ("a: 1\nb: &x [*x]\n", r"x\.yaml:2: .* inside its own anchor"),
        ("a: 1\n<<: 2\n", r"x\.yaml:2: .* takes a mapping"),
        ("a: 1\nb: !!int two\n", r"x\.yaml:2: .*'two' is no int"),
        ("a: 1\n---\nb: 2\n", r"x\.yaml:2: "),
        ("a: \x00\n", r"x\.yaml:1: "),
        ("a: *nowhere\n", r"x\.yaml:1: "),
    ],
)
def test_what_is_no_document_is_told_with_its_line(text: str, problem: str) -> None:
    """Faults beyond the syntax name their line too, and none of them is a bug of ours."""
    with pytest.raises(ConfigError, match=problem):
        parse(text, source="x.yaml")


def test_a_line_is_found_in_nested_documents() -> None:
    """The line of a key inside a list inside a mapping is its own."""
    document = parse("a:\n  - b: 1\n  - c: 2\n", source="x.yaml")
    assert document.line(("a", 1, "c")) == 3
    assert document.line(("a", 1, "missing")) == 3


def test_broken_yaml_names_its_line() -> None:
    """The error says file and line, and what to edit."""
    with pytest.raises(ConfigError, match=r"x\.yaml:2: not valid YAML") as caught:
        parse("a: 1\nb: ]\n", source="x.yaml")
    assert caught.value.hint


def test_nearest_is_empty_when_nothing_is_near() -> None:
    """A word unlike all others has no neighbour."""
    assert nearest("zebra", ["alpha", "beta"]) == ""
    assert nearest("alfa", ["alpha", "beta"]) == "alpha"


PINS = """\
# pins
rubrics:
  grounded:
    version: "1"   # bump it
    judge: {use: local, version: "1"}
  polite:
    version: '1'
    judge:
      use: openai
seed: 7
"""


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("rubrics", "grounded", "version"), "2", '    version: "2"   # bump it'),
        (("rubrics", "grounded", "judge", "span"), 2, "    judge: {span: 2, use: local,"),
        (("rubrics", "polite", "judge", "span"), 2, "      span: 2"),
        (("seed",), 8, "seed: 8"),
    ],
)
def test_one_scalar_is_rewritten_and_nothing_else(
    path: tuple[str, ...], value: str | int, line: str
) -> None:
    """A key is replaced or added, and every other line stays, comments too."""
    text = rewritten(PINS, path, value)
    found = parse(text, source="x").value
    for key in path:
        found = found[key]
    assert found == value
    assert line in text
    assert len(set(text.splitlines()) - set(PINS.splitlines())) == 1


@given(st.text(st.characters(codec="utf-8")).filter(lambda text: text.strip("\n")))
def test_any_text_is_rewritten_whole(text: str) -> None:
    """Whatever the new text is, a reader finds it, but for line breaks at its ends."""
    before = "rubric:\n  said: |\n    one\n    two\n  # a comment\n  after: 1\n"
    found = parse(rewritten(before, ("rubric", "said"), text), source="x").value["rubric"]
    assert (str(found["said"]).strip("\n"), found["after"]) == (text.strip("\n"), 1)


@pytest.mark.parametrize("text", ["a: &x {b: 1}", "a: &x {}", "a: &x\n  b: 1\n", "a: {}"])
def test_a_key_is_added_behind_an_anchor(text: str) -> None:
    """A mapping with an anchor, or without any entry, takes a new one."""
    found = parse(rewritten(text, ("a", "c", "d"), 2), source="x").value["a"]
    assert found["c"] == {"d": 2}
    assert found.get("b", 1) == 1


def test_what_is_no_mapping_cannot_be_rewritten() -> None:
    """A path through a scalar is refused by name."""
    with pytest.raises(ConfigError, match=r"seed is no mapping"):
        rewritten(PINS, ("seed", "of", "what"), 1)
