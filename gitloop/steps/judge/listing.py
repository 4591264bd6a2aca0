"""The judges that are installed: what each needs, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitloop.arguments import REQUIRED, Argument
from gitloop.judges.metrics import NAMES, Metric, metric
from gitloop.plugins import load, names


@dataclass(frozen=True, slots=True)
class JudgeLine:
    """A judge kind.

    Attributes:
        judge: Its name, as `judge.use` in params.yaml.
        version: Its version, as `judge.version`.
        is_pure: Whether it costs nothing and needs no recording.
        description: One line.
        returns: What its scores are.
        needs: Keys of the pin that it cannot do without, beside its required parameters.
        parameters: What `judge.parameters` may say.
        form: Key of a rubric's scorer that it reads, or None where it reads none of its own.
        form_arguments: What that may say; () where it is the user's own, or a metric's.
    """

    judge: str
    version: str
    is_pure: bool
    description: str
    returns: str
    needs: tuple[str, ...]
    parameters: tuple[ArgumentLine, ...]
    form: str | None
    form_arguments: tuple[ArgumentLine, ...]


@dataclass(frozen=True, slots=True)
class ArgumentLine:
    """An argument of a metric.

    Attributes:
        name: Its name in the rubric's form.
        kind: text, words, number, integer, flag or mapping.
        default: Its value where nothing is said; None where it has none.
        is_required: Whether it must be given.
        description: One line.
        choices: The texts that are legal; () where any is.
    """

    name: str
    kind: str
    default: Any
    is_required: bool
    description: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MetricLine:
    """A metric of the local judge.

    Attributes:
        metric: Its name, as `scorer.local.metric` in a rubric.
        needs: Fields of a row that it cannot do without.
        takes: Fields that it uses where a row has them.
        returns: "0 or 1", or "0 to 1".
        description: What a high score means.
        arguments: What a rubric may tell it.
    """

    metric: str
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    returns: str
    description: str
    arguments: tuple[ArgumentLine, ...]


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """The judges that are installed.

    Attributes:
        judges: Judge kinds, by name.
        metrics: Metrics of the local judge, related ones together.
    """

    judges: tuple[JudgeLine, ...]
    metrics: tuple[MetricLine, ...]


def list_judges() -> JudgeReport:
    """Every judge kind, and every metric of the local one."""
    return JudgeReport(
        judges=tuple(_kind(name, load("judges", name)) for name in names("judges")),
        metrics=tuple(_line(metric(name)) for name in NAMES),
    )


def _kind(name: str, kind: Any) -> JudgeLine:  # noqa: ANN401 -- whatever a plug-in brings along
    """A kind of judge, as far as it tells what it takes."""
    return JudgeLine(
        judge=name,
        version=kind.version,
        is_pure=kind.is_pure,
        description=(kind.__doc__ or "").strip().split("\n")[0],
        returns=getattr(kind, "returns", "0 to 1"),
        needs=getattr(kind, "needs", ()),
        parameters=_arguments(getattr(kind, "takes", {})),
        form=getattr(kind, "form", name),
        form_arguments=_arguments(getattr(kind, "asks", {})),
    )


def _line(metric: Metric) -> MetricLine:
    return MetricLine(
        metric=metric.name,
        needs=metric.needs,
        takes=metric.takes,
        returns=metric.returns,
        description=metric.doc,
        arguments=_arguments(metric.arguments),
    )


def _arguments(given: Mapping[str, Argument]) -> tuple[ArgumentLine, ...]:
    return tuple(
        ArgumentLine(
            name=name,
            kind=argument.kind,
            default=None if argument.default is REQUIRED else argument.default,
            is_required=argument.default is REQUIRED,
            description=argument.doc,
            choices=tuple(argument.choices),
        )
        for name, argument in given.items()
    )
