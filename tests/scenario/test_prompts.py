"""The prompt files are what the rest of gitloop takes them for."""

from __future__ import annotations

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from ruamel.yaml import YAML

from gitloop.scenario import prompts

ROW = {"input": "Where is it?", "context": "In {{ transit }}.\n[internal] Mind.", "route": "status"}


def matter(version: str) -> dict[str, object]:
    """The front matter of a prompt file, read as YAML."""
    return dict(YAML(typ="safe").load(prompts.prompt_file(version).split("---\n", 2)[1]))


@pytest.mark.parametrize("version", prompts.VERSIONS)
def test_front_matter_names_the_version(version: str) -> None:
    """Each file is called support and bears its own version, as text."""
    read = matter(version)
    assert (read["name"], read["version"]) == ("support", version)


@pytest.mark.parametrize("version", prompts.VERSIONS[1:])
def test_front_matter_offers_every_line(version: str) -> None:
    """What the optimizer may choose from is the list of candidate lines, in its order."""
    assert matter(version)["lines"] == list(prompts.LINES)


@pytest.mark.parametrize("version", prompts.VERSIONS)
def test_rendering_is_jinja2s(version: str) -> None:
    """The scenario renders a prompt to the bytes that sandboxed, strict Jinja2 makes of it."""
    text = prompts.prompt_file(version)
    template = SandboxedEnvironment(undefined=StrictUndefined).from_string(
        text.split("---\n", 2)[2]
    )
    assert template.render(ROW, instructions="") == prompts.render(text, ROW)


def test_added_lines_join_the_instructions() -> None:
    """A new line goes below the last instruction, and one that is there is not repeated."""
    text = prompts.prompt_file(prompts.BASELINE)
    there = prompts.FIXES["refused"]
    actual = prompts.with_lines(text, (there, "Be brave."))
    assert actual.replace("- Be brave.\n", "") == text
    assert actual.index(there) < actual.index("Be brave.") < actual.index("Route:")
