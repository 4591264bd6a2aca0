"""The list of references is whole: no statistic without one, no reference without its test."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import gitloop.stats
from tests.core.references import NO_STATISTIC, REFERENCES

TESTS = Path(__file__).parents[1]


def statistics() -> set[str]:
    """Every public function of `gitloop.stats`, as "module.function"."""
    found = set()
    for module in pkgutil.walk_packages(gitloop.stats.__path__, "gitloop.stats."):
        loaded = importlib.import_module(module.name)
        own = [
            name
            for name, value in vars(loaded).items()
            if inspect.isfunction(value) and value.__module__ == module.name
        ]
        short = module.name.removeprefix("gitloop.stats.")
        found |= {f"{short}.{name}" for name in own if not name.startswith("_")}
    return found


def test_every_statistic_has_a_reference() -> None:
    """A new function of `gitloop.stats` says what it is held against, or that it is none."""
    listed = {f"{module}.{name}" for module, names in REFERENCES.items() for name in names}
    missing = {name for name in statistics() - listed if name.split(".")[-1] not in NO_STATISTIC}
    assert missing == set()
    assert listed - statistics() == set()


@pytest.mark.parametrize(
    "test", sorted({test for names in REFERENCES.values() for _, test in names.values()})
)
def test_every_reference_has_its_test(test: str) -> None:
    """The file is there, and holds the test that is named."""
    file, _, name = test.partition("::")
    assert f"def {name}" in (TESTS / file).read_text(encoding="utf-8")
