"""axolotl, LLaMA-Factory and Unsloth read the exports with their own loaders.

None of them is part of any environment that CI makes. The tests run where GITLOOP_TRAINERS names a
Python that has them, or after `python3 dev.py loaders`; elsewhere they are skipped, and
`tests/core/test_pairs_export.py` holds the columns that these loaders were seen to want.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitloop.core.pairs.layouts import LAYOUTS, companion
from gitloop.steps.pairs.build import build_pairs
from gitloop.steps.pairs.export import ExportPlan, export_pairs
from tests.paired import pair_rows, trainers_python, voted_repository

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

HISTORY = (("user", "Hi there"), ("assistant", "Hello, what is it"))
EXPORTS = (("conversational", "jsonl"), ("conversational", "parquet"), ("plain", "jsonl"))


def read(tool: str, home: Path, *arguments: str) -> list[dict[str, Any]]:
    """What a tool makes of what is named, from one process with a home of its own."""
    command = [trainers_python(tool), "-m", "tests.loaders", *arguments]
    places = {name: str(home) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME")}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | places
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"kind"')]


def words(text: str) -> list[str]:
    """The words of a text, without the marks of templates."""
    told = re.findall(r"\w+", text)
    return [one for one in told if one not in {"bos", "eos", "unk", "user", "assistant"}]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with an export of nineteen pairs in every form and format."""
    trainers_python("axolotl", "llamafactory", "unsloth")
    made = voted_repository(tmp_path_factory.mktemp("loaded") / "repository")
    build_pairs(made.root)
    for form, kind in EXPORTS:
        layouts = ("llama-factory", "unsloth") + ("axolotl",) * (form == "conversational")
        export_pairs(made.root, ExportPlan(layouts, form, kind, f"{form}-{kind}"))
    return made.root / "preferences"


def folders(exported: Path, layout: str) -> dict[str, list[dict[str, Any]]]:
    """Export → its rows as plain text, the tokenizer's words beside them."""
    rows = exported / "plain-jsonl/data/unsloth-train.jsonl"
    told = [json.loads(line) for line in rows.read_text().splitlines()]
    found = {}
    for form, kind in EXPORTS:
        if form in LAYOUTS[layout].forms:
            (exported / f"{form}-{kind}/words.txt").write_text(rows.read_text())
            found[str(exported / f"{form}-{kind}")] = told
    return found


def conversation(folder: Path, layout: str) -> dict[str, list[dict[str, Any]]]:
    """An export of one pair with a history, written as the step writes it."""
    (pair,) = pair_rows(1, history=HISTORY)
    pair |= {"stratum": None, "agreement": None, "labelled_by": []}
    (folder / "data").mkdir(parents=True)
    (row,) = LAYOUTS[layout].rows([pair], "conversational")
    (folder / f"data/{layout}-train.jsonl").write_text(json.dumps(row) + "\n")
    beside = companion(layout, "conversational", {"train": f"data/{layout}-train.jsonl"})
    assert beside is not None
    (folder / beside[0]).write_text(beside[1])
    (plain,) = LAYOUTS["unsloth"].rows([pair], "plain")
    (folder / "words.txt").write_text(json.dumps(plain))
    return {str(folder): [plain]}


@pytest.mark.parametrize("layout", ["axolotl", "llama-factory"])
def test_the_tool_trains_on_every_pair_as_it_was_exported(
    exported: Path, tmp_path: Path, layout: str
) -> None:
    """What was asked, history included, chosen and rejected, each in its place; nothing is lost."""
    wanted = folders(exported, layout) | conversation(tmp_path / "talk", layout)
    arguments = [argument for folder in wanted for argument in (layout, folder)]
    found = read(layout.replace("-", ""), tmp_path, *arguments)
    names = ("prompt", "chosen", "rejected")
    for one, rows in zip(found, wanted.values(), strict=True):
        told = sorted([words(row[name]) for name in names] for row in one["rows"])
        expected = sorted([words(_without_roles(row[name])) for name in names] for row in rows)
        assert told == expected


def _without_roles(text: str) -> str:
    return re.sub(r"^(User|Assistant): ", "", text, flags=re.MULTILINE)


def test_unsloth_takes_a_step(exported: Path, tmp_path: Path) -> None:
    """Its model, under TRL's DPOTrainer, on both forms; without a GPU it trains on the CPU."""
    paths = [
        str(exported / f"{form}-jsonl/data/unsloth-train.jsonl")
        for form in ("conversational", "plain")
    ]
    found = read("unsloth", tmp_path, *(word for path in paths for word in ("unsloth", path)))
    n_rows = len(Path(paths[0]).read_text().splitlines())
    expected = {"kind": "unsloth", "steps": 1, "is_finite": True, "n_rows": n_rows}
    assert found == [expected, expected]
