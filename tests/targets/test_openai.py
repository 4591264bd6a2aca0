"""The openai target against a loopback server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitloop.errors import ConfigError
from gitloop.params import Target as TargetPin
from gitloop.params import parse_prompt
from gitloop.records import Case
from gitloop.targets.openai import OpenaiTarget
from tests.endpoints import endpoint, refused, said

PROMPT = parse_prompt(
    "---\nname: support\nversion: '1'\nparameters: {temperature: 0.5}\n---\nAnswer {{ input }}.",
    source="prompts/support.md",
)
CASE = Case("a", "why?", reference="SECRET")


def target(url: str, *, prompted: bool = True, **parameters: Any) -> OpenaiTarget:  # noqa: ANN401
    """A target that asks this endpoint."""
    pin = TargetPin(use="openai", parameters={"model": "m", "base_url": url, **parameters})
    return OpenaiTarget(pin, PROMPT if prompted else None, Path())


def test_the_rendered_prompt_is_the_users_message() -> None:
    """The prompt's own parameters go with it, and the reference never does."""
    with endpoint(lambda *_: said("because")) as server:
        made = target(server.url, system="Be brief.")
        answer = made.call([made.request(CASE)])[0]
        assert (answer.status, answer.value["output"]) == ("ok", "because")
        assert server.asked == [
            {
                "model": "m",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Answer why?."},
                ],
                "temperature": 0.5,
            }
        ]


def test_without_a_prompt_the_input_is_the_message() -> None:
    """A row's input is asked as it stands."""
    made = target("http://127.0.0.1:1/v1", prompted=False)
    assert made.request(CASE)["messages"] == [{"role": "user", "content": "why?"}]


def test_a_failure_has_no_output() -> None:
    """An error is a status with the server's words."""
    with endpoint(lambda *_: refused(404, "no model m")) as server:
        made = target(server.url)
        answer = made.call([made.request(CASE)])[0]
        assert (answer.status, answer.value) == ("error", {})
        assert answer.error == "HTTP 404: no model m"


def test_answers_come_in_the_order_of_the_requests() -> None:
    """However they come, each answer stands at its request's place."""
    with endpoint(lambda asked, _: said(asked["messages"][0]["content"])) as server:
        made = target(server.url, prompted=False, concurrency=4)
        requests = [made.request(Case(str(n), str(n))) for n in range(12)]
        assert [a.value["output"] for a in made.call(requests)] == [str(n) for n in range(12)]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({"model": None}, "model is None, not a text"), ({"modle": "x"}, "did you mean model?")],
)
def test_a_bad_pin_is_refused(parameters: dict[str, Any], words: str) -> None:
    """Faults of the pin are told before any call."""
    with pytest.raises(ConfigError) as caught:
        target("http://127.0.0.1:1/v1", **parameters)
    assert words in caught.value.message
