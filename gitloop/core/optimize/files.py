"""Files rewritten so that their diff shows the change and nothing else."""

from __future__ import annotations

import re

from gitloop.documents import dump, parse, rewritten
from gitloop.errors import ConfigError
from gitloop.params import Prompt, parse_prompt

_REPLACED = ("version", "parameters", "instructions", "values")


def prompt_file(text: str, changed: Prompt) -> str:
    """The file with the changed prompt's version, parameters, instructions, values and body.

    Comments and the order of the other keys stay. Where that cannot be done without losing
    anything, the file is written anew.

    Args:
        text: The file as it is.
        changed: The prompt that it must hold.
    """
    text = text.replace("\r\n", "\n")
    _, head, _ = re.split(r"^---[ \t]*$\n?", text, maxsplit=2, flags=re.MULTILINE)
    blocks = _blocks(head)
    new = {name: value for name, value in changed.head.model_dump(mode="json").items() if value}
    kept = [block if name not in _REPLACED else None for name, block in blocks]
    lines: list[str] = []
    written = set()
    for (name, _), block in zip(blocks, kept, strict=True):
        if block is not None:
            lines.append(block)
        elif name in new:
            lines.append(dump({name: new[name]}))
            written.add(name)
    lines += [dump({name: new[name]}) for name in _REPLACED if name in new and name not in written]
    made = f"---\n{''.join(lines)}---\n{changed.body}"
    try:
        is_same = parse_prompt(made, source="proposal") == changed
    except ConfigError:
        is_same = False
    return made if is_same else changed.text()


def _blocks(head: str) -> list[tuple[str, str]]:
    """The top-level keys of a front matter, each with its lines; ("", …) for what precedes them."""
    found: list[tuple[str, str]] = []
    for line in head.splitlines(keepends=True):
        key = re.match(r"([a-z_]+):", line)
        if key:
            found.append((key[1], line))
        elif found and found[-1][0]:
            found[-1] = (found[-1][0], found[-1][1] + line)
        else:
            found.append(("", line))
    return found


def pin_threshold(text: str, rubric: str, threshold: float) -> str:
    """params.yaml with the rubric's threshold pinned; comments and order stay.

    Args:
        text: params.yaml.
        rubric: A rubric that it pins.
        threshold: The line.

    Raises:
        ConfigError: The file is written in a way that only a person can edit.
    """
    document = parse(text, source="params.yaml")
    pins = document.value["rubrics"][rubric]
    made = rewritten(text, ("rubrics", rubric, "threshold"), threshold)
    wanted = {**document.value, "rubrics": {**document.value["rubrics"]}}
    wanted["rubrics"][rubric] = {**pins, "threshold": threshold}
    try:
        is_right = parse(made, source="params.yaml").value == wanted
    except ConfigError:
        is_right = False
    if not is_right:
        raise ConfigError(
            f"params.yaml cannot be edited without losing its form: rubrics.{rubric}",
            hint=f"set rubrics.{rubric}.threshold: {threshold!r} by hand",
        )
    return made
