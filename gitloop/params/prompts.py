"""A prompt file: YAML front matter and a sandboxed Jinja2 body in which undefined is an error."""

from __future__ import annotations

import hashlib
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field

from gitloop.documents import parse
from gitloop.errors import ConfigError
from gitloop.params.strict import Strict, validate

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
        space: Template variable → the values that an optimizer may choose from.
        lines: Instructions that an optimizer may add to the `{{ instructions }}` slot or leave out.
        frozen: Parts of the body that no optimizer may touch, verbatim.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    version: str = Field(min_length=1, max_length=64)
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    space: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    lines: tuple[str, ...] = ()
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
        """Digest of the body."""
        return hashlib.sha256(self.body.encode()).hexdigest()

    @property
    def variables(self) -> frozenset[str]:
        """The variables that the body uses."""
        return frozenset(find_undeclared_variables(_ENVIRONMENT.parse(self.body)))

    def render(self, values: dict[str, Any]) -> str:
        """The body with its variables filled in. Text in `values` is data and never template.

        Raises:
            ConfigError: A variable of the body has no value, or the body does not run.
        """
        try:
            return _ENVIRONMENT.from_string(self.body).render(values)
        except TemplateError as error:
            raise ConfigError(
                f"prompt {self.version_id} cannot be rendered: {error}",
                hint=f"it may use {', '.join(sorted(values))}",
            ) from error


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
