"""The litellm judge through the real litellm, which is no part of the development environment.

It runs where the extra `gitloop[litellm]` is installed; else it is skipped.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gitloop.judges.litellm import LitellmJudge
from gitloop.params import JudgePin, Rubric
from gitloop.records import Answer, Case
from tests.endpoints import Respond, endpoint, refused, said

pytestmark = pytest.mark.skipif(
    find_spec("litellm") is None, reason="the extra [litellm] is not installed"
)
GOOD = said('{"reason": "so", "verdict": "pass"}')


def judged(respond: Respond, **parameters: Any) -> tuple[Answer, LitellmJudge, list[Any]]:  # noqa: ANN401
    """The answer to one question, the judge, and what the server was asked."""
    form = {"openai": {"instructions": "Pass when it is so."}}
    rubric = Rubric(name="tone", version="1", scale="binary", scorer=form)
    with endpoint(respond) as server:
        given = {"base_url": server.url, "api_key_env": "LOOPBACK_KEY", "attempts": 2, **parameters}
        judge = LitellmJudge(
            rubric, JudgePin(use="litellm", model="openai/m", parameters=given), Path()
        )
        (answer,) = judge.call([judge.request(Case("a", "q", output="x"))])
        return answer, judge, server.asked


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key for the loopback: litellm wants one."""
    monkeypatch.setenv("LOOPBACK_KEY", "x")


def test_litellm_carries_question_and_answer() -> None:
    """The schema, the messages and the usage pass through; the verdict is read as everywhere."""
    answer, judge, asked = judged(lambda *_: GOOD)
    assert (answer.status, judge.read(answer).score) == ("ok", 1.0)
    assert (answer.value["n_input_tokens"], answer.value["n_output_tokens"]) == (100, 10)
    assert asked[0]["model"] == "m"
    assert asked[0]["response_format"]["type"] == "json_schema"
    assert [message["role"] for message in asked[0]["messages"]] == ["system", "user"]


def test_what_a_server_refuses_through_litellm_is_asked_again_by_our_rules() -> None:
    """A 429 is waited for once by us, and not by litellm as well."""
    busy = refused(429, "slow down", retry_after="0")
    answer, _, asked = judged(lambda _, nth: busy if nth == 0 else GOOD)
    assert (answer.status, len(asked)) == ("ok", 2)


@pytest.mark.parametrize(
    ("status", "n_asked"), [(500, 2), (401, 1), (404, 1)], ids=["again", "hopeless", "wrong"]
)
def test_errors_through_litellm_are_errors(status: int, n_asked: int) -> None:
    """Each keeps its status, and none becomes a score."""
    answer, _, asked = judged(lambda *_: refused(status, "no"))
    assert (answer.status, len(asked)) == ("error", n_asked)
    assert f"HTTP {status}" in answer.error


def test_a_slow_server_through_litellm_is_a_timeout() -> None:
    """The deadline is ours."""
    slow = said('{"verdict": "pass"}')
    slow.delay_s = 1.0
    answer, _, _ = judged(lambda *_: slow, timeout_s=0.2, attempts=1)
    assert answer.status == "timeout"
