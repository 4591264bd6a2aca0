"""The gate in every format: what it must say, what it must escape, and how long it may be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from gitloop.core.gate import as_document, decide, evidence
from gitloop.errors import DataError
from gitloop.plugins import load
from gitloop.reports.gate_diff import MAX_WORDS, words
from tests.gate_cases import gate_inputs

FORMS = ("text", "json", "md", "junit", "sarif", "github", "gitlab", "html")
NASTY = "</summary><script>alert(1)</script> | `x` @team [a](b) \x00 😀 \u202e"
N = 40


@cache
def document(n_lost: int = 12, name: str = "refund") -> Mapping[str, Any]:
    """A run of forty rows that loses some against its baseline, all on one route."""
    said = [NASTY] * n_lost + ["old"] * (N - n_lost)
    inputs = gate_inputs(
        [0.0] * n_lost + [1.0] * (N - n_lost),
        [1.0] * N,
        said=said,
        route=[name] * 20 + ["billing"] * 20,
        user_cohort=[name] * N,
        cluster_id=[name] * N,
        source_trace_id=[f"{name}-{i}" for i in range(N)],
    )
    report = decide(inputs)
    context = {
        "datasets": {"support": {"sha256": "ab" * 32, "n_rows": N, "version": "2026.05-aaaaaa"}},
        "baseline": [
            {"commit": "c" * 40, "committed_at": "2026-05-20T00:00:00+00:00", "scores_md5": "d"}
        ],
        "inputs": [{"name": "loop/score/scores.parquet", "digest": "e" * 32}],
    }
    return as_document(report, **context) | {"evidence": evidence(inputs, report)}


def render(form: str, value: Mapping[str, Any]) -> str:
    """The value in the form, through the plug-in that the command line loads."""
    return str(load("reports", form)().render(value))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_names_the_failed_checks(form: str) -> None:
    """Each format tells that the delta of the rubric failed, and is the same when made again."""
    shown = render(form, document())
    assert "grounded" in shown
    assert "delta" in shown
    assert render(form, document()) == shown


@pytest.mark.parametrize("form", ["md", "junit", "sarif", "github", "gitlab", "html"])
def test_names_from_data_cannot_break_a_format(form: str) -> None:
    """A route, cohort, cluster and trace full of markup come out as text."""
    shown = render(form, document(name=NASTY))
    if form == "junit":
        assert ET.fromstring(shown).tag == "testsuites"  # noqa: S314 -- made three lines above
    elif form in {"sarif", "gitlab"}:
        json.loads(shown)
    elif form == "github":
        assert all(line.startswith("::") for line in shown.splitlines())
    else:
        assert "<script" not in shown
        assert "alert(1)" in shown


def test_text_fits_80_columns_and_starts_with_the_verdict() -> None:
    """The first word is the verdict, no line is longer than a terminal, the last line leads on."""
    lines = render("text", document()).split("\n")
    assert lines[0].startswith("FAIL  ")
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("→ ")


@pytest.mark.parametrize("name", ["x" * 300, "ein sehr langer name " * 20])
def test_text_fits_whatever_the_names(name: str) -> None:
    """Long names of routes, cohorts and traces are wrapped or cut, never spilled."""
    lines = render("text", document(name=name)).split("\n")
    assert max(map(len, lines)) <= 80


def test_a_lost_row_is_named_with_its_trail() -> None:
    """Row, cluster and source trace of a lost row stand in every format for people."""
    for form in ("text", "md", "html", "junit", "sarif"):
        shown = render(form, document())
        assert "r0000" in shown
        assert re.search(r"refund-0\b", shown), form


def test_markdown_is_cut_below_what_forges_take() -> None:
    """Of thousands of rows as many are listed as fit into 60,000 characters; the rest is told."""
    row = dict(document()["rows"]["lost"][0])
    many = [row | {"row_id": f"{i:016d}"} for i in range(5000)]
    grown = {**document(), "rows": {**document()["rows"], "lost": many, "n_lost": 5000}}
    shown = render("md", grown)
    assert len(shown) <= 60_000
    assert re.search(r"Left out for length: \d+ rows lost", shown)
    assert shown.startswith("<!-- gitloop gate -->")


def test_junit_counts_what_it_holds() -> None:
    """Failures, errors and skipped cases add up to the checks of each outcome."""
    root = ET.fromstring(render("junit", document()))  # noqa: S314 -- made by us just now
    counts = document()["n_checks"]
    assert int(root.attrib["tests"]) == len(document()["checks"]) == len(root.findall("*/testcase"))
    assert int(root.attrib["failures"]) == counts["fail"] == len(root.findall("*/*/failure"))
    assert int(root.attrib["skipped"]) == counts["inconclusive"] == len(root.findall("*/*/skipped"))


def test_sarif_points_at_files_of_the_repository() -> None:
    """Every result has a rule, a level and a relative place, and fingerprints are stable."""
    log = json.loads(render("sarif", document()))
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.match(r"^(rubrics|golden)/|^params\.yaml$", uri)
    marks = [result["partialFingerprints"]["gitloop/v1"] for result in run["results"]]
    assert len(set(marks)) == len(marks)


def test_html_needs_nothing_else() -> None:
    """The report loads nothing: no script, no link, no image, and a policy that forbids them."""
    shown = render("html", document())
    assert "default-src 'none'" in shown
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b|url\(|@import|https?:", shown)
    assert shown.count("<svg") >= 3


def test_html_shows_what_changed_in_a_lost_row() -> None:
    """Outputs then and now stand side by side, with the words that went and came marked."""
    shown = render("html", document())
    assert "<del>" in shown
    assert "<ins>" in shown
    assert "alert" in shown


def test_a_diff_marks_words_and_escapes_them() -> None:
    """Only what differs is marked, and markup in a text stays text."""
    assert words("within 30 days", "within <b> days") == (
        "within <del>30</del> days",
        "within <ins>&lt;b&gt;</ins> days",
    )


def test_a_long_diff_is_cut_and_says_so() -> None:
    """Beyond the limit a text is counted and not compared."""
    before, _ = words("a " * MAX_WORDS, "b")
    assert f"{MAX_WORDS} words more" in before


@pytest.mark.parametrize("form", ["junit", "sarif", "github", "gitlab", "html"])
def test_a_form_that_does_not_fit_is_refused(form: str) -> None:
    """What is no gate document has no such form."""
    with pytest.raises(DataError):
        render(form, {"schema": "gitloop.other/v1"})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("figures", [[], [1.0] * 3, [None] * 20, [1.0] * 40])
def test_every_form_takes_every_verdict(form: str, figures: list[float | None]) -> None:
    """An empty set, too few rows, nothing but errors and a first run render in every form."""
    inputs = gate_inputs(figures)
    report = decide(inputs)
    assert render(form, as_document(report) | {"evidence": evidence(inputs, report)})
