"""A prompt file: YAML front matter and a sandboxed Jinja2 body in which undefined is an error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field

from gitloop.documents import dump, nearest, parse
from gitloop.errors import ConfigError
from gitloop.params.openings import OPTIMIZE_FILE, Openings, OptimizeFile
from gitloop.params.strict import Strict, validate
from gitloop.records import Candidate

_FENCE = "---"
_RAW = "what is no template stands between {% raw %} and {% endraw %}"
_ENVIRONMENT = SandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)


class PromptHead(Openings):
    """The front matter of a prompt file.

    Attributes:
        name: Equal to the file's stem.
        version: Bumped whenever the body changes.
        description: One line for people.
        parameters: Model parameters that go with this prompt.
        values: Template variable → the text that fills it, beside the row's own fields.
        instructions: What fills `{{ instructions }}`, one instruction a line.
        space: Template variable → the values that an optimizer may choose from.
        parameter_space: Model parameter → the values that an optimizer may choose from.
        parameter_ranges: Model parameter → the numbers that an optimizer may choose from.
        lines: Instructions that an optimizer may add to `instructions`.
        demos: Most examples that an optimizer may put into `{{ demos }}`, out of training rows.
        frozen: Parts of the body or of the instructions that no optimizer may touch, verbatim.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    version: str = Field(min_length=1, max_length=64)
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    instructions: tuple[str, ...] = ()


_ORDER = ("name", "version", "description", "parameters", "values", "instructions")
"""The keys that stand first in a file, the rest behind them."""


class Prompt(Strict):
    """A prompt file.

    Attributes:
        head: The front matter.
        body: The Jinja2 template.
    """

    head: PromptHead
    body: str

    @property
    def version_id(self) -> str:
        """Name and version, as traces carry them, e.g. "support@2"."""
        return f"{self.head.name}@{self.head.version}"

    @property
    def sha256(self) -> str:
        """Digest of all that can change what the target is sent."""
        head = self.head.model_dump(include={"values", "instructions", "parameters"})
        head["values"] = {**self._first_values(), **head["values"]}
        text = json.dumps([head, self.body], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def variables(self) -> frozenset[str]:
        """The variables that the body uses."""
        return frozenset(find_undeclared_variables(_ENVIRONMENT.parse(self.body)))

    @property
    def code(self) -> frozenset[str]:
        """What of the body is code, not text: each `{{ … }}`, `{% … %}` and `{# … #}`."""
        found: set[str] = set()
        inside: list[str] = []
        for _, kind, value in _ENVIRONMENT.lex(self.body):
            if kind == "data":
                continue
            if kind.endswith("_begin"):
                inside = []
            inside.append(value.strip("-+ \n"))
            if kind.endswith("_end"):
                found.add(" ".join(part for part in inside if part))
        return frozenset(found)

    def lost(self, parts: Iterable[str]) -> list[str]:
        """The parts that stand neither in the body nor in an instruction, word for word."""
        own = (self.body, *self.head.instructions)
        return [part for part in parts if not any(part in text for text in own)]

    def render(self, values: dict[str, Any]) -> str:
        """The body with its variables filled in. Text in `values` is data and never template.

        Args:
            values: The row's fields; the prompt's own values and instructions are added.

        Raises:
            ConfigError: A variable of the body has no value, or the body does not run.
        """
        try:
            return _ENVIRONMENT.from_string(self.body).render({**self._own_values(), **values})
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ConfigError(
                f"prompt {self.version_id} cannot be rendered: {error}",
                hint=f"it may use {', '.join(sorted({**self._own_values(), **values}))}; {_RAW}",
            ) from error

    def changed(self, candidate: Candidate, *, version: str | None = None) -> Prompt:
        """This prompt as the candidate has it."""
        update: dict[str, Any] = {
            "instructions": candidate.instructions,
            "values": dict(candidate.values),
            "parameters": {**self.head.parameters, **dict(candidate.parameters)},
        }
        head = self.head.model_copy(update=update | ({"version": version} if version else {}))
        return Prompt(head=head, body=self.body if candidate.body is None else candidate.body)

    def text(self) -> str:
        """The prompt as a file: front matter with what differs from the defaults, then the body."""
        head = self.head.model_dump(mode="json", exclude_defaults=True)
        head = {"name": self.head.name, "version": self.head.version, **head}
        head = {
            key: head[key] for key in (*_ORDER, *sorted(set(head) - set(_ORDER))) if key in head
        }
        return f"{_FENCE}\n{dump(head)}{_FENCE}\n{self.body}"

    def _own_values(self) -> dict[str, str]:
        lines = "\n".join(f"- {line}" for line in self.head.instructions)
        examples = {"demos": ""} if self.head.demos else {}
        return {"instructions": lines, **examples, **self._first_values(), **self.head.values}

    def _first_values(self) -> dict[str, str]:
        """The first value of each variable that an optimizer may choose, unless it is chosen."""
        return {name: values[0] for name, values in self.head.space.items()}


def parse_prompt(text: str, *, source: str) -> Prompt:
    """The prompt in `text`.

    Raises:
        ConfigError: No front matter, a fault in it (with its line), or a body that is no template.
    """
    head, body = _split(text, source)
    checked = validate(parse(head, source=source), PromptHead)
    try:
        _ENVIRONMENT.parse(body)
    except TemplateError as error:
        line = getattr(error, "lineno", 1) + head.count("\n") + 1
        raise ConfigError(
            f"{source}:{line}: not a valid template: {error}", hint=f"edit {source}; {_RAW}"
        ) from error
    return Prompt(head=checked, body=body)


def with_openings(prompt: Prompt, text: str, known: frozenset[str]) -> Prompt:
    """The prompt with what optimize.yaml opens of it.

    Args:
        prompt: As its own file has it.
        text: optimize.yaml.
        known: The names of all prompts.

    Raises:
        ConfigError: A fault in the file, a prompt that is not there, or a key that the front matter
            has as well.
    """
    opened = validate(parse(text, source=OPTIMIZE_FILE), OptimizeFile).prompts
    if strange := sorted(set(opened) - known):
        like = nearest(strange[0], sorted(known))
        raise ConfigError(
            f"{OPTIMIZE_FILE}: there is no prompt {strange[0]}",
            hint=f"did you mean {like}?" if like else "its names are those of prompts/<name>.md",
        )
    found = opened.get(prompt.head.name)
    if found is None:
        return prompt
    given = found.model_dump(exclude_unset=True)
    twice = sorted(set(given) & prompt.head.model_fields_set)
    if twice:
        raise ConfigError(
            f"{OPTIMIZE_FILE}: {prompt.head.name}.{twice[0]} stands in the front matter of the"
            " prompt as well",
            hint="keep one of the two",
        )
    update = {name: getattr(found, name) for name in given}
    return Prompt(head=prompt.head.model_copy(update=update), body=prompt.body)


def _split(text: str, source: str) -> tuple[str, str]:
    """The front matter (with its opening line, so that line numbers hold) and the body."""
    text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    if lines[0].strip() != _FENCE or _FENCE not in (line.strip() for line in lines[1:]):
        raise ConfigError(
            f"{source}:1: a prompt starts with YAML front matter between two lines of ---",
            hint="see prompts/ in a fresh `gitloop init` for the form",
        )
    end = next(i for i, line in enumerate(lines[1:], start=1) if line.strip() == _FENCE)
    return "\n".join(["", *lines[1:end], ""]), "\n".join(lines[end + 1 :])
