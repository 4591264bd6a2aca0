"""One plug-in by name. Only the one that is asked for is imported."""

from __future__ import annotations

from functools import cache
from typing import Any

from gitloop.documents import nearest
from gitloop.errors import PluginError

EXTRAS = frozenset({"minilm"})
"""Built-in plug-ins whose package is an extra of the same name."""

GROUPS = ("judges", "targets", "sources", "embedders", "optimizers", "reports")


def names(group: str) -> list[str]:
    """The names of all plug-ins of a group, sorted; none is imported.

    Args:
        group: One of `GROUPS`.
    """
    from importlib.metadata import entry_points

    return sorted(point.name for point in entry_points(group=f"gitloop.{group}"))


@cache
def load(group: str, name: str) -> Any:  # noqa: ANN401 -- the caller knows the group's protocol
    """The class behind the entry point.

    Raises:
        PluginError: No plug-in has that name, or it cannot be imported.
    """
    from importlib.metadata import entry_points

    found = list(entry_points(group=f"gitloop.{group}", name=name))
    if not found:
        known = names(group)
        like = nearest(name, known)
        raise PluginError(
            f"there is no {group.removesuffix('s')} named {name}"
            + (f"; did you mean {like}?" if like else ""),
            hint=f"known: {', '.join(known) or 'none: is gitloop installed?'}",
        )
    try:
        return found[0].load()
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"the {group.removesuffix('s')} {name} cannot be imported: {error}",
            hint=f'run: pip install "gitloop[{name}]"'
            if name in EXTRAS
            else f"check the package that provides {found[0].value}",
        ) from error
