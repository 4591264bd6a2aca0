"""Trainers read the exports: TRL takes a step on each, with a tiny randomly initialised model.

torch and trl are no part of the development environment. The test runs where GITLOOP_TRAINERS names
a Python that has them, where .venv-trainers is one, or where they are here; else it is skipped.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gitloop.core.pairs.layouts import LAYOUTS
from gitloop.steps.pairs.build import build_pairs
from gitloop.steps.pairs.export import ExportPlan, export_file
from tests.paired import rewarded, trainers_python, voted_repository

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


EXPORTS = {
    "dpo-conversational": ("dpo", "trl-dpo", "conversational"),
    "dpo-plain": ("dpo", "trl-dpo", "plain"),
    "reward-conversational": ("reward", "trl-reward", "conversational"),
    "reward-plain": ("reward", "trl-reward", "plain"),
    "kto-conversational": ("kto", "trl-kto", "conversational"),
    "grpo-plain": ("grpo", "trl-grpo", "plain"),
}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[int, Any]]:
    """Export → (rows that were exported, what one step on them came to), from one process."""
    python = trainers_python("trl", "torch")
    folder = tmp_path_factory.mktemp("trained")
    voted = voted_repository(folder / "repository")
    build_pairs(voted.root)
    arguments, n_rows = [], []
    for name, (kind, layout, form) in EXPORTS.items():
        output = folder / f"{name}.jsonl"
        if kind == "grpo":
            lines = [json.dumps(row) for row in LAYOUTS[layout].rows(rewarded(12), form)]
            output.write_text("\n".join(lines) + "\n")
        else:
            export_file(voted.root, ExportPlan((layout,), form), split="train", output=output)
        n_rows.append(len(output.read_text().splitlines()))
        arguments += [kind, str(output)]
    command = [python, str(ROOT / "tests/trainers.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"steps')]
    return dict(zip(EXPORTS, zip(n_rows, found, strict=True), strict=True))


@pytest.mark.parametrize("name", EXPORTS)
def test_a_trainer_takes_a_step(steps: Mapping[str, tuple[int, Any]], name: str) -> None:
    """It loads every row, takes one step, and its loss is a number."""
    n_rows, found = steps[name]
    assert n_rows > 0
    assert found == {"steps": 1, "is_finite": True, "n_rows": n_rows}
