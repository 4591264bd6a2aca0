"""The pre-commit hooks that this repository offers to others."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitloop.cli.main import invoke
from tests.gate_cases import golden
from tests.gated import RUBRIC, Gated, gated

HOOKS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
)
N = 20


@pytest.fixture
def place(tmp_path: Path) -> Gated:
    """A repository that passes its gate, everything committed."""
    made = gated(tmp_path / "repo")
    made.promote(golden(N))
    made.score(golden(N), [1.0] * N)
    assert invoke(["-C", str(made.root), "gate"]) == 0
    made.commit("Score and gate")
    return made


def codes(place: Gated) -> dict[str, int]:
    """The exit code of every hook's command."""
    return {
        hook["id"]: invoke(["-C", str(place.root), *shlex.split(hook["entry"])[1:]])
        for hook in HOOKS
    }


def test_a_rubric_that_changed_in_silence_is_stopped(place: Gated) -> None:
    """New text under an old version: the rubric hook says so; the verdict is stale."""
    place.repository.gen({"rubrics/grounded.yaml": RUBRIC.replace("contains", "equals")})
    found = codes(place)
    assert (found["gitloop-rubrics"], found["gitloop-gate"]) == (4, 5)


def test_a_set_that_lost_a_record_is_stopped(
    place: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the proof finds is told, quiet or not."""
    for path in (place.root / "golden/support/log").glob("*.yaml"):
        path.unlink()
    assert codes(place)["gitloop-verify"] == 5
    assert "no record is left" in capsys.readouterr().out
