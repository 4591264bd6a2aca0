"""The python judge: a user's function scores, and what is no score is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitloop.errors import ConfigError
from gitloop.judges.python import PythonJudge
from gitloop.params import JudgePin, Rubric
from gitloop.records import Case, Judgement

CASE = Case("a", input="q", context="c", reference="r", output="o", route="refund")


def judge(root: Path, body: str, **parameters: Any) -> PythonJudge:  # noqa: ANN401
    """A judge whose function has this body."""
    (root / "app.py").write_text(f"def f(row, output):\n    {body}\n")
    rubric = Rubric(name="tone", version="1", scorer={"python": {"strict": True}})
    pin = JudgePin(use="python", parameters={"callable": "app:f", **parameters})
    return PythonJudge(rubric, pin, root)


def judged(made: PythonJudge, case: Case = CASE) -> Judgement:
    """The judgement of one case."""
    answer = made.call([made.request(case)])[0]
    return (
        made.read(answer) if answer.status == "ok" else Judgement(answer.status, None, answer.error)
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return 0.25", Judgement("ok", 0.25)),
        ("return 1", Judgement("ok", 1.0)),
        ("return True", Judgement("ok", 1.0)),
        ("return 0.5, 'half'", Judgement("ok", 0.5, "half")),
        ("return [0, 'none']", Judgement("ok", 0.0, "none")),
    ],
)
def test_scores(tmp_path: Path, body: str, expected: Judgement) -> None:
    """A number in [0, 1], with or without a reason, is a score."""
    assert judged(judge(tmp_path, body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        "return 1.7",
        "return -0.1",
        "return None",
        "return float('nan')",
        "return float('inf')",
        "return 10 ** 400",
        "return 'good'",
        "return (0.5, 3)",
        "return (0.5, 'a', 'b')",
        "return {}",
    ],
)
def test_what_is_no_score_is_an_error(tmp_path: Path, body: str) -> None:
    """Out of range, not a number, or of another shape: status error, and no score."""
    found = judged(judge(tmp_path, body))
    assert (found.status, found.score) == ("error", None)
    assert found.reason.startswith("the function")


def test_an_exception_is_an_error_with_its_words(tmp_path: Path) -> None:
    """The reason is the exception's kind and words."""
    found = judged(judge(tmp_path, "raise KeyError('lang')"))
    assert found == Judgement("error", None, "KeyError: 'lang'")


def test_a_slow_function_is_a_time_out(tmp_path: Path) -> None:
    """Past timeout_s the status is timeout."""
    found = judged(judge(tmp_path, "import time; time.sleep(60)", timeout_s=0.2))
    assert (found.status, found.score) == ("timeout", None)


def test_the_function_sees_the_row_and_the_rubrics_arguments(tmp_path: Path) -> None:
    """Row holds the case's fields and the rubric's own form; output is the output."""
    found = judged(judge(tmp_path, "return 1, ' '.join(sorted(row)) + str(row['arguments'])"))
    assert found.reason == ("arguments context input reference route user_cohort{'strict': True}")


def test_the_request_pins_code_and_rubric(tmp_path: Path) -> None:
    """The key of a call changes with the code and the rubric, and not with the time-out."""
    one = judge(tmp_path, "return 1").request(CASE)
    assert judge(tmp_path, "return 1", timeout_s=5).request(CASE) == one
    assert judge(tmp_path, "return 0").request(CASE) != one


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"callabel": "app:f"}, "unknown argument .*callabel; did you mean callable?"),
        ({"timeout_s": 0}, "timeout_s is 0, below 0.001"),
        ({"timeout_s": "5"}, "timeout_s is '5', not a number"),
    ],
)
def test_a_bad_pin_is_refused(tmp_path: Path, parameters: dict[str, Any], words: str) -> None:
    """Unknown and senseless parameters are an error of configuration."""
    with pytest.raises(ConfigError, match=words):
        judge(tmp_path, "return 1", **parameters)
