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
from gitloop.judges.openai.asking import Pointwise
from gitloop.judges.openai.examples import examples
from gitloop.judges.openai.guards import Guard
from gitloop.judges.openai.pairwise import VERDICTS, Pairwise, both_orders
from gitloop.judges.openai.reading import FORM, form_of
from gitloop.judges.openai.shape import Shape
from gitloop.llm import SETTINGS, ChatRequest, Chats, Completion, Settings, open_chats, settings
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
EXAMPLES = {
    "examples": Argument(
        "mapping", "corrections that the model sees: file, sha256 and n", default={}
    )
}


class OpenaiJudge:
    """Scores by a language model behind an OpenAI-compatible endpoint."""

    id: ClassVar[str] = "openai"
    version: ClassVar[str] = "1"
    returns: ClassVar[str] = "0 to 1, by its verdict or its number"
    needs: ClassVar[tuple[str, ...]] = ("judge.model",)
    takes: ClassVar[Mapping[str, Argument]] = {**SETTINGS, **SAMPLING, **EXAMPLES}
    asks: ClassVar[Mapping[str, Argument]] = FORM
    is_pure: ClassVar[bool] = False
    form: ClassVar[str] = "openai"
    """The key of a rubric's scorer that says what to ask."""

    def __init__(self, rubric: Rubric, pin: JudgePin, root: Path) -> None:
        key = f"rubrics.{rubric.name}.judge"
        if pin.model is None:
            raise ConfigError(
                f"params.yaml: {key}.model is missing", hint="name the model, with its version"
            )
        where = f"params.yaml: {key}.parameters"
        parameters = check(pin.parameters, self.takes, where=where)
        known = settings(parameters, where=where)
        self._chats = self._open(known, parameters["api_key_env"], root)
        self._price = known.price
        shown = examples(parameters["examples"], root, where=f"{where}.examples")
        form = f"rubrics/{rubric.name}.yaml: scorer.{self.form}"
        shapes = _shapes(rubric, check(rubric.scorer[self.form], FORM, where=form), form)
        if isinstance(shapes[0], Pointwise):
            shapes = [replace(shapes[0], examples=shown)]
        self._shape: Shape = shapes[0]
        self._pinned = {
            "judge": f"{self.id}/{self.version}",
            "model": pin.model,
            "rubric": {"name": rubric.name, "version": rubric.version, "sha256": rubric.sha256},
            "sampling": {name: parameters[name] for name in SAMPLING if name != "extra"}
            | parameters["extra"],
        }
        self.members = [self._with(shape) for shape in shapes] if len(shapes) > 1 else []

    def _open(self, known: Settings, variable: str, root: Path) -> Chats:
        """The way to the model, opened by the first call."""
        return Chats(lambda: open_chats(known, variable, root))

    def _with(self, shape: Shape) -> OpenaiJudge:
        """The same judge, and the same connections and budget, asking in another way."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__, _shape=shape, members=[])
        return other

    def combine(self, judgements: Sequence[Judgement]) -> Judgement:
        """What the two orders of a pair come to."""
        return both_orders(judgements)

    @classmethod
    def reordered(cls, rubric: Rubric) -> Rubric:
        """The rubric with its material and its verdicts in the opposite order."""
        form = rubric.scorer[cls.form]
        if form.get("guard") or form.get("shape", "pointwise") != "pointwise":
            return rubric  # a guard's order is its own; a pair is shown in both already
        shown = form.get("show", FORM["show"].default)
        verdicts = form.get("verdicts") or (
            {"pass": 1, "fail": 0} if rubric.scale == "binary" else {}
        )
        turned = {"show": list(reversed(shown)), "verdicts": dict(reversed(verdicts.items()))}
        return rubric.model_copy(update={"scorer": {**rubric.scorer, cls.form: form | turned}})

    def request(self, case: Case) -> dict[str, Any]:
        """Model, sampling, rubric and the rendered messages."""
        sampling = {**self._pinned["sampling"], **self._shape.parameters(case)}
        return {**self._pinned, "sampling": sampling, "messages": self._shape.messages(case)}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One answer per request, in order."""
        return [answer for _, answer in sorted(self.stream(requests), key=lambda pair: pair[0])]

    def stream(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Answer]]:
        """Each answer with its place, as they come; one that does not parse is asked for again."""
        unclear: list[tuple[int, Completion]] = []
        for place, completion in self._chats.stream([self._chat(one) for one in requests]):
            fault = self._fault(completion)
            if fault and self._shape.again(completion.text):
                unclear.append((place, completion))
            else:
                yield place, _answer(completion, fault=fault)
        unclear.sort(key=lambda pair: pair[0])
        second = [self._chat(requests[place], said.text) for place, said in unclear]
        for nth, completion in self._chats.stream(second):
            place, first = unclear[nth]
            yield place, _answer(completion, first, fault=self._fault(completion))

    def read(self, answer: Answer) -> Judgement:
        """The judgement in an answer."""
        try:
            return self._shape.read(answer.value["text"])
        except ValueError as error:
            return Judgement("unparsed", None, str(error))

    def estimate(self, request: Mapping[str, Any]) -> tuple[int, int, float | None]:
        """Tokens read and at most written by a request, and at most US dollars, if priced."""
        return self._price.estimate(request["messages"], request["sampling"].get("max_tokens"))

    def _chat(self, request: Mapping[str, Any], said: str | None = None) -> ChatRequest:
        """The chat request; after an answer that did not parse, it is quoted and asked again."""
        asked = tuple(request["messages"])
        if said is not None:
            asked = (*asked, *self._shape.again(said))
        return ChatRequest(request["model"], asked, request["sampling"], self._shape.schema)

    def _fault(self, completion: Completion) -> str:
        """Why a good completion is no verdict, or ""."""
        if completion.status != "ok":
            return ""
        try:
            self._shape.read(completion.text)
        except ValueError as error:
            cut = " (cut off at max_tokens)" if completion.finish == "length" else ""
            return f"{error}{cut}"
        return ""


def _shapes(rubric: Rubric, given: Mapping[str, Any], where: str) -> list[Shape]:
    """The ways in which a case is put to the model: one, or the two orders of a pair.

    Raises:
        ConfigError: The form contradicts itself.
    """
    edit = f"edit rubrics/{rubric.name}.yaml"
    if given["guard"] is not None:
        if given["instructions"] or given["verdicts"] or given["shape"] != "pointwise":
            raise ConfigError(
                f"{where}: a guard has its own prompt and verdicts; it takes no instructions,"
                " verdicts or shape",
                hint=edit,
            )
        guard = Guard(given["guard"], given["of"], given["risk"], given["policy"])
        if absent := [name for name in guard.needs if name not in rubric.requires]:
            raise ConfigError(
                f"{where}: the risk {given['risk']} needs the row's {absent[0]}, which requires"
                " does not name",
                hint=edit,
            )
        if guard.fault:
            raise ConfigError(f"{where}: {guard.fault}", hint=edit)
        return [guard]
    if given["shape"] == "pointwise":
        return [Pointwise(form_of(rubric, given, where), examples({}, Path(), where=where))]
    if given["verdicts"]:
        raise ConfigError(f"{where}: a pair has its own verdicts: first, second, tie", hint=edit)
    if "reference" not in rubric.requires:
        raise ConfigError(
            f"{where}: a pair needs the row's reference, which requires does not name", hint=edit
        )
    form = form_of(rubric, {**given, "verdicts": VERDICTS}, where)
    return [Pairwise(form, is_swapped=swapped) for swapped in (False, True)]


def _answer(completion: Completion, first: Completion | None = None, *, fault: str = "") -> Answer:
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
    status, error = ("unparsed", fault) if fault else (completion.status, completion.error)
    return Answer(status, value, error, completion.latency_s, cost)
