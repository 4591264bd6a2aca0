"""`gitloop score`, `rubric` and `judge` on the command line: exit codes and what is printed."""

from __future__ import annotations

import json

import pytest

from gitloop.cli.main import invoke
from gitloop.judges.metrics import NAMES
from tests.evaluated import APP, PARAMS, evaluated, golden_rows, promote
from tests.repositories import Repository


@pytest.fixture
def scored(repository: Repository) -> Repository:
    """A repository whose golden set has two rows."""
    evaluated(repository)
    promote(repository, golden_rows(["refund", "exchange"]))
    return repository


def test_score_prints_sets_rubrics_and_calls(
    scored: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line per set and rubric, and how many calls were paid for."""
    assert invoke(["score", "-C", str(scored.root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "golden/support  2026.05-f8096a  2 rows",
        "  brief   mean 1.000 of 2",
        "  polite  mean 1.000 of 2",
        "4 calls made, 0 from the call store; next: gitloop gate",
    ]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, 0),
        ({"params.yaml": PARAMS + "scor: {}\n"}, 4),
        ({"params.yaml": PARAMS.replace("support:", "other:")}, 4),
        ({"rubrics/brief.yaml": "name: brief\n"}, 4),
        ({"params.yaml": PARAMS + "calls: {mode: replay}\n"}, 5),
        ({"app.py": APP.replace("return f", "raise OSError; return f")}, 6),
        (
            {
                "app.py": APP.replace("return f", "import time; time.sleep(9); return f"),
                "params.yaml": PARAMS.replace("target:", "target:\n  timeout_s: 0.05"),
            },
            7,
        ),
    ],
)
def test_exit_codes(scored: Repository, files: dict[str, str], code: int) -> None:
    """Configuration is 4, data 5, a refusing application 6, a slow one 7."""
    scored.gen(files)
    assert invoke(["score", "-C", str(scored.root)]) == code


def test_an_empty_set_is_5(repository: Repository) -> None:
    """A set without rows cannot be scored."""
    assert invoke(["score", "-C", str(evaluated(repository).root)]) == 5


def test_rubric_list_and_show(scored: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """The list names version and judge, and show prints the whole rubric."""
    scored.gen({"rubrics/loose.yaml": 'name: loose\nversion: "3"\nscorer: {local: {}}\n'})
    assert invoke(["rubric", "list", "-C", str(scored.root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "brief   1         local/1",
        "loose   3         not pinned in params.yaml",
        "polite  1         python/1",
    ]
    assert invoke(["rubric", "show", "polite", "-C", str(scored.root), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["judge"], shown["rubric"]["scorer"]) == ("python/1", {"python": {}})
    assert invoke(["rubric", "show", "pollite", "-C", str(scored.root)]) == 4
    assert "did you mean polite?" in capsys.readouterr().err


def test_a_clean_shelf_lints_clean(scored: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Sound rubrics end in 0."""
    assert invoke(["rubric", "lint", "-C", str(scored.root)]) == 0
    assert capsys.readouterr().out == "2 rubrics, 0 with faults\n"


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        (
            "rubrics/brief.yaml",
            'name: brief\nversion: "1"\nscorer: {local: {metric: equals}}\n',
            "is version 1, and so is another text of it in",
        ),
        (
            "rubrics/brief.yaml",
            'name: brief\nversion: "2"\nscorer: {local: {metric: equals}}\n',
            "is version 2, but params.yaml pins 1",
        ),
        ("rubrics/brief.yaml", "name: brief\nversion: '1'\nscorer:\n  loc: {}\n", "no scorer for"),
        (
            "rubrics/brief.yaml",
            "name: brief\nversion: '1'\nscorer:\n  local: {metric: one_line}\n  locale: {}\n",
            "scorer.locale: no judge of that name is installed; did you mean local?",
        ),
        ("rubrics/brief.yaml", "name: brief\nversoin: '1'\n", "2: unknown key versoin"),
        ("rubrics/tone.yaml", "name: ton\nversion: '1'\nscorer: {local: {}}\n", "is named ton"),
        ("params.yaml", PARAMS.replace("polite:", "absent:"), "there is no rubric absent"),
    ],
)
def test_lint_finds(
    scored: Repository, capsys: pytest.CaptureFixture[str], path: str, text: str, words: str
) -> None:
    """Each fault is printed and ends in 4; so does a text that changed without its version."""
    scored.gen({path: text})
    assert invoke(["rubric", "lint", "-C", str(scored.root)]) == 4
    assert words in capsys.readouterr().out


def test_a_change_of_words_for_people_needs_no_new_version(scored: Repository) -> None:
    """Description, floor and threshold can change no score."""
    text = scored.read("rubrics/brief.yaml")
    scored.gen({"rubrics/brief.yaml": f"{text}description: Short.\nfloor: 0.9\n"})
    assert invoke(["rubric", "lint", "-C", str(scored.root)]) == 0


def test_lint_of_an_unknown_rubric_is_4(scored: Repository) -> None:
    """A name that is no rubric is an error of usage."""
    assert invoke(["rubric", "lint", "nothing", "-C", str(scored.root)]) == 4


def test_judge_list_tells_needs_and_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind and every metric is listed; the text fits 80 columns."""
    assert invoke(["judge", "list"]) == 0
    printed = capsys.readouterr().out
    assert all(len(line) <= 80 for line in printed.splitlines())
    assert "  grounded  0 to 1; needs output, context, [input]" in printed
    assert "  openai 1  0 to 1, by its verdict or its number; needs judge.model" in printed
    assert "one of llama_guard, qwen3guard," in printed
    assert "(default input, context," in printed
    for told in ("      budget: ", "      guard: ", "      command: "):
        assert told in printed
    assert invoke(["judge", "list", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"local", "python", "recorded"} <= {found["judge"] for found in report["judges"]}
    assert [found["metric"] for found in report["metrics"]] == list(NAMES)
