"""The pytest plug-in: golden sets as regression tests.

    @pytest.mark.gitloop(set="support", route="refunds")
    def test_refunds(gitloop_result):
        assert gitloop_result.pass_rate >= 0.92, gitloop_result.summary()

The mark takes what `gitloop.load_golden` takes (`set` is its name), and `rubrics` and `calls` of
`gitloop.evaluate`. A test may ask for

- `gitloop_rows`: the golden rows, a polars frame that fits `tables.GOLDEN`;
- `gitloop_result`: those rows through params.yaml's target and judges, an `Evaluation`;
- `gitloop_row`: one row at a time, a mapping; the test runs once for each.

pytest loads this module in every run, so it imports nothing of gitloop's until a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import polars as pl

    from gitloop.core.evaluate import Evaluation

_OF_ROWS = ("route", "split", "revision", "directory")
_OF_RESULT = ("rubrics", "calls", "directory")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers",
        "gitloop(set, route=None, split=None, rubrics=None, calls=None, revision=None,"
        " directory=rootdir): golden rows for gitloop_rows, gitloop_result and gitloop_row",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `gitloop_row` once for each row."""
    if "gitloop_row" not in metafunc.fixturenames:
        return
    from gitloop.errors import GitloopError

    mark = metafunc.definition.get_closest_marker("gitloop")
    try:
        rows = _load(_given(mark, metafunc.config)).to_dicts()
    except (GitloopError, pytest.UsageError) as error:  # this test's, and no other's of the file
        metafunc.parametrize("gitloop_row", [error], ids=["error"], indirect=True)
        return
    names = [row["row_id"] for row in rows]
    metafunc.parametrize("gitloop_row", rows, ids=names, indirect=True)


@pytest.fixture
def gitloop_row(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One of the golden rows that the test's mark names."""
    if isinstance(request.param, Exception):
        raise request.param
    row: dict[str, Any] = request.param
    return row


@pytest.fixture
def gitloop_rows(request: pytest.FixtureRequest) -> pl.DataFrame:
    """The golden rows that the test's mark names."""
    return _load(_given(request.node.get_closest_marker("gitloop"), request.config))


@pytest.fixture
def gitloop_result(request: pytest.FixtureRequest, gitloop_rows: pl.DataFrame) -> Evaluation:
    """The golden rows through params.yaml's target and judges."""
    from gitloop import evaluate

    given = _given(request.node.get_closest_marker("gitloop"), request.config)
    return evaluate(gitloop_rows, **{k: v for k, v in given.items() if k in _OF_RESULT})


def _load(given: dict[str, Any]) -> pl.DataFrame:
    from gitloop import load_golden

    return load_golden(given["set"], **{k: v for k, v in given.items() if k in _OF_ROWS})


def _given(mark: pytest.Mark | None, config: pytest.Config) -> dict[str, Any]:
    """What the mark says; the repository is pytest's rootdir unless it says another."""
    if mark is None or mark.args or "set" not in mark.kwargs:
        raise pytest.UsageError('mark the test with @pytest.mark.gitloop(set="…")')
    unknown = sorted(set(mark.kwargs) - {"set", *_OF_ROWS, *_OF_RESULT})
    if unknown:
        raise pytest.UsageError(f"the mark gitloop takes no {', '.join(unknown)}")
    return {"directory": config.rootpath, **mark.kwargs}
