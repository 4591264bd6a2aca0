"""A prompt file: YAML front matter and a sandboxed Jinja2 body in which undefined is an error."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field

from gitloop.documents import dump, parse
from gitloop.errors import ConfigError
from gitloop.params.strict import Strict, validate
from gitloop.records import Candidate

_FENCE = "---"
_ENVIRONMENT = SandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)


class PromptHead(Strict):
    """The front matter of a prompt file.

    Attributes:
        name: Equal to the file's stem.
        version: Bumped whenever the body changes.
        description: One line for people.
        parameters: Model parameters that go with this prompt.
        values: Template variable → the text that fills it, beside the row's own fields.
        instructions: What fills `{{ instructions }}`, one instruction a line.
        space: Template variable → the values that an optimizer may choose from.
        lines: Instructions that an optimizer may add to `instructions`.
        demos: Most examples that an optimizer may put into `{{ demos }}`, out of training rows.
        frozen: Parts of the body that no optimizer may touch, verbatim.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    version: str = Field(min_length=1, max_length=64)
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    instructions: tuple[str, ...] = ()
    space: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    lines: tuple[str, ...] = ()
    demos: int = Field(default=0, ge=0, le=32)
    frozen: tuple[str, ...] = ()


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
        text = json.dumps([head, self.body], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def variables(self) -> frozenset[str]:
        """The variables that the body uses."""
        return frozenset(find_undeclared_variables(_ENVIRONMENT.parse(self.body)))

    def render(self, values: dict[str, Any]) -> str:
        """The body with its variables filled in. Text in `values` is data and never template.

        Args:
            values: The row's fields; the prompt's own values and instructions are added.

        Raises:
            ConfigError: A variable of the body has no value, or the body does not run.
        """
        try:
            return _ENVIRONMENT.from_string(self.body).render({**self._own_values(), **values})
        except TemplateError as error:
            raise ConfigError(
                f"prompt {self.version_id} cannot be rendered: {error}",
                hint=f"it may use {', '.join(sorted({**self._own_values(), **values}))}",
            ) from error

    def changed(self, candidate: Candidate, *, version: str | None = None) -> Prompt:
        """This prompt as the candidate has it."""
        update = {"instructions": candidate.instructions, "values": dict(candidate.values)}
        head = self.head.model_copy(update=update | ({"version": version} if version else {}))
        return Prompt(head=head, body=self.body if candidate.body is None else candidate.body)

    def text(self) -> str:
        """The prompt as a file: front matter with what differs from the defaults, then the body."""
        head = self.head.model_dump(mode="json", exclude_defaults=True)
        head = {"name": self.head.name, "version": self.head.version, **head}
        return f"{_FENCE}\n{dump(head)}{_FENCE}\n{self.body}"

    def _own_values(self) -> dict[str, str]:
        lines = "\n".join(f"- {line}" for line in self.head.instructions)
        examples = {"demos": ""} if self.head.demos else {}
        return {"instructions": lines, **examples, **self.head.values}


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
            f"{source}:{line}: not a valid template: {error}", hint=f"edit {source}"
        ) from error
    return Prompt(head=checked, body=body)


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
