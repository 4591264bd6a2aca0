"""A rubric and a pin → the judge: one way for params.yaml's pins and for a panel's members."""

from __future__ import annotations

from pathlib import Path

from gitloop.errors import ConfigError
from gitloop.params import JudgePin, Rubric
from gitloop.plugins import load
from gitloop.protocols import Judge


def bind(rubric: Rubric, pin: JudgePin, root: Path, *, key: str) -> Judge:
    """The judge that the pin names, ready to judge the rubric.

    Args:
        rubric: The rubric.
        pin: Who is to judge.
        root: The repository's root.
        key: Where the pin stands in params.yaml.

    Raises:
        ConfigError: The installed judge has another version than the pin, or the rubric says
            nothing to that kind of judge, or something wrong.
    """
    plugin = load("judges", pin.use)
    if plugin.version != pin.version:
        raise ConfigError(
            f"params.yaml pins version {pin.version} of the judge {pin.use},"
            f" but {plugin.version} is installed",
            hint=f"edit params.yaml: {key}.version, and calibrate again",
        )
    form = getattr(plugin, "form", pin.use)
    if form is not None and form not in rubric.scorer:
        raise ConfigError(
            f"rubrics/{rubric.name}.yaml has no scorer for the judge {pin.use}",
            hint=f"it has {', '.join(sorted(rubric.scorer))}; add scorer.{form},"
            f" or edit params.yaml: {key}.use",
        )
    judge: Judge = plugin(rubric, pin, root)
    return judge
