"""The openai judge: a language model behind any OpenAI-compatible endpoint.

    judge:
      use: openai
      model: gpt-4o-2024-08-06
      parameters: {base_url: "http://127.0.0.1:8000/v1", seed: 7, concurrency: 16}

A rubric says what to judge: `scorer: {openai: {instructions: "Pass when …"}}`. The key of a call
holds model, messages and sampling, and never address, key, time-outs or a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from gitloop.arguments import Argument, check
from gitloop.errors import ConfigError
from gitloop.judges.openai.asking import again, messages
from gitloop.judges.openai.reading import FORM, Form, form_of, schema, verdict
from gitloop.llm import SETTINGS, ChatClient, ChatRequest, Completion, settings
from gitloop.llm.settings import require_key
from gitloop.params import JudgePin, Rubric
from gitloop.records import Answer, Case, Judgement

SAMPLING = {
    "temperature": Argument(
        "number", "0 is the least random; null leaves it out", default=0.0, low=0, is_nullable=True
    ),
    "top_p": Argument("number", "nucleus sampling", default=None, low=0, high=1),
    "seed": Argument("integer", "seed, where the server takes one", default=None),
    "max_tokens": Argument("integer", "most tokens of an answer", default=1024, low=1),
    "extra": Argument("mapping", "whatever else the server takes", default={}),
}


class OpenaiJudge:
    """Scores by a language model behind an OpenAI-compatible endpoint."""

    id: ClassVar[str] = "openai"
    version: ClassVar[str] = "1"
    is_pure: ClassVar[bool] = False

    def __init__(self, rubric: Rubric, pin: JudgePin, root: Path) -> None:  # noqa: ARG002 -- the protocol's
        key = f"rubrics.{rubric.name}.judge"
        if pin.model is None:
            raise ConfigError(
                f"params.yaml: {key}.model is missing", hint="name the model, with its version"
            )
        where = f"params.yaml: {key}.parameters"
        parameters = check(pin.parameters, {**SETTINGS, **SAMPLING}, where=where)
        self._where = where
        self._parameters = parameters
        self._settings = settings(parameters, where=where)
        self._client: ChatClient | None = None
        form = f"rubrics/{rubric.name}.yaml: scorer.openai"
        self._form: Form = form_of(rubric, check(rubric.scorer[self.id], FORM, where=form), form)
        extra = dict(parameters["extra"])
        self._pinned = {
            "judge": f"{self.id}/{self.version}",
            "model": pin.model,
            "rubric": {"name": rubric.name, "version": rubric.version, "sha256": rubric.sha256},
            "sampling": {name: parameters[name] for name in SAMPLING if name != "extra"} | extra,
        }

    @classmethod
    def reordered(cls, rubric: Rubric) -> Rubric:
        """The rubric with its material and its verdicts in the opposite order."""
        form = rubric.scorer[cls.id]
        shown = form.get("show", FORM["show"].default)
        verdicts = form.get("verdicts") or (
            {"pass": 1, "fail": 0} if rubric.scale == "binary" else {}
        )
        turned = {"show": list(reversed(shown)), "verdicts": dict(reversed(verdicts.items()))}
        return rubric.model_copy(update={"scorer": {**rubric.scorer, cls.id: form | turned}})

    def request(self, case: Case) -> dict[str, Any]:
        """Model, sampling, rubric and the rendered messages."""
        return {**self._pinned, "messages": messages(self._form, case)}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One answer per request, in order."""
        return [answer for _, answer in sorted(self.stream(requests), key=lambda pair: pair[0])]

    def stream(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Answer]]:
        """Each answer with its place, as they come; one that does not parse is asked for again."""
        require_key(self._settings, self._parameters["api_key_env"])
        if self._client is None:
            self._client = ChatClient(self._settings)
        unclear: list[tuple[int, Completion]] = []
        for place, completion in self._client.stream([self._chat(one) for one in requests]):
            if completion.status == "ok" and self._fault(completion):
                unclear.append((place, completion))
            else:
                yield place, _answer(completion)
        unclear.sort(key=lambda pair: pair[0])
        second = [self._chat(requests[place], said.text) for place, said in unclear]
        for nth, completion in self._client.stream(second):
            place, first = unclear[nth]
            answer = _answer(completion, first)
            fault = self._fault(completion) if completion.status == "ok" else ""
            yield place, replace(answer, status="unparsed", error=fault) if fault else answer

    def read(self, answer: Answer) -> Judgement:
        """The judgement in an answer."""
        try:
            return verdict(self._form, answer.value["text"])
        except ValueError as error:
            return Judgement("unparsed", None, str(error))

    def _chat(self, request: Mapping[str, Any], said: str | None = None) -> ChatRequest:
        """The chat request; after an answer that did not parse, it is quoted and asked again."""
        asked = tuple(request["messages"])
        if said is not None:
            asked = (*asked, *again(self._form, said))
        return ChatRequest(request["model"], asked, request["sampling"], schema(self._form))

    def _fault(self, completion: Completion) -> str:
        """Why the completion is no verdict, or ""."""
        try:
            verdict(self._form, completion.text)
        except ValueError as error:
            cut = " (cut off at max_tokens)" if completion.finish == "length" else ""
            return f"{error}{cut}"
        return ""


def _answer(completion: Completion, first: Completion | None = None) -> Answer:
    """The answer in a completion, with what a first one cost added."""
    cost = completion.cost_usd
    if first is not None and cost is not None:
        cost = round(cost + (first.cost_usd or 0.0), 9)
    value = {
        "text": completion.text,
        "model": completion.model,
        "fingerprint": completion.fingerprint,
        "n_input_tokens": completion.n_input_tokens + (first.n_input_tokens if first else 0),
        "n_output_tokens": completion.n_output_tokens + (first.n_output_tokens if first else 0),
        "n_asked": 2 if first else 1,
    }
    return Answer(completion.status, value, completion.error, completion.latency_s, cost)
