"""dvc.yaml, as far as a person writes it: every key that DVC knows, and no other."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gitloop.documents import parse
from gitloop.params.strict import Strict, validate

Outputs = list[str | dict[str, dict[str, Any] | None]]


class Stage(Strict):
    """One stage of dvc.yaml.

    Attributes:
        cmd: What it runs; null only for what `foreach` and `matrix` make.
        wdir: Where.
        deps: What it reads.
        params: Keys of params.yaml that decide its result.
        outs: What DVC keeps of it.
        metrics: Its metrics.
        plots: Its plots.
        frozen: Whether it is never run again.
        always_changed: Whether it is always run again.
        desc: For people.
        meta: For people.
        matrix: Variables that make several stages of it.
        foreach: Values that make several stages of it.
        do: The stage that `foreach` repeats.
        vars: Variables of its own.
    """

    cmd: str | list[str] | None = None
    wdir: str | None = None
    deps: list[str | dict[str, Any]] = Field(default_factory=list)
    params: list[str | dict[str, Any]] = Field(default_factory=list)
    outs: Outputs = Field(default_factory=list)
    metrics: Outputs = Field(default_factory=list)
    plots: Outputs = Field(default_factory=list)
    frozen: bool = False
    always_changed: bool = False
    desc: str | None = None
    meta: Any = None
    matrix: dict[str, Any] | str | None = None
    foreach: list[Any] | dict[str, Any] | str | None = None
    do: dict[str, Any] | None = None
    vars: list[Any] = Field(default_factory=list)

    def dependencies(self) -> set[str]:
        """The paths that it reads."""
        return {next(iter(dep)) if isinstance(dep, dict) else dep for dep in self.deps}


class Pipeline(Strict):
    """dvc.yaml, whole.

    Attributes:
        stages: Name → stage.
        vars: Variables of the whole file.
        params: Further parameter files.
        metrics: Top-level metrics.
        plots: Top-level plots.
        artifacts: Name → artifact, for `dvc artifacts get`.
        datasets: Name → dataset.
    """

    stages: dict[str, Stage] = Field(default_factory=dict)
    vars: list[Any] = Field(default_factory=list)
    params: list[Any] = Field(default_factory=list)
    metrics: list[Any] = Field(default_factory=list)
    plots: list[Any] | dict[str, Any] = Field(default_factory=list)
    artifacts: dict[str, Any] = Field(default_factory=dict)
    datasets: list[Any] | dict[str, Any] = Field(default_factory=list)


def parse_pipeline(text: str, *, source: str = "dvc.yaml") -> Pipeline:
    """The pipeline in `text`.

    Raises:
        ConfigError: Every fault of the file, each with its line and the nearest known key.
    """
    return validate(parse(text, source=source), Pipeline)
